//! Claim codes between the first plan and their delivery, and the picking up of proofs by them (`docs/formats/subject-v1.md`,
//! [decision record 0031]). Owns how long a code is there and how it ends: delivered, expired, or withdrawn with its request.
//! Refuses to log a code or a reference. Upholds I12: a code is sealed under a key of its own, which is destroyed with it.
//!
//! [decision record 0031]: ../../../docs/decisions/0031-claim-codes.md

use gallra_flow::clock::Standing;
use gallra_model::request::Request;
use gallra_model::time::{day_of, start_of};
use gallra_model::{Day, Instant, RequestId, SubjectId};
use gallra_proof::subject::ClaimCode;
use gallra_store::keys::{self, What};
use gallra_store::{Entry, Key, Txn};
use jiff::ToSpan as _;
use serde::{Deserialize, Serialize};

use crate::asked::Asked;
use crate::core::{Core, random, until_committed};
use crate::error::{CoreError, decode, encode};
use crate::issue::StoredProof;

/// A code is destroyed when the local day begins that comes so many days after the one on which it was made.
const DAYS: i64 = 30;

/// Codes destroyed in one pass.
const BATCH: usize = 256;

/// What became of a request's claim code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// When it was made.
    pub made: Instant,
    /// The local day that it does not see: it is destroyed when that one begins.
    pub until: Day,
    /// How often it was shown.
    pub shown: u32,
    /// Under which reference the proof is picked up.
    pub(crate) pickup: String,
    /// Under whose key it is sealed: a random reference, nobody's name. Unset once it is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seal: Option<SubjectId>,
    /// How and when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How and when a code ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// How.
    pub how: How,
    /// When.
    pub at: Instant,
}

/// How a code ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Somebody said that the subject has it.
    Delivered,
    /// Nobody said so in time.
    Expired,
    /// Its request was taken back: it picks up nothing any more, whoever has it.
    Withdrawn,
}

impl How {
    /// The word in answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Claim {
    /// Whether the code can still be shown.
    pub fn is_sealed(&self) -> bool {
        self.seal.is_some()
    }

    /// Where the index says when the code is destroyed.
    fn due(&self, id: &RequestId) -> Result<Key, CoreError> {
        let at =
            start_of(self.until).map_err(|_| CoreError::Precondition("a day beyond what an instant can say".into()))?;
        Ok(keys::claim_due(at, id))
    }
}

/// Whether a text can be a pick-up reference: 32 lowercase hex characters.
fn is_reference(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl Core {
    /// A new code for a request: sealed, findable by its reference, and destroyed by itself.
    ///
    /// # Errors
    /// When there is no randomness, or sealing fails.
    pub(crate) fn new_claim(&self, txn: Txn, id: &RequestId) -> Result<(ClaimCode, Claim, Txn), CoreError> {
        let (code, made) = (ClaimCode::from_bytes(random()?), self.time.now());
        let until = day_of(made).checked_add(DAYS.days());
        let until = until.map_err(|_| CoreError::Precondition("a day beyond what the calendar can say".into()))?;
        // Under a key of its own: it is destroyed when the code was handed over, whenever that is.
        let seal = SubjectId::at(made, random()?);
        let claim = Claim { made, until, shown: 0, pickup: code.pickup(), seal: Some(seal), ended: None };
        let txn = txn.create(keys::pickup(&claim.pickup), encode(id)?).put(claim.due(id)?, Vec::new());
        let txn = self.seal_new(txn, &seal, What::Claim(*id), &code.expose())?;
        Ok((code, claim, txn))
    }

    /// What became of a request's code; none where it has no subject, or no plan yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn claim(&self, id: &RequestId) -> Result<Option<Claim>, CoreError> {
        Ok(self.asked(id).await?.and_then(|asked| asked.claim))
    }

    /// Shows a code to whoever hands it over. That it was shown is logged and counted, and the code is not.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Precondition`] where there is none, any more or yet.
    pub async fn show_code(&self, id: &RequestId, by: &str) -> Result<(String, Claim), CoreError> {
        let shown = until_committed!(self.try_show(id))?;
        tracing::info!(request = %id, by, times = shown.1.shown, "a claim code was shown");
        Ok(shown)
    }

    async fn try_show(&self, id: &RequestId) -> Result<(String, Claim), CoreError> {
        let (entry, mut asked) = self.asked_of(id).await?;
        let (claim, seal) = waiting(&mut asked)?;
        let code: String = self.open(&seal, What::Claim(*id)).await?;
        claim.shown = claim.shown.saturating_add(1);
        let claim = claim.clone();
        self.store.commit(Txn::new().replace(&entry, encode(&asked)?)).await?;
        Ok((code, claim))
    }

    /// Takes somebody's word that the subject has the code: it and its key are destroyed. Told again, it changes nothing.
    ///
    /// # Errors
    /// As [`Core::show_code`]; [`CoreError::Precondition`] where nobody can have seen it.
    pub async fn code_delivered(&self, id: &RequestId, by: &str) -> Result<(), CoreError> {
        if until_committed!(self.try_delivered(id))? {
            tracing::info!(request = %id, by, "a claim code was delivered, and is destroyed here");
        }
        Ok(())
    }

    async fn try_delivered(&self, id: &RequestId) -> Result<bool, CoreError> {
        let (entry, mut asked) = self.asked_of(id).await?;
        if asked.claim.as_ref().and_then(|claim| claim.ended).is_some_and(|ended| ended.how == How::Delivered) {
            return Ok(false);
        }
        if waiting(&mut asked)?.0.shown == 0 {
            return Err(CoreError::Precondition(
                "nobody was shown the code yet, so nobody can have it: gallra request code shows it".into(),
            ));
        }
        let txn = self.end_claim(Txn::new(), id, (&entry, asked), How::Delivered).await?;
        self.store.commit(txn).await?;
        Ok(true)
    }

    /// Destroys the codes that nobody delivered in time. Returns how many. A clock that is doubted says nothing of what is over.
    ///
    /// # Errors
    /// The store's; one code's trouble is logged, and it is tried again at the next pass.
    pub async fn expire_codes(&self) -> Result<usize, CoreError> {
        let (now, standing) = self.time.look();
        if standing != Standing::Trusted {
            return Ok(0);
        }
        let page = self.store.range(&keys::claims_due(now), BATCH).await?;
        let mut ended = 0;
        for (_, id) in page.entries.iter().filter_map(|entry| keys::parse_claim_due(&entry.key)) {
            match until_committed!(self.try_expire_code(&id)) {
                Ok(()) => ended += 1,
                Err(error) => tracing::error!(request = %id, %error, "a claim code could not be destroyed"),
            }
        }
        Ok(ended)
    }

    async fn try_expire_code(&self, id: &RequestId) -> Result<(), CoreError> {
        let (entry, asked) = self.asked_of(id).await?;
        let txn = self.end_claim(Txn::new(), id, (&entry, asked), How::Expired).await?;
        self.store.commit(txn).await?;
        tracing::info!(request = %id, "a claim code that nobody delivered is destroyed");
        Ok(())
    }

    /// Adds, for a request that is taken back, the end of its code and of its reference.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn withdraw_code(&self, id: &RequestId, txn: Txn) -> Result<Txn, CoreError> {
        let Some(entry) = self.store.get(&keys::asked(id)).await? else { return Ok(txn) };
        let asked: Asked = decode("request's statement", &entry.value)?;
        let Some(claim) = &asked.claim else { return Ok(txn) };
        if claim.ended.is_some_and(|ended| ended.how == How::Withdrawn) {
            return Ok(txn);
        }
        let txn = txn.delete(keys::pickup(&claim.pickup));
        self.end_claim(txn, id, (&entry, asked), How::Withdrawn).await
    }

    async fn end_claim(
        &self,
        txn: Txn,
        id: &RequestId,
        (entry, mut asked): (&Entry, Asked),
        how: How,
    ) -> Result<Txn, CoreError> {
        let Some(claim) = &mut asked.claim else { return Ok(txn) };
        let (seal, due) = (claim.seal.take(), claim.due(id)?);
        claim.ended = Some(Ended { how, at: self.time.now() });
        let txn = txn.replace(entry, encode(&asked)?).delete(due);
        let Some(seal) = seal else { return Ok(txn) };
        let txn = txn.delete(keys::sealed(&seal, What::Claim(*id)));
        // Expected as it is read: while an epoch turns it may move to another name, and would be left there.
        Ok(match self.keyring.find_subject(&*self.store, &seal).await? {
            Some(key) => txn.expect_as_read(&key.key, Some(&key)).delete(key.key),
            None => txn,
        })
    }

    async fn asked_of(&self, id: &RequestId) -> Result<(Entry, Asked), CoreError> {
        let request = self.store.get(&keys::request(id)).await?.ok_or(CoreError::NotFound("request"))?;
        let request: Request = decode("request", &request.value)?;
        if request.facts.cancelled {
            return Err(CoreError::Precondition("the request was taken back, and its claim code with it".into()));
        }
        let entry = self.store.get(&keys::asked(id)).await?;
        let entry = entry.ok_or_else(|| {
            CoreError::Precondition("the request has no claim code yet: one is made with its first plan".into())
        })?;
        let asked = decode("request's statement", &entry.value)?;
        Ok((entry, asked))
    }

    /// The newest proof under a pick-up reference, however long ago contract, customer and their identifiers were destroyed.
    ///
    /// Guesses are not counted, and nobody who guesses is shut out: a reference has 128 bits, so that even 2^40 of them against a
    /// million requests find one with a chance of 2^-68. All that is not there is answered the same.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for what is no reference; [`CoreError::NotFound`] for one that is unknown, or whose request was
    /// taken back; [`CoreError::Precondition`] while there is no proof yet.
    pub async fn pick_up(&self, reference: &str) -> Result<(RequestId, StoredProof), CoreError> {
        if !is_reference(reference) {
            return Err(CoreError::Invalid("reference: 32 hex characters".into()));
        }
        let unknown = CoreError::NotFound("pick-up reference");
        let Some(entry) = self.store.get(&keys::pickup(reference)).await? else { return Err(unknown) };
        let id: RequestId = decode("pick-up reference", &entry.value)?;
        let request = self.store.get(&keys::request(&id)).await?.ok_or(CoreError::NotFound("request"))?;
        let request: Request = decode("request", &request.value)?;
        if request.facts.cancelled {
            return Err(unknown);
        }
        let proof = self.proofs(&id).await?.pop().ok_or_else(|| {
            CoreError::Precondition(
                "there is no proof yet: one is issued when live data is confirmed gone, or is late".into(),
            )
        })?;
        Ok((id, proof))
    }
}

/// A code that is there, and under what it is sealed.
fn waiting(asked: &mut Asked) -> Result<(&mut Claim, SubjectId), CoreError> {
    let claim = asked.claim.as_mut().ok_or_else(|| {
        CoreError::Precondition("the request is about nobody in particular: it has no claim code".into())
    })?;
    match (claim.seal, claim.ended) {
        (Some(seal), _) => Ok((claim, seal)),
        (None, Some(Ended { how: How::Delivered, at })) => {
            Err(CoreError::Precondition(format!("the code was delivered on {}, and is destroyed here", day_of(at))))
        }
        (None, ended) => {
            let day = ended.map(|ended| format!(" on {}", day_of(ended.at))).unwrap_or_default();
            Err(CoreError::Precondition(format!("the code was destroyed{day}: nobody had delivered it in time")))
        }
    }
}
