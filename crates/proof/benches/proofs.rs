//! Proofs issued, verified and weighed, for 1, 12 and 50 live targets with 20 and 180 copies each: issuing beside nothing but the two
//! signatures over as many bytes, verifying beside nothing but the checks of the file's signatures, a file's size beside its payloads
//! and signatures as raw bytes, all in the same run. Time is this process's own computing. Upholds nothing: it is where a loss of speed shows itself.
//! `cargo bench -p gallra-proof`; `GALLRA_BENCH_FULL=1` measures longer, `GALLRA_BENCH_KEEP=DIR` leaves the files there. Figures: `docs/measurements/proof-*.md`.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is run for")]
#![allow(missing_docs, reason = "a program of its own")]

#[path = "../../verify/benches/raw/mod.rs"]
mod raw;
#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use gallra_identity::MlDsaKey;
use gallra_model::envelope::Envelope;
use gallra_model::proof::{FileEntry, Piece, ProofFile};
use gallra_model::statement::{PAYLOAD_TYPE, Type};
use gallra_proof::issuer::Issuer;
use gallra_proof::key::SigningKey;
use gallra_proof::statement::{self, Evidence, Place};
use gallra_proof::{dsse, file, receipt};
use gallra_verify::{Outcome, Question, Trust, verify};
use raw::Raw;
use rustix::time::{ClockId, clock_gettime};
use support::made::Made;
use support::scaled::Looks;
use support::{Story, identifiers, keys, log};

/// About how many entries the log has, most of them about others.
const LOG_SIZE: u64 = 1_000_000;

fn is_full() -> bool {
    std::env::var_os("GALLRA_BENCH_FULL").is_some()
}

/// How long this process has computed: what else runs on the machine is not in it.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("no clock runs backwards")
}

/// Milliseconds of computing that a run takes, in the mean.
fn time(mut run: impl FnMut()) -> f64 {
    let span = Duration::from_secs(if is_full() { 5 } else { 1 });
    run();
    let (began, mut runs) = (computed(), 0_u32);
    while computed() - began < span {
        run();
        runs += 1;
    }
    (computed() - began).as_secs_f64() * 1e3 / f64::from(runs)
}

/// What the coordinator has in its store and its log when it issues.
struct Held {
    story: Story,
    made: Made,
    issuer: Issuer,
}

impl Held {
    fn new(story: Story) -> Self {
        // The keys of the story, with the library that signs in production.
        let ml_dsa = MlDsaKey::from_seed(&[keys::ISSUER; 32]).expect("a key");
        let issuer = Issuer::new(SigningKey::from_seed(&[keys::ISSUER; 32]), Box::new(ml_dsa));
        Self { made: story.made(), story, issuer }
    }

    /// Reads the evidence, says what it shows, signs it, and makes the file.
    fn issue(&self) -> Vec<u8> {
        let (story, made) = (&self.story, &self.made);
        let by_agents = self.kinds().zip(&made.file.statements).filter(|(kind, _)| *kind != Type::CopySet);
        let receipts: Vec<_> = by_agents.map(|(_, entry)| receipt::read(&entry.envelope).expect("a receipt")).collect();
        assert!(statement::breaks(receipts.iter()).is_empty(), "a gap");
        let evidence = Evidence {
            request: &story.request,
            plan: &story.plan,
            plan_digest: made.proof.plan,
            jobs: &[],
            receipts: &receipts,
            copies: &[],
            obligations: &story.obligations,
            restores: &[],
            now: story.issued,
            clock: story.clock,
        };
        // The set was signed when it was closed; it is worked out anew to see that it still holds.
        let set = statement::closed_set(&evidence).is_some();
        let digest =
            made.proof.evidence.iter().find(|piece| piece.statement == Type::CopySet).map(|piece| piece.digest);
        let place = Place {
            sequence: story.sequence,
            previous: made.proof.previous,
            amends: story.amends,
            manifest: made.proof.manifest,
            further: digest
                .filter(|_| set)
                .map(|digest| Piece { statement: Type::CopySet, digest })
                .into_iter()
                .collect(),
            recipients: Vec::new(),
        };
        let proof = statement::assemble(&evidence, place);
        black_box(statement::content_digest(&proof));
        let envelope = self.issuer.sign(Type::Proof, story.subject(), &proof, &identifiers()).expect("signs");
        file::write(&self.file(envelope)).expect("writes")
    }

    /// The file around a statement, its paths looked up anew.
    fn file(&self, envelope: Envelope) -> ProofFile {
        let old = &self.made.file;
        let entry = |old: &FileEntry, kind: Type, envelope: Envelope| {
            let about = (kind != Type::KeyManifest && kind != Type::KeyEvent).then_some(self.story.request.id);
            // By which the coordinator finds the position.
            black_box(log::entry_of(&envelope, kind, about, old.due).leaf());
            let path = self.made.tree.path(old.index, self.made.size);
            FileEntry { envelope, due: old.due, checkpoint: old.checkpoint, index: old.index, path }
        };
        let same = |old: &FileEntry, kind| entry(old, kind, old.envelope.clone());
        let all = |old: &[FileEntry], kind| old.iter().map(|old| same(old, kind)).collect();
        ProofFile {
            format: old.format.clone(),
            proof: entry(&old.proof, Type::Proof, envelope),
            request: same(&old.request, Type::Request),
            plan: same(&old.plan, Type::Plan),
            statements: self.kinds().zip(&old.statements).map(|(kind, old)| same(old, kind)).collect(),
            manifests: all(&old.manifests, Type::KeyManifest),
            events: all(&old.events, Type::KeyEvent),
            checkpoints: old.checkpoints.clone(),
            consistency: old.consistency.clone(),
            timestamps: old.timestamps.clone(),
        }
    }

    /// The two signatures of the statement and nothing else, over its payload.
    fn signs(&self, pae: &[u8]) {
        for signer in self.issuer.signers() {
            black_box(signer.sign(black_box(pae)).expect("signs"));
        }
    }

    /// Of the file's statements, in its order.
    fn kinds(&self) -> impl Iterator<Item = Type> + '_ {
        self.made.proof.evidence.iter().map(|piece| piece.statement)
    }
}

/// Milliseconds, and how many times as long as the peer's.
fn said(name: &str, unit: &str, ours: f64, peer: f64) {
    println!("bench {name} {ours:.3} {unit} peer {peer:.3} ratio {:.2}", ours / peer);
}

/// Kilobytes of what a file carries, as bytes: payloads and signatures.
fn carried(file: &ProofFile) -> f64 {
    let single = [&file.proof, &file.request, &file.plan];
    let entries = single.into_iter().chain(&file.statements).chain(&file.manifests).chain(&file.events);
    let base64: usize = entries
        .map(|entry| {
            let signatures: usize = entry.envelope.signatures.iter().map(|signature| signature.sig.len()).sum();
            entry.envelope.payload.len() + signatures
        })
        .sum();
    base64 as f64 * 0.75 / 1e3
}

/// One story: its file's size, how long it takes to issue and to verify.
fn measured(name: &str, story: Story) {
    let held = Held::new(story);
    let bytes = held.made.bytes();
    // Signed anew it is another leaf of the log; all else is the same.
    assert_eq!(held.issue().len(), bytes.len(), "{name}: another file");
    let trusted = Trust::parse(&held.made.key_text()).expect("a key file");
    let question = Question::default();
    let verdict = verify(&bytes, &trusted, &question);
    assert!(matches!(verdict.outcome, Outcome::Final { .. }), "{name}: {}", verdict.conclusion());
    if let Some(dir) = std::env::var_os("GALLRA_BENCH_KEEP") {
        std::fs::write(Path::new(&dir).join(format!("{name}.json")), &bytes).expect("writes");
    }
    let statements = held.made.file.statements.len();
    println!("{name}: {statements} agents' statements and copy sets, log of {} entries", held.made.size);
    said(&format!("proof/size-{name}"), "kB", bytes.len() as f64 / 1e3, carried(&held.made.file));

    let pae = dsse::pae(PAYLOAD_TYPE, &dsse::payload(&held.made.file.proof.envelope).expect("base64"));
    let (issued, signed) = (time(|| drop(black_box(held.issue()))), time(|| held.signs(&pae)));
    said(&format!("proof/issue-{name}"), "ms", issued, signed);

    let raw = Raw::of(&bytes).expect("a good file");
    let verified = time(|| drop(black_box(verify(black_box(&bytes), &trusted, &question))));
    let (classical, lattice) = raw.counts();
    let checked = time(|| assert!(black_box(&raw).holds(), "a signature of a good file"));
    println!("{name}: {classical} Ed25519 and {lattice} ML-DSA-65 signatures");
    said(&format!("proof/verify-{name}"), "ms", verified, checked);
}

fn main() {
    for (looks, word) in [(Looks::Three, "three-looks"), (Looks::EachCopy, "a-look-a-copy")] {
        for targets in [1, 12, 50] {
            for copies in [20, 180] {
                let mut story = Story::scaled(targets, copies, looks);
                // In the log beside this request's entries.
                let own = u64::try_from(story.receipts.len() + story.enrolled.len() + 5).expect("a small number");
                story.crowd = LOG_SIZE / own;
                measured(&format!("{targets}-targets-{copies}-copies-{word}"), story);
            }
        }
    }
    let story = Story::scaled(12, 20, Looks::Three);
    measured("12-targets-20-copies-three-looks-young-log", story);
}
