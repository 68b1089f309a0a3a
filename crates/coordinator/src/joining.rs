//! Hosts that become agents: invitations, and what a join token is exchanged for. The token is used up in the same transaction
//! that registers the agent and says its evidence key in the log, so it works once, whatever races. Owns who may take a name again:
//! one whose key ended, or that never opened a session.

use std::time::Duration;

use gallra_identity::{CallerRole, JoinToken, LEAF_DAYS, Secret, TokenRecord};
use gallra_model::manifest::KeyEvent;
use gallra_model::{AgentName, Digest, Instant};
use gallra_proof::key::VerifyingKey;
use gallra_store::{Entry, Expect, Key, StoreError, Txn, keys};
use jiff::SignedDuration;

use crate::asked::crypto;
use crate::clock::real_now;
use crate::core::Core;
use crate::error::{CoreError, decode, encode};
use crate::jobs::AgentRecord;
use crate::quarantine::Standing;

/// Who joins.
pub struct Joining<'a> {
    /// The agent's name.
    pub name: &'a AgentName,
    /// What it signs evidence with.
    pub evidence: &'a VerifyingKey,
    /// What its certificate is made of.
    pub csr_pem: &'a str,
}

/// Why nobody joined.
#[derive(Debug, thiserror::Error)]
pub enum NotJoined {
    /// Unknown, used and expired tokens are one answer: a stranger learns nothing from it.
    #[error("the join token is not valid")]
    Token,
    /// Something else.
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl From<StoreError> for NotJoined {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Conflict { .. }) { Self::Token } else { Self::Core(error.into()) }
    }
}

impl Core {
    /// Invites a host to become the agent of a name, in real time for so long.
    ///
    /// # Errors
    /// [`CoreError::Exists`] for the name of an agent that serves; the store's.
    pub async fn invite_agent(&self, name: &AgentName, valid: Duration) -> Result<(JoinToken, Instant), CoreError> {
        if self.has_served(name).await? && self.check_key_of(name).await.is_ok() {
            return Err(CoreError::Exists("an agent of this name"));
        }
        let expires = real_now().checked_add(valid).map_err(crypto)?;
        let authority = self.authority.certificate_pem();
        let token = JoinToken::invite(&self.enrolment_address, name.as_str(), authority, expires).map_err(crypto)?;
        let record = TokenRecord::new(&token.secret, name.as_str(), expires);
        self.store.commit(Txn::new().create(invite_key(&token.secret), encode(&record)?)).await?;
        Ok((token, expires))
    }

    /// Makes an agent of whoever shows a token's secret. Gives its certificate, PEM.
    ///
    /// # Errors
    /// [`NotJoined`].
    pub async fn join_agent(&self, secret: &Secret, joining: &Joining<'_>) -> Result<String, NotJoined> {
        let Joining { name, evidence, csr_pem } = *joining;
        // While keys are changed the issuer says nothing of this one, and the token would seem not to count.
        let _alone = self.signing.changing().await;
        let invitation = self.store.get(&invite_key(secret)).await?.ok_or(NotJoined::Token)?;
        let record: TokenRecord = decode("invitation", &invitation.value)?;
        record.admit(secret, name.as_str(), real_now()).map_err(|_| NotJoined::Token)?;
        let validity = SignedDuration::from_hours(24 * i64::from(LEAF_DAYS));
        let certificate = self
            .authority
            .sign_csr(csr_pem, CallerRole::Agent, name.as_str(), real_now(), validity)
            .map_err(|error| CoreError::Invalid(format!("csr_pem: {error}")))?;
        let agent = AgentRecord {
            name: name.clone(),
            evidence_key: evidence.to_hex(),
            certificate: Digest::of(certificate.as_bytes()).to_string(),
            joined: self.time.now(),
        };
        let at = keys::agent(name);
        let old = self.store.get(&at).await?;
        let txn = Txn::new()
            .expect_as_read(&invitation.key, Some(&invitation))
            .delete(invitation.key.clone())
            .expect_as_read(&at, old.as_ref())
            .put(at, encode(&agent)?);
        let txn = self.succeed(name, old.as_ref(), evidence, txn).await?.ok_or(NotJoined::Token)?;
        // From here on what it signs is somebody's: the log says whose, before anything of it can be in a proof.
        let txn = self.say_of_key(txn, &self.enrolled(name, evidence, agent.joined), agent.joined).await?;
        self.store.commit(txn).await?;
        Ok(certificate)
    }

    /// What becomes of the key that an agent of this name had. One that ended leaves its name to a new one; one that never opened a
    /// session is retired here. Nothing where the name belongs to an agent that serves.
    async fn succeed(
        &self,
        name: &AgentName,
        old: Option<&Entry>,
        new: &VerifyingKey,
        txn: Txn,
    ) -> Result<Option<Txn>, CoreError> {
        let keyid = Digest::of(&new.to_spki());
        // A key says whose it is once: it is never taken again, not by the same agent either.
        if self.names_key(&keyid).await? {
            return Ok(None);
        }
        let Some(old) = old else { return Ok(Some(txn.expect(keys::inventory(name), Expect::Absent))) };
        let record: AgentRecord = decode("agent", &old.value)?;
        let key = VerifyingKey::from_hex(&record.evidence_key).map_err(crypto)?;
        if self.has_ended(&key).await? {
            // Somebody looked when the key was ended: the new one begins a journal of its own.
            return Ok(Some(txn.put(keys::agent_journal(name), encode(&Standing::default())?)));
        }
        if self.has_served(name).await? {
            return Ok(None);
        }
        let keyid = Digest::of(&key.to_spki());
        let (at, clock) = (self.time.now(), self.time.kind());
        let txn = txn.expect(keys::inventory(name), Expect::Absent).create(keys::key_ended(&keyid), "joined again");
        self.say_of_key(txn, &KeyEvent::Retired { keyid, at, clock }, at).await.map(Some)
    }

    /// Whether an agent of this name ever opened a session. A host that lost the answer to its enrolment never did: its name may
    /// be given out again.
    async fn has_served(&self, name: &AgentName) -> Result<bool, CoreError> {
        Ok(self.store.get(&keys::inventory(name)).await?.is_some())
    }
}

/// Where an invitation is stored: by the secret's hash, so that the name of who is invited is in no key.
fn invite_key(secret: &Secret) -> Key {
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(Digest::of(secret.to_hex().as_bytes()).as_bytes()) {
        *to = *from;
    }
    keys::invite(&short)
}
