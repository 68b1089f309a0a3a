//! Cosignatures (C2SP tlog-cosignature, Ed25519, `cosignature/v1`, type 0x04): a witness's word that at this time the tree
//! of this checkpoint was the largest that it had seen of this log, and that it follows from all that it had seen before.
//!
//! Owns the message and its time; refuses to know what time it is, and to decide whether the word may be given
//! ([`crate::witness`] does). A future time is the reader's to doubt.

use crate::checkpoint::Checkpoint;
use crate::note::{Kind, Signature, Signer};

/// Latest time that can be said, in seconds since 1970 UTC.
pub const LATEST: u64 = (1 << 63) - 1;

/// Why no cosignature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// The key signs as a log.
    #[error("the key is a log's: a witness signs with a key of its own, of type 0x04")]
    Kind,
    /// The time cannot be said.
    #[error("the time lies outside what a cosignature can say")]
    Time,
}

/// Cosigns a checkpoint. `time` is in seconds since 1970 UTC.
///
/// # Errors
/// [`CosignError`].
pub fn cosign(checkpoint: &Checkpoint, time: u64, key: &Signer) -> Result<Signature, CosignError> {
    if key.public().kind() != Kind::Witness {
        return Err(CosignError::Kind);
    }
    if time > LATEST {
        return Err(CosignError::Time);
    }
    let signature = key.sign(message(time, &checkpoint.to_string()).as_bytes());
    Ok(key.line([&time.to_be_bytes()[..], &signature].concat()))
}

/// What is signed: two lines, then the whole text of the note.
pub(crate) fn message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// The time and the signature that a line's bytes are, in this order.
pub(crate) fn divide(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = bytes.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    (time <= LATEST).then_some((time, signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Key, Note, NoteError};
    use crate::tree::Hash;

    fn key(kind: Kind) -> Signer {
        Signer::from_seed("witness.example/w1", kind, &[2; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "log.example/1".parse().unwrap(), size: 1, root: Hash::leaf(b"x"), extensions: vec![] }
    }

    #[test]
    fn the_message_is_that_of_the_specification() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(
            message(1_679_315_147, text),
            "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
             CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        );
    }

    #[test]
    fn a_cosignature_says_its_time_and_verifies_for_nothing_else() {
        let (key, checkpoint) = (key(Kind::Witness), checkpoint());
        let keys = [key.public().clone()];
        let mut note = Note::new(checkpoint.to_string()).unwrap();
        note.sign(cosign(&checkpoint, 1_700_000_000, &key).unwrap()).unwrap();
        let signed = note.open(&keys).unwrap();
        assert_eq!(signed.iter().map(|signed| signed.time).collect::<Vec<_>>(), [Some(1_700_000_000)]);

        let good = note.unverified_signatures()[0].clone();
        let spoiled = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.bytes().to_vec();
            change(&mut bytes);
            let mut note = Note::new(checkpoint.to_string()).unwrap();
            note.sign(key.line(bytes)).unwrap();
            note.open(&keys).map(|_| ())
        };
        assert_eq!(spoiled(&|_| ()), Ok(()));
        assert_eq!(spoiled(&|bytes| bytes[7] ^= 1), Err(NoteError::Signature), "another second");
        assert_eq!(spoiled(&|bytes| bytes[0] |= 0x80), Err(NoteError::Signature), "a time that cannot be");
        assert_eq!(spoiled(&|bytes| bytes.truncate(71)), Err(NoteError::Signature));
        assert_eq!(spoiled(&|bytes| bytes.push(0)), Err(NoteError::Signature));
        assert_eq!(spoiled(&|bytes| bytes.truncate(4)), Err(NoteError::Signature));
    }

    #[test]
    fn a_logs_key_makes_no_cosignature_and_a_witness_signs_for_no_log() {
        assert_eq!(cosign(&checkpoint(), 1, &key(Kind::Log)), Err(CosignError::Kind));
        assert_eq!(cosign(&checkpoint(), 1 << 63, &key(Kind::Witness)), Err(CosignError::Time));
        assert!(cosign(&checkpoint(), LATEST, &key(Kind::Witness)).is_ok());
        let ids: Vec<_> = [Kind::Log, Kind::Witness].map(|kind| key(kind).public().id()).into_iter().collect();
        assert_ne!(ids[0], ids[1], "one key as log and as witness is two keys");
    }

    #[test]
    fn a_time_that_cannot_be_said_is_no_cosignature_however_well_it_is_signed() {
        let (key, text) = (key(Kind::Witness), checkpoint().to_string());
        let opened = |time: u64| {
            let signature = key.sign(message(time, &text).as_bytes());
            let mut note = Note::new(text.clone()).unwrap();
            note.sign(key.line([&time.to_be_bytes()[..], &signature].concat())).unwrap();
            note.open(&[key.public().clone()]).map(|signed| signed.len())
        };
        assert_eq!(opened(LATEST), Ok(1));
        assert_eq!(opened(LATEST + 1), Err(NoteError::Signature));
    }

    #[test]
    fn verifier_keys_carry_the_kind() {
        let text = key(Kind::Witness).public().to_string();
        let read: Key = text.parse().unwrap();
        assert_eq!((read.kind(), read.to_string()), (Kind::Witness, text));
    }
}
