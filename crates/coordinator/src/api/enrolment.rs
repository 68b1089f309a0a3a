//! `EnrolmentService`.

use gallra_identity::Secret;
use gallra_model::AgentName;
use gallra_proof::key::VerifyingKey;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::joining::{Joining, NotJoined};

#[tonic::async_trait]
impl v1::enrolment_service_server::EnrolmentService for Api {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let request = request.into_inner();
        let name: AgentName = parse::field("agent", &request.agent)?;
        let secret: Secret = parse::field("secret", &request.secret)?;
        let evidence = VerifyingKey::from_hex(&request.evidence_key)
            .map_err(|error| details::invalid_text(format!("evidence_key: {error}")))?;
        let joining = Joining { name: &name, evidence: &evidence, csr_pem: &request.csr_pem };
        let certificate_pem = self.core.join_agent(&secret, &joining).await?;
        Ok(Response::new(v1::EnrolResponse {
            certificate_pem,
            authority_pem: self.core.authority.certificate_pem().to_owned(),
            permit_key: self.core.permits.verifying().to_hex(),
            session_address: self.core.session_address.clone(),
            other_session_addresses: self.core.other_session_addresses.to_vec(),
        }))
    }
}

impl From<NotJoined> for Status {
    fn from(error: NotJoined) -> Self {
        match error {
            NotJoined::Token => details::not_allowed("the join token is not valid: ask the operator for a new one"),
            NotJoined::Core(error) => error.into(),
        }
    }
}
