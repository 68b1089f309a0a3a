//! Many requests at once, and the coordinator or the agent killed from outside in their middle: nothing that was acknowledged is lost,
//! nothing is counted twice, nobody else's files are touched (I4, I6, I8). The peer of the runs with kills of
//! `crates/coordinator/benches/restate`; `./dev --part killed` makes a table of both.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::PathBuf;

use gallra_cli::demo::site::wait_for;
use gallra_model::Instant;
use gallra_model::time::instant_of;
use gallra_testkit::provider::{statement_of, verify};
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::agent_registry_service_client::AgentRegistryServiceClient;
use gallra_wire::v1::clock_service_client::ClockServiceClient;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use gallra_wire::v1::job_service_client::JobServiceClient;
use gallra_wire::v1::receipt_service_client::ReceiptServiceClient;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::Instant as Moment;

/// Files of each service, beside the folder itself.
const FILES: usize = 12;
const COORDINATOR: &str = "gallra-coordinator";
const AGENT: &str = "gallra-agent";

/// What is killed, how often, and among how many requests.
#[derive(Clone, Copy)]
struct Run {
    victim: &'static str,
    kills: usize,
    requests: usize,
}

/// A site with requests that are all due on one evening.
struct Crowd {
    story: Story,
    requests: Vec<String>,
    run: Run,
}

/// After everything was due.
fn evening() -> Instant {
    instant_of(day(2026, 2, 28), 22, 30).expect("a literal")
}

fn service(number: usize) -> String {
    format!("gone-{number}.example")
}

impl Crowd {
    async fn begin(run: Run) -> Self {
        let left_out = ["mail", "register-service", "register-contact", "register-invoices"];
        let mut story = Story::begin(|options| {
            options.backups = false;
            options.without = left_out.map(str::to_owned).to_vec();
            // So that a kill finds some in the middle of it.
            options.items_per_second = Some(200);
        })
        .await
        .expect("a site");
        let mut contracts = ContractServiceClient::new(story.site.channel().expect("a connection"));
        for number in 0..run.requests {
            let folder = story.site.path("srv/www").join(service(number));
            std::fs::create_dir(&folder).expect("a folder");
            for file in 0..FILES {
                std::fs::write(folder.join(format!("page-{file}.html")), "somebody who leaves").expect("a file");
            }
            let start = v1::StartContractRequest {
                service: service(number),
                customer: format!("2{number:05}"),
                started: "2026-01-02".to_owned(),
                version: 1,
                ..Default::default()
            };
            contracts.start_contract(start).await.expect("it starts");
        }
        story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
        let mut requests = Vec::new();
        for number in 0..run.requests {
            let (name, customer) = (service(number), format!("2{number:05}"));
            let cause = Some(story.site.cause(Some(&name), Some(&customer)).expect("a cause"));
            let end =
                v1::EndContractRequest { service: name.clone(), ended: "2026-01-31".to_owned(), version: 2, cause };
            requests.push(contracts.end_contract(end).await.expect("it ends").into_inner().request);
            let settled = "2026-01-31".to_owned();
            let settle = v1::SettleContractRequest { service: name, settled, version: 3, ..Default::default() };
            contracts.settle_contract(settle).await.expect("settled");
        }
        story.advance(day(2026, 1, 31), 15, 1).await.expect("the clock moves");
        Self { story, requests, run }
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> + '_ {
        (0..self.run.requests).map(|number| self.story.site.path("srv/www").join(service(number)))
    }

    fn gone(&self) -> usize {
        self.folders().filter(|folder| !folder.exists()).count()
    }

    /// SIGKILL to its id, and a new one. Milliseconds until the next folder went.
    async fn kill(&mut self) -> u128 {
        let (coordinator, agent) = self.story.site.pids();
        let id = if self.run.victim == AGENT { agent } else { coordinator };
        let pid = id.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).expect("it runs");
        let began = Moment::now();
        kill_process(pid, Signal::KILL).expect("it is killed");
        let site = &mut self.story.site;
        let ended = wait_for("its end", async || site.ended().ok().filter(|ended| !ended.is_empty())).await;
        let ended = ended.expect("it ends");
        assert!(ended.iter().all(|(name, _)| *name == self.run.victim), "another one died: {ended:?}");
        if self.run.victim == COORDINATOR {
            site.time_passes(evening());
            site.start_coordinator().await.expect("the coordinator starts again");
        } else {
            // Else its old stream would be taken for the new one.
            let mut registry = AgentRegistryServiceClient::new(site.channel().expect("a connection"));
            wait_for("the stream's end", async || {
                let asked = v1::GetAgentRequest { name: "web1".to_owned() };
                registry.get_agent(asked).await.ok().filter(|agent| !agent.get_ref().connected)
            })
            .await
            .expect("the coordinator sees it go");
            site.start_agent().await.expect("the agent starts again");
        }
        site.wait_connected().await.expect("they find each other");
        let before = self.gone();
        wait_for("the next folder", async || (self.gone() > before).then_some(())).await.expect("it goes on");
        began.elapsed().as_millis()
    }

    /// The evening, with its kills. How long each took until the next folder went.
    async fn evening(&mut self) -> Vec<u128> {
        let mut clock = ClockServiceClient::new(self.story.site.channel().expect("a connection"));
        let to = evening().to_string();
        // What it answers says nothing: whom it asks may be killed.
        let moved =
            tokio::spawn(async move { clock.advance_clock(v1::AdvanceClockRequest { to, wait_seconds: 1 }).await });
        let mut back = Vec::new();
        for kill in 1..=self.run.kills {
            let share = self.run.requests * kill / (self.run.kills + 1);
            wait_for("its turn", async || (self.gone() >= share).then_some(())).await.expect("folders go");
            assert!(self.gone() < self.run.requests, "all was over before kill {kill}");
            back.push(self.kill().await);
        }
        let _ = moved.await.expect("no panic");
        self.story.site.time_passes(evening());
        wait_for("all folders", async || (self.gone() == self.run.requests).then_some(())).await.expect("all go");
        self.story.site.advance(evening()).await.expect("the clock moves");
        back
    }

    /// Counts what every request came to, from what is signed and from the disk.
    async fn counted(&self) -> Value {
        let channel = self.story.site.channel().expect("a connection");
        let (mut over, mut jobs, mut lost, mut doubled, mut again) = (0, 0, 0, 0, 0);
        for (request, folder) in self.requests.iter().zip(self.folders()) {
            let (proof, key, stage) = self.story.newest_proof(request).await.expect("a proof");
            over += usize::from(stage == v1::Stage::Final && verify(&proof, &key).starts_with("VALID final"));
            let said = statement_of(&proof).expect("a statement");
            let erased = said.pointer("/targets/0/counts/erased").and_then(Value::as_u64).expect("a count");
            // The folder itself is one of them.
            let all = FILES as u64 + 1;
            lost += usize::from(folder.exists() || erased < all);
            let asked = v1::ListReceiptsRequest { request: request.clone() };
            let receipts = ReceiptServiceClient::new(channel.clone()).list_receipts(asked).await.expect("receipts");
            let ended =
                receipts.into_inner().receipts.into_iter().filter(|one| one.action == "erase" && one.verdict == "done");
            doubled += usize::from(erased > all || ended.count() > 1);
            let asked = v1::ListJobsRequest { request: request.clone() };
            let all = JobServiceClient::new(channel.clone()).list_jobs(asked).await.expect("jobs").into_inner().jobs;
            jobs += all.len();
            again += all.iter().map(|job| job.attempt.saturating_sub(1)).sum::<u32>();
        }
        json!({ "requests": self.requests.len(), "jobs": jobs, "over": over, "lost": lost, "doubled": doubled, "begun_again": again })
    }
}

async fn killed(victim: &'static str) {
    let (kills, requests) = if std::env::var_os("GALLRA_LONG").is_some() { (3, 60) } else { (1, 6) };
    let run = Run { victim, kills, requests };
    let mut crowd = Crowd::begin(run).await;
    let back = crowd.evening().await;
    // The last look comes ten minutes later, and the proof with it.
    crowd.story.advance(day(2026, 2, 28), 23, 30).await.expect("the clock moves");
    crowd.story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    let mut row = crowd.counted().await;
    assert_eq!(
        (row["over"].as_u64(), row["lost"].as_u64(), row["doubled"].as_u64()),
        (Some(requests as u64), Some(0), Some(0)),
        "{row}"
    );
    for stays in [&crowd.story.stayer, &crowd.story.leaver] {
        let page = crowd.story.site.provider.web(stays).join("public_html/vecka-1.html");
        assert!(page.is_file(), "somebody's who did not leave");
    }
    if let Some(file) = std::env::var_os("GALLRA_FIGURES") {
        row["killed"] = victim.into();
        row["kills"] = kills.into();
        row["next_effect_after_ms"] = json!(back);
        std::fs::write(PathBuf::from(file).join(format!("{victim}.json")), format!("{row}\n")).expect("a file");
    }
}

#[tokio::test]
async fn a_killed_coordinator_loses_and_doubles_nothing() {
    killed(COORDINATOR).await;
}

#[tokio::test]
async fn a_killed_agent_loses_and_doubles_nothing() {
    killed(AGENT).await;
}
