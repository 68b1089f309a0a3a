//! What would show who a request is about, and therefore is not signed; and what an agent signed that does, and therefore is not
//! taken (`docs/formats/subject-v1.md`, section 6). Owns that the request says so while it is so. Refuses to keep the identifier:
//! a field and a kind are on record, and a receipt that shows somebody is sealed under that one's key. Upholds I12.

use gallra_model::envelope::Envelope;
use gallra_model::statement::Type;
use gallra_model::{Digest, Instant, RequestId};
use gallra_proof::dsse;
use gallra_proof::payload::PayloadError;
use gallra_proof::subject::{Leak, scan};
use gallra_store::keys::{self, What};
use gallra_store::{Key, Txn};
use serde::{Deserialize, Serialize};

use crate::asked::crypto;
use crate::core::{Core, until_committed};
use crate::entered::{Turn, enter};
use crate::error::{CoreError, decode, encode};
use crate::state;

/// Something that shows, or would show, somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// What: `request`, `plan`, `proof`, or `receipt`.
    pub statement: String,
    /// The path of the field.
    pub field: String,
    /// The kind of the identifier.
    pub kind: String,
    /// Since when.
    pub since: Instant,
    /// Of a receipt: the digest of its payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Digest>,
}

/// A refused signature as the coordinator's error.
pub(crate) fn unsigned(error: PayloadError) -> CoreError {
    match error {
        PayloadError::Leak(leak) => CoreError::Leak(leak),
        other @ (PayloadError::Envelope(_)
        | PayloadError::Form(_)
        | PayloadError::TooLarge(_)
        | PayloadError::Sign(_)) => crypto(other),
    }
}

impl Core {
    /// What shows, or would show, the subject of a request; by statement.
    ///
    /// # Errors
    /// The store's.
    pub async fn leaks(&self, id: &RequestId) -> Result<Vec<Noted>, CoreError> {
        state::all(&*self.store, &keys::leaks_of(id), "leak").await
    }

    fn noted(&self, statement: &str, leak: &Leak, receipt: Option<Digest>) -> Noted {
        let kind = leak.kind.word().to_owned();
        Noted { statement: statement.to_owned(), field: leak.field.clone(), kind, since: self.time.now(), receipt }
    }

    /// Adds that a statement of a request is not signed. What is on record already stays as it is: nothing is written anew at
    /// every try.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn note_unsigned(
        &self,
        txn: Txn,
        id: &RequestId,
        (statement, leak): (&str, &Leak),
    ) -> Result<Txn, CoreError> {
        let at: Key = keys::leak_of_statement(id, statement);
        let noted = self.noted(statement, leak, None);
        if let Some(entry) = self.store.get(&at).await? {
            let before: Noted = decode("leak", &entry.value)?;
            if (&before.field, &before.kind) == (&noted.field, &noted.kind) {
                return Ok(txn);
            }
        }
        tracing::error!(request = %id, statement, %leak, "a statement is not signed, since it would show who it is about");
        Ok(txn.put(at, encode(&noted)?))
    }

    /// Says that statements of a request are not signed, by itself, and gives the error back.
    pub(crate) async fn refuse_to_sign(&self, id: &RequestId, statement: &str, error: CoreError) -> CoreError {
        let CoreError::Leak(leak) = &error else { return error };
        let said = async {
            let txn = self.note_unsigned(Txn::new(), id, (statement, leak)).await?;
            if !txn.writes().is_empty() {
                self.store.commit(txn).await?;
            }
            Ok::<(), CoreError>(())
        };
        match said.await {
            Ok(()) => error,
            Err(failed) => failed,
        }
    }

    /// Keeps a receipt that shows who its request is about, and takes nothing from it. Whether it was one: then it is on record,
    /// sealed under the subject's key, and the request says so. The agent holds it no longer: it would send it for ever.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn shows_somebody(
        &self,
        id: &RequestId,
        (envelope, digest): (&Envelope, Digest),
        kind: Type,
    ) -> Result<bool, CoreError> {
        let payload = dsse::payload(envelope).map_err(crypto)?;
        until_committed!(self.try_shows(id, (envelope, digest), &payload, kind))
    }

    async fn try_shows(
        &self,
        id: &RequestId,
        (envelope, digest): (&Envelope, Digest),
        payload: &[u8],
        kind: Type,
    ) -> Result<bool, CoreError> {
        let at = keys::leak_of_receipt(id, &digest);
        if self.store.get(&at).await?.is_some() {
            return Ok(true);
        }
        let view = state::load(&*self.store, id).await?.view;
        let Err(leak) = scan(payload, &self.identifiers(&view).await?) else { return Ok(false) };
        let txn = enter(Txn::new(), envelope, kind, Some(*id), Turn::first(self.time.now()))?;
        let txn = txn.put(at, encode(&self.noted("receipt", &leak, Some(digest)))?);
        let subject = self.sealing_subject(&view).await?;
        let txn = self.seal_again(txn, &subject, What::Receipt(digest), envelope).await?;
        self.store.commit(txn).await?;
        tracing::error!(request = %id, %digest, %leak, "a receipt is not taken, since it shows who it is about");
        Ok(true)
    }
}
