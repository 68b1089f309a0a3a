//! gRPC over mTLS: one channel, one stream, and the task that moves messages between them and two bounded queues. The only
//! file of the agent, beside `join`, that knows tonic.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gallra_model::message::{MAX_MESSAGE_BYTES, ToAgent, ToCoordinator};
use gallra_wire::protocol::{self, Side};
use gallra_wire::session::protocol_of_coordinator;
use gallra_wire::v1;
use gallra_wire::v1::agent_service_client::AgentServiceClient;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::{Dial, Dialling, Stream};

/// Longest time to connect, name look-up and TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// A silent connection is asked this often whether it still lives…
const KEEPALIVE: Duration = Duration::from_secs(20);

/// …and is given up when it does not answer for so long.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);

/// Messages that may wait in each of the stream's queues.
const QUEUE: usize = 16;

/// Framing and the wire's own fields, beside the message.
const WIRE_SLACK: usize = 64 * 1024;

/// The coordinator could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The address or the TLS files are unusable.
    #[error("the coordinator's address or this agent's certificate cannot be used: {0}")]
    Setup(#[source] tonic::transport::Error),
    /// No connection: network, name, or a certificate that is not the authority's.
    #[error("no connection to the coordinator: {}", chain(.0))]
    Connect(#[source] tonic::transport::Error),
    /// There is no address.
    #[error("no address of a coordinator is known")]
    Nowhere,
    /// Too slow.
    #[error("no connection to the coordinator within {} seconds", CONNECT.as_secs())]
    Slow,
}

/// An error with its causes: tonic's own text says only "transport error".
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What TLS needs, PEM.
#[derive(Clone)]
pub struct Tls {
    /// The only root that is trusted.
    pub authority: String,
    /// This agent's certificate and key; unset while it has none.
    pub identity: Option<(String, String)>,
}

/// Where to connect, and as whom.
#[derive(Clone)]
pub struct Address {
    endpoint: Endpoint,
}

impl Address {
    /// An address, `https://host:port`.
    ///
    /// # Errors
    /// When the address or a PEM text is malformed.
    pub fn new(address: &str, tls: &Tls) -> Result<Self, DialError> {
        let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&tls.authority));
        if let Some((certificate, key)) = &tls.identity {
            config = config.identity(Identity::from_pem(certificate, key));
        }
        let endpoint = Endpoint::from_shared(address.to_owned())
            .map_err(DialError::Setup)?
            .tls_config(config)
            .map_err(DialError::Setup)?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_ANSWER)
            .keep_alive_while_idle(true);
        Ok(Self { endpoint })
    }

    /// Connects.
    ///
    /// # Errors
    /// When there is no connection in time.
    pub async fn connect(&self) -> Result<Channel, DialError> {
        let connecting = tokio::time::timeout(CONNECT, self.endpoint.connect());
        connecting.await.map_err(|_| DialError::Slow)?.map_err(DialError::Connect)
    }
}

/// Where the coordinators are: each try dials the next one, so that one that is gone or hands over is left for another.
pub struct Addresses {
    all: Vec<Address>,
    next: AtomicUsize,
}

impl Addresses {
    /// Addresses, `https://host:port`, the first of which is dialled first.
    ///
    /// # Errors
    /// As [`Address::new`].
    pub fn new(addresses: &[String], tls: &Tls) -> Result<Self, DialError> {
        let all = addresses.iter().map(|address| Address::new(address, tls)).collect::<Result<_, _>>()?;
        Ok(Self { all, next: AtomicUsize::new(0) })
    }
}

impl Dial for Addresses {
    fn dial(&self) -> Dialling {
        let tries = self.next.fetch_add(1, Ordering::Relaxed);
        let address = self.all.get(tries % self.all.len().max(1)).cloned();
        Box::pin(async move {
            let channel = address.ok_or(DialError::Nowhere)?.connect().await?;
            let client = AgentServiceClient::new(channel)
                .max_decoding_message_size(MAX_MESSAGE_BYTES + WIRE_SLACK)
                .max_encoding_message_size(MAX_MESSAGE_BYTES + WIRE_SLACK);
            let (to, outgoing) = mpsc::channel(QUEUE);
            let (incoming, from) = mpsc::channel(QUEUE);
            let mover = Some(tokio::spawn(carry(client, outgoing, incoming)));
            Ok(Stream { to, from, mover })
        })
    }
}

/// Moves messages until either side ends. The call itself waits for the first message, which is the greeting.
async fn carry(
    mut client: AgentServiceClient<Channel>,
    outgoing: mpsc::Receiver<ToCoordinator>,
    incoming: mpsc::Sender<ToAgent>,
) {
    let requests = ReceiverStream::new(outgoing).map(|message| gallra_wire::session::request_of(&message));
    let mut responses = match client.session(requests).await {
        Ok(response) => response.into_inner(),
        Err(status) => return tracing::warn!(code = ?status.code(), reason = status.message(), "no session"),
    };
    let mut greeted = false;
    loop {
        let message = match responses.message().await {
            // Its first word says which version it speaks; nothing of one that is too far off is heard.
            Ok(Some(first)) if !std::mem::replace(&mut greeted, true) => heard_first(first),
            Ok(Some(response)) => gallra_wire::session::to_agent(response),
            Ok(None) => return tracing::info!("the coordinator ended the session"),
            Err(status) => Err(status),
        };
        match message {
            Ok(message) => {
                if incoming.send(message).await.is_err() {
                    return;
                }
            }
            Err(status) => return tracing::warn!(code = ?status.code(), reason = status.message(), "session lost"),
        }
    }
}

fn heard_first(response: v1::SessionResponse) -> Result<ToAgent, tonic::Status> {
    protocol::check(Side::Agent, protocol_of_coordinator(&response))?;
    gallra_wire::session::to_agent(response)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn each_try_dials_the_next_coordinator_and_after_the_last_the_first() {
        let listeners = [bound().await, bound().await];
        let addresses: Vec<String> = listeners.iter().map(|(_, address)| address.clone()).collect();
        let authority = gallra_identity::Authority::create("test", "2026-01-01T00:00:00Z".parse().expect("an instant"))
            .expect("an authority");
        let tls = Tls { authority: authority.certificate_pem().to_owned(), identity: None };
        let dial = Addresses::new(&addresses, &tls).expect("addresses");
        for (listener, _) in listeners.iter().chain(listeners.iter().take(1)) {
            let trying = dial.dial();
            let (connected, tried) = tokio::join!(
                async {
                    // Taken and dropped: no TLS, so the try fails.
                    listener.accept().await.map(drop)
                },
                trying
            );
            connected.expect("this one was dialled");
            assert!(tried.is_err());
        }
        assert!(Addresses::new(&[], &tls).expect("no address").dial().await.is_err());
    }

    async fn bound() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("https://{}", listener.local_addr().expect("an address"));
        (listener, address)
    }
}
