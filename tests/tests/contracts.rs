//! Contracts and customers: several contracts, ends at once, a customer who comes back, a service sold again, a target that
//! vanishes. Nothing of an active customer is ever in a plan, and nothing that was acknowledged is lost.

use gallra_model::plan::Plan;
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use gallra_wire::v1::plan_service_client::PlanServiceClient;
use tonic::Code;
use tonic::transport::Channel;

const SECOND: &str = "second.example";

async fn site() -> (Story, ContractServiceClient<Channel>) {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
    let client = ContractServiceClient::new(story.site.channel().expect("a channel"));
    (story, client)
}

fn start(story: &Story, service: &str) -> v1::StartContractRequest {
    v1::StartContractRequest {
        service: service.to_owned(),
        customer: story.leaver.number.clone(),
        addresses: vec![],
        started: "2026-01-10".to_owned(),
        version: 0,
        identifiers: Vec::new(),
    }
}

fn end(story: &Story, service: &str) -> v1::EndContractRequest {
    let cause = Some(story.site.cause(Some(service), Some(&story.leaver.number)).expect("a cause"));
    v1::EndContractRequest { service: service.to_owned(), ended: "2026-01-31".to_owned(), version: 0, cause }
}

fn settle(service: &str, settled: &str) -> v1::SettleContractRequest {
    v1::SettleContractRequest {
        service: service.to_owned(),
        settled: settled.to_owned(),
        version: 0,
        ..Default::default()
    }
}

/// The targets that a plan has steps for.
fn targets(plan: &Plan) -> Vec<&str> {
    let mut targets: Vec<_> = plan.steps.iter().map(|step| step.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

const OF_THE_CONTRACT: [&str; 3] = ["mail", "register-service", "www"];
const OF_THE_CUSTOMER: [&str; 2] = ["register-contact", "register-invoices"];

#[tokio::test]
async fn one_of_two_contracts_ends_and_the_customer_is_not_touched() {
    let (mut story, mut contracts) = site().await;
    contracts.start_contract(start(&story, SECOND)).await.expect("sold");
    let service = story.leaver.service.clone();
    let request = contracts.end_contract(end(&story, &service)).await.expect("ended").into_inner().request;
    contracts.settle_contract(settle(&service, "2026-01-31")).await.expect("settled");
    story.advance(day(2026, 1, 31), 15, 1).await.expect("the clock moves");
    assert_eq!(targets(&story.plan(&request).await.expect("a plan")), OF_THE_CONTRACT);
}

#[tokio::test]
async fn contracts_settled_at_different_times_do_not_hold_each_other_up() {
    let (mut story, mut contracts) = site().await;
    contracts.start_contract(start(&story, SECOND)).await.expect("sold");
    let first = story.leaver.service.clone();
    contracts.end_contract(end(&story, SECOND)).await.expect("ended");
    let request = contracts.end_contract(end(&story, &first)).await.expect("ended").into_inner().request;
    contracts.settle_contract(settle(&first, "2026-01-31")).await.expect("settled");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    let done = story.request(&request).await.expect("the request");
    assert!(!done.done.is_empty(), "its own settlement is enough for its hosted data: {done:?}");
    assert!(!story.site.provider.web(&story.leaver).exists());

    contracts.settle_contract(settle(SECOND, "2026-03-01")).await.expect("settled");
    story.advance(day(2026, 4, 1), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 4, 2), 22, 30).await.expect("the clock moves");
    let open = requests(&story, true).await;
    assert_eq!(open, Vec::<v1::Request>::new(), "the customer's end and the second contract's are done as well");
    let kept: usize = requests(&story, false).await.iter().map(|request| request.obligations.len()).sum();
    assert_eq!(kept, OF_THE_CUSTOMER.len(), "what is kept is kept once");
}

async fn requests(story: &Story, open_only: bool) -> Vec<v1::Request> {
    let channel = story.site.channel().expect("a channel");
    let mut client = v1::request_service_client::RequestServiceClient::new(channel);
    let asked = v1::ListRequestsRequest { page_size: 0, page_token: String::new(), open_only };
    client.list_requests(asked).await.expect("requests").into_inner().requests
}

#[tokio::test]
async fn two_ends_at_once_never_lose_the_customers_end() {
    for _ in 0..5 {
        let (mut story, mut contracts) = site().await;
        contracts.start_contract(start(&story, SECOND)).await.expect("sold");
        let first = story.leaver.service.clone();
        let (mut one, mut other) = (contracts.clone(), contracts.clone());
        let (a, b) = tokio::join!(one.end_contract(end(&story, &first)), other.end_contract(end(&story, SECOND)));
        a.expect("ended");
        b.expect("ended");
        let (a, b) = tokio::join!(
            one.settle_contract(settle(&first, "2026-01-31")),
            other.settle_contract(settle(SECOND, "2026-01-31"))
        );
        a.expect("settled");
        b.expect("settled");
        story.advance(day(2026, 1, 31), 15, 1).await.expect("the clock moves");
        let mut planned = Vec::new();
        for request in requests(&story, false).await {
            let plan = story.plan(&request.id).await.expect("a plan");
            planned.extend(targets(&plan).into_iter().map(str::to_owned));
        }
        for target in OF_THE_CUSTOMER {
            assert_eq!(planned.iter().filter(|planned| *planned == target).count(), 1, "{target}: {planned:?}");
        }
    }
}

#[tokio::test]
async fn a_customer_who_comes_back_before_the_erasure_is_taken_out_of_the_plan() {
    let (mut story, mut contracts) = site().await;
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 10), 9, 0).await.expect("the clock moves");
    contracts.start_contract(start(&story, SECOND)).await.expect("sold");
    story.advance(day(2026, 2, 10), 9, 1).await.expect("the clock moves");
    assert_eq!(targets(&story.plan(&request).await.expect("a plan")), OF_THE_CONTRACT);
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    assert!(!story.request(&request).await.expect("the request").done.is_empty());

    // The customer is still known, and its own end comes with the last contract's.
    let end =
        contracts.end_contract(v1::EndContractRequest { ended: "2026-03-01".to_owned(), ..end(&story, SECOND) }).await;
    let last = end.expect("ended").into_inner().request;
    contracts.settle_contract(settle(SECOND, "2026-03-01")).await.expect("settled");
    story.advance(day(2026, 3, 1), 23, 0).await.expect("the clock moves");
    let plan = story.plan(&last).await.expect("a plan");
    assert!(OF_THE_CUSTOMER.iter().all(|target| targets(&plan).contains(target)), "{:?}", targets(&plan));
}

#[tokio::test]
async fn a_sale_that_a_running_erasure_would_destroy_is_refused() {
    let (mut story, mut contracts) = site().await;
    let request = story.end_and_settle().await.expect("a request");
    let again = contracts.start_contract(start(&story, &story.leaver.service.clone())).await;
    assert_eq!(again.expect_err("refused").code(), Code::FailedPrecondition);
    story.site.stop_agent().await.expect("the agent stops");
    story.site.start_agent().await.expect("and starts");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    assert!(!story.request(&request).await.expect("the request").live_confirmed.is_empty());
    let late = contracts.start_contract(start(&story, SECOND)).await;
    assert_eq!(
        late.expect_err("refused").code(),
        Code::FailedPrecondition,
        "the customer's rows are being kept or erased"
    );
}

#[tokio::test]
async fn a_target_that_vanished_holds_no_other_up() {
    let (mut story, _) = site().await;
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 21, 0).await.expect("the clock moves");
    story.site.stop_agent().await.expect("the agent stops");
    story.site.options.without = vec!["mail".to_owned()];
    // Due while the agent is away, so that the plan stands and the job is ready when the agent comes back without it.
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.site.start_agent().await.expect("and starts");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    let request = story.request(&request).await.expect("the request");
    assert!(!story.site.provider.web(&story.leaver).exists(), "the other targets are erased");
    assert!(story.site.provider.mail(&story.leaver).exists());
    assert!(
        request.done.is_empty() && request.unproven.iter().any(|target| target.starts_with("web1/mail: ")),
        "{request:?}"
    );
}

#[tokio::test]
async fn a_live_request_is_previewed_and_a_new_plan_says_what_changed() {
    let (mut story, mut contracts) = site().await;
    let service = story.leaver.service.clone();
    let request = contracts.end_contract(end(&story, &service)).await.expect("ended").into_inner().request;
    story.advance(day(2026, 1, 31), 15, 1).await.expect("the clock moves");
    let first = story.plan(&request).await.expect("a plan");
    let mut plans = PlanServiceClient::new(story.site.channel().expect("a channel"));
    let of_request = || v1::PreviewPlanRequest { request: request.clone(), ..v1::PreviewPlanRequest::default() };
    let shown = plans.preview_plan(of_request()).await.expect("a preview").into_inner();
    let again: Plan = serde_json::from_str(&shown.plan).expect("a plan");
    assert_eq!(
        (again.number, again.changes.len(), shown.problems.len()),
        (first.number + 1, 0, 0),
        "nothing has changed"
    );
    assert_eq!(story.plan(&request).await.expect("a plan").number, first.number, "a preview is not kept");

    contracts.settle_contract(settle(&service, "2026-01-31")).await.expect("settled");
    story.advance(day(2026, 1, 31), 15, 2).await.expect("the clock moves");
    let second = story.plan(&request).await.expect("a plan");
    let change = |what: &str, target: &str| {
        let found = second.changes.iter().find(|change| change.what == what && change.target.ends_with(target));
        found.map(|change| (change.before.clone(), change.after.clone()))
    };
    assert_eq!(change("contract-settled", ""), Some((None, Some("2026-01-31".to_owned()))), "{:?}", second.changes);
    let fate = (Some("wait".to_owned()), Some("erase 2026-02-28".to_owned()));
    assert_eq!(change("fate", "/www"), Some(fate), "{:?}", second.changes);

    let both = v1::PreviewPlanRequest { service, ..of_request() };
    assert_eq!(plans.preview_plan(both).await.expect_err("refused").code(), Code::InvalidArgument);
    let unknown = v1::PreviewPlanRequest { request: "0".repeat(32), ..v1::PreviewPlanRequest::default() };
    assert_eq!(plans.preview_plan(unknown).await.expect_err("refused").code(), Code::NotFound);
}
