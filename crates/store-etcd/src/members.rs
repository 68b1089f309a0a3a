//! The members of the cluster, one connection each, and which of them is asked. Owns fail-over: a member that cannot help is
//! left for the next one. Upholds that what may have been carried out is never sent twice, unless twice is the same as once.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use gallra_retry::{Budget, Limits, Verdict, retry};
use gallra_store::StoreError;
use gallra_store::store::MAX_PAGE_BYTES;
use gallra_store::txn::MAX_TXN_BYTES;

use crate::config::{Config, Tls};
use crate::fault::{Fault, Kind};
use crate::tls::{self, Validity};

/// Longest answer that is taken in one piece: a page, the entry that takes it past its bound, and as much again for the rest.
pub(crate) const MAX_ANSWER_BYTES: usize = 2 * (MAX_PAGE_BYTES + MAX_TXN_BYTES);

/// A ping on a quiet connection that something waits on, and how long its answer may take. etcd hangs up on who pings more
/// often than every five seconds.
const PING: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Whether doing a call twice is the same as doing it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twice {
    Harmless,
    Harmful,
}

pub(crate) struct Member {
    pub(crate) endpoint: String,
    pub(crate) client: Client,
}

pub(crate) struct Members {
    all: RwLock<Connections>,
    /// Counts up; the remainder is the member that is asked.
    turn: AtomicUsize,
    budget: Budget,
    limits: Limits,
    connect_within: Duration,
    pub(crate) answer_within: Duration,
}

/// One for each member, and what is shown on them. Never empty.
#[derive(Clone)]
struct Connections {
    members: Vec<Arc<Member>>,
    tls: Option<Tls>,
}

impl Connections {
    /// They are made when they are first needed.
    async fn of(endpoints: &[String], tls: Option<Tls>, connect_within: Duration) -> Result<Self, StoreError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(connect_within)
            .with_keep_alive(PING.0, PING.1)
            .with_keep_alive_while_idle(false)
            .with_require_leader(true);
        if let Some(tls) = &tls {
            options = options.with_tls(tls::options(tls));
        }
        let mut members = Vec::new();
        for endpoint in endpoints {
            let connected = Client::connect([endpoint], Some(options.clone())).await;
            let client = connected.map_err(|error| unusable(endpoint, &error))?;
            members.push(Arc::new(Member { endpoint: endpoint.clone(), client }));
        }
        if members.is_empty() {
            return Err(StoreError::Unavailable { hint: "no endpoint of etcd is given".to_owned() });
        }
        Ok(Self { members, tls })
    }
}

impl Members {
    /// Connections are made when they are first needed.
    pub(crate) async fn new(config: &Config) -> Result<Self, StoreError> {
        let all = Connections::of(&config.endpoints, config.tls.clone(), config.connect_within).await?;
        let limits = Limits { first: FIRST_WAIT, longest: LONGEST_WAIT, within: config.give_up_after };
        let (connect_within, answer_within) = (config.connect_within, config.answer_within);
        let (turn, budget) = (AtomicUsize::new(0), Budget::new());
        Ok(Self { all: RwLock::new(all), turn, budget, limits, connect_within, answer_within })
    }

    /// Shows another certificate, or trusts another authority, from the next call on. What is under way ends as it began.
    pub(crate) async fn renew(&self, tls: Tls) -> Result<(), StoreError> {
        let endpoints: Vec<String> = self.all().iter().map(|member| member.endpoint.clone()).collect();
        // A certificate and the key of another are refused here, and not by every call that follows.
        tls::usable(&tls).map_err(|why| StoreError::Denied { hint: format!("the new certificate or key: {why}") })?;
        let renewed = Connections::of(&endpoints, Some(tls), self.connect_within).await?;
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    fn connections(&self) -> Connections {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Member>> {
        self.connections().members
    }

    /// The member that is asked now, and its turn.
    pub(crate) fn current(&self) -> (usize, Arc<Member>) {
        let turn = self.turn.load(Ordering::Relaxed);
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let member = all.members.get(turn % all.members.len()).or(all.members.first());
        (turn, Arc::clone(member.expect("a cluster has a member")))
    }

    /// Goes on with the next member, unless somebody else has done so since this turn.
    pub(crate) fn leave(&self, turn: usize, fault: &Fault) {
        let next = turn.wrapping_add(1);
        if self.turn.compare_exchange(turn, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let all = self.all();
            let left = all.get(turn % all.len()).map_or("", |member| &member.endpoint);
            tracing::warn!(member = left, why = %fault.hint, "a member of etcd cannot help; the next one is asked");
        }
    }

    /// Asks a member, and others where that may help and does no harm.
    pub(crate) async fn ask<T, F>(&self, twice: Twice, call: impl Fn(Client) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let harmless = twice == Twice::Harmless;
        let attempt = || self.once(&call);
        let verdict = |fault: &Fault| {
            if fault.may_be_tried_again(harmless) { Verdict::Again(fault.wait) } else { Verdict::Final }
        };
        // Members that can be reached at once are, before anybody waits.
        for _ in 1..self.all().len() {
            match attempt().await {
                Err(fault) if matches!(fault.kind, Kind::NotSent | Kind::Shut) => {}
                Err(fault) if verdict(&fault) == Verdict::Final => return Err(fault),
                Err(_) => break,
                Ok(answer) => return Ok(answer),
            }
        }
        match retry(self.limits, &self.budget, attempt, verdict).await {
            Err(fault) if matches!(fault.kind, Kind::NotSent | Kind::Unknown) => {
                Err(self.look_closer(fault, harmless).await)
            }
            other => other,
        }
    }

    /// A failure without a reason may be a certificate that is not accepted: asks at the door of the member that is next.
    async fn look_closer(&self, fault: Fault, harmless: bool) -> Fault {
        let (_, member) = self.current();
        match self.refusal(&member).await {
            Some(refusal) if harmless || fault.kind == Kind::NotSent => refusal,
            // What the outcome was is as open as before.
            Some(refusal) => Fault { hint: format!("{}; {}", fault.hint, refusal.hint), ..fault },
            None => fault,
        }
    }

    /// Whether a member refuses us, or we it, for a certificate.
    pub(crate) async fn refusal(&self, member: &Member) -> Option<Fault> {
        self.knock(member).await.err()
    }

    /// Shakes hands with a member anew: the refusal, or from when until when its certificate holds, where that was seen.
    pub(crate) async fn knock(&self, member: &Member) -> Result<Option<Validity>, Fault> {
        let Some(tls) = self.connections().tls else { return Ok(None) };
        let knocked = tls::knock(&tls, &member.endpoint);
        match tokio::time::timeout(self.answer_within, knocked).await {
            Ok(Ok(shown)) => Ok(shown),
            Ok(Err(heard)) => match Fault::at_the_door(&heard) {
                Some(refusal) => Err(Fault { hint: format!("{}: {}", member.endpoint, refusal.hint), ..refusal }),
                None => Ok(None),
            },
            Err(_) => Ok(None),
        }
    }

    async fn once<T, F>(&self, call: &impl Fn(Client) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let (turn, member) = self.current();
        let fault = match tokio::time::timeout(self.answer_within, call(member.client.clone())).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Fault::of(&error),
            Err(_) => Fault::silent(self.answer_within),
        };
        if matches!(fault.kind, Kind::NotSent | Kind::Shut | Kind::Unknown) {
            self.leave(turn, &fault);
        }
        Err(Fault { hint: format!("{}: {}", member.endpoint, fault.hint), ..fault })
    }
}

/// What was configured cannot be used at all.
fn unusable(endpoint: &str, error: &etcd_client::Error) -> StoreError {
    StoreError::Denied {
        hint: format!("{endpoint}: {}; check the endpoint, and the PEM files of authority, certificate and key", {
            Fault::of(error).hint
        }),
    }
}
