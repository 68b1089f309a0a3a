//! The seven months themselves: what happens on which day, in order.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use gallra_model::time::instant_of;
use gallra_model::{Day, Instant};
use gallra_wire::v1;
use gallra_wire::v1::backup_service_client::BackupServiceClient;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use gallra_wire::v1::job_service_client::JobServiceClient;
use gallra_wire::v1::key_service_client::KeyServiceClient;
use gallra_wire::v1::plan_service_client::PlanServiceClient;
use gallra_wire::v1::proof_service_client::ProofServiceClient;
use gallra_wire::v1::request_service_client::RequestServiceClient;
use jiff::ToSpan as _;

use super::checks;
use super::people::{Person, leaver, stayer};
use super::site::{Options, Site, programs};
use super::story::Story;
use crate::output;

/// Weeks after which the demonstration gives up waiting for the last copy.
const MOST_WEEKS: u32 = 40;

fn at(day: Day, hour: i8, minute: i8) -> anyhow::Result<Instant> {
    Ok(instant_of(day, hour, minute)?)
}

fn day(year: i16, month: i8, day: i8) -> Day {
    Day::constant(year, month, day)
}

/// Plays it and returns the verifier's exit code.
pub(super) async fn play(dir: &Path) -> anyhow::Result<u8> {
    let mut tale = Tale::begin(dir).await?;
    tale.sell().await?;
    let first_sunday = day(2026, 1, 4);
    for week in 0..MOST_WEEKS {
        let sunday = first_sunday.checked_add(i64::from(week * 7).days())?;
        tale.events_before(sunday).await?;
        tale.week(week, sunday).await?;
        if tale.is_done().await? {
            return tale.end().await;
        }
    }
    anyhow::bail!("the proof did not become final within {MOST_WEEKS} weeks")
}

struct Tale<'a> {
    dir: &'a Path,
    story: Story,
    site: Site,
    leaver: Person,
    stayer: Person,
    request: Option<String>,
    gone: bool,
    proofs: u32,
    copies: BTreeMap<String, i32>,
    /// What was written for the one who stays, by name and digest.
    written: BTreeMap<String, String>,
}

impl<'a> Tale<'a> {
    async fn begin(dir: &'a Path) -> anyhow::Result<Self> {
        let mut story = Story::begin(dir)?;
        let start = at(day(2026, 1, 2), 9, 0)?;
        let root = dir.join("site");
        let options = Options::new(&root, &programs()?, start);
        let saved = ["srv/www", "srv/mail", "srv/register.db"].map(|path| root.join(path)).to_vec();
        let site = Site::create(options, vec![saved]).await?;
        let (coordinator, agent) = site.pids();
        story.say("gallra demo: seven months of one provider, under a simulated clock, on this machine")?;
        story.say(&format!("folder              {}", dir.display()))?;
        story.say(&format!("coordinator         process {}", coordinator.unwrap_or_default()))?;
        story.say(&format!("agent web1          process {}", agent.unwrap_or_default()))?;
        Ok(Self {
            dir,
            story,
            site,
            leaver: leaver(),
            stayer: stayer(),
            request: None,
            gone: false,
            proofs: 0,
            copies: BTreeMap::new(),
            written: BTreeMap::new(),
        })
    }

    async fn sell(&mut self) -> anyhow::Result<()> {
        let started = "2026-01-02";
        for person in [&self.leaver, &self.stayer] {
            self.site.provider.sell(person, started)?;
            let request = v1::StartContractRequest {
                service: person.service.clone(),
                customer: person.number.clone(),
                addresses: vec![person.hosted.clone()],
                started: started.to_owned(),
                version: 1,
                identifiers: Vec::new(),
            };
            ContractServiceClient::new(self.site.channel()?).start_contract(request).await?;
        }
        self.written = self.site.provider.everything_of(&self.stayer)?;
        self.story.at(self.site.now(), "two customers, A and B, buy web and mail; A is a sole trader with one contract")
    }

    /// One Sunday: both live their week, the provider backs up and prunes; on Monday time has moved on.
    async fn week(&mut self, week: u32, sunday: Day) -> anyhow::Result<()> {
        let night = at(sunday, 3, 0)?;
        self.site.advance(night).await?;
        ensure!(self.site.provider.everything_of(&self.stayer)? == self.written, "customer B's data changed");
        self.site.provider.week(&self.stayer, week)?;
        self.written = self.site.provider.everything_of(&self.stayer)?;
        if !self.gone {
            self.site.provider.week(&self.leaver, week)?;
        }
        self.site.routine.back_up(night)?;
        self.site.routine.prune()?;
        self.site.advance(at(sunday.tomorrow()?, 12, 0)?).await?;
        // Time for the last looks, which wait for every clock to have passed the last copy's end.
        self.site.advance(at(sunday.tomorrow()?, 12, 30)?).await?;
        self.tell_copies().await?;
        self.fetch_proofs().await
    }

    /// What falls between the last Monday and this Sunday.
    async fn events_before(&mut self, sunday: Day) -> anyhow::Result<()> {
        let (end, erasure) = (day(2026, 1, 31), day(2026, 2, 28));
        if sunday.yesterday()? == end {
            self.end_contract(end).await?;
        }
        if sunday.yesterday()? == erasure {
            self.erase(erasure).await?;
        }
        Ok(())
    }

    async fn end_contract(&mut self, end: Day) -> anyhow::Result<()> {
        self.site.advance(at(end, 15, 0)?).await?;
        self.site.provider.invoice(&self.leaver, &end.to_string())?;
        let mut contracts = ContractServiceClient::new(self.site.channel()?);
        let service = self.leaver.service.clone();
        let cause = Some(self.site.cause(Some(&service), Some(&self.leaver.number))?);
        let ended = v1::EndContractRequest { service: service.clone(), ended: end.to_string(), version: 2, cause };
        let request = contracts.end_contract(ended).await?.into_inner().request;
        let settled = v1::SettleContractRequest { service, settled: end.to_string(), version: 3, ..Default::default() };
        contracts.settle_contract(settled).await?;
        self.site.advance(at(end, 15, 1)?).await?;
        self.story.at(self.site.now(), &format!("A's contract ends and is settled: request {request}"))?;
        self.story.block("billing's key signs the end: without a signature that the host trusts it erases nothing")?;
        let mut plans = PlanServiceClient::new(self.site.channel()?);
        let plan = plans.get_plan(v1::GetPlanRequest { request: request.clone(), number: 0 }).await?.into_inner();
        ensure!(plan.problems.is_empty(), "the checker objects to the plan");
        self.story.block(&gallra_planner::render(&serde_json::from_str(&plan.plan)?))?;
        self.request = Some(request);
        checks::hits_everywhere(&mut self.story, self.dir, &mut self.site, &self.leaver).await
    }

    async fn erase(&mut self, on: Day) -> anyhow::Result<()> {
        self.site.advance(at(on, 22, 30)?).await?;
        self.gone = true;
        let request = self.show().await?;
        if request.live_confirmed.is_empty() {
            anyhow::bail!("the live data is not confirmed gone on its day:\n{}", self.setbacks().await?);
        }
        self.story.at(
            self.site.now(),
            "A's web files, mail and service rows are erased, and confirmed gone by another path",
        )?;
        for kept in &request.obligations {
            let text = format!(
                "kept: {} in {}, may be erased from {} ({})",
                output::items(kept.items),
                kept.target,
                kept.earliest,
                kept.ground
            );
            self.story.block(&text)?;
        }
        ensure!(!self.site.provider.web(&self.leaver).exists(), "A's web tree is still there");
        let after = self.site.provider.everything_of(&self.stayer)?;
        ensure!(after == self.written, "the erasure touched the other customer's data");
        self.story.block(&format!("customer B: {} files, mails and tables, the same before and after", after.len()))
    }

    /// What kept jobs from being settled, a line each.
    async fn setbacks(&self) -> anyhow::Result<String> {
        let request = self.request.clone().context("no request yet")?;
        let jobs = JobServiceClient::new(self.site.channel()?).list_jobs(v1::ListJobsRequest { request }).await?;
        let jobs = jobs.into_inner().jobs;
        let failed = jobs.iter().filter(|job| !job.setback.is_empty());
        Ok(failed.map(|job| format!("{} {}: {}\n", job.action, job.target, job.setback)).collect())
    }

    async fn show(&self) -> anyhow::Result<v1::Request> {
        let id = self.request.clone().context("no request yet")?;
        let mut requests = RequestServiceClient::new(self.site.channel()?);
        Ok(requests.get_request(v1::GetRequestRequest { id }).await?.into_inner())
    }

    async fn is_done(&self) -> anyhow::Result<bool> {
        Ok(self.request.is_some() && !self.show().await?.done.is_empty())
    }

    /// Tells of every copy whose state changed.
    async fn tell_copies(&mut self) -> anyhow::Result<()> {
        let Some(request) = self.request.clone() else { return Ok(()) };
        let mut backups = BackupServiceClient::new(self.site.channel()?);
        let listed = v1::ListCopiesRequest { request, overdue_only: false };
        let copies = backups.list_copies(listed).await?.into_inner().copies;
        let left = copies.iter().filter(|copy| copy.state() != v1::CopyState::Gone).count();
        for copy in &copies {
            let began = copy.began.get(..10).unwrap_or_default();
            let last = self.copies.insert(copy.id.clone(), copy.state);
            if copy.state() == v1::CopyState::Gone && last != Some(copy.state) {
                self.story
                    .at(self.site.now(), &format!("the backup of {began} is gone, its bytes reclaimed; {left} left"))?;
            } else if last.is_none() {
                let text = format!("the backup of {began} holds A's data, expected to go by {}", copy.expected);
                self.story.at(self.site.now(), &text)?;
            }
        }
        Ok(())
    }

    /// Fetches every proof not yet fetched.
    async fn fetch_proofs(&mut self) -> anyhow::Result<()> {
        let Some(request) = self.request.clone() else { return Ok(()) };
        let mut proofs = ProofServiceClient::new(self.site.channel()?);
        let listed = proofs.list_proofs(v1::ListProofsRequest { request: request.clone() }).await?.into_inner().proofs;
        for proof in listed.iter().filter(|proof| proof.sequence > self.proofs) {
            let get = v1::GetProofRequest { request: request.clone(), sequence: proof.sequence };
            let file = proofs.get_proof(get).await?.into_inner().file;
            if proof.stage() == v1::Stage::Final {
                std::fs::write(self.dir.join("proof.json"), file)?;
                self.story.at(self.site.now(), "the final proof is signed: proof.json")?;
            } else {
                let name = format!("interim/{:02}.json", proof.sequence);
                std::fs::write(self.dir.join(&name), file)?;
                let until = if proof.until.is_empty() { "an unknown day" } else { &proof.until };
                self.story
                    .at(self.site.now(), &format!("an interim proof is signed, waiting until {until}: {name}"))?;
            }
        }
        self.proofs = listed.len().try_into()?;
        Ok(())
    }

    async fn end(mut self) -> anyhow::Result<u8> {
        let compared = checks::stayer_is_untouched(&self.site, &self.stayer, &self.written)?;
        self.story.say(&format!(
            "customer B          {compared} files, mails and tables as written, also in the newest snapshot"
        ))?;
        let mut proofs = ProofServiceClient::new(self.site.channel()?);
        let pem = proofs.get_issuer_key(v1::GetIssuerKeyRequest {}).await?.into_inner().pem;
        std::fs::write(self.dir.join("issuer.pub"), pem)?;
        let mut keys = KeyServiceClient::new(self.site.channel()?);
        let published = keys.get_key_file(v1::GetKeyFileRequest {}).await?.into_inner();
        std::fs::write(self.dir.join("keys.json"), published.file)?;
        checks::hits_nowhere(&mut self.story, self.dir, &mut self.site, &self.leaver).await?;
        self.site.stop_agent().await?;
        self.site.stop_coordinator().await?;
        let (proof, key) = (self.dir.join("proof.json"), self.dir.join("keys.json"));
        crate::command::certificate::write_both(&proof, &key, self.dir)?;
        let left = "proof.json keys.json issuer.pub certificate.sv.html certificate.en.html timeline.txt interim/";
        self.story.say(&format!("left in             {}: {left}", self.dir.display()))?;
        self.story.say(&format!("gallra verify {} --key {}", proof.display(), key.display()))?;
        Ok(crate::command::verify::check_file(&proof, &key))
    }
}
