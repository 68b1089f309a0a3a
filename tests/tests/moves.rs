//! A contract goes on under another customer, against running processes: the service's data stays on the hosts until that one's
//! end, and the earlier customer's own data follows its own.

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use serde_json::Value;

const HEIR: &str = "9001";

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .args(["--output", "json"])
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

fn hosted_is_there(story: &Story) -> [bool; 2] {
    [story.site.provider.web(&story.leaver).exists(), story.site.provider.mail(&story.leaver).exists()]
}

#[tokio::test]
async fn a_moved_contract_keeps_its_data_until_its_new_customer_leaves_and_the_earlier_customer_has_an_end_of_its_own()
{
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
    let (operator, service) = (story.site.profile(), story.leaver.service.clone());
    let words = ["contract", "move", "--service", &service, "--to-customer", HEIR, "--on", "2026-01-20"];
    let future = [words.as_slice(), &["--settled", "2026-02-28"]].concat();
    assert_eq!(gallra(&operator, &future).status.code(), Some(6), "a day that is not known yet");
    let first = json(&gallra(&operator, &words));
    let ending = first["ending"].as_str().expect("the customer's end").to_owned();
    assert_eq!((&first["contract"]["state"], &first["before"]["ended"]), (&"active".into(), &"2026-01-20".into()));
    let text = serde_json::to_string(&first).expect("JSON");
    assert!(!text.contains(HEIR) && !text.contains(&story.leaver.number), "references only");
    story.advance(day(2026, 1, 31), 15, 1).await.expect("the clock moves");
    assert!(story.request(&ending).await.expect("the request").facts.contains(&"unsettled".to_owned()));

    let settled = json(&gallra(&operator, &[words.as_slice(), &["--settled", "2026-01-25"]].concat()));
    assert_eq!((&settled["before"]["settled"], &settled["ending"]), (&"2026-01-25".into(), &ending.as_str().into()));
    story.advance(day(2026, 1, 31), 15, 2).await.expect("the clock moves");
    let plan = story.plan(&ending).await.expect("a plan");
    let mut targets: Vec<_> = plan.steps.iter().map(|step| step.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets, ["register-contact", "register-invoices"], "nothing of the service");
    story.advance(day(2026, 3, 5), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 6), 22, 30).await.expect("the clock moves");
    let done = story.request(&ending).await.expect("the request");
    assert!(!done.done.is_empty(), "{done:?}");
    assert_eq!(done.obligations.len(), 2, "the earlier customer's own is kept for its time, behind handles");
    assert_eq!(hosted_is_there(&story), [true, true], "somebody else's by now");

    let mut contracts = ContractServiceClient::new(story.site.channel().expect("a channel"));
    let cause = Some(story.site.cause(Some(&service), Some(HEIR)).expect("a cause"));
    let end = v1::EndContractRequest { service: service.clone(), ended: "2026-01-31".to_owned(), version: 0, cause };
    let request = contracts.end_contract(end).await.expect("ended").into_inner().request;
    let settle =
        v1::SettleContractRequest { service, settled: "2026-01-31".to_owned(), version: 0, ..Default::default() };
    contracts.settle_contract(settle).await.expect("settled");
    story.advance(day(2026, 3, 7), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 8), 22, 30).await.expect("the clock moves");
    assert_eq!(hosted_is_there(&story), [false, false]);
    let last = story.request(&request).await.expect("the request");
    assert!(!last.done.is_empty(), "{last:?}");
    assert!(story.site.provider.web(&story.stayer).exists(), "everybody else's");
}
