//! A flow that is killed once, at a named point, ends in the proof of an undisturbed one (I4, I6, I8): after instants,
//! attempt numbers, references and signatures are taken out, both are equal; nothing was done twice, nothing early.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_cli::demo::site::{Site, wait_for};
use gallra_model::Instant;
use gallra_model::time::instant_of;
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::agent_registry_service_client::AgentRegistryServiceClient;
use serde_json::Value;

const COORDINATOR: &str = "gallra-coordinator";
const AGENT: &str = "gallra-agent";

/// Files that the leaver has beside those of the sale.
const PAGES: u32 = 1_200;

/// Which targets the flow has, beside the backups.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    /// The customers' files.
    OneTarget,
    /// Everything that the demonstration has: files, mail and a database with rows that are kept.
    Demonstration,
}

impl Size {
    /// The undisturbed flow's proof. `UPDATE_GOLDEN=1` writes it anew; look at the difference before you commit it.
    fn golden(self) -> &'static str {
        match self {
            Self::OneTarget => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crashes/one-target.json"),
            Self::Demonstration => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crashes/demonstration.json"),
        }
    }
}

/// A flow in which one program kills itself at one point, or none.
struct Flow {
    story: Story,
    killed: Option<(&'static str, &'static str)>,
    /// How the process ended, once it has.
    died: bool,
}

impl Flow {
    async fn begin(size: Size, killed: Option<(&'static str, &'static str)>) -> Self {
        let story = Story::begin(|options| {
            let left_out = ["mail", "register-service", "register-contact", "register-invoices"];
            if size == Size::OneTarget {
                options.without = left_out.map(str::to_owned).to_vec();
            }
            options.crash = killed.map(|(program, point)| (program, point.to_owned()));
        })
        .await
        .expect("a site");
        // More than the driver has in hand at once, so that a kill in the middle finds some gone and some not.
        let web = story.site.provider.web(&story.leaver);
        for number in 0..PAGES {
            std::fs::write(web.join(format!("page-{number}.html")), format!("page {number}")).expect("a file");
        }
        Self { story, killed, died: false }
    }

    /// Starts again what has died, without the crash point. Returns whether something had. After a call that failed
    /// something must have.
    async fn revive<T>(&mut self, called: &anyhow::Result<T>) -> bool {
        let site = &mut self.story.site;
        let mut ended = site.ended().expect("the system answers");
        if let (Err(error), true) = (called, ended.is_empty() && !self.died && self.killed.is_some()) {
            let death = wait_for("a death", async || site.ended().ok().filter(|ended| !ended.is_empty())).await;
            ended = death.unwrap_or_else(|_| panic!("nothing died, and yet: {error:#}"));
        }
        for (program, status) in &ended {
            let (killed, point) = self.killed.expect("nothing dies in an undisturbed flow");
            assert_eq!(*program, killed, "another process ended than the one that was to");
            let name = point.split('#').next().expect("a name");
            let log = program.strip_prefix("gallra-").expect("a program of ours");
            let log = std::fs::read_to_string(site.path(&format!("logs/{log}.log"))).expect("a log");
            assert!(log.contains(&format!("crash point: {name}\n")), "{program} ended elsewhere: {status}\n{log}");
            // Either half: the other one ends when its pipe does, and names the signal.
            let by_kill = status.signal() == Some(9) || log.contains("(signal: 9");
            assert!(by_kill, "{program} was not killed: {status}");
            assert!(!self.died, "it died twice");
            self.died = true;
            site.options.crash = None;
            match *program {
                COORDINATOR => site.start_coordinator().await.expect("the coordinator starts again"),
                _ => {
                    // Else its old stream would be taken for the new one.
                    let gone = wait_for("the stream's end", async || (!is_connected(site).await).then_some(())).await;
                    gone.expect("the coordinator sees it go");
                    site.start_agent().await.expect("the agent starts again");
                }
            }
        }
        if !ended.is_empty() {
            site.wait_connected().await.expect("they find each other again");
        }
        !ended.is_empty()
    }

    /// Moves the clock as often as it takes. The call counts only what connected agents have to do: an agent that dies while
    /// it waits has work left, so it is brought back first.
    async fn advance(&mut self, to: Instant) {
        for _ in 0..3 {
            let mut moved = self.story.site.advance(to).await;
            // A coordinator that died may have moved its clock before, and no clock goes back.
            self.story.site.time_passes(to);
            if moved.is_ok() && !is_connected(&self.story.site).await {
                moved = Err(anyhow::anyhow!("the agent went away"));
            }
            if !self.revive(&moved).await {
                return moved.expect("the clock moves");
            }
        }
        panic!("more than one death");
    }

    /// The end and the settlement, each said again where the answer was lost. A plan lies between them, always.
    async fn end_and_settle(&mut self) -> String {
        self.advance(at(2026, 1, 31, 15)).await;
        let mut request = self.story.end().await;
        if self.revive(&request).await {
            request = self.story.end().await;
        }
        self.advance(at(2026, 1, 31, 16)).await;
        let mut settled = self.story.settle().await;
        if self.revive(&settled).await {
            settled = self.story.settle().await;
        }
        settled.expect("settled");
        self.advance(at(2026, 1, 31, 17)).await;
        request.expect("a request")
    }

    /// From the end of the contract to the final proof.
    async fn run(&mut self) -> Value {
        self.advance(at(2026, 1, 4, 3)).await;
        self.story.site.routine.back_up(self.story.site.now()).expect("a backup");
        let request = self.end_and_settle().await;
        self.advance(at(2026, 2, 28, 23)).await;
        self.advance(at(2026, 3, 1, 12)).await;
        for (month, day) in [(3, 8), (7, 12)] {
            self.advance(at(2026, month, day, 3)).await;
            self.story.site.routine.back_up(self.story.site.now()).expect("a backup");
            self.story.site.routine.prune().expect("a pruning");
        }
        for (month, day) in [(8, 12), (8, 13), (9, 13), (9, 14)] {
            self.advance(at(2026, month, day, 12)).await;
        }
        let stands = self.story.request(&request).await.expect("the request");
        let (proof, key, stage) = self.story.newest_proof(&request).await.expect("a proof");
        assert_eq!(stage, v1::Stage::Final, "{stands:?}");
        assert!(gallra_testkit::provider::verify(&proof, &key).starts_with("VALID final"));
        assert!(!self.story.site.provider.web(&self.story.leaver).exists());
        assert!(self.story.site.provider.web(&self.story.stayer).exists());
        self.nothing_began_early();
        bare(&proof)
    }

    /// Every erasure that the agent's journal knows of began inside of the window of its one day.
    fn nothing_began_early(&self) {
        let journal = std::fs::read_to_string(self.story.site.path("agent/privileged/journal")).expect("a journal");
        let mut begun = 0;
        for line in journal.lines() {
            let record: Value = serde_json::from_str(line.split_once(' ').expect("a checksum").1).expect("a record");
            if record["record"] == "begin" && record["action"] == "erase" {
                let started: Instant = record["started"].as_str().expect("a time").parse().expect("an instant");
                assert!(started >= at(2026, 2, 28, 0), "an erasure began on {started}");
                begun += 1;
            }
        }
        assert!(begun >= 1, "the journal knows of no erasure");
    }
}

async fn is_connected(site: &Site) -> bool {
    let Ok(channel) = site.channel() else { return false };
    let request = v1::GetAgentRequest { name: "web1".to_owned() };
    let agent = AgentRegistryServiceClient::new(channel).get_agent(request).await;
    agent.is_ok_and(|agent| agent.into_inner().connected)
}

fn at(year: i16, month: i8, date: i8, hour: i8) -> Instant {
    instant_of(day(year, month, date), hour, 0).expect("a literal")
}

/// A proof file without signatures, with every payload opened, and without what differs from run to run.
fn bare(proof: &Path) -> Value {
    let file: Value = serde_json::from_slice(&std::fs::read(proof).expect("the proof")).expect("JSON");
    let open = |entry: &Value| -> Value {
        let payload = STANDARD.decode(entry["envelope"]["payload"].as_str().expect("a text")).expect("base64");
        let mut statement: Value = serde_json::from_slice(&payload).expect("JSON");
        statement["predicate"].take()
    };
    let said: Vec<Value> = file["statements"].as_array().expect("a list").iter().map(open).collect();
    let mut receipts: Vec<Value> = said.iter().filter(|one| !is_taken_up(one, &said)).cloned().map(blank).collect();
    receipts.sort_by_key(|receipt| (receipt["action"].to_string(), receipt.to_string()));
    let mut statement = blank(open(&file["proof"]));
    // How many statements there are follows from how many attempts there were.
    statement.as_object_mut().expect("an object").remove("evidence");
    serde_json::json!({ "statement": statement, "plan": blank(open(&file["plan"])), "receipts": receipts })
}

/// Whether a statement only says that an attempt ended before its job was over, and a later attempt ended the job: its counts go back
/// to before the first attempt, so everything else says the same as if nothing had been cut short.
fn is_taken_up(said: &Value, all: &[Value]) -> bool {
    said["verdict"] != "done"
        && said["verdict"].is_string()
        && all.iter().any(|other| other["job"] == said["job"] && other["verdict"] == "done")
}

fn blank(value: Value) -> Value {
    match value {
        Value::String(text) if is_reference(&text) => "reference".into(),
        Value::String(text) if text.contains('T') && text.parse::<Instant>().is_ok() => "instant".into(),
        Value::Array(all) => all.into_iter().map(blank).collect(),
        // How a repository packs its blobs is the backup program's choice, and differs from run to run.
        Value::Object(all) => all
            .into_iter()
            .filter(|(key, _)| !["attempt", "commitment", "previous"].contains(&key.as_str()))
            .filter(|(key, _)| !key.starts_with("blobs_") && !key.starts_with("packs_"))
            .map(|(key, value)| (key, blank(value)))
            .collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

fn is_reference(text: &str) -> bool {
    [32, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON") + "\n"
}

/// Shows the lines that differ only.
fn assert_as_undisturbed(size: Size, proof: &str, point: &str) {
    let golden = std::fs::read_to_string(size.golden()).expect("the golden file");
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let (is, was) = (lines(proof), lines(&golden));
    let differ = is.iter().zip(&was).filter(|(is, was)| is != was).take(12).collect::<Vec<_>>();
    assert!(proof == golden, "{point}: {} lines, undisturbed {}; first (is, was): {differ:#?}", is.len(), was.len());
}

async fn undisturbed(size: Size) {
    let proof = pretty(&Flow::begin(size, None).await.run().await);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(size.golden(), &proof).expect("the golden file");
    }
    assert_as_undisturbed(size, &proof, "undisturbed");
}

#[tokio::test]
async fn nothing_is_killed() {
    undisturbed(Size::OneTarget).await;
    if is_long() {
        undisturbed(Size::Demonstration).await;
    }
}

/// `./dev test --long`: ten times each, and once each with everything that the demonstration has.
fn is_long() -> bool {
    std::env::var_os("GALLRA_LONG").is_some()
}

async fn killed_at(program: &'static str, point: &'static str) {
    let rounds = if is_long() { 10 } else { 1 };
    let mut sizes = vec![Size::OneTarget; rounds];
    sizes.extend(is_long().then_some(Size::Demonstration));
    for size in sizes {
        let mut flow = Flow::begin(size, Some((program, point))).await;
        let disturbed = pretty(&flow.run().await);
        assert!(flow.died, "{point} was never passed: this run proves nothing");
        assert_as_undisturbed(size, &disturbed, point);
    }
}

macro_rules! killed {
    ($($name:ident: $program:ident, $point:literal;)*) => { $(
        #[tokio::test]
        async fn $name() {
            killed_at($program, $point).await;
        }
    )* };
}

killed! {
    before_ack: COORDINATOR, "before_ack";
    after_plan: COORDINATOR, "after_plan";
    after_offer: AGENT, "after_offer";
    after_permit: COORDINATOR, "after_permit";
    before_journal: AGENT, "before_journal";
    after_journal: AGENT, "after_journal";
    mid_act: AGENT, "mid_act#900";
    before_receipt: AGENT, "before_receipt";
    after_receipt: COORDINATOR, "after_receipt";
    before_signing: COORDINATOR, "before_signing";
}
