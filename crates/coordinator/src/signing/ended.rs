//! What becomes of keys between manifests: retired, revoked, compromised (`docs/formats/keys-v1.md`, section 3), and that an
//! agent whose key ended is refused. The mark that nothing more of the key is entered comes first, then everything that it signed
//! has its place, and only then the event: else an honest receipt could stand behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gallra_model::envelope::Envelope;
use gallra_model::manifest::{KeyEvent, KeyRole};
use gallra_model::statement::Type;
use gallra_model::{AgentName, Digest};
use gallra_proof::key::VerifyingKey;
use gallra_proof::register::{Known, Standing};
use gallra_store::{Txn, keys};

use crate::asked::crypto;
use crate::core::{Core, until_committed};
use crate::entered::entry_of;
use crate::error::{CoreError, encode};
use crate::ledger::Ledger;

/// How long a change of keys waits for the log.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an agent is told whose key ended.
const ENDED: &str = "the agent's evidence key has ended: what it signs is refused, and it gets no work. Invite the agent \
                     again, and have the host join in a new --dir";

/// What is said of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is not used any more.
    Retired,
    /// It was lost.
    Revoked,
    /// Somebody else had it: nothing counts that was entered at this position or later.
    Compromised(u64),
}

/// An event that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// It.
    pub event: KeyEvent,
    /// Its position in the log; none while the log has not entered it.
    pub index: Option<u64>,
}

impl Core {
    /// Ends a key. The same word again is answered as it was said.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] for a key that no manifest and no event names; [`CoreError::Precondition`] for one that only a manifest
    /// ends, or that ended before; [`CoreError::Invalid`] for a position that the log has not.
    pub async fn end_key(&self, keyid: &Digest, ending: Ending, by: &str) -> Result<Ended, CoreError> {
        let _alone = self.signing.changing().await;
        if let Some(said) = self.said_of(keyid, ending).await? {
            return self.told_of(said).await;
        }
        let known = self.known_keys().await?;
        let known = known.get(keyid).ok_or(CoreError::NotFound("key in a manifest, or of an agent that joined"))?;
        may_end(known, ending)?;
        let size = self.ledger.committed().await?.0;
        if matches!(ending, Ending::Compromised(since) if since > size) {
            return Err(CoreError::Invalid(format!("since: the log has {size} positions yet")));
        }
        let mark = Txn::new().put(keys::key_ended(keyid), encode(&format!("ended by {by}"))?);
        self.store.commit(mark).await?;
        self.drained().await?;
        until_committed!(self.try_end(keyid, ending))?;
        tracing::warn!(%keyid, ?ending, by, "a key was ended");
        // Every stream looks at its agent's key again: one whose key this is ends here, and not with its next word.
        self.fleet.clock_moved();
        let said = self.said_of(keyid, ending).await?;
        self.told_of(said.ok_or(CoreError::NotFound("key event"))?).await
    }

    /// From which position on nothing counts of each key that is called compromised.
    pub(crate) async fn compromised(&self) -> Result<BTreeMap<Digest, u64>, CoreError> {
        Ok(self.weighed(&self.ledger).await?.0)
    }

    /// Key events as a reader of one log weighs them: from which position on nothing counts of each key that is called compromised,
    /// and where events stand that count for nothing, since a key signed them that was compromised by then. A position that an event
    /// says is of the log that it was said in; behind its own place in this one it says nothing.
    pub(crate) async fn weighed(&self, ledger: &Ledger) -> Result<(BTreeMap<Digest, u64>, BTreeSet<u64>), CoreError> {
        let mut placed = Vec::new();
        for (envelope, event) in self.opened_events().await? {
            let leaf = entry_of(&envelope, Type::KeyEvent, None, None)?.leaf();
            placed.push((ledger.position(&leaf).await?.unwrap_or(u64::MAX), envelope, event));
        }
        placed.sort_by_key(|(index, ..)| std::cmp::Reverse(*index));
        let (mut all, mut void): (BTreeMap<Digest, u64>, BTreeSet<u64>) = (BTreeMap::new(), BTreeSet::new());
        for (index, envelope, event) in placed {
            let ids = envelope.signatures.iter().filter_map(|signature| signature.keyid.parse::<Digest>().ok());
            if ids.into_iter().any(|id| all.get(&id).is_some_and(|since| *since <= index)) {
                void.insert(index);
            } else if let KeyEvent::Compromised { keyid, since, .. } = event {
                let since = since.min(index);
                all.entry(keyid).and_modify(|known| *known = since.min(*known)).or_insert(since);
            }
        }
        Ok((all, void))
    }

    async fn told_of(&self, (envelope, event): (Envelope, KeyEvent)) -> Result<Ended, CoreError> {
        Ok(Ended { event, index: self.placed(&envelope, Type::KeyEvent).await? })
    }

    async fn try_end(&self, keyid: &Digest, ending: Ending) -> Result<(), CoreError> {
        let (keyid, at, clock) = (*keyid, self.time.now(), self.time.kind());
        let event = match ending {
            Ending::Retired => KeyEvent::Retired { keyid, at, clock },
            Ending::Revoked => KeyEvent::Revoked { keyid, at, clock },
            Ending::Compromised(since) => KeyEvent::Compromised { keyid, at, clock, since },
        };
        let txn = self.say_of_key(Txn::new(), &event, at).await?;
        self.store.commit(txn).await?;
        Ok(())
    }

    /// The event that says this of a key already.
    async fn said_of(&self, keyid: &Digest, ending: Ending) -> Result<Option<(Envelope, KeyEvent)>, CoreError> {
        let same = |event: &KeyEvent| match (event, ending) {
            (KeyEvent::Retired { .. }, Ending::Retired) | (KeyEvent::Revoked { .. }, Ending::Revoked) => true,
            (KeyEvent::Compromised { since, .. }, Ending::Compromised(said)) => *since == said,
            _ => false,
        };
        let events = self.opened_events().await?.into_iter();
        Ok(events.into_iter().find(|(_, event)| event.keyid() == *keyid && same(event)))
    }

    /// Has everything that waits now given its place in the log.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] where the log takes no entries now; the store's.
    pub(crate) async fn drained(&self) -> Result<(), CoreError> {
        let mut moves = self.ledger.moves();
        let passes = async {
            loop {
                let passed = self.ledger.pass(self.time.now()).await?;
                // A pass that was not cut short has taken all that waited when it began.
                if self.ledger.waiting().await? == 0 || passed.appended > 0 && !passed.more {
                    return Ok(());
                }
                if let Some(stopped) = self.ledger.is_stopped() {
                    return Err(CoreError::Precondition(stopped.to_string()));
                }
                if passed.appended == 0 {
                    let closed = || CoreError::Precondition("the log is closed".into());
                    moves.changed().await.map_err(|_| closed())?;
                }
            }
        };
        let late = |_| CoreError::Precondition("the log takes no entries now: try again when it does".into());
        tokio::time::timeout(PATIENCE, passes).await.map_err(late)?
    }

    /// The position of a statement about keys; none where the log does not come to it in time.
    pub(crate) async fn placed(&self, envelope: &Envelope, kind: Type) -> Result<Option<u64>, CoreError> {
        if self.position_of(envelope, kind).await?.is_none() {
            // Stored is stored: where the log is late the answer has no position.
            if let Err(error) = self.drained().await {
                tracing::warn!(%error, "the log has not entered a word on keys yet");
            }
        }
        self.position_of(envelope, kind).await
    }

    /// Refuses an agent whose evidence key ended.
    ///
    /// # Errors
    /// [`CoreError::Precondition`]; the store's.
    pub async fn check_key_of(&self, agent: &AgentName) -> Result<(), CoreError> {
        let key = VerifyingKey::from_hex(&self.agent(agent).await?.evidence_key).map_err(crypto)?;
        if self.has_ended(&key).await? { Err(CoreError::Precondition(ENDED.into())) } else { Ok(()) }
    }

    /// Whether a key signs nothing more.
    pub(crate) async fn has_ended(&self, key: &VerifyingKey) -> Result<bool, CoreError> {
        Ok(self.store.get(&keys::key_ended(&Digest::of(&key.to_spki()))).await?.is_some())
    }
}

/// Whether an event may say this of a key.
fn may_end(known: &Known, ending: Ending) -> Result<(), CoreError> {
    let refused = |why: &str| Err(CoreError::Precondition(why.to_owned()));
    let compromised = matches!(ending, Ending::Compromised(_));
    match known.key.role {
        KeyRole::Root => refused("root keys are changed by a key manifest: `gallra key manifest edit --drop-holder`"),
        KeyRole::Log => refused("the log's key is not ended by an event: a log goes on under its key only"),
        KeyRole::Issuer if known.standing == Standing::Active => refused(
            "an issuer's key does not end itself: enter a key manifest without it first, then say since when it is compromised",
        ),
        KeyRole::Issuer if !compromised => refused("the key signs nothing already: a key manifest left it out"),
        KeyRole::Agent if known.standing != Standing::Active && !compromised => refused("the key has ended already"),
        KeyRole::Issuer | KeyRole::Agent => Ok(()),
    }
}
