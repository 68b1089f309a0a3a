//! Statements as entries of the log: the one place where an envelope becomes a leaf, and where its turn is given. Owns which
//! kind of entry a statement is; refuses to know what it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_log::entry::{About, Entry, Kind};
use gallra_model::envelope::Envelope;
use gallra_model::plan::Plan;
use gallra_model::statement::Type;
use gallra_model::time::day_of;
use gallra_model::{Day, Digest, Instant, RequestId};
use gallra_proof::dsse;
use gallra_store::{Expect, Txn, keys};
use jiff::SignedDuration;

use crate::asked::crypto;
use crate::error::CoreError;
use crate::ledger;

/// When an entry has its turn. What follows from each other is a millisecond apart, so that it is entered in this order even where a
/// demonstration's clock stands still: a request, its plan, what agents say, the copy set, the proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn(Instant);

impl Turn {
    /// At once.
    pub(crate) fn first(now: Instant) -> Self {
        Self(now)
    }

    /// After what is entered at [`Turn::first`] in the same transaction.
    pub(crate) fn after(now: Instant, places: i64) -> Self {
        Self(now.checked_add(SignedDuration::from_millis(places)).unwrap_or(now))
    }

    /// Not before, and not with, another one: also where the clock stands still, or was put back.
    pub(crate) fn behind(self, other: Option<Instant>) -> Self {
        let after = other.map(|other| Self::after(other, 1).0);
        Self(after.map_or(self.0, |after| after.max(self.0)))
    }

    /// When that is.
    pub(crate) fn at(self) -> Instant {
        self.0
    }
}

/// The log's entry of a statement. `due` is set on plans only.
///
/// # Errors
/// [`CoreError::Crypto`] where the envelope is damaged.
pub(crate) fn entry_of(
    envelope: &Envelope,
    kind: Type,
    request: Option<RequestId>,
    due: Option<Day>,
) -> Result<Entry, CoreError> {
    let payload = dsse::payload(envelope).map_err(crypto)?;
    let pae = Digest::of(&dsse::pae(&envelope.payload_type, &payload));
    let signed = |signature: &gallra_model::envelope::Signature| {
        let sig = STANDARD.decode(&signature.sig).map_err(crypto)?;
        Ok((signature.keyid.parse().map_err(crypto)?, Digest::of(&sig)))
    };
    let signatures = envelope.signatures.iter().map(signed).collect::<Result<_, CoreError>>()?;
    Entry::new(Some(About { kind: kind_of(kind), request, due }), pae, signatures).map_err(crypto)
}

/// Has a statement entered with the caller's transaction.
///
/// # Errors
/// As [`entry_of`].
pub(crate) fn enter(
    txn: Txn,
    envelope: &Envelope,
    kind: Type,
    request: Option<RequestId>,
    Turn(turn): Turn,
) -> Result<Txn, CoreError> {
    let txn = if kind == Type::KeyManifest { txn } else { fenced(txn, envelope)? };
    Ok(ledger::enqueue(txn, &entry_of(envelope, kind, request, None)?, turn))
}

/// Expects that none of a statement's signers has ended: a key that ends while something that it signed is on its way to the
/// store would make a statement that nobody believes.
fn fenced(txn: Txn, envelope: &Envelope) -> Result<Txn, CoreError> {
    envelope.signatures.iter().try_fold(txn, |txn, signature| {
        let ended = keys::key_ended(&signature.keyid.parse().map_err(crypto)?);
        let is_there = txn.expects().iter().any(|(key, _)| *key == ended);
        Ok(if is_there { txn } else { txn.expect(ended, Expect::Absent) })
    })
}

/// The same for a plan, which says by when its request is done.
///
/// # Errors
/// As [`entry_of`].
pub(crate) fn enter_plan(txn: Txn, envelope: &Envelope, plan: &Plan, Turn(turn): Turn) -> Result<Txn, CoreError> {
    let entry = entry_of(envelope, Type::Plan, Some(plan.request), due_of(plan))?;
    Ok(ledger::enqueue(fenced(txn, envelope)?, &entry, turn))
}

/// The last day by which the final proof of a plan is due: the last of what its rules and its backups promise. None where a part
/// has no day, or a copy never goes.
pub(crate) fn due_of(plan: &Plan) -> Option<Day> {
    if gallra_proof::statement::blocked(plan).next().is_some() {
        return None;
    }
    let copies: Option<Vec<Day>> = plan.backups.iter().map(|backup| backup.latest.max(backup.expected)).collect();
    let steps = plan.steps.iter().map(|step| step.latest.unwrap_or_else(|| day_of(step.due)));
    steps.chain(copies?).max()
}

/// The word in the log for a type of statement.
const fn kind_of(kind: Type) -> Kind {
    match kind {
        Type::Request => Kind::Request,
        Type::Plan => Kind::Plan,
        Type::Receipt => Kind::Receipt,
        Type::Absence => Kind::Absence,
        Type::CopySet => Kind::CopySet,
        Type::CopyExpiry => Kind::CopyExpiry,
        Type::Restore => Kind::Restore,
        Type::Notification => Kind::Notification,
        Type::Recheck => Kind::Recheck,
        Type::Proof => Kind::Proof,
        Type::KeyManifest => Kind::KeyManifest,
        Type::KeyEvent => Kind::KeyEvent,
        Type::LogSuccession => Kind::LogSuccession,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_behind_another_one_also_where_the_clock_stands_still_or_was_put_back() {
        let at = |text: &str| text.parse::<Instant>().expect("a literal");
        let now = at("2026-03-01T10:00:00Z");
        assert_eq!(Turn::after(now, 2).behind(None).at(), at("2026-03-01T10:00:00.002Z"));
        for other in [now, at("2026-03-01T10:00:00.001Z")] {
            assert_eq!(Turn::after(now, 2).behind(Some(other)).at(), at("2026-03-01T10:00:00.002Z"));
        }
        for other in ["2026-03-01T10:00:00.002Z", "2026-03-01T10:00:00.003Z", "2026-03-02T10:00:00Z"].map(at) {
            let behind = Turn::after(now, 2).behind(Some(other)).at();
            assert_eq!(behind.duration_since(other), SignedDuration::from_millis(1), "{other}");
        }
    }
}
