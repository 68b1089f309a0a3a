//! What can go wrong in asking, with what to do next. Nothing that an authority sent is repeated.

/// Asking failed; nothing is stamped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time stamp authority {authority}: {why}")]
pub struct AskError {
    /// Scheme, host and port.
    pub authority: String,
    /// What happened.
    pub why: Why,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// What was configured is no address that can be asked.
    #[error("not an address: {0}; write it as http://HOST[:PORT][/PATH] or https://…")]
    Address(&'static str),
    /// The roots for `https`.
    #[error(
        "the certificates to check its name with cannot be used ({0}): install ca-certificates, or name a file of roots"
    )]
    Roots(String),
    /// No connection.
    #[error("cannot be connected to ({0}): see whether the address is right and a firewall lets this host out")]
    Unreachable(String),
    /// TLS.
    #[error("the TLS connection failed ({0}): see whether its certificate is for this name and from a trusted root")]
    Tls(String),
    /// The HTTP exchange broke.
    #[error("the exchange broke off ({0}): ask again later")]
    Broken(String),
    /// No whole answer within so many seconds.
    #[error("no whole answer within {0} s: ask again later, or another authority")]
    Late(u64),
    /// Another status than 200.
    #[error("answered with HTTP status {0}: see whether the address is that of its RFC 3161 service")]
    Status(u16),
    /// Another status than 200, with a `Retry-After`.
    #[error("answered with HTTP status {status}, and wants to be asked later")]
    Later {
        /// The status.
        status: u16,
        /// What the header says, for who asks again.
        after: String,
    },
    /// Another content type.
    #[error("answered with something else than application/timestamp-reply: see whether the address is right")]
    ContentType,
    /// Too long an answer.
    #[error("answered with more than {0} bytes: no time stamp is that long")]
    TooLong(usize),
    /// No TimeStampResp.
    #[error("answered with something that is not an RFC 3161 response in DER")]
    Form,
    /// It did not grant a token.
    #[error("did not stamp ({status}): {reason}")]
    Rejected {
        /// PKIStatus, by its name.
        status: &'static str,
        /// PKIFailureInfo, by its name, and what it means.
        reason: &'static str,
    },
    /// The answer to another request.
    #[error("answered another request, the nonce is not ours: the answer may be an old one, ask again")]
    Nonce,
    /// The token is of another message.
    #[error("stamped something else than what it was given")]
    Imprint,
    /// The caller's check refused the token.
    #[error("its token is not believed: {0}")]
    Unbelieved(String),
}
