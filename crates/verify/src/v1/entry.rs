//! Envelopes and the log's lines about them (`docs/formats/statement-v1.md`, section 4; `docs/formats/log-v1.md`, section 2).
//! Owns what was signed and what the leaf of it is; refuses to know who may sign.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::note::Checkpoint;
use super::tree;
use crate::envelope::pae;
use crate::form::canonical;
use crate::format::statement::Envelope;
use crate::format::v1::file::Entry;
use crate::format::v1::statement::{PAYLOAD_TYPE, STATEMENT_TYPE, Statement};
use crate::verdict::{Failure, Kind};
use crate::word::{Hex64, Id};

/// Most signatures of one envelope: what a line of the log holds.
const MAX_SIGNATURES: usize = 16;

/// An envelope's bytes. Nothing of it is believed yet.
pub(crate) struct Sealed {
    pub(crate) payload: Vec<u8>,
    /// What is signed.
    pub(crate) pae: Vec<u8>,
    /// By key, each once.
    pub(crate) signatures: Vec<(Hex64, Vec<u8>)>,
}

impl Sealed {
    pub(crate) fn read(envelope: &Envelope, noun: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::malformed(&format!("the envelope of a {noun} {what}"));
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(wrong("is of another payload type"));
        }
        let payload = STANDARD.decode(&envelope.payload).map_err(|_| wrong("is not canonical base64"))?;
        let mut signatures = Vec::new();
        for signature in &envelope.signatures {
            let key = Hex64::try_from(signature.keyid.clone()).map_err(|_| wrong("names a key by no digest"))?;
            signatures.push((key, STANDARD.decode(&signature.sig).map_err(|_| wrong("is not canonical base64"))?));
        }
        if signatures.windows(2).any(|pair| matches!(pair, [(one, _), (next, _)] if one >= next)) {
            return Err(wrong("does not have its signatures in the order of their keys, each key once"));
        }
        if signatures.len() > MAX_SIGNATURES {
            return Err(wrong("has more than 16 signatures"));
        }
        Ok(Self { pae: pae(PAYLOAD_TYPE, &payload), payload, signatures })
    }

    /// SHA-256 of the payload: the statement's name in other statements.
    pub(crate) fn digest(&self) -> Result<Hex64, Failure> {
        Hex64::try_from(hex::encode(Sha256::digest(&self.payload))).map_err(Failure::malformed)
    }

    /// The payload, as a statement of this type in its one spelling.
    pub(crate) fn statement<P: Serialize + DeserializeOwned>(&self, word: &str) -> Result<Statement<P>, Failure> {
        let statement: Statement<P> = canonical(&self.payload, word)?;
        if statement.form != STATEMENT_TYPE {
            return Err(Failure::malformed(&format!("the {word} is no in-toto statement of version 1")));
        }
        if statement.predicate_type.strip_prefix("https://w3id.org/gallra/").and_then(|t| t.strip_suffix("/v1"))
            != Some(word)
        {
            return Err(Failure::evidence(&format!("what is said to be a {word} is a statement of another type")));
        }
        Ok(statement)
    }

    /// The log's line about this envelope.
    fn line(&self, word: &str, request: Option<&Id>, entry: &Entry) -> Vec<u8> {
        let mut line = format!("gallra-log-entry/v1\nkind {word}\n");
        // Writing to a text cannot fail.
        let _ = request.iter().try_for_each(|request| writeln!(line, "request {request}"));
        let _ = entry.due.iter().try_for_each(|due| writeln!(line, "due {due}"));
        let _ = writeln!(line, "pae sha256:{}", hex::encode(Sha256::digest(&self.pae)));
        for (key, signature) in &self.signatures {
            let _ = writeln!(line, "sig {key} sha256:{}", hex::encode(Sha256::digest(signature)));
        }
        line.into_bytes()
    }

    /// Sees that the log has it where the file says.
    pub(crate) fn included(
        &self,
        word: &str,
        request: Option<&Id>,
        entry: &Entry,
        checkpoints: &[Checkpoint],
    ) -> Result<(), Failure> {
        if entry.due.is_some() && word != "plan" {
            return Err(Failure::malformed("an entry that is no plan's has a day on which it is due"));
        }
        let number = usize::try_from(entry.checkpoint.get()).ok();
        let checkpoint = number.and_then(|number| checkpoints.get(number));
        let wrong = |what: &str| Failure::new(Kind::NotInLog, &format!("a {word} {what}"));
        let checkpoint = checkpoint.ok_or_else(|| wrong("names a checkpoint that is not in the file"))?;
        let leaf = tree::leaf(&self.line(word, request, entry));
        let root = tree::root_of(leaf, entry.index.get(), checkpoint.size, entry.path.as_slice());
        if root == Some(checkpoint.root) { Ok(()) } else { Err(wrong("is not in the log where the file says")) }
    }
}
