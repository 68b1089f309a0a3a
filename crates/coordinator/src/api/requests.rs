//! `RequestService`.

use std::pin::Pin;

use gallra_flow::view::View;
use gallra_model::hold::Hold;
use gallra_model::request::{Approvals, JobState, Obligation, RequestState};
use gallra_model::restore::{Restore, standing};
use gallra_model::time::day_of;
use gallra_model::{Day, RequestId};
use gallra_store::{KeyRange, StoreError, keys};
use gallra_wire::{details, parse, v1};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::Api;
use crate::causes::Brought;
use crate::claims::Claim;
use crate::core::Core;
use crate::error::CoreError;
use crate::leaks::Noted;
use crate::restores::{StoredRestore, opened};
use crate::{gate, state};

/// Requests on a page unless asked otherwise, and at most.
const PAGE: (u32, u32) = (100, 1_000);

#[tonic::async_trait]
impl v1::request_service_server::RequestService for Api {
    async fn get_request(&self, request: Request<v1::GetRequestRequest>) -> Result<Response<v1::Request>, Status> {
        let id = parse::field("id", &request.into_inner().id)?;
        let mut request = read(&self.core, &id).await?;
        // Of one request only: it reads all that agents said about it.
        let view = state::load(&*self.core.store, &id).await.map_err(Status::from)?.view;
        if let Some(gap) = self.core.gap(&view).await? {
            request.facts.push("gap".to_owned());
            request.gap = format!("no proof is made: {gap}");
        }
        Ok(Response::new(request))
    }

    async fn list_requests(
        &self,
        request: Request<v1::ListRequestsRequest>,
    ) -> Result<Response<v1::ListRequestsResponse>, Status> {
        let request = request.into_inner();
        let size = if request.page_size == 0 { PAGE.0 } else { request.page_size.min(PAGE.1) };
        let range = from(&keys::requests().range(), &request.page_token)?;
        let page = self.core.store.range(&range, size as usize).await.map_err(CoreError::from)?;
        let mut requests = Vec::with_capacity(page.entries.len());
        for entry in &page.entries {
            let stored: gallra_model::request::Request = crate::error::decode("request", &entry.value)?;
            // What was taken back rests when nothing of it is under way any more.
            let said = stored.done.is_some() && !stored.facts.amending;
            let over = said || (stored.facts.cancelled && stored.wake.is_none());
            if request.open_only && over {
                continue;
            }
            requests.push(match read(&self.core, &stored.id).await {
                // Of this one only its own record can be shown; who asks for it by itself hears why.
                Err(CoreError::Store(StoreError::Archive { hint })) => {
                    tracing::error!(request = %stored.id, hint, "a request is listed without what left the store");
                    unreadable(stored, day_of(self.core.time.now()))
                }
                other => other?,
            });
        }
        let next_page_token = page.more.map(|key| key.to_string()).unwrap_or_default();
        Ok(Response::new(v1::ListRequestsResponse { requests, next_page_token }))
    }

    async fn list_unsettled(
        &self,
        request: Request<v1::ListUnsettledRequest>,
    ) -> Result<Response<v1::ListUnsettledResponse>, Status> {
        let page = match request.into_inner().page_token.as_str() {
            "" => 0,
            token => token.parse().map_err(|_| details::invalid_text("page_token: not one of ours"))?,
        };
        let shown = self.core.show_unsettled(page).await?;
        let contracts = shown.contracts.iter().map(|one| v1::UnsettledContract {
            contract: one.contract.to_string(),
            request: one.request.to_string(),
            ended: one.ended.to_string(),
            since: one.since.to_string(),
            waited_days: self.core.waited_days(one.ended),
        });
        Ok(Response::new(v1::ListUnsettledResponse {
            day: parse::text_or_empty(shown.list.map(|list| list.day)),
            made: parse::text_or_empty(shown.list.map(|list| list.made)),
            listed: shown.list.map_or(0, |list| list.count),
            contracts: contracts.collect(),
            next_page_token: parse::text_or_empty(shown.more),
        }))
    }

    async fn approve_request(
        &self,
        request: Request<v1::ApproveRequestRequest>,
    ) -> Result<Response<v1::Request>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let id = parse::field("id", &request.id)?;
        let (envelope, salts) = gallra_wire::cause::from_wire(parse::required("cause", request.cause)?)?;
        self.core.approve_request(&id, &Brought { envelope, salts, by }).await?;
        Ok(Response::new(read(&self.core, &id).await?))
    }

    async fn show_claim_code(
        &self,
        request: Request<v1::ShowClaimCodeRequest>,
    ) -> Result<Response<v1::ClaimCode>, Status> {
        let by = gate::caller(&request)?.name;
        let id = parse::field("id", &request.into_inner().id)?;
        let (code, claim) = self.core.show_code(&id, &by).await?;
        Ok(Response::new(v1::ClaimCode { code, claim: Some(claim_to_wire(&claim)) }))
    }

    async fn confirm_delivery(
        &self,
        request: Request<v1::ConfirmDeliveryRequest>,
    ) -> Result<Response<v1::Request>, Status> {
        let by = gate::caller(&request)?.name;
        let id = parse::field("id", &request.into_inner().id)?;
        self.core.code_delivered(&id, &by).await?;
        Ok(Response::new(read(&self.core, &id).await?))
    }

    type WatchRequestStream = Pin<Box<dyn Stream<Item = Result<v1::Request, Status>> + Send>>;

    async fn watch_request(
        &self,
        request: Request<v1::GetRequestRequest>,
    ) -> Result<Response<Self::WatchRequestStream>, Status> {
        let id: RequestId = parse::field("id", &request.into_inner().id)?;
        let mut watch = self.core.store.watch(keys::requests());
        let first = read(&self.core, &id).await?;
        let core = std::sync::Arc::clone(&self.core);
        let (send, receive) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            let mut last = first;
            // The receiver's end of the channel is the caller: it ends this task by going away.
            while send.send(Ok(last.clone())).await.is_ok() && last.done.is_empty() {
                last = loop {
                    tokio::select! {
                        change = watch.next() => if change == gallra_store::Change::Closed { return },
                        () = send.closed() => return,
                    }
                    match read(&core, &id).await {
                        Ok(next) if next != last => break next,
                        Ok(_) => {}
                        Err(error) => {
                            let _ = send.send(Err(error.into())).await;
                            return;
                        }
                    }
                };
            }
        });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receive))))
    }
}

/// A range from a page token on.
pub(super) fn from(range: &KeyRange, token: &str) -> Result<KeyRange, Status> {
    if token.is_empty() {
        return Ok(range.clone());
    }
    let key = gallra_store::Key::parse(token).map_err(|_| details::invalid_text("page_token: not one of ours"))?;
    Ok(range.clone().starting_at(&key))
}

/// A request whose other records cannot be read where they are.
fn unreadable(request: gallra_model::request::Request, today: Day) -> v1::Request {
    let (jobs, copies, obligations) = (Vec::new(), Vec::new(), Vec::new());
    let mut shown = to_wire(&View { request, jobs, copies, obligations, plan: None }, Vec::new(), &[], today);
    shown.facts.push("archive_unreadable".to_owned());
    shown
}

async fn read(core: &Core, id: &RequestId) -> Result<v1::Request, CoreError> {
    // First: the facts are at least as new as what is listed.
    let stored = core.restores(id).await?;
    let mut loaded = state::load(&*core.store, id).await?;
    let holds = core.holds_over(&loaded.view).await?;
    loaded.view.request.facts.held = !holds.is_empty();
    let unproven = core.proofs(id).await?.pop().map(|proof| proof.unproven).unwrap_or_default();
    let today = day_of(core.time.now());
    let claim = core.claim(id).await?.as_ref().map(claim_to_wire);
    let leaks: Vec<_> = core.leaks(id).await?.iter().map(leak_to_wire).collect();
    let mut request = to_wire(&loaded.view, unproven, &holds, today);
    if !leaks.is_empty() {
        request.facts.push("leak".to_owned());
    }
    if request.done.is_empty() && core.is_of_an_ended_log(id).await? {
        request.facts.push("log_ended".to_owned());
    }
    if request.done.is_empty() && core.ledger.is_stopped().is_some() {
        request.facts.push("log_stopped".to_owned());
    }
    let said = opened(&stored)?;
    let told = stored.iter().zip(&said).zip(standing(&said));
    let restores = told.map(|((stored, one), stands)| restore_to_wire(stored, one, stands)).collect();
    Ok(v1::Request { claim, leaks, restores, ..request })
}

fn to_wire(view: &View, unproven: Vec<String>, holds: &[Hold], today: Day) -> v1::Request {
    let request = &view.request;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let facts = [
        (request.facts.cancelled, "cancelled"),
        (request.facts.held, "held"),
        (holds.iter().any(|hold| hold.is_due(today)), "hold_review_due"),
        (request.facts.needs_approval, "needs_approval"),
        (request.facts.needs_period, "needs_period"),
        (request.facts.unsettled, "unsettled"),
        (request.facts.overdue, "overdue"),
        (request.facts.unmet, "unmet"),
        (request.facts.legal_review, "legal_review"),
        (request.facts.reopened, "reopened"),
        (request.facts.came_back, "came_back"),
        (request.facts.amending, "amending"),
    ];
    v1::Request {
        id: request.id.to_string(),
        subject: parse::text_or_empty(request.about.parties().map(|parties| parties.subject)),
        state: state_to_wire(request.state).into(),
        facts: facts.iter().filter(|(holds, _)| *holds).map(|(_, word)| (*word).to_owned()).collect(),
        received: request.received.to_string(),
        plan: request.plan.map_or(0, |plan| plan.number),
        plan_digest: parse::text_or_empty(request.plan.map(|plan| plan.digest)),
        live_confirmed: parse::text_or_empty(request.live_confirmed),
        copies_closed: parse::text_or_empty(request.copies_closed),
        copies_left: count(view.copies_left().count()),
        jobs: count(view.current_jobs().count()),
        jobs_settled: count(view.current_jobs().filter(|job| job.state == JobState::Succeeded).count()),
        proofs: request.proofs,
        obligations: view.obligations.iter().map(obligation_to_wire).collect(),
        unproven,
        done: parse::text_or_empty(request.done),
        approved_by: approvals_to_wire(&request.approvals),
        kind: if request.about.purge_day().is_some() { "purge" } else { "end" }.to_owned(),
        day: parse::text_or_empty(request.about.purge_day()),
        holds: holds.iter().map(|hold| hold.id.to_string()).collect(),
        claim: None,
        leaks: Vec::new(),
        restores: Vec::new(),
        gap: String::new(),
    }
}

fn restore_to_wire(stored: &StoredRestore, said: &Restore, stands: bool) -> v1::Restore {
    v1::Restore {
        digest: stored.digest.to_string(),
        agent: said.agent.to_string(),
        target: said.target.to_string(),
        taken: said.taken.to_string(),
        finished: said.finished.to_string(),
        erased: said.counts.erased,
        failed: said.counts.failed + said.counts.unknown,
        gone: said.is_gone_again(),
        overtaken: !stands,
    }
}

fn leak_to_wire(noted: &Noted) -> v1::Leak {
    v1::Leak {
        statement: noted.statement.clone(),
        field: noted.field.clone(),
        kind: noted.kind.clone(),
        since: noted.since.to_string(),
        receipt: parse::text_or_empty(noted.receipt),
    }
}

fn claim_to_wire(claim: &Claim) -> v1::Claim {
    v1::Claim {
        state: claim.ended.map_or("waiting", |ended| ended.how.word()).to_owned(),
        made: claim.made.to_string(),
        until: claim.until.to_string(),
        shown: claim.shown,
        ended: parse::text_or_empty(claim.ended.map(|ended| ended.at)),
    }
}

fn approvals_to_wire(approvals: &Approvals) -> Vec<v1::Approval> {
    let policy = approvals.policy.as_ref().map(|signed| &signed.approval);
    let all = [("service", approvals.service.as_ref()), ("customer", approvals.customer.as_ref()), ("policy", policy)];
    all.into_iter()
        .filter_map(|(of, approval)| approval.map(|approval| (of, approval)))
        .map(|(of, approval)| v1::Approval {
            of: of.to_owned(),
            by: approval.by.clone(),
            at: approval.at.to_string(),
            key: approval.key.clone(),
        })
        .collect()
}

fn state_to_wire(state: RequestState) -> v1::RequestState {
    match state {
        RequestState::Received => v1::RequestState::Received,
        RequestState::IdentityRequired => v1::RequestState::IdentityRequired,
        RequestState::IdentityProven => v1::RequestState::IdentityProven,
        RequestState::Assessed => v1::RequestState::Assessed,
        RequestState::Planned => v1::RequestState::Planned,
        RequestState::Approved => v1::RequestState::Approved,
        RequestState::Running => v1::RequestState::Running,
        RequestState::AwaitingCopies => v1::RequestState::AwaitingCopies,
        RequestState::Done => v1::RequestState::Done,
    }
}

fn obligation_to_wire(obligation: &Obligation) -> v1::Obligation {
    v1::Obligation {
        handle: obligation.handle.to_string(),
        agent: obligation.agent.to_string(),
        target: obligation.target.to_string(),
        items: obligation.items,
        rule: obligation.keep.rule.clone(),
        ground: obligation.keep.ground.clone(),
        earliest: obligation.keep.earliest.to_string(),
        latest: parse::text_or_empty(obligation.keep.latest),
    }
}
