//! Stops and holds against running processes: what travels to an agent, who may place and lift what, and what the command
//! line says of it. The races against permits are in the coordinator's own tests.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use gallra_cli::demo::site::{programs, wait_for};
use gallra_identity::CallerRole;
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::order::Order;
use gallra_model::target::Inventory;
use gallra_model::time::instant_of;
use gallra_proof::key::VerifyingKey;
use gallra_testkit::caller::{Who, connect};
use gallra_testkit::{Story, day};
use gallra_wire::session::{request_of, to_agent};
use gallra_wire::v1;
use gallra_wire::v1::agent_registry_service_client::AgentRegistryServiceClient;
use gallra_wire::v1::agent_service_client::AgentServiceClient;
use gallra_wire::v1::clock_service_client::ClockServiceClient;
use tokio::sync::mpsc;
use tonic::Streaming;

/// More than the driver has in hand between two askings, many times over.
const PAGES: usize = 3_000;

/// `gallra stop` halts all irreversible work within so long where the agent's stream lives.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .args(["--output", "json"])
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

/// An agent's stream that the test holds, in the place of the agent itself.
struct Stream {
    _say: mpsc::Sender<v1::SessionRequest>,
    hear: Streaming<v1::SessionResponse>,
    permit: VerifyingKey,
}

impl Stream {
    async fn open(story: &Story) -> Self {
        let coordinator = story.site.path("coordinator");
        let client = std::fs::read_to_string(story.site.profile().join("client.toml")).expect("a profile");
        let address = client.split('"').nth(1).expect("an address").to_owned();
        let mut registry = AgentRegistryServiceClient::new(story.site.channel().expect("a channel"));
        let agent = registry.get_agent(v1::GetAgentRequest { name: "web1".to_owned() }).await.expect("registered");
        let inventory = Inventory {
            agent: "web1".parse().expect("a name"),
            evidence_key: agent.into_inner().evidence_key,
            targets: Vec::new(),
        };
        let channel = connect(&coordinator, &address, Who::Role(CallerRole::Agent)).await.expect("it connects");
        let (say, said) = mpsc::channel(4);
        let hello = ToCoordinator::Hello { inventory, generation: 0, credits: 4 };
        say.send(request_of(&hello)).await.expect("there is room");
        let said = tokio_stream::wrappers::ReceiverStream::new(said);
        let mut hear = AgentServiceClient::new(channel).session(said).await.expect("a stream").into_inner();
        let first = hear.message().await.expect("a word").expect("a word");
        assert!(matches!(to_agent(first).expect("a word"), ToAgent::Welcome { .. }));
        let pem = std::fs::read_to_string(coordinator.join("permit.pub")).expect("the permit key's public half");
        Self { _say: say, hear, permit: VerifyingKey::from_pem(&pem).expect("a key") }
    }

    async fn word(&mut self) -> ToAgent {
        let word = tokio::time::timeout(TOLD_WITHIN, self.hear.message()).await.expect("told in time");
        to_agent(word.expect("a word").expect("a word")).expect("a word")
    }

    /// The next word, which is an order.
    async fn order(&mut self) -> Order {
        let word = self.word().await;
        let ToAgent::Order { order } = word else { panic!("an order was expected: {word:?}") };
        gallra_proof::order::open(&order, &self.permit).expect("signed with the permit key").0
    }
}

#[tokio::test]
async fn a_stop_reaches_an_open_stream_at_once_and_a_new_one_first_of_all() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.site.stop_agent().await.expect("the agent stops");
    let profile = story.site.profile();
    let mut stream = Stream::open(&story).await;
    let stopped = json(&gallra(&profile, &["stop", "--reason", "a leak"]));
    assert_eq!((&stopped["halted"], &stopped["told"]), (&true.into(), &serde_json::json!(["web1"])));
    let stop = stream.order().await;
    assert!(stop.halted);
    drop(stream);
    let mut stream = Stream::open(&story).await;
    assert!(stream.order().await.halted, "said again on a new stream, before anything else");
    let shown = json(&gallra(&story.site.approver(), &["stop", "--show"]));
    assert_eq!((&shown["halted"], &shown["reason"]), (&true.into(), &"a leak".into()));
    let started = json(&gallra(&story.site.approver(), &["start", "--reason", "found"]));
    assert_eq!(started["halted"], false);
    let start = stream.order().await;
    assert!(!start.halted && start.is_newer_than(&stop));
}

fn count(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries.filter_map(Result::ok).map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

/// A story in which the agent died in the middle of an act that nobody has a receipt of.
async fn dead_in_the_act() -> Story {
    let mut story = Story::begin(|options| {
        options.backups = false;
        options.items_per_second = Some(100);
    })
    .await
    .expect("a site");
    let web = story.site.provider.web(&story.leaver);
    for number in 0..PAGES {
        std::fs::write(web.join(format!("page-{number}.html")), "a page of somebody who leaves").expect("a file");
    }
    story.end_and_settle().await.expect("a request");
    let to = instant_of(day(2026, 2, 28), 22, 30).expect("a literal").to_string();
    let mut clock = ClockServiceClient::new(story.site.channel().expect("a connection"));
    // It answers when all that is due is done.
    let advancing = tokio::spawn(async move {
        let _ = clock.advance_clock(v1::AdvanceClockRequest { to, wait_seconds: 60 }).await;
    });
    // What goes is put aside first, and goes from there.
    let www = story.site.path("srv/www");
    let whole = count(&www);
    wait_for("the act", async || (count(&www) < whole).then_some(())).await.expect("files go");
    let (_, agent) = story.site.pids();
    let id = agent.expect("it runs").to_string();
    assert!(Command::new("kill").args(["-KILL", &id]).status().expect("kill runs").success());
    wait_for("its end", async || story.site.ended().ok().filter(|ended| !ended.is_empty())).await.expect("it ends");
    assert!(count(&www) + PAGES > whole, "in the middle of it");
    advancing.abort();
    story
}

#[tokio::test]
async fn a_new_stream_takes_over_the_act_that_may_be_under_way_under_the_old_ones_permit() {
    let story = dead_in_the_act().await;
    // It asks for nothing: all that this stream knows of the act is what the coordinator told it.
    let mut stream = Stream::open(&story).await;
    let words = ["hold", "place", "--customer", &story.leaver.number, "--ground", "a dispute"];
    json(&gallra(&story.site.profile(), &words));
    let withdrawn = |word: ToAgent| if let ToAgent::Withdraw { job } = word { job } else { panic!("{word:?}") };
    let job = withdrawn(stream.word().await);
    drop(stream);
    let mut stream = Stream::open(&story).await;
    assert_eq!(withdrawn(stream.word().await), job, "stopped while the agent was away");
}

#[tokio::test]
async fn a_stop_names_the_agents_that_are_not_connected() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.site.stop_agent().await.expect("the agent stops");
    let stopped = json(&gallra(&story.site.profile(), &["stop", "--reason", "a leak"]));
    assert_eq!((&stopped["told"], &stopped["untold"]), (&serde_json::json!([]), &serde_json::json!(["web1"])));
}

#[tokio::test]
async fn a_held_erasure_waits_past_its_day_and_goes_on_when_the_hold_is_released() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let (operator, approver) = (story.site.profile(), story.site.approver());
    let number = story.leaver.number.clone();
    let placed = json(&gallra(&operator, &["hold", "place", "--customer", &number, "--ground", "a dispute"]));
    let hold = placed["hold"]["id"].as_str().expect("a reference").to_owned();
    assert_eq!((&placed["hold"]["level"], &placed["begun"]), (&"customer".into(), &0.into()));
    let text = serde_json::to_string(&placed).expect("JSON");
    assert!(!text.contains(&number), "a hold carries references only");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    assert!(story.site.provider.web(&story.leaver).exists(), "held");
    assert!(story.request(&request).await.expect("the request").facts.contains(&"held".to_owned()));

    assert_eq!(gallra(&operator, &["hold", "release", &hold, "--reason", "settled"]).status.code(), Some(4));
    json(&gallra(&approver, &["hold", "release", &hold, "--reason", "settled"]));
    assert_eq!(json(&gallra(&operator, &["hold", "list"])), serde_json::json!([]));
    story.advance(day(2026, 2, 28), 22, 31).await.expect("the clock moves");
    assert!(!story.site.provider.web(&story.leaver).exists(), "it went on");
}

#[tokio::test]
async fn a_resumed_contract_keeps_its_data_and_says_so() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let service = story.leaver.service.clone();
    let resumed = json(&gallra(&story.site.profile(), &["contract", "resume", &service]));
    assert_eq!((&resumed["begun"], &resumed["contract"]["state"]), (&false.into(), &"active".into()));
    assert_eq!(resumed["cancelled"], serde_json::json!([request]));
    story.advance(day(2026, 3, 5), 12, 0).await.expect("the clock moves");
    assert!(story.site.provider.web(&story.leaver).exists() && story.site.provider.mail(&story.leaver).exists());
    assert!(story.request(&request).await.expect("on record").facts.contains(&"cancelled".to_owned()));
    assert_eq!(json(&gallra(&story.site.profile(), &["request", "list", "--open"])), serde_json::json!([]));
}

#[tokio::test]
async fn a_policy_is_applied_by_an_approver_only_and_with_its_problems_named() {
    let story = Story::begin(|options| options.backups = false).await.expect("a site");
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/webone.toml");
    let pack = pack.to_str().expect("text");
    assert_eq!(gallra(&story.site.profile(), &["policy", "apply", pack]).status.code(), Some(4));
    let applied = json(&gallra(&story.site.approver(), &["policy", "apply", pack]));
    assert_eq!(applied["name"], "webone");
    let missing = gallra(&story.site.approver(), &["policy", "apply", "no-such-pack.toml"]);
    assert_eq!(missing.status.code(), Some(2));
}
