//! One request's records against a real store: what is written is what is read, of two writers one wins, requests larger
//! than one transaction arrive whole, and a guard that moves in between makes a permit's transaction fail.

use gallra_coordinator::{guards, state};
use gallra_flow::view::View;
use gallra_model::copy::{CopyRecord, CopyState, Expected};
use gallra_model::job::Action;
use gallra_model::plan::{Anchors, Step};
use gallra_model::request::{About, Approvals, Facts, JobRecord, JobState, Parties, PlanRef, Request, RequestState};
use gallra_model::target::{Role, TargetKind};
use gallra_model::{ContractId, CopyId, CustomerId, Digest, Instant, JobId, RequestId, SubjectId};
use gallra_store::{Embedded, Store, StoreError, Txn, keys};

fn at(text: &str) -> Instant {
    text.parse().expect("a literal instant")
}

fn request() -> Request {
    Request {
        id: RequestId::from_bytes([9; 16]),
        about: About::End(Parties {
            subject: SubjectId::from_bytes([1; 16]),
            customer: CustomerId::from_bytes([2; 16]),
            contract: ContractId::from_bytes([3; 16]),
        }),
        earlier: vec![],
        received: at("2026-01-31T14:00:00Z"),
        state: RequestState::Received,
        facts: Facts::default(),
        anchors: Anchors::default(),
        approvals: Approvals::default(),
        plan: None,
        planned_under: None,
        live_confirmed: None,
        copies_closed: None,
        copies_gone: None,
        proofs: 0,
        proof_content: None,
        wake: Some(at("2026-02-01T00:00:00Z")),
        done: None,
    }
}

fn copy(number: u16) -> CopyRecord {
    CopyRecord {
        copy: CopyId::from_digest(&Digest::of(&number.to_be_bytes())),
        agent: "web1".parse().expect("a name"),
        target: "backup".parse().expect("a name"),
        began: at("2026-01-01T00:00:00Z"),
        expected: Expected::Unknown,
        state: CopyState::Listed,
    }
}

fn job() -> JobRecord {
    let step = Step {
        number: 1,
        job: JobId::from_bytes([4; 16]),
        agent: "web1".parse().expect("a name"),
        target: "www".parse().expect("a name"),
        kind: TargetKind::Files,
        category: "customer-data".parse().expect("a word"),
        role: Role::Processor,
        action: Action::Inspect,
        rule: "webone/customer-data".to_owned(),
        due: at("2026-01-31T14:00:00Z"),
        until: None,
        earliest: None,
        latest: None,
        after: vec![],
        keep: None,
        older_than: None,
    };
    JobRecord {
        request: request().id,
        plan: PlanRef { number: 1, digest: Digest::of(b"plan") },
        due: step.due,
        step,
        state: JobState::Ready,
        attempt: 0,
        renewals: 0,
        instance: None,
        receipt: None,
        finished: None,
        setback: None,
    }
}

/// A store in a folder with one request.
async fn stored() -> (tempfile::TempDir, Embedded) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Embedded::create(folder.path()).expect("a store");
    let view = View { request: request(), plan: None, jobs: vec![], copies: vec![], obligations: vec![] };
    store.commit(state::create(Txn::new(), &view).expect("encodes")).await.expect("commits");
    (folder, store)
}

#[tokio::test]
async fn more_copies_than_one_transaction_holds_arrive_whole() {
    let (_folder, store) = stored().await;
    let loaded = state::load(&store, &request().id).await.expect("loads");
    let mut next = loaded.view.clone();
    next.copies = (0..300).map(copy).collect();
    let txn = state::save(&store, &loaded, &next).await.expect("what does not fit is written ahead");
    store.commit(txn).await.expect("the rest fits one transaction");
    let mut found = state::load(&store, &request().id).await.expect("loads").view.copies;
    found.sort_by_key(|copy| copy.copy);
    next.copies.sort_by_key(|copy| copy.copy);
    assert_eq!(found, next.copies);
}

#[tokio::test]
async fn of_two_writers_of_one_request_one_wins() {
    let (_folder, store) = stored().await;
    let (one, other) = (
        state::load(&store, &request().id).await.expect("loads"),
        state::load(&store, &request().id).await.expect("loads"),
    );
    let changed = |view: &View, proofs| View { request: Request { proofs, ..view.request.clone() }, ..view.clone() };
    let first = state::save(&store, &one, &changed(&one.view, 1)).await.expect("saves");
    let second = state::save(&store, &other, &changed(&other.view, 2)).await.expect("saves");
    store.commit(first).await.expect("the first wins");
    assert!(matches!(store.commit(second).await, Err(StoreError::Conflict { .. })));
    assert_eq!(state::load(&store, &request().id).await.expect("loads").view.request.proofs, 1);
}

#[tokio::test]
async fn the_indexes_follow_the_records() {
    let (_folder, store) = stored().await;
    let loaded = state::load(&store, &request().id).await.expect("loads");
    let mut next = loaded.view.clone();
    next.request.plan = Some(job().plan);
    next.request.wake = Some(at("2026-03-01T00:00:00Z"));
    next.jobs = vec![job()];
    store.commit(state::save(&store, &loaded, &next).await.expect("saves")).await.expect("commits");
    let count = async |prefix: gallra_store::KeyPrefix| state::entries(&store, &prefix).await.expect("reads").len();
    assert_eq!(count(keys::timers()).await, 1, "the old timer is gone");
    assert_eq!(count(keys::ready_of(&job().step.agent)).await, 1);
    assert_eq!(state::request_of(&store, &job().id()).await.expect("an index"), request().id);
}

#[tokio::test]
async fn a_guard_that_moves_at_any_level_makes_the_permits_transaction_fail() {
    let view = View { request: request(), plan: None, jobs: vec![job()], copies: vec![], obligations: vec![] };
    let job = job();
    for guard in [
        keys::guard_global(),
        keys::guard_category(&job.step.category),
        keys::guard_target(&job.step.agent, &job.step.target),
        keys::guard_customer(&view.request.about.parties().expect("an end").customer),
        keys::guard_contract(&view.request.about.parties().expect("an end").contract),
        keys::guard_request(&view.request.id),
    ] {
        let (_folder, store) = stored().await;
        let read = guards::read(&store, &view.request, &job.step).await.expect("reads");
        let permit = |txn: Txn| read.expect(txn).put(keys::meta_policy(), b"permit".to_vec());
        let stop = guards::bump(&store, Txn::new(), guard.clone()).await.expect("bumps");
        store.commit(stop).await.expect("the stop comes first");
        let lost = store.commit(permit(Txn::new())).await;
        assert!(matches!(&lost, Err(StoreError::Conflict { key }) if *key == guard), "{guard}: {lost:?}");
        let read = guards::read(&store, &view.request, &job.step).await.expect("reads");
        store.commit(read.expect(Txn::new())).await.expect("without a stop in between it goes through");
    }
}
