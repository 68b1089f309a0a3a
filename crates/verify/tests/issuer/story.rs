//! One contract that ended: two erased targets, a register of which something is kept, a backup store, a restore.

use super::build::Built;
use super::json::{Json, counts, list, object, sum};
use super::keys::{self, ISSUER, Key, ROOTS, sha256};
use super::log::Hash;

pub(crate) const REQUEST: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
/// The claim code of the pages, and what it opens.
pub(crate) const CODE: &str = "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u";
const COMMITMENTS: [&str; 2] = [
    "26fb15198658e9c8f59f779286b053421d0a13af606ad6fceb7cfec9a09dcea2",
    "b452320b3638b67228bd80461141e2eaf578e4302b442b24e76f1a7f954c8921",
];

/// One statement, as it will be signed and logged.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) label: String,
    pub(crate) kind: &'static str,
    pub(crate) signers: Vec<Key>,
    pub(crate) subject: Json,
    pub(crate) predicate: Json,
    pub(crate) due: Option<&'static str>,
    /// Which request the log's line says; none for keys.
    pub(crate) request: Option<String>,
    /// Size of the checkpoint that the permit quoted.
    pub(crate) commitment: Option<usize>,
    /// Whether it stands in the file's statements.
    pub(crate) evidence: bool,
    /// Whether `previous` is filled in.
    pub(crate) chained: bool,
}

/// Statements in the log's order.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) items: Vec<Item>,
    /// Sizes of the file's checkpoints beside the last, and by whom each is cosigned; the last is by these.
    pub(crate) checkpoints: Vec<(usize, Vec<u8>)>,
    pub(crate) witnesses: Vec<u8>,
    /// Root of a checkpoint that was quoted and that is not the log's.
    pub(crate) forged_root: Option<Hash>,
    /// Entries after the proof's.
    pub(crate) later: usize,
}

fn id(byte: u8) -> String {
    hex::encode([byte; 16])
}

pub(crate) fn keep() -> Json {
    object([
        ("rule", "law/bookkeeping".into()),
        ("ground", "bokf\u{f6}ringslagen 1999:1078 7 kap. 2 \u{a7}".into()),
        ("earliest", "2034-01-01".into()),
    ])
}

/// Agent, target, kind, action and what it waits for, from step 1.
const STEPS: [(&str, &str, &str, &str, &str); 12] = [
    ("web1", "www", "files", "erase", ""),
    ("web1", "mail", "maildir", "erase", ""),
    ("db1", "register", "sql", "preserve", ""),
    ("db1", "register", "sql", "erase", ""),
    ("web1", "www", "files", "confirm", ""),
    ("web1", "mail", "maildir", "confirm", ""),
    ("db1", "register", "sql", "confirm", ""),
    ("backup1", "store", "restic", "inspect", ""),
    ("backup1", "store", "restic", "observe", "live-confirmed"),
    ("web1", "www", "files", "confirm", "copies-gone"),
    ("web1", "mail", "maildir", "confirm", "copies-gone"),
    ("db1", "register", "sql", "confirm", "copies-gone"),
];

fn job(step: usize) -> String {
    id(0x40 + u8::try_from(step).unwrap())
}

fn plan() -> Json {
    let steps = STEPS.iter().zip(1_usize..).map(|((agent, target, kind, action, after), number)| {
        let mut step = object([
            ("number", (number as u64).into()),
            ("job", job(number).into()),
            ("agent", (*agent).into()),
            ("target", (*target).into()),
            ("kind", (*kind).into()),
            ("category", "content".into()),
            ("role", "processor".into()),
            ("action", (*action).into()),
            ("rule", "webone/content".into()),
            ("due", "2026-02-28T21:00:00Z".into()),
        ]);
        let Json::Object(fields) = &mut step else { unreachable!() };
        if !after.is_empty() {
            fields.push(("after".to_owned(), list([object([("kind", (*after).into())])])));
        }
        if *action == "preserve" {
            fields.push(("keep".to_owned(), keep()));
        }
        step
    });
    object([
        ("request", REQUEST.into()),
        ("number", 1.into()),
        ("policy", "77".repeat(32).into()),
        ("made", "2026-02-24T08:00:00Z".into()),
        ("clock", "real".into()),
        ("anchors", object([("contract_settled", "2026-01-31".into())])),
        ("steps", list(steps)),
        (
            "backups",
            list([object([
                ("agent", "backup1".into()),
                ("target", "store".into()),
                ("rule", "webone/backups".into()),
                ("life", object([("kind", "at-most".into()), ("days", 180.into())])),
                ("expected", "2026-08-24".into()),
            ])]),
        ),
        ("notes", list([])),
    ])
}

pub(crate) fn subjects() -> Json {
    list(COMMITMENTS.iter().zip(1..).map(|(digest, number)| subject(&format!("subject-{number}"), digest)))
}

pub(crate) fn subject(name: &str, digest: &str) -> Json {
    object([("name", name.into()), ("digest", object([("sha256", digest.into())]))])
}

fn item(label: &str, kind: &'static str, signers: &[Key], predicate: Json) -> Item {
    Item {
        label: label.to_owned(),
        kind,
        signers: signers.to_vec(),
        subject: subjects(),
        predicate,
        due: None,
        request: Some(REQUEST.to_owned()),
        commitment: None,
        evidence: false,
        chained: true,
    }
}

/// A key manifest or a key event, whose subject is these keys.
pub(crate) fn about_keys(label: &str, kind: &'static str, signers: &[Key], predicate: Json, ids: &[String]) -> Item {
    let subject = list(ids.iter().zip(1..).map(|(id, number)| subject(&format!("key-{number}"), id)));
    Item { subject, request: None, ..item(label, kind, signers, predicate) }
}

pub(crate) fn manifest(version: u64, keys: Vec<(String, Json)>) -> Item {
    let mut ids: Vec<String> = keys.iter().map(|(id, _)| id.clone()).collect();
    ids.sort();
    about_keys(&format!("manifest-{version}"), "key-manifest", &ROOTS, keys::manifest(version, keys), &ids)
}

/// A key event with further fields.
pub(crate) fn event(label: &str, what: &str, key: Key, signers: &[Key], further: Vec<(&str, Json)>) -> Item {
    let mut predicate = object([
        ("what", what.into()),
        ("keyid", key.id().into()),
        ("at", "2026-03-02T09:00:00Z".into()),
        ("clock", "real".into()),
    ]);
    let Json::Object(fields) = &mut predicate else { unreachable!() };
    fields.extend(further.into_iter().map(|(name, value)| (name.to_owned(), value)));
    about_keys(label, "key-event", signers, predicate, &[key.id()])
}

/// What an agent says of an attempt at a step.
fn said(step: usize, attempt: u64, verdict: &str, counted: Json, at: &str) -> Item {
    let (agent, target, kind, action, after) = STEPS[step - 1];
    let spec = sha256(format!("offer {step}").as_bytes());
    let tally = || object([("items", 0.into()), ("bytes", 0.into()), ("others", 9.into())]);
    let word = match (action, after) {
        ("confirm", "") => "absence",
        ("confirm", _) => "recheck",
        ("observe", _) => "copy-expiry",
        _ => "receipt",
    };
    let acts = matches!(action, "erase" | "preserve");
    let mut predicate = object([
        ("job", job(step).into()),
        ("attempt", attempt.into()),
        ("agent", agent.into()),
        ("target", target.into()),
        ("kind", kind.into()),
        ("action", action.into()),
        ("pseudonym", id(0x70 + u8::try_from(agent.len()).unwrap()).into()),
        ("spec", spec.clone().into()),
        ("permit", sha256(format!("permit {step} {attempt}").as_bytes()).into()),
        ("instance", "88".repeat(32).into()),
        ("verdict", verdict.into()),
        ("counts", counted),
        ("before", tally()),
        ("after", tally()),
        ("checks", list([object([("name", "others-unchanged".into()), ("count", 9.into()), ("ok", true.into())])])),
        ("started", at.into()),
        ("finished", at.replace("0Z", "5Z").into()),
        ("clock", "real".into()),
        ("software", "gallra-agent 0.1.0".into()),
    ]);
    if verdict == "failed" {
        predicate.before("counts", "code", "target".into());
    }
    Item {
        subject: list([subject("job", &spec)]),
        evidence: true,
        commitment: acts.then_some(3),
        ..item(&format!("{step}.{attempt}"), word, &[keys::agent(agent)], predicate)
    }
}

fn listing(listed: &str, copies: &[u8], reclaimed: bool) -> Json {
    let began = |copy: u8| format!("2026-02-{:02}T02:00:00Z", 20 + copy);
    let copy = |copy: &u8| {
        object([
            ("copy", id(0xc0 + copy).into()),
            ("began", began(*copy).into()),
            ("expected", object([("kind", "by".into()), ("day", format!("2026-08-2{}", 2 + copy).into())])),
        ])
    };
    let mut listing = object([
        ("repository", "99".repeat(32).into()),
        ("listed", listed.into()),
        ("run_under_way", false.into()),
        ("copies", list(copies.iter().map(copy))),
    ]);
    if reclaimed {
        let numbers = ["blobs_indexed", "blobs_referenced", "packs_stored", "packs_indexed"];
        let Json::Object(fields) = &mut listing else { unreachable!() };
        let numbers = numbers.map(|name| (name.to_owned(), 7.into())).to_vec();
        fields.push(("reclaimed".to_owned(), Json::Object(numbers)));
    }
    listing
}

pub(crate) fn observed(step: usize, attempt: u64, at: &str, copies: &[u8], reclaimed: bool) -> Item {
    let mut item = said(step, attempt, "done", counts(&[]), at);
    item.predicate.before("started", "listing", listing(at, copies, reclaimed));
    item
}

/// A copy's line in a proof, or in a copy set.
fn copy_line(copy: u8, gone: Option<&str>, in_proof: bool) -> Json {
    let mut line = object([
        ("copy", id(0xc0 + copy).into()),
        ("agent", "backup1".into()),
        ("target", "store".into()),
        ("began", format!("2026-02-{:02}T02:00:00Z", 20 + copy).into()),
    ]);
    let Json::Object(fields) = &mut line else { unreachable!() };
    if in_proof {
        let day = format!("2026-08-2{}", 2 + copy);
        fields.push(("expected".to_owned(), object([("kind", "by".into()), ("day", day.into())])));
        fields.extend(gone.map(|gone| ("gone".to_owned(), gone.into())));
    }
    line
}

impl Story {
    /// Up to the day after the erasure: copies are left.
    pub(crate) fn halfway() -> Self {
        let mut items = vec![manifest(1, keys::first())];
        let request = object([
            ("request", REQUEST.into()),
            ("kind", "contract-end".into()),
            ("received", "2026-02-01T08:00:00Z".into()),
            ("pickup", "dd9743409c81b56780da2b17b235da7e".into()),
            ("clock", "real".into()),
        ]);
        items.push(item("request", "request", &ISSUER, request));
        items.push(Item { due: Some("2026-08-31"), ..item("plan", "plan", &ISSUER, plan()) });
        items.push(observed(8, 1, "2026-02-25T08:00:00Z", &[1, 2], false));
        let day = "2026-02-28T21";
        let failed = counts(&[("erased", 39), ("failed", 1)]);
        items.push(said(1, 1, "failed", failed, &format!("{day}:00:00Z")));
        items.push(said(1, 2, "done", counts(&[("erased", 40)]), &format!("{day}:05:00Z")));
        items.push(said(2, 1, "done", counts(&[("erased", 7)]), &format!("{day}:06:00Z")));
        let mut kept = said(3, 1, "done", counts(&[("retained", 3)]), &format!("{day}:07:00Z"));
        let handle = object([("handle", id(0xb1).into()), ("items", 3.into()), ("keep", keep())]);
        kept.predicate.before("started", "kept", handle);
        items.push(kept);
        items.push(said(4, 1, "done", counts(&[("erased", 5), ("retained", 3)]), &format!("{day}:08:00Z")));
        for (step, minute) in [(5, 10), (6, 11), (7, 12)] {
            items.push(said(step, 1, "done", counts(&[("absent", 1)]), &format!("{day}:{minute}:00Z")));
        }
        items.push(observed(9, 1, "2026-03-01T04:00:00Z", &[1, 2], false));
        let set = object([
            ("request", REQUEST.into()),
            ("plan", "@plan".into()),
            ("closed", "2026-03-01T04:00:00Z".into()),
            ("listings", list(["@9.1".into()])),
            ("copies", list([copy_line(1, None, false), copy_line(2, None, false)])),
            ("clock", "real".into()),
        ]);
        items.push(Item { evidence: true, ..item("copy-set", "copy-set", &ISSUER, set) });
        let told = object([
            ("request", REQUEST.into()),
            ("recipient", "webone/registry".into()),
            ("of", "erasure".into()),
            ("at", "2026-03-01T09:00:00Z".into()),
            ("acknowledged", true.into()),
            ("clock", "real".into()),
        ]);
        items.push(Item { evidence: true, ..item("told", "notification", &ISSUER, told) });
        let mut story = Self { items, checkpoints: Vec::new(), witnesses: Vec::new(), forged_root: None, later: 0 };
        story.proves("proof-1", 1, "interim");
        story
    }

    /// To the last look.
    pub(crate) fn complete() -> Self {
        let mut story = Self::halfway();
        story.items.push(observed(9, 2, "2026-06-01T04:00:00Z", &[2], true));
        let entry = sha256(b"suppression entry");
        let restored = object([
            ("entry", entry.clone().into()),
            ("agent", "web1".into()),
            ("target", "www".into()),
            ("kind", "files".into()),
            ("taken", "2026-02-22T02:00:00Z".into()),
            ("counts", counts(&[("erased", 2)])),
            ("released", true.into()),
            ("started", "2026-07-01T08:00:00Z".into()),
            ("finished", "2026-07-01T08:10:00Z".into()),
            ("clock", "real".into()),
            ("software", "gallra-agent 0.1.0".into()),
        ]);
        story.items.push(Item {
            evidence: true,
            subject: list([subject("entry", &entry)]),
            ..item("restore", "restore", &[keys::agent("web1")], restored)
        });
        story.items.push(observed(9, 3, "2026-08-25T04:00:00Z", &[], true));
        for (step, minute) in [(10, 10), (11, 11), (12, 12)] {
            let at = format!("2026-08-25T05:{minute}:00Z");
            story.items.push(said(step, 1, "done", counts(&[("absent", 1)]), &at));
        }
        story.proves("proof-2", 2, "final");
        story
    }

    pub(crate) fn item(&mut self, label: &str) -> &mut Item {
        self.items.iter_mut().find(|item| item.label == label).unwrap_or_else(|| panic!("no statement {label}"))
    }

    pub(crate) fn place(&self, label: &str) -> usize {
        self.items.iter().position(|item| item.label == label).unwrap_or_else(|| panic!("no statement {label}"))
    }

    /// Enters something at a position of the log.
    pub(crate) fn insert(mut self, at: usize, item: Item) -> Self {
        self.items.insert(at, item);
        self
    }

    /// The proof, which is the last statement.
    pub(crate) fn proof(&mut self) -> &mut Json {
        &mut self.items.last_mut().unwrap().predicate
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// What the issuer says of a story with this change: the lie is signed by the right keys.
    pub(crate) fn lying(mut self, lie: impl FnOnce(&mut Json)) -> Built {
        lie(self.proof());
        self.built()
    }

    /// Leaves statements out of the file, and says so in the proof; they stay in the log.
    pub(crate) fn without(mut self, labels: &[&str]) -> Self {
        for label in labels {
            self.item(label).evidence = false;
        }
        self.evidence();
        self
    }

    fn tail(kind: &str) -> bool {
        matches!(kind, "copy-set" | "notification" | "restore")
    }

    /// Labels of the evidence, in the file's order.
    pub(crate) fn order(&self) -> Vec<(String, &'static str)> {
        let mut all: Vec<&Item> = self.items.iter().filter(|item| item.evidence).collect();
        all.sort_by_key(|item| Self::tail(item.kind));
        all.into_iter().map(|item| (item.label.clone(), item.kind)).collect()
    }

    /// Names the file's evidence in the proof.
    pub(crate) fn evidence(&mut self) {
        let named = |(label, kind): &(String, &'static str)| {
            object([("statement", (*kind).into()), ("digest", format!("@{label}").into())])
        };
        let evidence = list(self.order().iter().map(named));
        self.proof().set("evidence", evidence);
    }

    fn counted(&self, labels: &[&str]) -> Json {
        let items: Vec<Json> = labels
            .iter()
            .filter_map(|label| self.items.iter().find(|item| item.label == *label))
            .map(|item| item.predicate.clone().get("counts").clone())
            .collect();
        sum(&items.iter().collect::<Vec<_>>())
    }

    /// Adds the proof that follows from all before.
    fn proves(&mut self, label: &str, sequence: u64, stage: &str) {
        let is_final = stage == "final";
        let (first, second) = ("2026-06-01T04:00:00Z", "2026-08-25T04:00:00Z");
        let target = |agent: &str, target: &str, kind: &str, counts: Json| {
            object([
                ("agent", agent.into()),
                ("target", target.into()),
                ("kind", kind.into()),
                ("category", "content".into()),
                ("role", "processor".into()),
                ("counts", counts),
                ("proven", true.into()),
            ])
        };
        let targets = list([
            target("web1", "www", "files", self.counted(&["1.2", "5.1", "10.1"])),
            target("web1", "mail", "maildir", self.counted(&["2.1", "6.1", "11.1"])),
            target("db1", "register", "sql", self.counted(&["3.1", "4.1", "7.1", "12.1"])),
        ]);
        let kept = object([
            ("handle", id(0xb1).into()),
            ("agent", "db1".into()),
            ("target", "register".into()),
            ("items", 3.into()),
            ("keep", keep()),
        ]);
        let mut proof = object([
            ("request", REQUEST.into()),
            ("sequence", sequence.into()),
            ("stage", stage.into()),
            ("issued", "2026-09-01T09:00:00Z".into()),
            ("clock", "real".into()),
            ("plan", "@plan".into()),
            ("manifest", object([("version", 1.into()), ("digest", "@manifest-1".into())])),
            ("evidence", list([])),
            ("targets", targets),
            ("copies_closed", "2026-03-01T04:00:00Z".into()),
            (
                "copies",
                list([copy_line(1, is_final.then_some(first), true), copy_line(2, is_final.then_some(second), true)]),
            ),
            ("kept", list([kept])),
        ]);
        if sequence > 1 {
            proof.before("stage", "previous", format!("@proof-{}", sequence - 1).into());
        }
        if !is_final {
            proof.before("issued", "until", "2026-08-24".into());
        }
        if let Some(restore) = self.items.iter().find(|item| item.label == "restore") {
            let mut said = restore.predicate.clone();
            let names = ["entry", "agent", "target", "taken", "finished", "counts", "released"];
            let line = names.map(|name| (name.to_owned(), said.get(name).clone())).to_vec();
            proof.append("restores", list([Json::Object(line)]));
        }
        let recipients = list([object([
            ("recipient", "webone/registry".into()),
            ("of", "erasure".into()),
            ("at", "2026-03-01T09:00:00Z".into()),
            ("acknowledged", true.into()),
        ])]);
        proof.append("recipients", recipients);
        self.items.push(item(label, "proof", &ISSUER, proof));
        self.evidence();
    }
}
