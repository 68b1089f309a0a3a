//! Billing that goes on while etcd is in trouble: it tells of contracts, keeps what was acknowledged, and what a refusal said.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gallra_cli::demo::site::wait_for;
use gallra_testkit::Story;
use gallra_wire::details::reason;
use gallra_wire::v1;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use gallra_wire::v1::request_service_client::RequestServiceClient;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// What billing knows in the end.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Requests that were acknowledged, by service.
    pub(crate) requests: BTreeMap<String, String>,
    /// Services of which a start was acknowledged.
    pub(crate) started: Vec<String>,
    /// Refusals, by code and reason.
    pub(crate) refused: BTreeMap<(String, String), usize>,
}

/// Billing, telling of one contract after another: sold, and ended. What is refused is told again.
pub(crate) struct Billing {
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<tokio::sync::watch::Sender<bool>>,
    task: JoinHandle<Told>,
}

impl Billing {
    /// Begins to tell.
    pub(crate) fn of(story: &Story, name: &'static str) -> Self {
        let channel = story.site.channel().expect("runs");
        let (acknowledged, stop) = (Arc::<AtomicUsize>::default(), Arc::new(tokio::sync::watch::Sender::new(false)));
        let (count, mut stopped) = (Arc::clone(&acknowledged), stop.subscribe());
        let task = tokio::spawn(async move {
            let mut told = Told::default();
            for number in 0.. {
                let service = format!("{name}{number}.example");
                loop {
                    if *stopped.borrow_and_update() {
                        return told;
                    }
                    match tell(&channel, &service, number, &mut told).await {
                        Ok(()) => break,
                        Err(refused) => told.refuse(&refused),
                    }
                    // What was refused is not told again at once.
                    let _ = tokio::time::timeout(std::time::Duration::from_millis(50), stopped.changed()).await;
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            told
        });
        Self { acknowledged, stop, task }
    }

    /// Waits until so many more are acknowledged, from both to end.
    pub(crate) async fn goes_on(&self, more: usize) {
        let from = self.acknowledged.load(Ordering::Relaxed);
        let on = wait_for("billing to be heard", async || {
            (self.acknowledged.load(Ordering::Relaxed) >= from + more).then_some(())
        });
        on.await.expect("it goes on");
    }

    /// Ends it.
    pub(crate) async fn end(self) -> Told {
        self.stop.send_replace(true);
        self.task.await.expect("it ends")
    }
}

async fn tell(channel: &Channel, service: &str, number: u64, told: &mut Told) -> Result<(), Status> {
    let mut contracts = ContractServiceClient::new(channel.clone());
    let started = v1::StartContractRequest {
        service: service.to_owned(),
        customer: format!("70{number:06}"),
        addresses: Vec::new(),
        started: "2026-01-02".to_owned(),
        version: 1,
        identifiers: Vec::new(),
    };
    contracts.start_contract(started).await?;
    told.started.push(service.to_owned());
    let ended =
        v1::EndContractRequest { service: service.to_owned(), ended: "2026-01-02".to_owned(), version: 2, cause: None };
    let request = contracts.end_contract(ended).await?.into_inner().request;
    told.requests.insert(service.to_owned(), request);
    Ok(())
}

impl Told {
    fn refuse(&mut self, refused: &Status) {
        let why = reason(refused).unwrap_or_default();
        *self.refused.entry((format!("{:?}", refused.code()), why)).or_default() += 1;
    }

    /// Every acknowledged request is there; and every refusal was one that says to programs what it is.
    pub(crate) async fn is_kept(&self, story: &Story, allowed: &[(Code, &str)]) {
        let mut requests = RequestServiceClient::new(story.site.channel().expect("runs"));
        for (service, id) in &self.requests {
            let found = requests.get_request(v1::GetRequestRequest { id: id.clone() }).await;
            found.unwrap_or_else(|lost| panic!("{service} was acknowledged: {lost}"));
        }
        let mut contracts = ContractServiceClient::new(story.site.channel().expect("runs"));
        for service in &self.started {
            let found = contracts.get_contract(v1::GetContractRequest { service: service.clone() }).await;
            found.unwrap_or_else(|lost| panic!("{service} was acknowledged: {lost}"));
        }
        let allowed: Vec<(String, String)> =
            allowed.iter().map(|(code, why)| (format!("{code:?}"), (*why).to_owned())).collect();
        let others: Vec<_> = self.refused.iter().filter(|(how, _)| !allowed.contains(how)).collect();
        assert!(others.is_empty(), "refused otherwise than allowed: {others:?}");
        assert!(!self.requests.is_empty(), "nothing was told");
    }
}
