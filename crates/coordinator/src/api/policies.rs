//! `PolicyService`.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use gallra_model::Digest;
use gallra_wire::{details, parse, v1};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::Api;
use crate::causes::Brought;
use crate::core::Core;
use crate::gate;
use crate::policies::changes::{Change, Fate, TargetChange};
use crate::policies::{Known, StoredPolicy, Supposed};

/// Changed requests that wait for a slow reader.
const AHEAD: usize = 16;

#[tonic::async_trait]
impl v1::policy_service_server::PolicyService for Api {
    async fn apply_policy(
        &self,
        request: Request<v1::ApplyPolicyRequest>,
    ) -> Result<Response<v1::AppliedPolicy>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let cause = match request.cause {
            Some(cause) => {
                let (envelope, salts) = gallra_wire::cause::from_wire(cause)?;
                Some(Brought { envelope, salts, by: by.clone() })
            }
            None => None,
        };
        let stored = stored(&self.core, request.name, request.packs, by)?;
        let applied = self.core.apply_policy_to(stored, cause.as_ref(), request.reach_ended).await?;
        Ok(Response::new(v1::AppliedPolicy {
            name: applied.policy.name().to_owned(),
            digest: applied.policy.digest().to_string(),
            begun: u32::try_from(applied.begun).unwrap_or(u32::MAX),
            purges: applied.purges,
            waits_for: parse::text_or_empty(applied.waits_for),
        }))
    }

    type PreviewPolicyStream = Pin<Box<dyn Stream<Item = Result<v1::ChangedRequest, Status>> + Send>>;

    async fn preview_policy(
        &self,
        request: Request<v1::PreviewPolicyRequest>,
    ) -> Result<Response<Self::PreviewPolicyStream>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let stored = stored(&self.core, request.name, request.packs, by)?;
        let supposed = self.core.suppose(&stored, request.reach_ended)?;
        let core = Arc::clone(&self.core);
        let (send, receive) = mpsc::channel(AHEAD);
        // The receiver's end of the channel is the caller: it ends this task by going away.
        tokio::spawn(async move { tell_changes(&core, &supposed, &send).await });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receive))))
    }

    async fn list_policies(
        &self,
        _: Request<v1::ListPoliciesRequest>,
    ) -> Result<Response<v1::ListPoliciesResponse>, Status> {
        let versions = self.core.list_policies().await?;
        Ok(Response::new(v1::ListPoliciesResponse { versions: versions.iter().map(version_to_wire).collect() }))
    }

    async fn withdraw_policy(
        &self,
        request: Request<v1::WithdrawPolicyRequest>,
    ) -> Result<Response<v1::PolicyVersion>, Status> {
        let by = gate::caller(&request)?.name;
        let digest: Digest = parse::field("digest", &request.into_inner().digest)?;
        Ok(Response::new(version_to_wire(&self.core.withdraw_policy(&digest, &by).await?)))
    }
}

fn stored(core: &Core, name: String, packs: Vec<v1::PolicyPack>, by: String) -> Result<StoredPolicy, Status> {
    let count = packs.len();
    let packs: BTreeMap<_, _> = packs.into_iter().map(|pack| (pack.name, pack.text)).collect();
    if packs.len() != count {
        return Err(details::invalid_text("packs: two have the same name"));
    }
    Ok(StoredPolicy { name, packs, by, at: core.time.now(), cause: None })
}

/// Goes through all requests, a page at a time, until the caller has gone away.
async fn tell_changes(core: &Core, supposed: &Supposed, send: &mpsc::Sender<Result<v1::ChangedRequest, Status>>) {
    let mut range = Some(core.all_requests());
    while let Some(next) = range {
        let (changes, more) = match core.changes_under(supposed, &next).await {
            Ok(page) => page,
            Err(error) => {
                let _ = send.send(Err(error.into())).await;
                return;
            }
        };
        for change in &changes {
            if send.send(Ok(change_to_wire(change))).await.is_err() {
                return;
            }
        }
        range = more;
    }
}

fn change_to_wire(change: &Change) -> v1::ChangedRequest {
    v1::ChangedRequest {
        request: change.request.to_string(),
        stops: change.stops,
        refused: change.refused.clone(),
        targets: change.targets.iter().map(target_to_wire).collect(),
    }
}

fn target_to_wire(target: &TargetChange) -> v1::ChangedTarget {
    v1::ChangedTarget {
        agent: target.agent.to_string(),
        target: target.target.to_string(),
        category: target.category.to_string(),
        before: target.before.as_ref().map(fate_to_wire),
        after: target.after.as_ref().map(fate_to_wire),
    }
}

fn fate_to_wire(fate: &Fate) -> v1::TargetFate {
    v1::TargetFate {
        does: fate.does.to_owned(),
        rule: fate.rule.clone(),
        day: parse::text_or_empty(fate.day),
        latest: parse::text_or_empty(fate.latest),
    }
}

fn version_to_wire(known: &Known) -> v1::PolicyVersion {
    v1::PolicyVersion {
        digest: known.digest.to_string(),
        name: known.name.clone(),
        state: known.standing.as_str().to_owned(),
        since: parse::text_or_empty(known.since),
        by: known.by.clone(),
        at: known.at.to_string(),
        reaches_ended: known.reaches_ended,
        purges: known.purges,
    }
}
