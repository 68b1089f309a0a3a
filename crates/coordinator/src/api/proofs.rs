//! `ProofService`.

use gallra_model::RequestId;
use gallra_model::proof::Stage;
use gallra_wire::{parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::error::CoreError;
use crate::issue::StoredProof;
use crate::{state, traces};

#[tonic::async_trait]
impl v1::proof_service_server::ProofService for Api {
    async fn list_proofs(
        &self,
        request: Request<v1::ListProofsRequest>,
    ) -> Result<Response<v1::ListProofsResponse>, Status> {
        let id: RequestId = parse::field("request", &request.into_inner().request)?;
        state::load(&*self.core.store, &id).await?;
        let proofs = self.core.proofs(&id).await?.iter().map(|proof| to_wire(&id, proof)).collect();
        Ok(Response::new(v1::ListProofsResponse { proofs }))
    }

    async fn get_proof(&self, request: Request<v1::GetProofRequest>) -> Result<Response<v1::GetProofResponse>, Status> {
        let request = request.into_inner();
        let id: RequestId = parse::field("request", &request.request)?;
        let mut proofs = self.core.proofs(&id).await?;
        let found = match request.sequence {
            0 => proofs.pop(),
            wanted => proofs.into_iter().find(|proof| proof.sequence == wanted),
        };
        let proof = found.ok_or(CoreError::NotFound(
            "proof yet: one is issued when live data is confirmed gone, or is late (`gallra request show`)",
        ))?;
        Ok(Response::new(self.file(&id, &proof).await?))
    }

    async fn pick_up_proof(
        &self,
        request: Request<v1::PickUpProofRequest>,
    ) -> Result<Response<v1::GetProofResponse>, Status> {
        let (id, proof) = self.core.pick_up(&request.into_inner().reference).await?;
        Ok(Response::new(self.file(&id, &proof).await?))
    }

    async fn get_issuer_key(
        &self,
        _: Request<v1::GetIssuerKeyRequest>,
    ) -> Result<Response<v1::GetIssuerKeyResponse>, Status> {
        Ok(Response::new(v1::GetIssuerKeyResponse { pem: self.core.issuer.now().public_pem() }))
    }
}

impl Api {
    async fn file(&self, id: &RequestId, proof: &StoredProof) -> Result<v1::GetProofResponse, Status> {
        let _span = traces::fetching(id, proof);
        let file = self.core.proof_file(id, proof).await?;
        let told = v1::Proof { bytes: file.len() as u64, ..to_wire(id, proof) };
        Ok(v1::GetProofResponse { proof: Some(told), file })
    }
}

fn to_wire(request: &RequestId, proof: &StoredProof) -> v1::Proof {
    v1::Proof {
        request: request.to_string(),
        sequence: proof.sequence,
        stage: match proof.stage {
            Stage::Interim => v1::Stage::Interim,
            Stage::Final => v1::Stage::Final,
            Stage::Amendment => v1::Stage::Amendment,
        }
        .into(),
        until: parse::text_or_empty(proof.until),
        issued: proof.issued.to_string(),
        bytes: 0,
    }
}
