//! Two numbers turn out to be one customer, against running processes: the first one's own data stays while the other has a
//! service, a hold on one shows on the other's request, and both have an end when the last contract has.

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use serde_json::Value;

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

/// Ends and settles a contract on one day; gives its request.
async fn leaves(story: &Story, service: &str, number: &str, last: &str) -> String {
    let mut contracts = ContractServiceClient::new(story.site.channel().expect("a channel"));
    let cause = Some(story.site.cause(Some(service), Some(number)).expect("a cause"));
    let end = v1::EndContractRequest { service: service.to_owned(), ended: last.to_owned(), version: 0, cause };
    let request = contracts.end_contract(end).await.expect("ended").into_inner().request;
    let settle = v1::SettleContractRequest {
        service: service.to_owned(),
        settled: last.to_owned(),
        version: 0,
        ..Default::default()
    };
    contracts.settle_contract(settle).await.expect("settled");
    request
}

#[tokio::test]
async fn two_merged_numbers_keep_the_customers_own_data_until_the_last_contract_of_both_and_share_a_hold() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
    let operator = story.site.profile();
    let (old, new) = (story.leaver.number.clone(), story.stayer.number.clone());
    let words = ["contract", "merge", "--customer", &old, "--into", &new];
    let show = |number: &str| json(&gallra(&operator, &["contract", "show", "--customer", number]));
    assert_eq!(gallra(&operator, &["contract", "merge", "--customer", &old, "--into", &old]).status.code(), Some(2));

    let said = json(&gallra(&operator, &[words.as_slice(), &["--dry-run"]].concat()));
    assert_eq!((said["numbers"].as_array().map(Vec::len), show(&old)["merged_into"].as_str()), (Some(2), Some("")));
    let merged = json(&gallra(&operator, &words));
    assert_eq!((&merged["numbers"], &merged["again"]), (&said["numbers"], &false.into()));
    assert_eq!(show(&old)["merged_into"], show(&new)["id"]);
    assert_eq!(json(&gallra(&operator, &words))["again"], true, "told again");
    let text = serde_json::to_string(&merged).expect("JSON");
    assert!(!text.contains(&old) && !text.contains(&new), "references only");

    let service = story.leaver.service.clone();
    let first = leaves(&story, &service, &old, "2026-01-31").await;
    story.advance(day(2026, 1, 31), 15, 1).await.expect("the clock moves");
    let targets = |plan: gallra_model::plan::Plan| {
        let mut targets: Vec<_> = plan.steps.iter().map(|step| step.target.to_string()).collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    };
    let of_service = targets(story.plan(&first).await.expect("a plan"));
    assert_eq!(of_service, ["mail", "register-service", "www"], "nothing of the customer's own");
    assert_eq!(
        (&show(&old)["ending"], &show(&old)["active"], &show(&old)["active_of_all"]),
        (&"".into(), &0.into(), &1.into())
    );

    // A hold on the other number is one on this one's data.
    let hold = json(&gallra(&operator, &["hold", "place", "--customer", &new, "--ground", "a dispute"]));
    assert!(hold["hold"]["id"].is_string() || hold["id"].is_string(), "{hold}");
    let held = story.request(&first).await.expect("the request").facts;
    assert!(held.contains(&"held".to_owned()), "{held:?}");

    let last = story.stayer.service.clone();
    let ending = leaves(&story, &last, &new, "2026-01-31").await;
    story.advance(day(2026, 1, 31), 15, 2).await.expect("the clock moves");
    assert_eq!(show(&new)["ending"], ending.as_str());
    let of_old = show(&old)["ending"].as_str().expect("its end").to_owned();
    assert_ne!(of_old, ending);
    let plan = story.plan(&of_old).await.expect("a plan");
    let other = story.plan(&ending).await.expect("a plan");
    assert!(plan.anchors.customer_settled.is_some(), "{:?}", plan.anchors);
    assert_eq!(
        (plan.anchors.customer_ended, plan.anchors.customer_settled),
        (other.anchors.customer_ended, other.anchors.customer_settled)
    );
    assert_eq!(targets(plan), ["register-contact", "register-invoices"]);
    story.advance(day(2026, 3, 5), 22, 30).await.expect("the clock moves");
    assert!(story.site.provider.web(&story.leaver).exists(), "held under the other number");
}
