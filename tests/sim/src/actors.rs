//! Who talks to the coordinators: billing, which repeats itself and comes out of order, operators and approvers. Each says a thing
//! until it is answered, and only what was answered counts as said. Owns what they know; decides when by the seed alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gallra_coordinator::causes::Brought;
use gallra_coordinator::contracts::{End, Start};
use gallra_coordinator::core::Core;
use gallra_coordinator::error::CoreError;
use gallra_coordinator::policies::StoredPolicy;
use gallra_model::cause::{Cause, Ground, Salts, commit_customer, commit_service};
use gallra_model::hold::Level;
use gallra_model::selector::ExternalId;
use gallra_model::{Clock, ContractId, Day, HoldId, Nonce};

use crate::chance::Chance;
use crate::site::Site;
use crate::template::cause_key;
use crate::truth::{Stop, days};
use crate::world::World;

/// How often something is said before it is given up for now.
const TRIES: u32 = 12;

/// Something that somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Billing: a service ended today.
    End(String),
    /// Billing: it is settled today.
    Settle(String),
    /// Billing: it goes on.
    Resume(String),
    /// Billing: everything that it ever said of a service, again, and in another order.
    Again(String),
    /// An operator: a hold on a service's contract.
    Hold(String),
    /// An approver: all holds are released.
    Release,
    /// An operator: the emergency stop.
    Stop,
    /// An approver: work goes on.
    GoOn,
    /// An approver: customers' data is kept longer from now on.
    KeepLonger,
}

/// What they know.
pub struct Actors {
    site: Arc<Site>,
    chance: Chance,
    contracts: BTreeMap<String, ContractId>,
    versions: BTreeMap<String, u64>,
    said: BTreeMap<String, Vec<Said>>,
    holds: Vec<(usize, HoldId)>,
}

#[derive(Debug, Clone, Copy)]
enum Said {
    Started(Day, u64),
    Ended(Day, u64),
    Settled(Day, u64),
    Resumed(u64),
}

/// Services, their customers, and how many items each has in each place. The second's id begins as the first's, and so its customer's.
pub const SERVICES: [(&str, &str, u64); 5] = [
    ("anna-svensson1", "kund-447190", 4),
    (STAYS, "kund-4471905", 3),
    ("bo-lunds-butik", "kund-558203", 5),
    ("bo-lunds-blogg", "kund-558203", 2),
    ("cilla.example", "kund-669314", 3),
];

/// Never ends.
pub const STAYS: &str = "anna-svensson10";

fn id(text: &str) -> ExternalId {
    text.parse().expect("a literal id")
}

fn number_of(day: Day) -> i64 {
    days(i64::from(day.year()), u32::try_from(day.month()).unwrap_or(1), u32::try_from(day.day()).unwrap_or(1))
}

impl Actors {
    /// Nobody has said anything.
    pub fn new(site: &Arc<Site>, seed: u64) -> Self {
        Self {
            site: Arc::clone(site),
            chance: Chance::of(seed, "actors"),
            contracts: BTreeMap::new(),
            versions: BTreeMap::new(),
            said: BTreeMap::new(),
            holds: Vec::new(),
        }
    }

    fn world(&self) -> Arc<World> {
        Arc::clone(&self.site.around.world)
    }

    fn today(&self) -> Day {
        gallra_model::time::day_of(self.world().now())
    }

    /// Says something until it is answered. None: it was not, or it was refused.
    async fn say<T>(&mut self, what: &str, ask: impl AsyncFn(&Core) -> Result<T, CoreError>) -> Option<T> {
        let world = self.world();
        for _ in 0..TRIES {
            let Some(core) = self.site.called(self.chance.draw()) else {
                tokio::time::sleep(Duration::from_secs(5)).await;
                continue;
            };
            // Whoever asks does not wait for ever.
            match tokio::time::timeout(Duration::from_secs(30), ask(&core)).await {
                Ok(Ok(answer)) => {
                    world.tell("somebody", format!("{what}: yes"));
                    world.stir();
                    return Some(answer);
                }
                Ok(Err(CoreError::Store(_) | CoreError::Busy)) | Err(_) => {
                    world.tell("somebody", format!("{what}: no answer, again"));
                    tokio::time::sleep(Duration::from_secs(3)).await;
                }
                Ok(Err(error)) => {
                    world.tell("somebody", format!("{what}: refused: {error}"));
                    return None;
                }
            }
        }
        None
    }

    fn version(&mut self, service: &str) -> u64 {
        let version = self.versions.entry(service.to_owned()).or_default();
        *version += 1;
        *version
    }

    fn remember(&mut self, service: &str, said: Said) {
        self.said.entry(service.to_owned()).or_default().push(said);
    }

    /// Sells everything, and puts it where it belongs.
    pub async fn begin(&mut self) {
        let world = self.world();
        let mut item = 0;
        for (service, customer, count) in SERVICES {
            let started = self.today();
            let version = self.version(service);
            self.start(service, customer, (started, version)).await;
            self.remember(service, Said::Started(started, version));
            let mut contents = world.contents();
            for (agent, target, owner) in
                [("web1", "www", service), ("web2", "mail", service), ("web2", "books", customer)]
            {
                let place = contents.places.entry((agent.to_owned(), target.to_owned())).or_default();
                for _ in 0..count {
                    item += 1;
                    place.items.entry(owner.to_owned()).or_default().push(item);
                }
            }
            contents.truth.identifiers.insert(service.to_owned());
            contents.truth.identifiers.insert(customer.to_owned());
            let told = contents.truth.contracts.entry(service.to_owned()).or_default();
            told.customer = customer.to_owned();
        }
    }

    async fn start(&mut self, service: &str, customer: &str, (started, version): (Day, u64)) -> bool {
        let start = Start { service: id(service), customer: id(customer), addresses: Vec::new(), started, version };
        let what = format!("billing: {service} is sold ({version})");
        let answer = self.say(&what, async |core| core.start_contract(&start).await).await;
        if let Some(contract) = &answer {
            self.contracts.insert(service.to_owned(), contract.id);
        }
        answer.is_some()
    }

    fn cause(&self, service: &str, customer: &str, ended: Day) -> Option<Brought> {
        let (service, customer, salt) = (id(service), id(customer), Nonce::from_bytes([3; 16]));
        let cause = Cause {
            ground: Ground::ContractEnd,
            service: Some(commit_service(&salt, &service)),
            customer: Some(commit_customer(&salt, &customer)),
            ended: Some(ended),
            policy: None,
            signed: self.world().now(),
            clock: Clock::Real,
        };
        let envelope = gallra_proof::cause::sign(&cause, &cause_key()).ok()?;
        Some(Brought { envelope, salts: Salts { service: Some(salt), customer: Some(salt) }, by: "billing".to_owned() })
    }

    async fn end(&mut self, service: &str, (ended, version): (Day, u64)) -> bool {
        let customer = SERVICES.iter().find(|(of, ..)| *of == service).map_or("", |(_, customer, _)| *customer);
        let cause = self.cause(service, customer, ended);
        let what = format!("billing: {service} ended on {ended} ({version})");
        let of = id(service);
        let answer = self
            .say(&what, async |core| {
                let cause = cause.as_ref().map(|brought| Brought {
                    envelope: brought.envelope.clone(),
                    salts: brought.salts.clone(),
                    by: brought.by.clone(),
                });
                core.end_contract(&End { service: of.clone(), ended, version, cause }).await
            })
            .await;
        let Some(contract) = answer else { return false };
        let world = self.world();
        let mut contents = world.contents();
        let told = contents.truth.contracts.entry(service.to_owned()).or_default();
        if let (Some(request), Some(ended)) = (contract.request, contract.ended) {
            told.requests.insert(request.to_string());
            (told.ended, told.resumed) = (Some(number_of(ended)), None);
        }
        true
    }

    async fn settle(&mut self, service: &str, (settled, version): (Day, u64)) -> bool {
        let (what, of) = (format!("billing: {service} is settled ({version})"), id(service));
        let answer = self.say(&what, async |core| core.settle_contract(&of, settled, version).await).await;
        let world = self.world();
        let mut contents = world.contents();
        if let Some(contract) = &answer
            && let Some(told) = contents.truth.contracts.get_mut(service)
        {
            told.settled = contract.settled.map(number_of);
        }
        answer.is_some()
    }

    async fn resume(&mut self, service: &str, version: u64) -> bool {
        let (what, of) = (format!("billing: {service} goes on ({version})"), id(service));
        let answer = self.say(&what, async |core| core.resume_contract(&of, version).await).await;
        let world = self.world();
        let ms = world.ms();
        let mut contents = world.contents();
        if let Some(resumed) = &answer
            && let Some(told) = contents.truth.contracts.get_mut(service)
            && resumed.contract.ended.is_none()
        {
            (told.ended, told.settled) = (None, None);
            told.resumed.get_or_insert(ms);
        }
        answer.is_some()
    }

    /// Somebody does something.
    pub async fn act(&mut self, deed: &Deed) {
        let world = self.world();
        match deed {
            Deed::End(service) => {
                let said = (self.today(), self.version(service));
                if self.end(service, said).await {
                    self.remember(service, Said::Ended(said.0, said.1));
                }
            }
            Deed::Settle(service) => {
                let said = (self.today(), self.version(service));
                if self.settle(service, said).await {
                    self.remember(service, Said::Settled(said.0, said.1));
                }
            }
            Deed::Resume(service) => {
                let version = self.version(service);
                if self.resume(service, version).await {
                    self.remember(service, Said::Resumed(version));
                }
            }
            Deed::Again(service) => self.again(service).await,
            Deed::Hold(service) => self.hold(service).await,
            Deed::Release => self.release().await,
            Deed::Stop => {
                if self
                    .say("an operator pulls the stop", async |core| core.stop("look", "operator").await)
                    .await
                    .is_some()
                {
                    let from = world.ms();
                    world.contents().truth.stops.push(Stop { from, until: None });
                }
            }
            Deed::GoOn => {
                let from = world.ms();
                for stop in &mut world.contents().truth.stops {
                    stop.until.get_or_insert(from);
                }
                self.say("work goes on", async |core| core.start("looked", "approver").await).await;
            }
            Deed::KeepLonger => self.keep_longer().await,
        }
    }

    /// Everything again: it changes nothing (I6).
    async fn again(&mut self, service: &str) {
        let mut said = self.said.get(service).cloned().unwrap_or_default();
        if self.chance.once_in(2) {
            said.reverse();
        }
        let world = self.world();
        let customer = SERVICES.iter().find(|(of, ..)| *of == service).map_or("", |(_, customer, _)| *customer);
        let (before, done) = {
            let contents = world.contents();
            (contents.truth.requests, contents.truth.contracts.get(service).is_some_and(|told| told.done.is_some()))
        };
        for one in said {
            // Whatever is answered: what it changed is looked at.
            let _ = match one {
                Said::Started(day, version) => self.start(service, customer, (day, version)).await,
                Said::Ended(day, version) => self.end(service, (day, version)).await,
                Said::Settled(day, version) => self.settle(service, (day, version)).await,
                Said::Resumed(version) => self.resume(service, version).await,
            };
        }
        let after = world.contents().truth.requests;
        if done && after != before {
            world.violate("I6", format!("what billing said of {service} again opened {} requests", after - before));
        }
    }

    async fn hold(&mut self, service: &str) {
        let world = self.world();
        let Some(contract) = self.contracts.get(service).copied() else { return };
        let what = format!("an operator places a hold on {service}");
        let level = Level::Contract { contract };
        let placed =
            self.say(&what, async |core| core.place_hold(level.clone(), "dispute", None, "operator").await).await;
        let Some(placed) = placed else { return };
        let stop = Stop { from: world.ms(), until: None };
        let mut contents = world.contents();
        contents.truth.holds.push((service.to_owned(), stop));
        self.holds.push((contents.truth.holds.len() - 1, placed.hold.id));
    }

    async fn release(&mut self) {
        let world = self.world();
        for (at, hold) in std::mem::take(&mut self.holds) {
            let ms = world.ms();
            if let Some((_, stop)) = world.contents().truth.holds.get_mut(at) {
                stop.until.get_or_insert(ms);
            }
            let what = "an approver releases a hold";
            if self.say(what, async |core| core.release_hold(&hold, "settled", "approver").await).await.is_none() {
                self.holds.push((at, hold));
            }
        }
    }

    async fn keep_longer(&mut self) {
        let world = self.world();
        let packs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        let read = |name: &str| std::fs::read_to_string(packs.join(format!("{name}.toml"))).unwrap_or_default();
        let now = "count = [{ from = \"contract_settled\", period = \"1 month\" }]";
        let longer = "count = [{ from = \"contract_settled\", period = \"2 months\" }]";
        let text = read("webone").replacen(now, longer, 1);
        let at = world.now();
        let applied = self
            .say("an approver has data kept for two months", async |core| {
                let packs = [("webone".to_owned(), text.clone()), ("law-se".to_owned(), read("law-se"))].into();
                let stored =
                    StoredPolicy { name: "webone".to_owned(), packs, by: "approver".to_owned(), at, cause: None };
                core.apply_policy_to(stored, None, true).await
            })
            .await;
        if let Some(applied) = applied
            && applied.waits_for.is_none()
        {
            let ms = world.ms();
            world.contents().truth.keeps.push((ms, 2));
        }
    }
}
