//! Figures about this coordinator in Prometheus' text format (`docs/metrics.md` lists them). Counts what passes here, and reads what
//! stands in the store when somebody asks, within bounds. Upholds decision 12: a label is a word of the program's own, never a text
//! that came from outside, so that no id and no identifier can be one.

mod http;
mod read;
mod timed;

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub(crate) use http::serve;
pub(crate) use timed::Timed;

/// One label. Both are in the program's text.
type Label = [(&'static str, &'static str); 1];
type Counters = Family<Label, Counter>;
type Gauges = Family<Label, Gauge>;

/// Seconds: from what an embedded read takes to what nobody waits for.
const SECONDS: [f64; 12] = [0.000_1, 0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Everything that is counted here.
pub struct Metrics {
    events: Counters,
    offers: Counter,
    askings: Counters,
    receipts: Counters,
    proofs: Counters,
    pub(crate) store_seconds: Family<Label, Histogram>,
    pub(crate) store_failures: Counters,
    requests: Gauges,
    counted_all: Gauge,
    overdue: Gauge,
    review: Gauge,
    copies_overdue: Gauge,
    agents: Gauges,
    log_entries: Gauge,
    log_waiting: Gauge,
    log_stopped: Gauge,
    checkpoint_age: Gauge,
    stop_pulled: Gauge,
    leads: Gauge,
    store_answers: Gauge,
    quota_share: Gauge<f64, AtomicU64>,
    read_at: tokio::sync::Mutex<Option<std::time::Instant>>,
    registry: Registry,
}

impl Default for Metrics {
    fn default() -> Self {
        let store_seconds = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        let mut made = Self {
            events: Family::default(),
            offers: Counter::default(),
            askings: Family::default(),
            receipts: Family::default(),
            proofs: Family::default(),
            store_seconds,
            store_failures: Family::default(),
            requests: Family::default(),
            counted_all: Gauge::default(),
            overdue: Gauge::default(),
            review: Gauge::default(),
            copies_overdue: Gauge::default(),
            agents: Family::default(),
            log_entries: Gauge::default(),
            log_waiting: Gauge::default(),
            log_stopped: Gauge::default(),
            checkpoint_age: Gauge::default(),
            stop_pulled: Gauge::default(),
            leads: Gauge::default(),
            store_answers: Gauge::default(),
            quota_share: Gauge::default(),
            read_at: tokio::sync::Mutex::default(),
            registry: Registry::with_prefix("gallra"),
        };
        made.register();
        made
    }
}

impl Metrics {
    fn register(&mut self) {
        let on = &mut self.registry;
        on.register("contract_events", "Words about contracts that were taken here, by kind", self.events.clone());
        on.register("offers", "Jobs offered here", self.offers.clone());
        on.register("askings", "Askings answered here, by answer", self.askings.clone());
        on.register("receipts", "Receipts taken here, by verdict", self.receipts.clone());
        on.register("proofs", "Proofs signed here, by stage", self.proofs.clone());
        on.register("store_seconds", "How long the store took, by call", self.store_seconds.clone());
        on.register("store_failures", "Calls of the store that failed, by kind", self.store_failures.clone());
        // There from the beginning: what was never counted is zero, and not unknown.
        drop(self.store_failures.get_or_create(&[("kind", "conflict")]));
        on.register("requests", "Requests by state, done ones aside", self.requests.clone());
        on.register(
            "counted_all",
            "Whether requests and copies were all counted: 0 past the bound",
            self.counted_all.clone(),
        );
        on.register("requests_overdue", "Open requests of which a promised day has passed", self.overdue.clone());
        on.register("requests_review", "Open requests that somebody has to look at", self.review.clone());
        on.register("copies_overdue", "Copies that are there past their promised day", self.copies_overdue.clone());
        on.register("agents", "Agents: registered, connected here, and silent", self.agents.clone());
        on.register("log_entries", "Entries in the log", self.log_entries.clone());
        on.register(
            "log_waiting",
            "Statements that wait for the log, as far as one page counts",
            self.log_waiting.clone(),
        );
        on.register("log_stopped", "Whether the log signs nothing any more", self.log_stopped.clone());
        on.register(
            "log_checkpoint_age_seconds",
            "Age of the newest checkpoint; -1 before there is one",
            self.checkpoint_age.clone(),
        );
        on.register("stop_pulled", "Whether the emergency stop is pulled", self.stop_pulled.clone());
        on.register("leads", "Whether this coordinator leads", self.leads.clone());
        on.register("store_answers", "Whether the store answered when it was last asked", self.store_answers.clone());
        on.register(
            "store_quota_share",
            "Share of the store's quota in use, of 1; -1 without",
            self.quota_share.clone(),
        );
    }

    pub(crate) fn event(&self, kind: &'static str) {
        self.events.get_or_create(&[("kind", kind)]).inc();
    }

    pub(crate) fn offered(&self) {
        self.offers.inc();
    }

    pub(crate) fn asked(&self, answer: &'static str) {
        self.askings.get_or_create(&[("answer", answer)]).inc();
    }

    pub(crate) fn receipt(&self, verdict: &'static str) {
        self.receipts.get_or_create(&[("verdict", verdict)]).inc();
    }

    pub(crate) fn proved(&self, stage: &'static str) {
        self.proofs.get_or_create(&[("stage", stage)]).inc();
    }
}
