//! Callers: certificates of every role from a site's own authority, of a foreign one, and of none at all; and a way to make
//! any call with an empty message.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Buf as _, BufMut as _};
use gallra_identity::{Authority, CallerRole, Credential};
use jiff::{SignedDuration, Timestamp};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A certificate of this installation.
    Role(CallerRole),
    /// An operator's certificate of another authority with the same names.
    Foreign,
    /// No certificate.
    Nobody,
}

/// The authority of a coordinator's directory: whoever can read that file can be anyone, which is what tests need.
///
/// # Errors
/// When the file is missing or no authority.
pub fn authority(coordinator: &Path) -> anyhow::Result<Authority> {
    let text = std::fs::read_to_string(coordinator.join("authority.pem"))?;
    let at = text.find("-----BEGIN CERTIFICATE-----").context("no certificate in authority.pem")?;
    let (key, cert) = text.split_at(at);
    Ok(Authority::from_pem(cert, key)?)
}

/// A connection as somebody. An error when the server refuses the handshake.
///
/// # Errors
/// The handshake's, as [`Code::Unavailable`] or the like.
pub async fn connect(coordinator: &Path, address: &str, who: Who) -> anyhow::Result<Channel> {
    let authority = authority(coordinator)?;
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.certificate_pem()));
    if let Some(credential) = credential(&authority, who)? {
        tls = tls.identity(Identity::from_pem(credential.cert_pem, credential.key_pem));
    }
    let endpoint = Endpoint::from_shared(address.to_owned())?.tls_config(tls)?.timeout(Duration::from_secs(20));
    Ok(endpoint.connect().await?)
}

#[allow(clippy::disallowed_methods, reason = "certificates are for real machines and need the real time")]
fn credential(authority: &Authority, who: Who) -> anyhow::Result<Option<Credential>> {
    let (now, day) = (Timestamp::now(), SignedDuration::from_hours(24));
    Ok(match who {
        // The name of an agent that is registered, so that only the role can be what is refused.
        Who::Role(CallerRole::Agent) => Some(authority.issue(CallerRole::Agent, "web1", now, day)?),
        Who::Role(role) => Some(authority.issue(role, "somebody", now, day)?),
        Who::Foreign => {
            let other = Authority::create(authority.installation(), now)?;
            Some(other.issue(CallerRole::Operator, "somebody", now, day)?)
        }
        Who::Nobody => None,
    })
}

/// Makes a call with an empty message and gives its status: `Ok` for success.
pub async fn call(channel: Channel, method: &str) -> Code {
    match try_call(channel, method).await {
        Ok(()) => Code::Ok,
        Err(status) => status.code(),
    }
}

async fn try_call(channel: Channel, method: &str) -> Result<(), Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unauthenticated(error.to_string()))?;
    let path = PathAndQuery::try_from(method).map_err(|_| Status::unimplemented("no path"))?;
    client.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await.map(|_| ())
}

/// Makes a call with exactly these bytes as its message, whatever they are, and gives how it ended.
///
/// # Errors
/// The server's refusal.
pub async fn call_raw(channel: Channel, method: &str, bytes: Vec<u8>) -> Result<(), Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::try_from(method).map_err(|_| Status::unimplemented("no path"))?;
    client.unary(Request::new(bytes), path, Raw).await.map(|_| ())
}

/// Sends bytes as they are, and throws answers away.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        from.advance(from.remaining());
        Ok(Some(()))
    }
}
