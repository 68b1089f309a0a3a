//! Asks a time stamping authority for an RFC 3161 token over a message (`docs/formats/timestamp-v1.md`, section 4): one
//! request over HTTP or HTTPS, within a time and a size.
//!
//! Owns the request, the connection, and that the answer is to this very request. Refuses to know whose signature counts:
//! the caller hands in what checks a token. Refuses to try again, to read a clock or to draw a nonce: all three are the
//! caller's. Nothing waits for a stamp but the log's next one, so every failure is only an error to tell.

mod address;
mod error;
mod exchange;
mod request;
mod response;

use std::fmt::Display;
use std::time::Duration;

pub use address::{Roots, SYSTEM_ROOTS};
pub use error::{AskError, Why};

use address::Address;

/// How long an authority has for one answer, all in all, if the caller sets nothing else. They take about a second.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A time stamping authority that can be asked.
#[derive(Debug)]
pub struct Authority {
    address: Address,
    patience: Duration,
}

/// A token that answers a request, and what the caller's check made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped<T> {
    /// The TimeStampToken, in DER.
    pub token: Vec<u8>,
    /// What the check gave.
    pub said: T,
}

/// The token of an answer to a request for this message with this nonce: for `gallra-fuzzing`.
///
/// # Errors
/// What the answer is otherwise.
#[doc(hidden)]
pub fn read_answer(answer: &[u8], message: &[u8], nonce: [u8; 16]) -> Result<Vec<u8>, Why> {
    response::read(answer, &request::Request::new(message, nonce))
}

impl Authority {
    /// An authority at an `http` or `https` address. `roots` are who may vouch for the name in an `https` one; the token is
    /// checked on its own, so plain `http` lets others see that a digest was stamped, and nothing more.
    ///
    /// # Errors
    /// [`Why::Address`] and [`Why::Roots`].
    pub fn new(url: &str, roots: &Roots, patience: Duration) -> Result<Self, AskError> {
        Ok(Self { address: Address::new(url, roots)?, patience })
    }

    /// Asks for a token over a message. The nonce is 126 fresh random bits (two of the 128 are fixed, so that it has one
    /// length). `check` decides whether a token that answers this request is believed; one that it refuses is not returned.
    ///
    /// # Errors
    /// [`AskError`]: nothing was stamped, or nothing that may be kept. Asking again, later or somebody else, is safe.
    pub async fn ask<T, E: Display>(
        &self,
        message: &[u8],
        nonce: [u8; 16],
        check: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<Stamped<T>, AskError> {
        let asked = request::Request::new(message, nonce);
        let answer = tokio::time::timeout(self.patience, exchange::post(&self.address, asked.to_der()));
        let answer = answer.await.unwrap_or(Err(Why::Late(self.patience.as_secs())));
        let stamped = answer.and_then(|answer| {
            let token = response::read(&answer, &asked)?;
            let said = check(&token).map_err(|why| Why::Unbelieved(why.to_string()))?;
            Ok(Stamped { token, said })
        });
        stamped.map_err(|why| AskError { authority: self.address.to_string(), why })
    }
}
