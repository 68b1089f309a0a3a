//! A coordinator of a few lines: enrols whoever has the token, welcomes whoever the authority knows, and says what the test
//! tells it to say.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gallra_identity::{Authority, CallerRole, JoinToken};
use gallra_model::cause::{Backing, Cause, Ground, commit_service};
use gallra_model::envelope::Envelope;
use gallra_model::job::{Action, JobSpec};
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::permit::Permit;
use gallra_model::receipt::Receipt;
use gallra_model::selector::Selector;
use gallra_model::target::Instance;
use gallra_model::{Clock, Digest, JobId, Pseudonym};
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_wire::v1::agent_service_server::{AgentService, AgentServiceServer};
use gallra_wire::v1::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use gallra_wire::v1::{EnrolRequest, EnrolResponse, SessionRequest, SessionResponse};
use tokio::sync::{Mutex, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// Longest wait for a word; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(30);

/// Words that may wait.
const QUEUE: usize = 16;

fn now() -> gallra_model::Instant {
    gallra_agent::clock::moment().expect("a clock").now
}

fn day() -> jiff::SignedDuration {
    jiff::SignedDuration::from_hours(24)
}

pub(crate) fn spec(action: Action, instance: Option<Instance>) -> JobSpec {
    JobSpec {
        again: false,
        job: JobId::from_bytes([action as u8 + 1; 16]),
        agent: "web1".parse().expect("a label"),
        action,
        target: "web".parse().expect("a label"),
        pseudonym: Pseudonym::from_bytes([3; 16]),
        salt: gallra_model::Nonce::from_bytes([8; 16]),
        generation: 1,
        plan: Digest::of(b"plan"),
        rule: "webone/customer-data".into(),
        selector: Selector {
            service: Some("anna.example".parse().expect("an id")),
            customer: None,
            addresses: Vec::new(),
        },
        instance,
        keep: None,
        question: None,
        purge: None,
        cause: Some(backing()),
        clock: Clock::Real,
    }
}

/// Who says that the service of [`spec`] ended: nobody that the coordinator could be.
pub(crate) fn cause_key() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

fn backing() -> Backing {
    let salt = gallra_model::Nonce::from_bytes([4; 16]);
    let cause = Cause {
        ground: Ground::ContractEnd,
        service: Some(commit_service(&salt, &"anna.example".parse().expect("an id"))),
        customer: None,
        ended: None,
        policy: None,
        signed: "2026-02-01T00:00:00Z".parse().expect("a literal"),
        clock: Clock::Real,
    };
    Backing { envelope: gallra_proof::cause::sign(&cause, &cause_key()).expect("signs"), salt: Some(salt) }
}

struct Enrolment {
    authority: Arc<Authority>,
    permit_key: String,
    session_address: String,
}

#[tonic::async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let EnrolRequest { agent, csr_pem, evidence_key, .. } = request.into_inner();
        VerifyingKey::from_hex(&evidence_key).map_err(|_| gallra_wire::details::invalid_text("evidence_key"))?;
        let signed = self.authority.sign_csr(&csr_pem, CallerRole::Agent, &agent, now(), day());
        Ok(Response::new(EnrolResponse {
            certificate_pem: signed.map_err(|_| gallra_wire::details::invalid_text("csr_pem"))?,
            authority_pem: self.authority.certificate_pem().to_owned(),
            permit_key: self.permit_key.clone(),
            session_address: self.session_address.clone(),
            other_session_addresses: Vec::new(),
        }))
    }
}

struct Sessions {
    heard: mpsc::Sender<ToCoordinator>,
    saying: Arc<Mutex<mpsc::Receiver<ToAgent>>>,
}

#[tonic::async_trait]
impl AgentService for Sessions {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<SessionResponse, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if request.peer_certs().is_none_or(|certificates| certificates.is_empty()) {
            return Err(Status::unauthenticated("no certificate"));
        }
        let (heard, saying) = (self.heard.clone(), Arc::clone(&self.saying));
        let mut words = request.into_inner();
        let (out, responses) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut saying = saying.lock().await;
            loop {
                tokio::select! {
                    word = words.next() => match word {
                        Some(Ok(word)) => {
                            let word = gallra_wire::session::to_coordinator(word).expect("well formed");
                            heard.send(word).await.expect("the test lives");
                        }
                        Some(Err(_)) | None => return,
                    },
                    word = saying.recv() => match word {
                        Some(word) => out.send(Ok(gallra_wire::session::response_of(&word))).await.expect("open"),
                        None => return,
                    },
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }
}

/// The coordinator, in threads of its own.
pub(crate) struct Coordinator {
    runtime: tokio::runtime::Runtime,
    authority: Arc<Authority>,
    enrolment_address: String,
    heard: mpsc::Receiver<ToCoordinator>,
    say: mpsc::Sender<ToAgent>,
}

fn permit_key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn listen() -> (TcpIncoming, String) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("a literal")).expect("a free port");
    let address = format!("https://{}", incoming.local_addr().expect("bound"));
    (incoming, address)
}

impl Coordinator {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let authority = Arc::new(Authority::create("test", now()).expect("an authority"));
        let server = authority.issue_server(&["127.0.0.1".to_owned()], now(), day()).expect("a certificate");
        let identity = Identity::from_pem(&server.cert_pem, &server.key_pem);
        let inside = runtime.enter();
        let (enrolments, enrolment_address) = listen();
        let (sessions, session_address) = listen();
        let (heard_from, heard) = mpsc::channel(QUEUE);
        let (say, saying) = mpsc::channel(QUEUE);
        let enrolment = Enrolment {
            authority: Arc::clone(&authority),
            permit_key: permit_key().verifying().to_hex(),
            session_address,
        };
        let tls = ServerTlsConfig::new().identity(identity.clone());
        let mut server = Server::builder().tls_config(tls).expect("TLS");
        runtime.spawn(server.add_service(EnrolmentServiceServer::new(enrolment)).serve_with_incoming(enrolments));
        let root = Certificate::from_pem(authority.certificate_pem());
        let tls = ServerTlsConfig::new().identity(identity).client_ca_root(root);
        let mut server = Server::builder().tls_config(tls).expect("TLS");
        let service = Sessions { heard: heard_from, saying: Arc::new(Mutex::new(saying)) };
        runtime.spawn(server.add_service(AgentServiceServer::new(service)).serve_with_incoming(sessions));
        drop(inside);
        Self { runtime, authority, enrolment_address, heard, say }
    }

    pub(crate) fn token(&self) -> String {
        let expires = now() + day();
        let token = JoinToken::invite(&self.enrolment_address, "web1", self.authority.certificate_pem(), expires);
        token.expect("a token").to_string()
    }

    pub(crate) fn say(&mut self, word: ToAgent) {
        self.runtime.block_on(self.say.send(word)).expect("the server lives");
    }

    pub(crate) fn hear(&mut self) -> ToCoordinator {
        loop {
            let hearing = async { tokio::time::timeout(PATIENCE, self.heard.recv()).await };
            match self.runtime.block_on(hearing).expect("a word in time").expect("the server lives") {
                // Goes before everything, and says nothing that these tests are about.
                ToCoordinator::Journal { .. }
                | ToCoordinator::Suppression { .. }
                | ToCoordinator::Checkpoint { .. }
                | ToCoordinator::Alive => {}
                word @ (ToCoordinator::Hello { .. }
                | ToCoordinator::AskBegin { .. }
                | ToCoordinator::AskOn { .. }
                | ToCoordinator::Receipt { .. }
                | ToCoordinator::Restore { .. }) => {
                    return word;
                }
            }
        }
    }

    pub(crate) fn welcome(&mut self) {
        self.say(ToAgent::Welcome { generation: 1, clock: Clock::Real, now: now(), heartbeat_seconds: 0 });
    }

    /// Offers a job, waits for the asking, and gives the permit that would answer it.
    pub(crate) fn offer(&mut self, spec: &JobSpec) -> Envelope {
        let bytes = String::from_utf8(spec.to_bytes().expect("serialises")).expect("JSON");
        let digest = Digest::of(bytes.as_bytes());
        self.say(ToAgent::Offer { spec: bytes, trace: None });
        let ToCoordinator::AskBegin { job, spec: asked, nonce } = self.hear() else { panic!("an asking") };
        assert_eq!((job, asked), (spec.job, digest));
        let permit = Permit {
            commitment: None,
            checkpoint: None,
            job,
            agent: spec.agent.clone(),
            attempt: 1,
            spec: digest,
            nonce,
            pseudonym: spec.pseudonym,
            target: spec.target.clone(),
            instance: spec.instance,
            action: spec.action,
            generation: spec.generation,
            not_before: now(),
            begin_within_seconds: 30,
            clock: Clock::Real,
        };
        gallra_proof::permit::sign(&permit, &permit_key()).expect("signs")
    }

    /// Waits for a receipt, checks its signature, and acknowledges it.
    pub(crate) fn receipt(&mut self, evidence: &VerifyingKey) -> Receipt {
        let ToCoordinator::Receipt { envelope } = self.hear() else { panic!("a receipt") };
        let (receipt, digest) = gallra_proof::receipt::open(&envelope, evidence).expect("a good signature");
        self.say(ToAgent::ReceiptStored { receipt: digest });
        receipt
    }
}
