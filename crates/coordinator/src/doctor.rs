//! `gallra doctor`: looks at everything that a person should know of, and says what to do. Owns the looking; what is bad is
//! [`findings`]'. Refuses to fail: what cannot be looked at is a finding.

mod findings;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gallra_flow::clock::Standing;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::Manifest;
use gallra_model::request::Request;
use gallra_proof::payload::{self, Opened};
use gallra_store::epochs::{Due, EpochRecord, epoch_due};
use gallra_store::store::MAX_PAGE_ENTRIES;
use gallra_store::{Cluster, Schema, embedded, keys};

pub use findings::{Agent, Finding, Severity};

use crate::archive;
use crate::asked::crypto;
use crate::clock::real_now;
use crate::core::Core;
use crate::error::{CoreError, decode};
use crate::guards;
use crate::jobs::AgentRecord;
use crate::{schema, state};

/// What is beside the store that is looked at.
pub struct Premises {
    /// The coordinator's directory.
    pub root: PathBuf,
    /// The engine of several, where it is one.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// Certificates that are used here.
    pub certificates: Vec<PathBuf>,
}

impl Core {
    /// Looks at everything. Worst first.
    pub async fn examine(&self) -> Vec<Finding> {
        let mut all = self.of_engine().await;
        all.push(or_failed("coordinators", self.of_coordinators().await));
        all.push(or_failed("schema", self.of_schema().await));
        all.push(or_failed("log", self.of_log().await));
        all.push(or_failed("key-epoch", self.of_epoch().await));
        all.push(findings::clock(match self.time.look().1 {
            Standing::Trusted => 0,
            Standing::Suspect { ahead_seconds } => ahead_seconds,
        }));
        let halt = guards::one(&*self.store, &keys::guard_global()).await;
        all.push(or_failed("stop", halt.map(|(_, guard)| findings::stop(guard.halt.as_ref()))));
        all.extend(self.of_certificates());
        all.push(or_failed("issuer", self.of_issuer().await));
        match self.of_agents().await {
            Ok(agents) => all.extend(findings::agents(&agents)),
            Err(error) => all.push(findings::failed("agents", &error)),
        }
        all.push(or_failed("requests", self.of_requests().await));
        let looked = archive::look(&*self.store, &self.archive).await;
        all.push(or_failed("archive", looked.map(|looked| findings::archive(&looked, self.archive.is_used()))));
        all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        all
    }

    async fn of_engine(&self) -> Vec<Finding> {
        if let Some(cluster) = &self.premises.cluster {
            return match cluster.findings().await {
                Ok(said) => findings::engine(&said),
                Err(error) => vec![findings::failed("store", &error)],
            };
        }
        let folder = self.premises.root.join("store");
        let looked = || -> std::io::Result<Finding> {
            let size = std::fs::metadata(folder.join(embedded::FILE_NAME))?.len();
            let system = rustix::fs::statvfs(&folder)?;
            Ok(findings::embedded(size, system.f_bavail.saturating_mul(system.f_frsize)))
        };
        vec![looked().unwrap_or_else(|error| findings::failed("store", &error))]
    }

    async fn of_coordinators(&self) -> Result<Finding, CoreError> {
        if self.premises.cluster.is_none() {
            // Alone, and on its store: it leads, or would not answer.
            return Ok(Finding {
                severity: Severity::Ok,
                part: "coordinators",
                what: "this one, alone on its store".to_owned(),
                place: String::new(),
                next: String::new(),
            });
        }
        let alive = state::entries(&*self.store, &keys::replicas_alive()).await?.len();
        let led = self.leads.load(Ordering::Relaxed) || self.store.get(&keys::meta_leader()).await?.is_some();
        Ok(findings::coordinators(alive, led))
    }

    async fn of_schema(&self) -> Result<Finding, CoreError> {
        let (schema, _) = Schema::of(&*self.store).await?;
        Ok(findings::schema(&schema, self.schema.speaks(), &schema::living(self).await?))
    }

    async fn of_log(&self) -> Result<Finding, CoreError> {
        let standing = self.ledger.standing();
        let waiting = self.ledger.waiting().await?;
        Ok(findings::log(standing.stopped.as_ref().map(|stopped| stopped.why.as_str()), standing.waits_for, waiting))
    }

    async fn of_epoch(&self) -> Result<Finding, CoreError> {
        let entry = self.store.get(&keys::meta_epoch()).await?;
        let record: Option<EpochRecord> = entry.map(|entry| decode("key epoch", &entry.value)).transpose()?;
        let due = record.map_or(Due::Now, |record| epoch_due(record.since, self.time.now()));
        Ok(findings::key_epoch(due))
    }

    /// Certificates are of real machines: by the machine's clock, also in a demonstration.
    fn of_certificates(&self) -> Vec<Finding> {
        let one = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let until = std::fs::read_to_string(path).ok().and_then(|text| {
                // A file of ours begins with its key.
                let at = text.find("-----BEGIN CERTIFICATE-----")?;
                gallra_store_etcd::validity(text.get(at..)?)
            });
            let ours = *path == self.premises.root.join("server.pem");
            let next = if ours { findings::RESTART } else { findings::READ_AGAIN };
            findings::certificate(&name, until.map(|validity| validity.until), real_now(), next)
        };
        self.premises.certificates.iter().map(one).collect()
    }

    async fn of_issuer(&self) -> Result<Finding, CoreError> {
        let manifests: Vec<Envelope> = state::all(&*self.store, &keys::key_manifests(), "key manifest").await?;
        let Some(newest) = manifests.last() else { return Ok(findings::issuer(Some("there is no key manifest"))) };
        let opened: Opened<Manifest> = payload::read("key manifest", newest).map_err(crypto)?;
        let missing = self.issuer.under(&opened.predicate).err().map(|error| error.to_string());
        Ok(findings::issuer(missing.as_deref()))
    }

    async fn of_agents(&self) -> Result<Vec<Agent>, CoreError> {
        let records: Vec<AgentRecord> = state::all(&*self.store, &keys::agents(), "agent").await?;
        let mut agents = Vec::with_capacity(records.len());
        for (name, presence) in self.presences(records.into_iter().map(|record| record.name)).await? {
            let quarantined = self.standing(&name).await?.quarantined;
            agents.push(Agent { name, presence, quarantined });
        }
        Ok(agents)
    }

    /// A page in memory at a time.
    async fn of_requests(&self) -> Result<Finding, CoreError> {
        let (mut open, mut overdue, mut left) = (0, 0, Some(keys::requests().range()));
        while let Some(range) = left {
            let page = self.store.range(&range, MAX_PAGE_ENTRIES).await?;
            for entry in &page.entries {
                let request: Request = decode("request", &entry.value)?;
                open += usize::from(request.done.is_none());
                overdue += usize::from(request.done.is_none() && request.facts.overdue);
            }
            left = page.more.map(|more| range.starting_at(&more));
        }
        Ok(findings::requests(open, overdue))
    }
}

fn or_failed(part: &'static str, looked: Result<Finding, CoreError>) -> Finding {
    looked.unwrap_or_else(|error| findings::failed(part, &error))
}
