//! `KeyService`.

use gallra_model::Digest;
use gallra_proof::key::VerifyingKey;
use gallra_proof::register::Known;
use gallra_wire::session::envelope_from_wire;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::causes::CauseKey;
use crate::core::Core;
use crate::gate;
use crate::signing::Ending;

#[tonic::async_trait]
impl v1::key_service_server::KeyService for Api {
    async fn register_cause_key(
        &self,
        request: Request<v1::RegisterCauseKeyRequest>,
    ) -> Result<Response<v1::CauseKey>, Status> {
        let by = gate::caller(&request)?.name;
        let key = VerifyingKey::from_hex(&request.into_inner().public_key)
            .map_err(|error| details::invalid_text(format!("public_key: {error}")))?;
        Ok(Response::new(to_wire(&self.core.register_cause_key(&key, &by).await?)))
    }

    async fn list_cause_keys(
        &self,
        _: Request<v1::ListCauseKeysRequest>,
    ) -> Result<Response<v1::ListCauseKeysResponse>, Status> {
        let keys = self.core.cause_keys().await?.iter().map(to_wire).collect();
        Ok(Response::new(v1::ListCauseKeysResponse { keys }))
    }

    async fn get_key_file(
        &self,
        _: Request<v1::GetKeyFileRequest>,
    ) -> Result<Response<v1::GetKeyFileResponse>, Status> {
        let (file, anchor) = (self.core.key_file().await?, self.core.anchor().await?.to_string());
        Ok(Response::new(v1::GetKeyFileResponse { file, anchor }))
    }

    async fn submit_manifest(
        &self,
        request: Request<v1::SubmitManifestRequest>,
    ) -> Result<Response<v1::SubmitManifestResponse>, Status> {
        let by = gate::caller(&request)?.name;
        let envelope = request.into_inner().envelope.ok_or_else(|| details::invalid_text("envelope: missing"))?;
        let submitted = self.core.submit_manifest(&envelope_from_wire(envelope), &by).await?;
        Ok(Response::new(v1::SubmitManifestResponse {
            version: submitted.manifest.version,
            digest: submitted.manifest.digest.to_string(),
            index: submitted.index,
            issuer_changed: submitted.issuer_changed,
        }))
    }

    async fn revoke_key(&self, request: Request<v1::RevokeKeyRequest>) -> Result<Response<v1::Key>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let keyid: Digest = parse::field("keyid", &request.keyid)?;
        let ending = match (request.end(), request.since) {
            (v1::KeyEnd::Retired, None) => Ending::Retired,
            (v1::KeyEnd::Revoked, None) => Ending::Revoked,
            (v1::KeyEnd::Compromised, Some(since)) => Ending::Compromised(since),
            (v1::KeyEnd::Unspecified, _) => return Err(details::invalid_text("end: which end?")),
            (_, Some(_)) => return Err(details::invalid_text("since: of compromised keys only")),
            (_, None) => return Err(details::invalid_text("since: needed for a compromised key")),
        };
        self.core.end_key(&keyid, ending, &by).await?;
        let known = self.core.known_keys().await?;
        let known = known.get(&keyid).ok_or_else(|| details::missing("no such key"))?;
        Ok(Response::new(known_to_wire(known, &self.core)))
    }

    async fn list_keys(&self, _: Request<v1::ListKeysRequest>) -> Result<Response<v1::ListKeysResponse>, Status> {
        let known = self.core.known_keys().await?;
        let mut known: Vec<_> = known.values().collect();
        known.sort_by_key(|known| (known.key.role, known.key.keyid));
        let keys = known.into_iter().map(|known| known_to_wire(known, &self.core)).collect();
        Ok(Response::new(v1::ListKeysResponse { keys }))
    }
}

/// The word that a value's JSON form uses.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|json| json.as_str().map(str::to_owned)).unwrap_or_default()
}

fn known_to_wire(known: &Known, core: &Core) -> v1::Key {
    v1::Key {
        keyid: known.key.keyid.to_string(),
        role: word(&known.key.role),
        actor: known.key.actor.as_ref().map(ToString::to_string).unwrap_or_default(),
        algorithm: word(&known.key.algorithm),
        status: known.standing.as_str().to_owned(),
        from: known.from,
        until: known.until,
        signing: core.issuer.keyids().contains(&known.key.keyid),
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
