//! The join token: the one line that an operator carries to a host, with which its agent finds the coordinator, trusts
//! it, and is let in once. Owns the text's form; whether the token still counts is [`crate::TokenRecord`]'s.
//!
//! It carries the authority's whole certificate (public, some 700 bytes) and not only its fingerprint, so that the agent
//! checks the enrolment server with the TLS library's own rules, and no verifier is written by hand.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::authority::AuthorityCertificate;
use crate::host::is_https_address;
use crate::label::is_label;
use crate::secret::{Secret, SecretError};

/// What every token begins with: it tells people and secret scanners what they have found.
pub const TOKEN_PREFIX: &str = "gallra-join-v0.";

/// Longest token that is looked at, in bytes: three times what an ordinary one has.
const TOKEN_BYTES: usize = 4 * 1024;

/// Why a text is no join token. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Something else altogether, or torn in copying.
    #[error("not a whole join token: copy the one line that `gallra agent invite` printed, {TOKEN_PREFIX} included")]
    Form,
    /// The coordinator's address.
    #[error("the enrolment address is not of the form https://host:port")]
    Address,
    /// The agent's name.
    #[error("the agent's name is not 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit")]
    Agent,
    /// The authority's certificate.
    #[error("the authority in the token is not one certificate of a gallra authority")]
    Authority,
    /// The secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// A single-use invitation of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Where the host enrols: `https://host:port`.
    pub address: String,
    /// The name that it is invited under.
    pub agent: String,
    /// What lets it in, once.
    pub secret: Secret,
    /// The authority's certificate, PEM: the only root to trust.
    pub authority_pem: String,
    /// When it stops counting, UTC, real time. The coordinator decides; here it is for the host's admin to read.
    pub expires: Timestamp,
}

/// The JSON inside the text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    address: String,
    agent: String,
    secret: String,
    authority: String,
    expires: Timestamp,
}

impl JoinToken {
    /// A token with a new secret, valid until `expires` (real time).
    ///
    /// # Errors
    /// When a part is malformed, or the system gives no random bytes.
    pub fn invite(address: &str, agent: &str, authority_pem: &str, expires: Timestamp) -> Result<Self, TokenError> {
        Self {
            address: address.to_owned(),
            agent: agent.to_owned(),
            secret: Secret::random()?,
            authority_pem: authority_pem.to_owned(),
            expires,
        }
        .checked()
    }

    fn checked(self) -> Result<Self, TokenError> {
        if !is_https_address(&self.address) {
            return Err(TokenError::Address);
        }
        if !is_label(&self.agent) {
            return Err(TokenError::Agent);
        }
        if !AuthorityCertificate::is_pem(&self.authority_pem) {
            return Err(TokenError::Authority);
        }
        Ok(self)
    }
}

impl fmt::Display for JoinToken {
    /// The one line. It holds the secret: print it to whoever asked for it and to no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = Written {
            address: self.address.clone(),
            agent: self.agent.clone(),
            secret: self.secret.to_hex(),
            authority: self.authority_pem.clone(),
            expires: self.expires,
        };
        let json = serde_json::to_vec(&written).map_err(|_| fmt::Error)?;
        write!(f, "{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    /// Reads the line. White space around it is forgiven, since it is copied by hand; nothing else is.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() > TOKEN_BYTES {
            return Err(TokenError::Form);
        }
        let body = text.strip_prefix(TOKEN_PREFIX).ok_or(TokenError::Form)?;
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Form)?;
        let written: Written = serde_json::from_slice(&json).map_err(|_| TokenError::Form)?;
        Self {
            address: written.address,
            agent: written.agent,
            secret: written.secret.parse()?,
            authority_pem: written.authority,
            expires: written.expires,
        }
        .checked()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::authority::Authority;

    fn token() -> JoinToken {
        let now = "2026-01-01T00:00:00Z".parse().expect("a literal");
        let authority = Authority::create("demo", now).expect("an authority");
        JoinToken::invite("https://localhost:8444", "web1", authority.certificate_pem(), now).expect("a token")
    }

    /// The token's text after one change to its JSON.
    fn changed(change: impl FnOnce(&mut Value)) -> String {
        let text = token().to_string();
        let json = URL_SAFE_NO_PAD.decode(text.strip_prefix(TOKEN_PREFIX).expect("prefix")).expect("base64");
        let mut value = serde_json::from_slice(&json).expect("JSON");
        change(&mut value);
        format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(value.to_string()))
    }

    #[test]
    fn one_line_there_and_back() {
        let token = token();
        let text = token.to_string();
        assert!(text.len() < 2_000 && !text.contains(char::is_whitespace), "{} bytes", text.len());
        assert_eq!(text.parse(), Ok(token.clone()));
        assert_eq!(format!(" {text}\n").parse(), Ok(token));
    }

    #[test]
    fn two_invitations_never_share_a_secret() {
        assert_ne!(token().secret, token().secret);
    }

    #[test]
    fn a_torn_or_foreign_text_is_refused() {
        let text = token().to_string();
        let half: String = text.chars().take(text.len() / 2).collect();
        for bad in ["", TOKEN_PREFIX, "gallra-join-v1.e30", &half, &text.replace(TOKEN_PREFIX, ""), &"a".repeat(9_999)]
        {
            assert_eq!(bad.parse::<JoinToken>(), Err(TokenError::Form));
        }
    }

    #[test]
    fn a_tampered_part_is_refused_by_its_name() {
        assert!(changed(|_| ()).parse::<JoinToken>().is_ok());
        let cases: [(&str, Value, TokenError); 7] = [
            ("address", json!("http://localhost:1"), TokenError::Address),
            ("agent", json!("Web1"), TokenError::Agent),
            ("secret", json!("00"), TokenError::Secret(SecretError::Hex)),
            ("authority", json!("none"), TokenError::Authority),
            ("expires", json!("tomorrow"), TokenError::Form),
            ("expires", Value::Null, TokenError::Form),
            ("surplus", json!(1), TokenError::Form),
        ];
        for (field, value, refusal) in cases {
            let text = changed(|json| json[field] = value);
            assert_eq!(text.parse::<JoinToken>(), Err(refusal), "{field}");
        }
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let token = token();
        assert!(!format!("{token:?}").contains(&token.secret.to_hex()));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".{0,200}", json in ".{0,200}") {
            prop_assert!(text.parse::<JoinToken>().is_err());
            let wrapped = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(json));
            prop_assert!(wrapped.parse::<JoinToken>().is_err());
        }
    }
}
