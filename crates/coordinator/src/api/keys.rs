//! `KeyService`.

use gallra_proof::key::VerifyingKey;
use gallra_wire::v1;
use tonic::{Request, Response, Status};

use super::Api;
use crate::causes::CauseKey;
use crate::gate;

#[tonic::async_trait]
impl v1::key_service_server::KeyService for Api {
    async fn register_cause_key(
        &self,
        request: Request<v1::RegisterCauseKeyRequest>,
    ) -> Result<Response<v1::CauseKey>, Status> {
        let by = gate::caller(&request)?.name;
        let key = VerifyingKey::from_hex(&request.into_inner().public_key)
            .map_err(|error| Status::invalid_argument(format!("public_key: {error}")))?;
        Ok(Response::new(to_wire(&self.core.register_cause_key(&key, &by).await?)))
    }

    async fn list_cause_keys(
        &self,
        _: Request<v1::ListCauseKeysRequest>,
    ) -> Result<Response<v1::ListCauseKeysResponse>, Status> {
        let keys = self.core.cause_keys().await?.iter().map(to_wire).collect();
        Ok(Response::new(v1::ListCauseKeysResponse { keys }))
    }
}

fn to_wire(key: &CauseKey) -> v1::CauseKey {
    v1::CauseKey {
        keyid: VerifyingKey::from_hex(&key.key).map(|key| key.keyid()).unwrap_or_default(),
        public_key: key.key.clone(),
        registered_by: key.registered_by.clone(),
        registered: key.registered.to_string(),
    }
}
