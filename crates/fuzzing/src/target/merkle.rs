//! The log's texts: notes, checkpoints, entries, paths of tiles, requests to a witness. One spelling each, no key that
//! nobody has makes anything believed, and no request makes a witness say what does not follow.

use gallra_log::checkpoint::{Checkpoint, CheckpointError, Origin};
use gallra_log::entry::Entry;
use gallra_log::evidence::Evidence;
use gallra_log::note::{Key, Kind, Note, NoteError, Signature, Signer};
use gallra_log::rollback::Head;
use gallra_log::tile::{Tile, Tiles, unbundle};
use gallra_log::tree::{Hash, Hashes as _, Node};
use gallra_log::witness::{AddCheckpoint, Answer, Refusal, cosigned, decide, stale_size};

use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;
use crate::spelling::one_spelling;

/// The keys of the seeds: a log's and a witness's.
fn keys() -> [Key; 2] {
    [("log.example/2026a", Kind::Log, 1), ("witness.example/w1", Kind::Witness, 2)].map(|(name, kind, seed)| {
        Signer::from_seed(name, kind, &[seed; 32]).map_or_else(|why| panic!("{why}"), |key| key.public().clone())
    })
}

/// Notes, their lines, and keys. What opens was signed by a key that is named in it.
pub fn note(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let lines = Signature::parse_lines(text);
    if let Ok(lines) = &lines {
        assert_eq!(lines.iter().map(ToString::to_string).collect::<String>(), text, "a second spelling of lines");
    }
    let (key, evidence) = (one_spelling::<Key>(text), one_spelling::<Evidence>(text));
    let is_note = one_spelling::<Note>(text);
    if let Ok(note) = text.parse::<Note>() {
        let keys = keys();
        match note.open(&keys) {
            Ok(signed) => {
                let named = |key: &Key| note.unverified_signatures().iter().any(|line| line.name() == key.name());
                assert!(!signed.is_empty() && signed.iter().all(|signed| named(signed.key)), "nobody has signed");
            }
            Err(refusal) => says_nothing_of(bytes, &refusal.to_string()),
        }
        assert_eq!(note.open(&[]), Err(NoteError::Unknown), "opened without a key");
        // A log's own signature is needed, whoever else signed.
        let opened = Checkpoint::open(&note, &keys[0], &keys[1..]);
        assert!(opened.is_err() || note.open(&keys[..1]).is_ok(), "without its log");
    }
    Seen::of(is_note || key || evidence || lines.is_ok())
}

/// Texts of checkpoints and origins.
pub fn checkpoint(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    one_spelling::<Origin>(text);
    let read = one_spelling::<Checkpoint>(text);
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        // What is a checkpoint is a text that a note can carry, and no key signs for another's origin.
        Note::new(text.to_owned()).unwrap_or_else(|why| panic!("no note carries it: {why}"));
        let key = Signer::from_seed("log.example/2026a", Kind::Log, &[1; 32]).unwrap_or_else(|why| panic!("{why}"));
        let own = checkpoint.origin.as_str() == key.public().name();
        match checkpoint.sign(&key) {
            Ok(_) => assert!(own && (checkpoint.size > 0 || checkpoint.root == Hash::EMPTY)),
            Err(why) => assert!(!own || why == CheckpointError::Empty, "{why}"),
        }
    }
    Seen::of(read)
}

/// Entries. What is no entry of ours has no leaf of ours.
pub fn entry(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let read = one_spelling::<Entry>(text);
    if let Ok(entry) = text.parse::<Entry>() {
        assert_eq!(entry.leaf(), Hash::leaf(bytes));
        let parts = (entry.about().copied(), entry.pae(), entry.signatures().to_vec());
        assert_eq!(Entry::new(parts.0, parts.1, parts.2), Ok(entry), "its parts make another entry");
        assert!(bytes.len() <= gallra_log::entry::MOST_BYTES && text.is_ascii());
    }
    Seen::of(read)
}

/// The path of a tile in the first line, its bytes behind it. A path leads nowhere else, and hashes are what was given.
pub fn tile_path(bytes: &[u8]) -> Seen {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (path, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    let Some(path) = text(path) else { return Seen::Refused };
    if !one_spelling::<Tile>(path) {
        return Seen::Refused;
    }
    assert!(path.starts_with("tile/") && !path.contains("..") && !path.contains("//"), "{path:?}");
    let Ok(tile) = path.parse::<Tile>() else { return Seen::Refused };
    let bytes = rest.get(1..).unwrap_or_default();
    if let Ok(hashes) = tile.hashes(bytes) {
        assert_eq!(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>(), bytes);
    }
    if let Ok(entries) = unbundle(&tile, bytes) {
        assert_eq!(gallra_log::tile::bundle(entries).as_deref(), Ok(bytes));
    }
    let mut tiles = Tiles::default();
    let held = tiles.insert(&tile, bytes).is_ok();
    let first = tiles.hash(Node { level: 0, index: tile.index.wrapping_mul(256) });
    assert!(held || first.is_none(), "a hash out of nothing");
    Seen::Read
}

/// A request to a witness, and an answer's size. Whatever is sent, the witness cosigns only what its log signed and what
/// follows from what it knows, and a refusal changes nothing and repeats nothing.
pub fn witness_request(bytes: &[u8]) -> Seen {
    let size = stale_size(bytes).is_some();
    let Ok(request) = AddCheckpoint::parse(bytes) else {
        return Seen::of(size);
    };
    assert!(text(bytes).is_some_and(one_spelling::<AddCheckpoint>), "a second spelling of a request");
    let [log, witness] = keys();
    let trusted = if request.unverified_origin().as_str() == log.name() { vec![log.clone()] } else { Vec::new() };
    let knowns = [
        Head::EMPTY,
        Head { size: request.old(), root: Hash::leaf(b"another tree") },
        Head { size: 7, root: Hash::EMPTY },
    ];
    for known in knowns {
        match decide(&request, &trusted, &known) {
            Answer::Cosign { checkpoint, head } => {
                let opened = Checkpoint::open(request.note(), &log, std::slice::from_ref(&witness));
                assert_eq!(opened.map(|opened| opened.checkpoint).as_ref(), Ok(&checkpoint), "not its log's word");
                assert_eq!((head.size, head.root), (checkpoint.size, checkpoint.root));
                // Nobody finds a proof from a tree that was made up.
                assert_eq!(known, Head::EMPTY, "cosigned after a tree that it does not follow from");
            }
            Answer::Refuse(refusal) => {
                assert!(matches!(refusal.status(), 400 | 403 | 404 | 409 | 422));
                assert_eq!(matches!(refusal, Refusal::UnknownLog), trusted.is_empty());
                says_nothing_of(bytes, &refusal.body().0);
            }
        }
    }
    Seen::Read
}

/// What a witness answered to a log that asked about one checkpoint. Only lines by the witness's key come in, each of which holds, and
/// the text stays what the log signed.
pub fn witness_answer(bytes: &[u8]) -> Seen {
    let [log, witness] = keys();
    let signer = Signer::from_seed("log.example/2026a", Kind::Log, &[1; 32]).unwrap_or_else(|why| panic!("{why}"));
    let origin = log.name().parse().unwrap_or_else(|why| panic!("the key's own name: {why}"));
    let checkpoint = Checkpoint { origin, size: 7, root: Hash::leaf(b"a tree"), extensions: Vec::new() };
    let note = Note::new(checkpoint.to_string()).and_then(|mut note| {
        note.sign(checkpoint.sign(&signer).unwrap_or_else(|why| panic!("{why}")))?;
        Ok(note)
    });
    let note = note.unwrap_or_else(|why| panic!("our own note: {why}"));
    match cosigned(&note, bytes, std::slice::from_ref(&witness)) {
        Ok(answered) => {
            assert_eq!(answered.unverified_text(), note.unverified_text(), "another text");
            let (had, has) = (note.unverified_signatures().len(), answered.unverified_signatures());
            assert_eq!(has.len(), had + 1, "one key, one line");
            assert!(has.iter().skip(had).all(|line| line.name() == witness.name()), "a line that nobody asked for");
            let opened = Checkpoint::open(&answered, &log, std::slice::from_ref(&witness));
            assert_eq!(opened.map(|opened| opened.checkpoint), Ok(checkpoint), "not the log's checkpoint any more");
            Seen::Read
        }
        Err(refusal) => {
            says_nothing_of(bytes, &refusal.to_string());
            Seen::Refused
        }
    }
}
