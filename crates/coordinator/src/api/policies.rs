//! `PolicyService`.

use std::collections::BTreeMap;

use gallra_wire::v1;
use tonic::{Request, Response, Status};

use super::Api;
use crate::causes::Brought;
use crate::gate;
use crate::policies::StoredPolicy;

#[tonic::async_trait]
impl v1::policy_service_server::PolicyService for Api {
    async fn apply_policy(
        &self,
        request: Request<v1::ApplyPolicyRequest>,
    ) -> Result<Response<v1::AppliedPolicy>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let count = request.packs.len();
        let packs: BTreeMap<_, _> = request.packs.into_iter().map(|pack| (pack.name, pack.text)).collect();
        if packs.len() != count {
            return Err(Status::invalid_argument("packs: two have the same name"));
        }
        let cause = match request.cause {
            Some(cause) => {
                let (envelope, salts) = gallra_wire::cause::from_wire(cause)?;
                Some(Brought { envelope, salts, by: by.clone() })
            }
            None => None,
        };
        let stored = StoredPolicy { name: request.name, packs, by, at: self.core.time.now(), cause: None };
        let applied = self.core.apply_policy(stored, cause.as_ref()).await?;
        Ok(Response::new(v1::AppliedPolicy {
            name: applied.policy.name().to_owned(),
            digest: applied.policy.digest().to_string(),
            begun: u32::try_from(applied.begun).unwrap_or(u32::MAX),
            purges: applied.purges,
        }))
    }
}
