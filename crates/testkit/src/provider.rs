//! Stories for tests: a site in a temporary folder with the demonstration's two customers, and the steps that tests share.

use std::path::PathBuf;

use anyhow::Context as _;
use gallra_cli::demo::people::{Person, leaver, stayer};
use gallra_cli::demo::site::{Options, Site, programs};
use gallra_model::plan::Plan;
use gallra_model::time::instant_of;
use gallra_model::{Day, Instant};
use gallra_wire::v1;
use gallra_wire::v1::backup_service_client::BackupServiceClient;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use gallra_wire::v1::plan_service_client::PlanServiceClient;
use gallra_wire::v1::proof_service_client::ProofServiceClient;
use gallra_wire::v1::request_service_client::RequestServiceClient;
use jiff::ToSpan as _;

/// A day, from literals.
pub fn day(year: i16, month: i8, day: i8) -> Day {
    Day::constant(year, month, day)
}

/// A site and its people. Ends its processes, and its folder, when dropped.
pub struct Story {
    /// The running site.
    pub site: Site,
    /// Leaves on 2026-01-31.
    pub leaver: Person,
    /// Stays.
    pub stayer: Person,
    /// The folder.
    pub folder: tempfile::TempDir,
}

impl Story {
    /// A site on 2026-01-02 with both customers' services sold. `change` may change its options first.
    ///
    /// # Errors
    /// What did not start.
    pub async fn begin(change: impl FnOnce(&mut Options)) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().canonicalize()?.join("site");
        let mut options = Options::new(&root, &programs()?, instant_of(day(2026, 1, 2), 9, 0)?);
        change(&mut options);
        let (leaver, stayer) = (leaver(), stayer());
        let groups = groups(&root, options.own_group, &[&leaver, &stayer]);
        let site = Site::create(options, groups).await?;
        let story = Self { site, leaver, stayer, folder };
        for person in [&story.leaver, &story.stayer] {
            story.site.provider.sell(person, "2026-01-02")?;
            story.site.provider.week(person, 1)?;
            let request = v1::StartContractRequest {
                service: person.service.clone(),
                customer: person.number.clone(),
                addresses: vec![person.hosted.clone()],
                started: "2026-01-02".to_owned(),
                version: 1,
                identifiers: Vec::new(),
            };
            ContractServiceClient::new(story.site.channel()?).start_contract(request).await?;
        }
        Ok(story)
    }

    /// Moves the clock to a local time.
    ///
    /// # Errors
    /// When due work is not done in time.
    pub async fn advance(&mut self, day: Day, hour: i8, minute: i8) -> anyhow::Result<()> {
        self.site.advance(instant_of(day, hour, minute)?).await
    }

    /// Moves the clock to noon of so many days after a day.
    ///
    /// # Errors
    /// As [`Story::advance`].
    pub async fn advance_days(&mut self, from: Day, days: i32) -> anyhow::Result<Instant> {
        let day = from.checked_add(days.days())?;
        self.advance(day, 12, 0).await?;
        Ok(self.site.now())
    }

    /// The leaver's contract ends and is settled on 2026-01-31. Returns the request.
    ///
    /// # Errors
    /// The coordinator's.
    pub async fn end_and_settle(&mut self) -> anyhow::Result<String> {
        self.advance(day(2026, 1, 31), 15, 0).await?;
        let request = self.end().await?;
        self.settle().await?;
        self.advance(day(2026, 1, 31), 15, 1).await?;
        Ok(request)
    }

    /// Reports that the leaver's contract ended on 2026-01-31, with its cause. Returns the request.
    ///
    /// # Errors
    /// The coordinator's.
    pub async fn end(&self) -> anyhow::Result<String> {
        let service = self.leaver.service.clone();
        let cause = Some(self.site.cause(Some(&service), Some(&self.leaver.number))?);
        let ended = v1::EndContractRequest { service, ended: "2026-01-31".to_owned(), version: 2, cause };
        Ok(ContractServiceClient::new(self.site.channel()?).end_contract(ended).await?.into_inner().request)
    }

    /// Reports that it was settled on the same day.
    ///
    /// # Errors
    /// The coordinator's.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let service = self.leaver.service.clone();
        let settled =
            v1::SettleContractRequest { service, settled: "2026-01-31".to_owned(), version: 3, ..Default::default() };
        ContractServiceClient::new(self.site.channel()?).settle_contract(settled).await?;
        Ok(())
    }

    /// Where a request stands.
    ///
    /// # Errors
    /// The coordinator's.
    pub async fn request(&self, id: &str) -> anyhow::Result<v1::Request> {
        let mut requests = RequestServiceClient::new(self.site.channel()?);
        Ok(requests.get_request(v1::GetRequestRequest { id: id.to_owned() }).await?.into_inner())
    }

    /// A request's current plan.
    ///
    /// # Errors
    /// The coordinator's.
    pub async fn plan(&self, id: &str) -> anyhow::Result<Plan> {
        let mut plans = PlanServiceClient::new(self.site.channel()?);
        let answer = plans.get_plan(v1::GetPlanRequest { request: id.to_owned(), number: 0 }).await?.into_inner();
        serde_json_plan(&answer.plan)
    }

    /// A request's copies.
    ///
    /// # Errors
    /// The coordinator's.
    pub async fn copies(&self, id: &str) -> anyhow::Result<Vec<v1::Copy>> {
        let mut backups = BackupServiceClient::new(self.site.channel()?);
        let request = v1::ListCopiesRequest { request: id.to_owned(), overdue_only: false };
        Ok(backups.list_copies(request).await?.into_inner().copies)
    }

    /// Writes the newest proof and the issuer's key to the folder; returns their paths and the proof's stage.
    ///
    /// # Errors
    /// When there is none.
    pub async fn newest_proof(&self, id: &str) -> anyhow::Result<(PathBuf, PathBuf, v1::Stage)> {
        let mut proofs = ProofServiceClient::new(self.site.channel()?);
        let request = v1::GetProofRequest { request: id.to_owned(), sequence: 0 };
        let answer = proofs.get_proof(request).await?.into_inner();
        let pem = proofs.get_issuer_key(v1::GetIssuerKeyRequest {}).await?.into_inner().pem;
        let (proof, key) = (self.folder.path().join("proof.json"), self.folder.path().join("issuer.pub"));
        std::fs::write(&proof, answer.file)?;
        std::fs::write(&key, pem)?;
        let stage = answer.proof.context("a proof without its description")?.stage();
        Ok((proof, key, stage))
    }
}

fn serde_json_plan(text: &str) -> anyhow::Result<Plan> {
    Ok(serde_json::from_str(text)?)
}

/// The groups of paths that the routine saves: one of everything, or one a customer.
fn groups(root: &std::path::Path, own: bool, people: &[&Person]) -> Vec<Vec<PathBuf>> {
    let srv = root.join("srv");
    if !own {
        return vec![vec![srv.join("www"), srv.join("mail"), srv.join("register.db")]];
    }
    people
        .iter()
        .map(|person| vec![srv.join("www").join(&person.service), srv.join("mail").join(&person.service)])
        .collect()
}

/// What the proof inside of a proof file says, unverified.
///
/// # Errors
/// When the file is no proof.
pub fn statement_of(proof: &std::path::Path) -> anyhow::Result<serde_json::Value> {
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(proof)?)?;
    let payload = file.pointer("/proof/envelope/payload").and_then(serde_json::Value::as_str).context("no proof")?;
    let statement: serde_json::Value = serde_json::from_slice(&base64_decode(payload)?)?;
    statement.get("predicate").cloned().context("no predicate")
}

fn base64_decode(text: &str) -> anyhow::Result<Vec<u8>> {
    use base64::Engine as _;
    Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
}

/// The last line that `gallra verify` prints for a file.
pub fn verify(proof: &std::path::Path, key: &std::path::Path) -> String {
    let run = || -> anyhow::Result<String> {
        let output = std::process::Command::new(programs()?.join("gallra"))
            .arg("verify")
            .arg(proof)
            .arg("--key")
            .arg(key)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        text.lines().last().map(str::to_owned).context("gallra verify printed nothing")
    };
    run().unwrap_or_else(|error| format!("gallra verify did not run: {error:#}"))
}
