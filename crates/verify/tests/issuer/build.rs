//! From a story to a file: payloads, signatures, the log's lines and tree, and the paths that the file needs.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{Json, list, object};
use super::keys::{self, Key, LOG, envelope, sha256};
use super::log::{self, Hash};
use super::story::{Item, Story};

/// What was made of it.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) file: Json,
    pub(crate) leaves: Vec<Hash>,
    manifest: String,
    /// Envelope and position, by label.
    pub(crate) logged: BTreeMap<String, (Json, usize, String)>,
}

impl Built {
    pub(crate) fn anchor(&self) -> String {
        format!("sha256:{}", self.manifest)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        format!("{}\n", self.file).into_bytes()
    }

    /// A published key file with these manifests and events.
    pub(crate) fn key_file(&self, manifests: &[&str], events: &[&str]) -> String {
        let placed = |label: &&str| {
            let (envelope, index, _) = &self.logged[*label];
            object([("envelope", envelope.clone()), ("index", (*index as u64).into())])
        };
        let file = object([
            ("format", "gallra-keys-v1".into()),
            ("manifests", list(manifests.iter().map(placed))),
            ("events", list(events.iter().map(placed))),
        ]);
        format!("{file}\n")
    }
}

impl Story {
    pub(crate) fn built(&self) -> Built {
        let mut leaves: Vec<Hash> = Vec::new();
        let mut logged: BTreeMap<String, (Json, usize, String)> = BTreeMap::new();
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        for item in &self.items {
            let payload = self.payload(item, &leaves, &logged, &mut last);
            let envelope = envelope(payload.as_bytes(), &item.signers);
            leaves.push(log::leaf(&line(item, payload.as_bytes(), &envelope)));
            logged.insert(item.label.clone(), (envelope, leaves.len() - 1, sha256(payload.as_bytes())));
        }
        leaves.extend((0..self.later).map(|number| log::leaf(&format!("later {number}"))));
        let file = self.file(&leaves, &logged);
        let manifest = logged["manifest-1"].2.clone();
        Built { file, leaves, manifest, logged }
    }

    fn payload(
        &self,
        item: &Item,
        leaves: &[Hash],
        logged: &BTreeMap<String, (Json, usize, String)>,
        last: &mut BTreeMap<String, String>,
    ) -> String {
        let mut predicate = item.predicate.clone();
        let by_agent = matches!(item.kind, "receipt" | "absence" | "recheck" | "copy-expiry");
        if let Some(size) = item.commitment {
            let root = leaves.get(..size).map_or([0; 32], log::root);
            let root = hex::encode(self.forged_root.unwrap_or(root));
            let commitment = object([("size", (size as u64).into()), ("root", root.into())]);
            predicate.before("started", "commitment", commitment);
        }
        let job = by_agent.then(|| predicate.get("job").text().to_owned());
        if let Some(before) = job.as_ref().and_then(|job| last.get(job)).filter(|_| item.chained) {
            predicate.before("started", "previous", before.as_str().into());
        }
        predicate.resolve(&|label| logged.get(label).map_or_else(|| "ee".repeat(32), |(_, _, digest)| digest.clone()));
        let statement = object([
            ("_type", "https://in-toto.io/Statement/v1".into()),
            ("subject", item.subject.clone()),
            ("predicateType", format!("https://w3id.org/gallra/{}/v1", item.kind).into()),
            ("predicate", predicate),
        ]);
        let payload = statement.to_string();
        if let Some(job) = job {
            let over = item.kind != "copy-expiry" && item.predicate.read("verdict").text() == "done";
            if over {
                last.remove(&job);
            } else {
                last.insert(job, sha256(payload.as_bytes()));
            }
        }
        payload
    }

    /// The file: the newest proof, and what it needs.
    fn file(&self, leaves: &[Hash], logged: &BTreeMap<String, (Json, usize, String)>) -> Json {
        let size = leaves.len();
        let sizes: Vec<usize> = self.checkpoints.iter().map(|(size, _)| *size).chain([size]).collect();
        let tree = log::Tree::new(leaves);
        let dues: BTreeMap<&str, &str> =
            self.items.iter().filter_map(|item| Some((item.label.as_str(), item.due?))).collect();
        let entry = |label: &str| {
            let (envelope, index, _) = &logged[label];
            let due = dues.get(label).copied();
            let number = sizes.iter().position(|size| index < size).unwrap();
            let mut entry = object([
                ("envelope", envelope.clone()),
                ("checkpoint", (number as u64).into()),
                ("index", (*index as u64).into()),
                ("path", log::hashes(&tree.path(*index, sizes[number])).into()),
            ]);
            if let Some(due) = due {
                entry.before("checkpoint", "due", due.into());
            }
            entry
        };
        let of = |kind: &'static str| {
            self.items.iter().filter(move |item| item.kind == kind).map(|item| item.label.as_str())
        };
        let quoted = self.items.iter().filter(|item| item.evidence).filter_map(|item| item.commitment);
        let from: BTreeSet<usize> =
            quoted.chain(sizes.iter().copied()).filter(|from| *from < size && *from > 0).collect();
        let consistency = from.iter().map(|from| {
            let to = *sizes.iter().find(|to| *to > from).unwrap();
            object([
                ("from", (*from as u64).into()),
                ("root", hex::encode(log::root(&leaves[..*from])).into()),
                ("to", (to as u64).into()),
                ("path", log::hashes(&log::consistency(*from, &leaves[..to])).into()),
            ])
        });
        let Key::Ed(seed) = LOG else { unreachable!() };
        let cosigned = self.checkpoints.iter().map(|(_, by)| by).chain([&self.witnesses]);
        let notes =
            sizes.iter().zip(cosigned).map(|(size, by)| Json::Text(log::note(*size, tree.root(0, *size), seed, by)));
        let proof = self.items.iter().rev().find(|item| item.kind == "proof").unwrap();
        object([
            ("format", "gallra-proof-v1".into()),
            ("proof", entry(&proof.label)),
            ("request", entry("request")),
            ("plan", entry("plan")),
            ("statements", list(self.order().iter().map(|(label, _)| entry(label)))),
            ("manifests", list(of("key-manifest").map(entry))),
            ("events", list(of("key-event").map(entry))),
            ("checkpoints", list(notes)),
            ("consistency", list(consistency)),
            ("timestamps", list([])),
        ])
    }
}

/// The log's line about an envelope.
fn line(item: &Item, payload: &[u8], envelope: &Json) -> String {
    let mut line = format!("gallra-log-entry/v1\nkind {}\n", item.kind);
    if let Some(request) = &item.request {
        line.push_str(&format!("request {request}\n"));
    }
    if let Some(due) = item.due {
        line.push_str(&format!("due {due}\n"));
    }
    line.push_str(&format!("pae sha256:{}\n", sha256(&keys::pae(payload))));
    let mut envelope = envelope.clone();
    for signature in envelope.get("signatures").all() {
        use base64::Engine as _;
        let keyid = signature.get("keyid").text().to_owned();
        let raw = base64::engine::general_purpose::STANDARD.decode(signature.get("sig").text()).unwrap();
        line.push_str(&format!("sig {keyid} sha256:{}\n", sha256(&raw)));
    }
    line
}
