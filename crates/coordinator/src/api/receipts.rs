//! `ReceiptService`.

use gallra_model::{Digest, RequestId};
use gallra_store::keys;
use gallra_wire::session::envelope_to_wire;
use gallra_wire::{parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::error::{CoreError, decode};
use crate::state::{self, StoredReceipt};

#[tonic::async_trait]
impl v1::receipt_service_server::ReceiptService for Api {
    async fn list_receipts(
        &self,
        request: Request<v1::ListReceiptsRequest>,
    ) -> Result<Response<v1::ListReceiptsResponse>, Status> {
        let id: RequestId = parse::field("request", &request.into_inner().request)?;
        state::load(&*self.core.store, &id).await?;
        let stored = state::receipts(&*self.core.store, &id).await?;
        let receipts = stored.iter().map(to_wire).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListReceiptsResponse { receipts }))
    }

    async fn get_receipt(&self, request: Request<v1::GetReceiptRequest>) -> Result<Response<v1::Receipt>, Status> {
        let request = request.into_inner();
        let id: RequestId = parse::field("request", &request.request)?;
        let digest: Digest = parse::field("digest", &request.digest)?;
        let entry = self.core.store.get(&keys::receipt(&id, &digest)).await.map_err(CoreError::from)?;
        let stored: StoredReceipt = decode("receipt", &entry.ok_or(CoreError::NotFound("receipt"))?.value)?;
        let receipt = to_wire(&stored)?;
        Ok(Response::new(v1::Receipt { envelope: Some(envelope_to_wire(&stored.envelope)), ..receipt }))
    }
}

/// The word that a value's JSON form uses.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|json| json.as_str().map(str::to_owned)).unwrap_or_default()
}

fn to_wire(stored: &StoredReceipt) -> Result<v1::Receipt, Status> {
    let opened = gallra_proof::receipt::read(&stored.envelope);
    let receipt = opened.map_err(|_| Status::data_loss("a receipt is damaged"))?.predicate;
    Ok(v1::Receipt {
        digest: stored.digest.to_string(),
        envelope: None,
        agent: receipt.agent.to_string(),
        target: receipt.target.to_string(),
        action: receipt.action.as_str().to_owned(),
        verdict: word(&receipt.verdict),
        code: receipt.code.as_ref().map(word).unwrap_or_default(),
        found: receipt.before.items,
        erased: receipt.counts.erased,
        absent: receipt.counts.absent,
        retained: receipt.counts.retained,
        failed: receipt.counts.failed,
        finished: receipt.finished.to_string(),
    })
}
