//! Statements as the issuer, its log and agents would have made them, around predicates that are anything: every signature is
//! right, every statement is in the log, and each agent's names what it must. Owns the keys; knows no property.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_identity::MlDsaKey;
use gallra_log::checkpoint::Checkpoint;
use gallra_log::entry::{About, Entry, Kind};
use gallra_log::note::{Kind as KeyKind, Note, Signer as NoteSigner};
use gallra_log::tree::{Hash, Node, Range, consistency, inclusion};
use gallra_model::envelope::Envelope;
use gallra_model::job::Action;
use gallra_model::manifest::{Algorithm, Holder, IssuerName, KeyEvent, KeyRole, LogName, Manifest, ManifestKey};
use gallra_model::plan::{After, Plan};
use gallra_model::proof::{Consistency, FileEntry, ManifestRef, PROOF_FORMAT, ProofFile};
use gallra_model::receipt::{Receipt, statement_of};
use gallra_model::statement::{Commitment, STATEMENT_TYPE, Subject, Type};
use gallra_model::{Clock, Digest, Instant, JobId, RequestId};
use gallra_proof::issuer::{Issuer, Signer, envelope};
use gallra_proof::key::SigningKey;
use gallra_proof::{dsse, statement};

const ORIGIN: &str = "log.provider.example/2026a";
const LOG: u8 = 21;
const ROOT: u8 = 11;

/// The seeds of agents' keys: those of the frozen vectors.
pub(super) const AGENTS: [(&str, u8); 3] = [("web1", 2), ("db1", 3), ("backup1", 4)];
/// An agent's that nobody enrolled.
const STRANGER: u8 = 9;

pub(super) fn key_of(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn pair(seed: u8) -> (SigningKey, MlDsaKey) {
    (key_of(seed), MlDsaKey::from_seed(&[seed; 32]).unwrap_or_else(|why| panic!("a seed: {why}")))
}

pub(super) static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let (ed25519, ml_dsa) = pair(1);
    Issuer::new(ed25519, Box::new(ml_dsa))
});

/// What is said of keys, once: the first manifest, and the agents' enrolments.
static KEYS: LazyLock<(Envelope, Vec<Envelope>)> = LazyLock::new(|| {
    let (root, root_ml_dsa) = pair(ROOT);
    let log = key_of(LOG);
    let listed = |key: &dyn Signer, role: KeyRole| ManifestKey {
        keyid: key.keyid(),
        algorithm: key.algorithm(),
        role,
        actor: None,
        spki: STANDARD.encode(key.spki()),
    };
    let mut keys: Vec<ManifestKey> = ISSUER.signers().map(|key| listed(key, KeyRole::Issuer)).into();
    keys.extend([listed(&root, KeyRole::Root), listed(&root_ml_dsa, KeyRole::Root), listed(&log, KeyRole::Log)]);
    keys.sort_by_key(|key| key.keyid);
    let manifest = Manifest {
        version: 1,
        parent: None,
        issuer: IssuerName {
            name: "Provider AB".to_owned(),
            country: "SE".to_owned(),
            contact: "privacy@provider.example".to_owned(),
            authority: "imy.se".to_owned(),
            organisation_number: None,
        },
        log: LogName { origin: ORIGIN.to_owned(), key: log.keyid() },
        threshold: 1,
        holders: vec![Holder { name: "management".to_owned(), ed25519: root.keyid(), ml_dsa_65: root_ml_dsa.keyid() }],
        keys,
        witnesses: Vec::new(),
        authorities: Vec::new(),
        made: Instant::UNIX_EPOCH,
        clock: Clock::Simulated,
    };
    let about = (1..).zip(&manifest.keys).map(|(number, key)| Subject::new(format!("key-{number}"), key.keyid));
    let about: Vec<Subject> = about.collect();
    let first = sealed(Type::KeyManifest, &about, &written(&manifest), &[&root, &root_ml_dsa]);
    let enrolled = |(agent, seed): (&str, u8)| {
        let spki = key_of(seed).spki();
        let event = KeyEvent::Enrolled {
            keyid: Digest::of(&spki),
            at: Instant::UNIX_EPOCH,
            clock: Clock::Simulated,
            role: KeyRole::Agent,
            actor: agent.parse().unwrap_or_else(|why| panic!("a name: {why}")),
            algorithm: Algorithm::Ed25519,
            spki: STANDARD.encode(spki),
        };
        let about = [Subject::new("key-1", event.keyid())];
        sealed(Type::KeyEvent, &about, &written(&event), &ISSUER.signers())
    };
    (first, AGENTS.map(enrolled).into())
});

/// The digest of the first manifest, as a trusted key.
pub(super) static ANCHOR: LazyLock<String> = LazyLock::new(|| format!("sha256:{}", digest(&KEYS.0)));

fn written<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|why| panic!("a value has no json: {why}"))
}

pub(super) fn digest(envelope: &Envelope) -> Digest {
    dsse::payload_digest(envelope).unwrap_or_else(|why| panic!("what was just signed: {why}"))
}

/// A statement around a predicate's text, whatever that is.
fn sealed(kind: Type, about: &[Subject], predicate: &str, by: &[&dyn Signer]) -> Envelope {
    let (about, uri) = (written(&about), kind.uri());
    let payload = format!(
        "{{\"_type\":\"{STATEMENT_TYPE}\",\"subject\":{about},\"predicateType\":\"{uri}\",\"predicate\":{predicate}}}"
    );
    envelope(payload.as_bytes(), by).unwrap_or_else(|why| panic!("a key of ours: {why}"))
}

/// An envelope in the log.
pub(super) struct Placed {
    pub(super) envelope: Envelope,
    pub(super) kind: Type,
    index: u64,
}

/// A request, from its statement and its plan on.
pub(super) struct Begun {
    request: RequestId,
    subject: Vec<Subject>,
    plan: Option<Plan>,
    range: Range,
    nodes: BTreeMap<Node, Hash>,
    keys: Vec<Placed>,
    asked: Option<Placed>,
    planned: Option<Placed>,
    commitment: Commitment,
    last: BTreeMap<(JobId, u8), (Receipt, Digest)>,
    quoted: bool,
}

impl Begun {
    /// `planned` is a plan's predicate, if it reads as one; the clock is the proof's.
    pub(super) fn new(request: RequestId, clock: Clock, planned: &str) -> Self {
        let plan: Option<Plan> = serde_json::from_str(planned).ok();
        let purge = plan.as_ref().is_some_and(|plan| plan.purge.is_some());
        let subject =
            if purge { Subject::of_request(&request) } else { Subject::new("subject-1", Digest::of(b"somebody")) };
        let mut begun = Self {
            request,
            subject: vec![subject],
            plan,
            range: Range::default(),
            nodes: BTreeMap::new(),
            keys: Vec::new(),
            asked: None,
            planned: None,
            commitment: Commitment { size: 0, root: Digest::of(b"") },
            last: BTreeMap::new(),
            quoted: false,
        };
        let events = KEYS.1.iter().map(|event| (event, Type::KeyEvent));
        for (envelope, kind) in [(&KEYS.0, Type::KeyManifest)].into_iter().chain(events) {
            let placed = begun.place(envelope.clone(), kind);
            begun.keys.push(placed);
        }
        let kind = if purge { "purge" } else { "contract-end" };
        let pickup = if purge { String::new() } else { format!("\"pickup\":\"{}\",", "a5".repeat(16)) };
        let clock = written(&clock);
        let asked = format!(
            "{{\"request\":\"{request}\",\"kind\":\"{kind}\",\"received\":\"2026-02-01T08:00:00Z\",{pickup}\"clock\":{clock}}}"
        );
        begun.asked = Some(begun.issue(Type::Request, &asked));
        begun.planned = Some(begun.issue(Type::Plan, planned));
        begun.commitment =
            Commitment { size: begun.range.size(), root: Digest::from_bytes(*begun.range.root().as_bytes()) };
        begun
    }

    fn place(&mut self, envelope: Envelope, kind: Type) -> Placed {
        let word = Kind::ALL.into_iter().find(|known| kind.uri().ends_with(&format!("/{}/v1", known.word())));
        let word = word.unwrap_or_else(|| panic!("{kind:?} is no kind of entry"));
        let payload = dsse::payload(&envelope).unwrap_or_else(|why| panic!("what was just signed: {why}"));
        let pae = Digest::of(&dsse::pae(&envelope.payload_type, &payload));
        let signatures = envelope.signatures.iter().map(|signature| {
            let raw = STANDARD.decode(&signature.sig).unwrap_or_default();
            (signature.keyid.parse().unwrap_or(pae), Digest::of(&raw))
        });
        let about = About { kind: word, request: word.has_request().then_some(self.request), due: None };
        let entry = Entry::new(Some(about), pae, signatures.collect()).unwrap_or_else(|why| panic!("an entry: {why}"));
        let (index, nodes) = (self.range.size(), &mut self.nodes);
        let keep = |node, hash| {
            nodes.insert(node, hash);
        };
        self.range.append(entry.leaf(), keep).unwrap_or_else(|why| panic!("{why}"));
        Placed { envelope, kind, index }
    }

    /// The plan's digest.
    pub(super) fn plan_digest(&self) -> Digest {
        self.planned.as_ref().map_or_else(|| Digest::of(b""), |placed| digest(&placed.envelope))
    }

    pub(super) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    pub(super) fn manifest(&self) -> ManifestRef {
        ManifestRef { version: 1, digest: digest(&KEYS.0) }
    }

    /// The issuer says this.
    pub(super) fn issue(&mut self, kind: Type, predicate: &str) -> Placed {
        let envelope = sealed(kind, &self.subject, predicate, &ISSUER.signers());
        self.place(envelope, kind)
    }

    /// A receipt under the key of the agent that it names, with the tree that its permit quoted and the statement that it
    /// follows: agents say these as they must here. Any other line is signed as it is.
    pub(super) fn receipt(&mut self, line: &str) -> Placed {
        let read: Option<Receipt> = serde_json::from_str(line).ok();
        let known = |receipt: &Receipt| AGENTS.iter().find(|(name, _)| receipt.agent.as_str() == *name);
        let seed = read.as_ref().and_then(known).map_or(STRANGER, |(_, seed)| *seed);
        let Some(mut said) = read.filter(|receipt| written(receipt) == line) else {
            let envelope = sealed(Type::Receipt, &[Subject::of_job(Digest::of(b""))], line, &[&key_of(seed)]);
            return self.place(envelope, Type::Receipt);
        };
        if said.commitment.is_some() || matches!(said.action, Action::Erase | Action::Purge) {
            said.commitment = Some(self.commitment);
            self.quoted = true;
        }
        let before = self.last.get(&(said.job, seed));
        said.previous = before.and_then(|(last, digest)| statement::previous(last, *digest));
        let steps = self.plan.iter().flat_map(|plan| &plan.steps);
        let again = |step: &gallra_model::plan::Step| step.job == said.job && step.after.contains(&After::CopiesGone);
        let kind = statement_of(said.action, steps.clone().any(again));
        let envelope = sealed(kind, &[Subject::of_job(said.spec)], &written(&said), &[&key_of(seed)]);
        let named = digest(&envelope);
        self.last.insert((said.job, seed), (said, named));
        self.place(envelope, kind)
    }

    /// The file around a proof and what it stands on.
    pub(super) fn file(self, proof: Placed, statements: Vec<Placed>) -> ProofFile {
        let size = self.range.size();
        let stored = |node: Node| self.nodes.get(&node).copied();
        let joined =
            |hashes: Vec<Hash>| STANDARD.encode(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>());
        let path = |index| inclusion(index, size, &stored).unwrap_or_else(|why| panic!("a path: {why}"));
        let entry = |placed: Placed| FileEntry {
            path: joined(path(placed.index)),
            envelope: placed.envelope,
            due: None,
            checkpoint: 0,
            index: placed.index,
        };
        let log = NoteSigner::from_seed(ORIGIN, KeyKind::Log, &[LOG; 32]).unwrap_or_else(|why| panic!("{why}"));
        let origin = ORIGIN.parse().unwrap_or_else(|why| panic!("{why}"));
        let checkpoint = Checkpoint { origin, size, root: self.range.root(), extensions: Vec::new() };
        let mut note = Note::new(checkpoint.to_string()).unwrap_or_else(|why| panic!("{why}"));
        let signed = checkpoint.sign(&log).unwrap_or_else(|why| panic!("{why}"));
        note.sign(signed).unwrap_or_else(|why| panic!("{why}"));
        let from = self.commitment;
        let leads = consistency(from.size, size, &stored).unwrap_or_else(|why| panic!("a path: {why}"));
        let consistency = Consistency { from: from.size, root: from.root, to: size, path: joined(leads) };
        let (mut keys, asked, planned) = (self.keys.into_iter(), self.asked, self.planned);
        let whole = |placed: Option<Placed>| placed.map(entry).unwrap_or_else(|| panic!("it was begun"));
        ProofFile {
            format: PROOF_FORMAT.to_owned(),
            proof: entry(proof),
            request: whole(asked),
            plan: whole(planned),
            statements: statements.into_iter().map(entry).collect(),
            manifests: keys.next().map(entry).into_iter().collect(),
            events: keys.map(entry).collect(),
            checkpoints: vec![note.to_string()],
            consistency: self.quoted.then_some(consistency).into_iter().collect(),
            timestamps: Vec::new(),
        }
    }
}
