//! From a story to a proof file: everything signed and entered in the order in which it would be. A hook may alter what is signed,
//! or who signs it, one statement at a time: the log then has exactly that.

use std::collections::BTreeMap;

use gallra_model::envelope::Envelope;
use gallra_model::manifest::{Entered, KEYS_FORMAT, KeyEvent, KeyFile, Manifest};
use gallra_model::proof::{
    Consistency, FileEntry, ManifestRef, PROOF_FORMAT, Piece, Proof, ProofFile, RequestKind, Requested,
};
use gallra_model::receipt::{Receipt, statement_of};
use gallra_model::restore::Restore;
use gallra_model::statement::{Commitment, Statement, Subject, Type};
use gallra_model::{Clock, Day, Digest, JobId, RequestId};
use gallra_proof::issuer::{self, Signer};
use gallra_proof::statement::{self, Evidence, Place};
use gallra_proof::{dsse, receipt};
use serde::Serialize;

use super::Story;
use super::keys::{self, Pair};
use super::log::{Tree, entry_of};

/// What is about to be signed and entered.
pub(crate) struct Draft {
    pub(crate) kind: Type,
    /// Counts statements of a kind from 0.
    pub(crate) number: usize,
    /// The payload.
    pub(crate) text: String,
    /// Unset: signed by whoever should.
    pub(crate) envelope: Option<Envelope>,
    /// The tree that holds the plan.
    pub(crate) planned: Commitment,
    /// The tree so far.
    pub(crate) so_far: Commitment,
}

impl Draft {
    pub(crate) fn is(&self, kind: Type, number: usize) -> bool {
        (self.kind, self.number) == (kind, number)
    }

    /// Rewrites a part of the payload, which must be there.
    pub(crate) fn rewrite(&mut self, from: &str, to: &str) {
        assert!(self.text.contains(from), "the payload has {from}: {}", self.text);
        self.text = self.text.replacen(from, to, 1);
    }

    /// Has others sign it.
    pub(crate) fn sign(&mut self, signers: &[&dyn Signer]) {
        self.envelope = Some(issuer::envelope(self.text.as_bytes(), signers).expect("signs"));
    }
}

/// An envelope in the log.
#[derive(Clone)]
struct Placed {
    envelope: Envelope,
    due: Option<Day>,
    index: u64,
}

impl Placed {
    fn digest(&self) -> Digest {
        dsse::payload_digest(&self.envelope).expect("base64")
    }
}

/// Everything that comes of a story.
pub(crate) struct Made {
    pub(crate) file: ProofFile,
    pub(crate) keys: KeyFile,
    pub(crate) proof: Proof,
    /// What stands between it and *final*, as the issuer says.
    pub(crate) open: Vec<String>,
    /// The size of the log when the proof was issued.
    pub(crate) size: u64,
    /// The log, to its end.
    pub(crate) tree: Tree,
}

impl Made {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        gallra_proof::file::write(&self.file).expect("writes")
    }

    pub(crate) fn key_text(&self) -> String {
        serde_json::to_string(&self.keys).expect("json") + "\n"
    }
}

struct Writer<'a> {
    request: RequestId,
    tree: Tree,
    planned: Commitment,
    crowd: u64,
    numbers: BTreeMap<Type, usize>,
    hook: &'a mut dyn FnMut(&mut Draft),
}

impl Writer<'_> {
    fn enter<P: Serialize>(&mut self, kind: Type, about: Vec<Subject>, said: &P, signers: &[&dyn Signer]) -> Placed {
        let payload = issuer::payload(kind, about, said).expect("a payload");
        let number = self.numbers.entry(kind).and_modify(|number| *number += 1).or_default();
        let so_far = if self.tree.size() == 0 { self.planned } else { self.tree.commitment(self.tree.size()) };
        let text = String::from_utf8(payload).expect("json");
        let mut draft = Draft { kind, number: *number, text, envelope: None, planned: self.planned, so_far };
        (self.hook)(&mut draft);
        let signed = || issuer::envelope(draft.text.as_bytes(), signers).expect("signs");
        self.place(draft.envelope.clone().unwrap_or_else(signed), draft.kind)
    }

    fn place(&mut self, envelope: Envelope, kind: Type) -> Placed {
        self.tree.crowd(self.crowd);
        let about_keys = matches!(kind, Type::KeyManifest | Type::KeyEvent | Type::LogSuccession);
        let due = (kind == Type::Plan).then(|| super::day("2026-08-28"));
        let entry = entry_of(&envelope, kind, (!about_keys).then_some(self.request), due);
        Placed { index: self.tree.enter(&entry), envelope, due }
    }

    fn manifest(&mut self, said: &Manifest, roots: &[u8]) -> Placed {
        let pairs: Vec<Pair> = roots.iter().map(|seed| Pair::of(*seed)).collect();
        let signers: Vec<&dyn Signer> = pairs.iter().flat_map(Pair::signers).collect();
        self.enter(Type::KeyManifest, keys::keys_of(said), said, &signers)
    }

    fn event(&mut self, said: &KeyEvent, by: &[&dyn Signer]) -> Placed {
        self.enter(Type::KeyEvent, vec![Subject::new("key-1", said.keyid())], said, by)
    }
}

/// What the key file says beside a proof, in the log's order.
pub(crate) enum Later {
    Event(KeyEvent),
    /// A manifest with these seeds of issuer and root holder; signed by the ones before, too.
    Manifest(u8, u8),
}

impl Story {
    /// The story with everything signed as it should be.
    pub(crate) fn made(&self) -> Made {
        self.made_with(&mut |_| ())
    }

    /// The story, with a hook on what is signed.
    pub(crate) fn made_with(&self, hook: &mut dyn FnMut(&mut Draft)) -> Made {
        let nothing = Commitment { size: 0, root: Digest::of(b"") };
        let tree = Tree::default();
        let (request, crowd) = (self.plan.request, self.crowd);
        let mut log = Writer { request, tree, planned: nothing, crowd, numbers: BTreeMap::new(), hook };
        let issuer = Pair::of(self.issuer_seed);
        let by_issuer = issuer.signers();
        let subject = self.subject();

        let first = keys::manifest((1, None), self.issuer_seed, keys::ROOT, &[]);
        let manifest = log.manifest(&first, &[keys::ROOT]);
        let mut events: Vec<(KeyEvent, Placed)> = Vec::new();
        for event in &self.enrolled {
            events.push((event.clone(), log.event(event, &by_issuer)));
        }
        log.tree.other();
        let request = log.enter(Type::Request, subject.clone(), &self.requested(), &by_issuer);
        (0..2).for_each(|_| log.tree.other());
        let plan = log.enter(Type::Plan, subject.clone(), &self.plan, &by_issuer);
        log.tree.other();
        let holds_plan = log.tree.size();
        log.planned = log.tree.commitment(if self.quotes_before_plan { plan.index } else { holds_plan });
        for event in &self.between {
            events.push((event.clone(), log.event(event, &by_issuer)));
        }

        let receipts = self.receipts(&mut log);
        let restores: Vec<Placed> = self.restores.iter().map(|said| self.restore(&mut log, said)).collect();
        let notifications: Vec<Placed> = self
            .notifications
            .iter()
            .map(|said| log.enter(Type::Notification, subject.clone(), &self.notification(said), &by_issuer))
            .collect();
        let opened: Vec<_> = receipts.iter().map(|placed| receipt::read(&placed.envelope).expect("reads")).collect();
        let evidence = Evidence {
            request: &self.request,
            plan: &self.plan,
            plan_digest: plan.digest(),
            jobs: &[],
            receipts: &opened,
            copies: &[],
            obligations: &self.obligations,
            restores: &self.restores,
            now: self.issued,
            clock: self.clock,
        };
        let set = statement::closed_set(&evidence).filter(|_| self.says_set);
        let set = set.map(|said| log.enter(Type::CopySet, subject.clone(), &said, &by_issuer));
        let pieces = |kind: Type, placed: &[Placed]| -> Vec<Piece> {
            placed.iter().map(|placed| Piece { statement: kind, digest: placed.digest() }).collect()
        };
        let set: Vec<Placed> = set.into_iter().collect();
        let further =
            [pieces(Type::Restore, &restores), pieces(Type::Notification, &notifications), pieces(Type::CopySet, &set)];
        let place = Place {
            sequence: self.sequence,
            previous: (self.sequence > 1).then(|| Digest::of(b"the proof before this one")),
            amends: self.amends,
            manifest: ManifestRef { version: 1, digest: manifest.digest() },
            further: further.concat(),
            recipients: self.notifications.clone(),
        };
        let said = statement::assemble(&evidence, place);
        let proof = log.enter(Type::Proof, subject, &said, &by_issuer);
        (0..2).for_each(|_| log.tree.other());
        let size = log.tree.size();
        let statements: Vec<Placed> = [receipts, restores, notifications, set].concat();
        let later = self.later_keys(&mut log, &manifest);

        let file = self.file((&log.tree, size), log.planned, proof, request, plan, statements, &manifest, &events);
        let mut keys = KeyFile { format: KEYS_FORMAT.to_owned(), manifests: vec![entered(&manifest)], events: vec![] };
        keys.events.extend(events.iter().map(|(_, placed)| entered(placed)));
        keys.manifests.extend(later.0.iter().map(entered));
        keys.events.extend(later.1.iter().map(entered));
        Made { file, keys, proof: said, open: statement::open_points(&evidence), size, tree: log.tree }
    }

    /// Agents' statements, each naming the one before it where it must, and the tree that its permit quoted. Those that are
    /// kept out of the file are in the log all the same.
    fn receipts(&self, log: &mut Writer<'_>) -> Vec<Placed> {
        let mut last: BTreeMap<(JobId, Digest), (&Receipt, Digest)> = BTreeMap::new();
        let mut placed = Vec::new();
        for (number, receipt) in self.receipts.iter().enumerate() {
            let key = &self.agents[receipt.agent.as_str()];
            let keyid = key.keyid();
            let mut said: Receipt = receipt.clone();
            if said.permit.is_some() {
                said.commitment = Some(log.planned);
            }
            let before = last.get(&(said.job, keyid));
            said.previous = before.and_then(|(last, digest)| statement::previous(last, *digest));
            let again = self.is_again(&said);
            let kind = statement_of(said.action, again);
            let entered = log.enter(kind, vec![Subject::of_job(said.spec)], &said, &[key]);
            if number % 3 == 0 {
                log.tree.other();
            }
            last.insert((said.job, keyid), (receipt, entered.digest()));
            if !self.left_out.contains(&number) {
                placed.push(entered);
            }
        }
        placed
    }

    fn restore(&self, log: &mut Writer<'_>, said: &Restore) -> Placed {
        let key = &self.agents[said.agent.as_str()];
        log.enter(Type::Restore, vec![Subject::new("entry", said.entry)], said, &[key])
    }

    /// What became of keys after the proof: manifests and events.
    fn later_keys(&self, log: &mut Writer<'_>, first: &Placed) -> (Vec<Placed>, Vec<Placed>) {
        let (mut manifests, mut events) = (Vec::new(), Vec::new());
        let (mut issuer, mut root, mut version, mut parent) = (self.issuer_seed, keys::ROOT, 1, first.digest());
        for later in &self.later {
            match later {
                Later::Event(event) => events.push(log.event(event, &Pair::of(issuer).signers())),
                Later::Manifest(next_issuer, next_root) => {
                    version += 1;
                    let said = keys::manifest((version, Some(parent)), *next_issuer, *next_root, &[]);
                    let roots = if root == *next_root { vec![root] } else { vec![root, *next_root] };
                    let placed = log.manifest(&said, &roots);
                    parent = placed.digest();
                    (issuer, root) = (*next_issuer, *next_root);
                    manifests.push(placed);
                }
            }
        }
        (manifests, events)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of the file, in its order")]
    fn file(
        &self,
        (tree, size): (&Tree, u64),
        planned: Commitment,
        proof: Placed,
        request: Placed,
        plan: Placed,
        statements: Vec<Placed>,
        manifest: &Placed,
        events: &[(KeyEvent, Placed)],
    ) -> ProofFile {
        let last = usize::from(self.witnessed);
        let entry = |placed: Placed| FileEntry {
            path: tree.path(placed.index, size),
            envelope: placed.envelope,
            due: placed.due,
            checkpoint: last,
            index: placed.index,
        };
        let statements: Vec<FileEntry> = statements.into_iter().map(entry).collect();
        let used: Vec<&str> = statements
            .iter()
            .flat_map(|entry| &entry.envelope.signatures)
            .map(|signature| signature.keyid.as_str())
            .collect();
        let bears = |event: &KeyEvent| used.contains(&event.keyid().to_string().as_str());
        let events = events.iter().filter(|(event, _)| bears(event)).map(|(_, placed)| entry(placed.clone()));
        let quotes = |receipt: &Receipt| receipt.permit.is_some();
        let quoted = self.witnessed || self.receipts.iter().any(quotes);
        let consistency = Consistency {
            from: planned.size,
            root: planned.root,
            to: size,
            path: tree.consistency(planned.size, size),
        };
        let seconds = |instant: gallra_model::Instant| u64::try_from(instant.as_second()).unwrap_or_default();
        let mut checkpoints = vec![tree.note(size, seconds(self.issued) + 300)];
        if self.witnessed {
            checkpoints.insert(0, tree.note(planned.size, seconds(self.plan.made) + 300));
        }
        ProofFile {
            format: PROOF_FORMAT.to_owned(),
            proof: entry(proof),
            request: entry(request),
            plan: entry(plan),
            events: events.collect(),
            statements,
            manifests: vec![entry(manifest.clone())],
            checkpoints,
            consistency: quoted.then_some(consistency).into_iter().collect(),
            timestamps: Vec::new(),
        }
    }

    fn requested(&self) -> Requested {
        let purge = self.plan.purge.is_some();
        Requested {
            request: self.request.id,
            kind: if purge { RequestKind::Purge } else { RequestKind::ContractEnd },
            received: self.request.received,
            pickup: (!purge).then(|| super::code().pickup()),
            clock: self.clock,
        }
    }
}

fn entered(placed: &Placed) -> Entered {
    Entered { index: placed.index, envelope: placed.envelope.clone() }
}

/// A proof's text with its predicate altered.
pub(crate) fn altered(text: &str, alter: impl FnOnce(&mut Proof)) -> String {
    let mut statement: Statement<Proof> = serde_json::from_str(text).expect("a proof");
    alter(&mut statement.predicate);
    serde_json::to_string(&statement).expect("json")
}

/// What the issuer says of whom it told.
#[derive(Serialize)]
pub(crate) struct Notification {
    pub(crate) request: RequestId,
    #[serde(flatten)]
    pub(crate) said: gallra_model::proof::RecipientResult,
    pub(crate) clock: Clock,
}
