//! What the coordinator remembers of a join token: its secret's hash, for whom, and until when. A token works once
//! because its record is deleted in the same transaction that registers the agent: of two hosts with one token exactly
//! one joins, and a used token is one that nobody knows. That transaction is the caller's; this is the check before it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// An invitation as it is stored. Holds nothing with which anyone could join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// The invited agent's name.
    pub agent: String,
    /// SHA-256 of the secret.
    #[serde(with = "hex::serde")]
    pub secret_sha256: [u8; 32],
    /// First instant at which it no longer counts, real time.
    pub expires: Timestamp,
}

/// Why a token lets nobody in. For the coordinator's own log: the caller is told only that it is refused, since a
/// difference would tell a guesser which names are invited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Another secret, or another agent's name.
    #[error("the join token is not the one that was printed for this agent")]
    Unknown,
    /// Its time is over.
    #[error("the join token has expired: invite again")]
    Expired,
}

impl TokenRecord {
    /// What to store for a token with this secret.
    pub fn new(secret: &Secret, agent: &str, expires: Timestamp) -> Self {
        Self { agent: agent.to_owned(), secret_sha256: secret.hash(), expires }
    }

    /// Whether `secret` may let `agent` in at `now` (real time).
    ///
    /// # Errors
    /// When it may not. The secret is compared first and in constant time, so that only its holder learns more.
    pub fn admit(&self, secret: &Secret, agent: &str, now: Timestamp) -> Result<(), TokenRefusal> {
        verify_slices_are_equal(&self.secret_sha256, &secret.hash()).map_err(|_| TokenRefusal::Unknown)?;
        if self.agent != agent {
            return Err(TokenRefusal::Unknown);
        }
        if self.has_expired(now) { Err(TokenRefusal::Expired) } else { Ok(()) }
    }

    /// Whether its time is over at `now` (real time).
    pub fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a literal")
    }

    const BEFORE: &str = "2026-01-01T00:59:59Z";
    const END: &str = "2026-01-01T01:00:00Z";

    fn invited() -> (Secret, TokenRecord) {
        let secret = Secret::random().expect("random bytes");
        let record = TokenRecord::new(&secret, "web1", at(END));
        (secret, record)
    }

    #[test]
    fn a_token_lets_its_agent_in_until_it_expires() {
        let (secret, record) = invited();
        assert_eq!(record.admit(&secret, "web1", at(BEFORE)), Ok(()));
        assert_eq!(record.admit(&secret, "web1", at(END)), Err(TokenRefusal::Expired));
    }

    #[test]
    fn another_secret_or_name_is_unknown_even_when_expired() {
        let (secret, record) = invited();
        let other = Secret::random().expect("random bytes");
        for now in [BEFORE, END] {
            assert_eq!(record.admit(&other, "web1", at(now)), Err(TokenRefusal::Unknown));
            assert_eq!(record.admit(&secret, "web2", at(now)), Err(TokenRefusal::Unknown));
        }
    }

    #[test]
    fn a_newer_token_for_a_name_voids_the_older() {
        let ((older, _), (newer, stored)) = (invited(), invited());
        assert_eq!(stored.admit(&older, "web1", at(BEFORE)), Err(TokenRefusal::Unknown));
        assert_eq!(stored.admit(&newer, "web1", at(BEFORE)), Ok(()));
    }

    #[test]
    fn the_stored_record_does_not_hold_the_secret() {
        let (secret, record) = invited();
        let stored = serde_json::to_string(&record).expect("JSON");
        assert!(!stored.contains(&secret.to_hex()));
        assert_eq!(serde_json::from_str::<TokenRecord>(&stored).expect("JSON"), record);
    }
}
