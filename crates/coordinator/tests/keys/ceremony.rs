//! Root holders, and what they do with their keys.

use gallra_coordinator::error::CoreError;
use gallra_coordinator::signing::{Submitted, listed_key, sign_manifest};
use gallra_identity::MlDsaKey;
use gallra_model::RequestId;
use gallra_model::envelope::Envelope;
use gallra_model::job::Action;
use gallra_model::manifest::{Holder, KeyFile, KeyRole, Manifest, ManifestKey};
use gallra_model::receipt::Verdict;
use gallra_model::request::{JobRecord, JobState};
use gallra_proof::issuer::Signer;
use gallra_proof::key::SigningKey;
use gallra_verify::{Question, Trust};

use crate::site::{Site, agent};

/// A key of each algorithm.
pub(crate) struct Pair {
    pub(crate) ed25519: SigningKey,
    pub(crate) ml_dsa: MlDsaKey,
}

impl Pair {
    pub(crate) fn of(seed: u8) -> Self {
        Self { ed25519: SigningKey::from_seed(&[seed; 32]), ml_dsa: MlDsaKey::from_seed(&[seed; 32]).expect("a key") }
    }

    /// The one that `init` made for the first root holder.
    pub(crate) fn first_root(site: &Site) -> Self {
        let read = |name: &str| {
            std::fs::read_to_string(site.folder.path().join("coordinator/roots").join(name)).expect("a key's file")
        };
        Self {
            ed25519: SigningKey::from_pem(&read("management.key")).expect("a key"),
            ml_dsa: MlDsaKey::from_pem(&read("management-ml-dsa.key")).expect("a key"),
        }
    }

    pub(crate) fn signers(&self) -> [&dyn Signer; 2] {
        [&self.ed25519, &self.ml_dsa]
    }

    pub(crate) fn listed(&self, role: KeyRole) -> Vec<ManifestKey> {
        self.signers().map(|signer| listed_key(signer, role)).into()
    }

    pub(crate) fn holder(&self, name: &str) -> Holder {
        Holder { name: name.to_owned(), ed25519: self.ed25519.keyid(), ml_dsa_65: Signer::keyid(&self.ml_dsa) }
    }

    /// Puts it where the coordinator finds its issuer's keys.
    pub(crate) fn install(&self, site: &Site, name: &str) {
        let write = |ending: &str, pem: String| {
            std::fs::write(site.folder.path().join(format!("coordinator/{name}{ending}")), pem).expect("a file");
        };
        write(".key", self.ed25519.to_pem().expect("pem"));
        write("-ml-dsa.key", self.ml_dsa.to_pem().expect("pem"));
    }
}

/// A request, and the job that erases.
pub(crate) struct Going {
    pub(crate) request: RequestId,
    pub(crate) erase: JobRecord,
}

/// Has all that waits entered.
pub(crate) async fn sequence(site: &Site) {
    site.core.ledger.heard(&agent(), None).await.expect("heard");
    for _ in 0..100 {
        site.core.ledger.pass(site.core.time.now()).await.expect("a pass");
        if site.core.ledger.waiting().await.expect("reads") == 0 {
            return;
        }
    }
    panic!("the log does not come to an end: {:?}", site.core.ledger.standing());
}

pub(crate) async fn key_file(site: &Site) -> (String, KeyFile) {
    sequence(site).await;
    let bytes = site.core.key_file().await.expect("a key file");
    let text = String::from_utf8(bytes).expect("text");
    let file = serde_json::from_str(&text).expect("JSON");
    (text, file)
}

/// The next manifest, with a change, and every agent's key that signs.
pub(crate) async fn next(site: &Site, change: impl FnOnce(&mut Manifest)) -> Manifest {
    let (_, file) = key_file(site).await;
    let newest = &file.manifests.last().expect("a manifest").envelope;
    let opened = gallra_proof::manifest::read(newest).expect("a manifest");
    let mut manifest = Manifest {
        version: opened.predicate.version + 1,
        parent: Some(opened.digest),
        made: site.core.time.now(),
        clock: site.core.time.kind(),
        ..opened.predicate
    };
    let known = site.core.known_keys().await.expect("keys");
    manifest.keys.retain(|key| key.role != KeyRole::Agent);
    manifest.keys.extend(gallra_proof::register::agents(&known).cloned());
    change(&mut manifest);
    manifest.keys.sort_by_key(|key| key.keyid);
    manifest
}

/// Puts other keys of a role in the place of those that are there.
pub(crate) fn replace(manifest: &mut Manifest, role: KeyRole, keys: Vec<ManifestKey>) {
    manifest.keys.retain(|key| key.role != role);
    manifest.keys.extend(keys);
}

pub(crate) fn signed(manifest: &Manifest, by: &[&Pair]) -> Envelope {
    let signers: Vec<&dyn Signer> = by.iter().flat_map(|pair| pair.signers()).collect();
    sign_manifest(manifest, &signers).expect("signs")
}

pub(crate) async fn submit(site: &Site, manifest: &Manifest, by: &[&Pair]) -> Result<Submitted, CoreError> {
    site.core.submit_manifest(&signed(manifest, by), "bertil").await
}

/// A contract whose data was erased and looked for once: one more look and its proof is final.
pub(crate) async fn confirmed(site: &Site, service: &str, customer: &str) -> Going {
    let leaving = leaves(site, service, customer).await;
    erase(site, &leaving).await;
    look(site, &leaving).await;
    leaving
}

/// A contract that ends, is planned and inspected.
pub(crate) async fn leaves(site: &Site, service: &str, customer: &str) -> Going {
    site.sells(service, customer).await;
    let (_, request) = site.ends_only(service, customer).await;
    inspected(site, &request).await
}

/// A planned request, once it is inspected. The clock stands still here: what follows from a statement is entered after it only
/// where that was entered before.
pub(crate) async fn inspected(site: &Site, request: &RequestId) -> Going {
    sequence(site).await;
    site.inspects(request).await;
    let erase = site.jobs(request, Action::Erase).await.remove(0);
    Going { request: *request, erase }
}

/// A contract whose proof is final.
pub(crate) async fn done(site: &Site, service: &str, customer: &str) -> Going {
    let leaving = confirmed(site, service, customer).await;
    look(site, &leaving).await;
    leaving
}

/// The agent erases. Before its plan is in the log it may not.
pub(crate) async fn erase(site: &Site, leaving: &Going) {
    sequence(site).await;
    site.ask(&leaving.erase.id()).await.expect("permitted");
    site.report(&leaving.request, &leaving.erase.id(), Verdict::Done, None).await;
}

/// The agent looks, at what is ready to be looked for, and time goes on.
pub(crate) async fn look(site: &Site, leaving: &Going) {
    let jobs = site.jobs(&leaving.request, Action::Confirm).await;
    let job = jobs.into_iter().find(|job| job.state == JobState::Ready).expect("something to look for").id();
    site.ask(&job).await.expect("permitted");
    site.report(&leaving.request, &job, Verdict::Done, None).await;
    let later = site.core.time.now().checked_add(jiff::SignedDuration::from_mins(20)).expect("in range");
    site.advance(&later.to_string()).await;
}

/// The newest proof's file.
pub(crate) async fn proof(site: &Site, request: &RequestId) -> String {
    sequence(site).await;
    let stored = site.core.proofs(request).await.expect("reads").pop().expect("a proof");
    String::from_utf8(site.core.proof_file(request, &stored).await.expect("a file")).expect("text")
}

/// The exit code of a verification, and its last line.
pub(crate) fn verified(proof: &str, trust: &str) -> (u8, String) {
    let trust = Trust::parse(trust).expect("something to trust");
    let verdict = gallra_verify::verify(proof.as_bytes(), &trust, &Question::default());
    (verdict.exit_code(&[]), verdict.conclusion())
}

pub(crate) async fn anchor(site: &Site) -> String {
    format!("sha256:{}", site.core.anchor().await.expect("an anchor"))
}
