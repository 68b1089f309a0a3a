//! `EnrolmentService`: turns a join token into an agent. The token is used up in the same transaction that registers the
//! agent, so it works once, whatever races.

use gallra_identity::{CallerRole, LEAF_DAYS, Secret, TokenRecord};
use gallra_model::AgentName;
use gallra_proof::key::VerifyingKey;
use gallra_store::{Expect, StoreError, Txn, keys};
use gallra_wire::{parse, v1};
use jiff::SignedDuration;
use tonic::{Request, Response, Status};

use super::Api;
use super::agents::{has_served, invite_key};
use crate::clock::real_now;
use crate::core::Core;
use crate::error::{CoreError, decode, encode};
use crate::jobs::AgentRecord;

#[tonic::async_trait]
impl v1::enrolment_service_server::EnrolmentService for Api {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let request = request.into_inner();
        let name: AgentName = parse::field("agent", &request.agent)?;
        let secret: Secret = parse::field("secret", &request.secret)?;
        let evidence = VerifyingKey::from_hex(&request.evidence_key)
            .map_err(|error| Status::invalid_argument(format!("evidence_key: {error}")))?;
        enrol(&self.core, &name, &secret, &evidence, &request.csr_pem).await.map(Response::new)
    }
}

async fn enrol(
    core: &Core,
    name: &AgentName,
    secret: &Secret,
    evidence: &VerifyingKey,
    csr_pem: &str,
) -> Result<v1::EnrolResponse, Status> {
    // Unknown, used and expired are one answer: a stranger learns nothing from it.
    let refused = || Status::permission_denied("the join token is not valid: ask the operator for a new one");
    let invitation = core.store.get(&invite_key(secret)).await.map_err(CoreError::from)?.ok_or_else(refused)?;
    let record: TokenRecord = decode("invitation", &invitation.value)?;
    record.admit(secret, name.as_str(), real_now()).map_err(|_| refused())?;
    let validity = SignedDuration::from_hours(24 * i64::from(LEAF_DAYS));
    let certificate = core
        .authority
        .sign_csr(csr_pem, CallerRole::Agent, name.as_str(), real_now(), validity)
        .map_err(|error| Status::invalid_argument(format!("csr_pem: {error}")))?;
    let agent = AgentRecord {
        name: name.clone(),
        evidence_key: evidence.to_hex(),
        certificate: gallra_model::Digest::of(certificate.as_bytes()).to_string(),
        joined: core.time.now(),
    };
    if has_served(core, name).await? {
        return Err(refused());
    }
    let at = keys::agent(name);
    let unused = core.store.get(&at).await.map_err(CoreError::from)?;
    let txn = Txn::new()
        .expect_as_read(&invitation.key, Some(&invitation))
        .delete(invitation.key.clone())
        .expect(keys::inventory(name), Expect::Absent)
        .expect_as_read(&at, unused.as_ref())
        .put(at, encode(&agent)?);
    match core.store.commit(txn).await {
        Ok(_) => {}
        Err(StoreError::Conflict { .. }) => return Err(refused()),
        Err(error) => return Err(CoreError::from(error).into()),
    }
    Ok(v1::EnrolResponse {
        certificate_pem: certificate,
        authority_pem: core.authority.certificate_pem().to_owned(),
        permit_key: core.permits.verifying().to_hex(),
        session_address: core.session_address.clone(),
    })
}
