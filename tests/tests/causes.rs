//! Causes (decision 2): nothing is erased without a signature that the host trusts, whoever holds the coordinator. The thief
//! of these tests has the coordinator's whole directory: authority, permit key, store and the keys that open its seals.

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::cause::{Whom, sign};
use gallra_cli::demo::people::Person;
use gallra_cli::demo::site::programs;
use gallra_identity::CallerRole::{Approver, Operator};
use gallra_model::cause::Backing;
use gallra_model::contract::{Contract, Customer};
use gallra_model::request::Request;
use gallra_model::{Clock, SubjectId};
use gallra_proof::key::SigningKey;
use gallra_store::keys::{self, What};
use gallra_store::{Embedded, Key, Keyring, Store, Txn};
use gallra_testkit::caller::{Who, connect};
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use gallra_wire::v1::job_service_client::JobServiceClient;
use gallra_wire::v1::key_service_client::KeyServiceClient;
use gallra_wire::v1::request_service_client::RequestServiceClient;
use tonic::Code;

async fn site() -> Story {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
    story
}

/// Ends and settles a contract with whatever cause there is. Gives the request, or why the end was refused.
async fn end(story: &mut Story, person: &Person, cause: Option<v1::SignedCause>) -> Result<String, Code> {
    let mut contracts = ContractServiceClient::new(story.site.channel().expect("a channel"));
    let (service, ended) = (person.service.clone(), "2026-01-31".to_owned());
    let end = v1::EndContractRequest { service: service.clone(), ended: ended.clone(), version: 0, cause };
    let request = contracts.end_contract(end).await.map_err(|status| status.code())?.into_inner().request;
    contracts
        .settle_contract(v1::SettleContractRequest { service, settled: ended, version: 0, ..Default::default() })
        .await
        .expect("settled");
    story.advance(day(2026, 1, 31), 15, 1).await.expect("the clock moves");
    Ok(request)
}

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .env("GALLRA_PROFILE", profile)
        .env_remove("GALLRA_CAUSE_KEY")
        .output()
        .expect("gallra runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// How the erasures of a request failed, a word each.
async fn refusals(story: &Story, request: &str) -> Vec<String> {
    let mut jobs = JobServiceClient::new(story.site.channel().expect("a channel"));
    let listed = jobs.list_jobs(v1::ListJobsRequest { request: request.to_owned() }).await.expect("jobs").into_inner();
    let erasures = listed.jobs.iter().filter(|job| job.action == "erase");
    erasures.map(|job| job.setback.split(':').next().unwrap_or_default().to_owned()).collect()
}

/// Nothing of a person was touched, and the agent that refused is alive: it erases somebody else who is signed for.
async fn assert_refused(story: &mut Story, victim: &Person, request: &str, other: &Person) {
    let before = story.site.provider.everything_of(victim).expect("the data");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    assert_eq!(story.site.provider.everything_of(victim).expect("the data"), before, "somebody was touched");
    let refusals = refusals(story, request).await;
    assert!(!refusals.is_empty() && refusals.iter().all(|word| word == "bad-cause"), "{refusals:?}");
    let stands = story.request(request).await.expect("the request");
    assert!(stands.done.is_empty() && stands.unproven.contains(&"web1/www: bad-cause".to_owned()), "{stands:?}");
    assert!(!story.site.provider.web(other).exists(), "the agent erases what is signed for");
}

#[tokio::test]
async fn without_a_cause_nothing_is_erased_until_an_approver_brings_one_that_covers_all_of_it() {
    let mut story = site().await;
    let leaver = story.leaver.clone();
    let request = end(&mut story, &leaver, None).await.expect("an end needs no cause");
    let stands = story.request(&request).await.expect("the request");
    assert_eq!(stands.state(), v1::RequestState::Planned);
    assert!(stands.facts.contains(&"needs_approval".to_owned()), "{:?}", stands.facts);
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    assert!(story.site.provider.web(&leaver).exists() && story.site.provider.mail(&leaver).exists());
    let shown = gallra(&story.site.profile(), &["request", "show", &request]);
    assert!(said(&shown).contains("gallra request approve"), "{}", said(&shown));

    let key = story.site.path("cause.key").display().to_string();
    let (operator, approver) = (story.site.profile(), story.site.approver());
    let approve = |profile: &Path, words: &[&str]| {
        gallra(profile, &[&["request", "approve", &request, "--cause-key", &key], words].concat())
    };
    let both = ["--service", leaver.service.as_str(), "--customer", leaver.number.as_str()];
    let wrong = ["--service", story.stayer.service.as_str(), "--customer", leaver.number.as_str()];
    assert_eq!(approve(&operator, &both).status.code(), Some(4), "an operator approves nothing");
    assert_eq!(approve(&approver, &wrong).status.code(), Some(6), "what was typed is not what is known");
    assert_eq!(approve(&approver, &[]).status.code(), Some(2), "somebody must be named");
    assert!(story.request(&request).await.expect("the request").approved_by.is_empty());

    // The service alone is not enough: the customer leaves with it.
    assert_eq!(approve(&approver, &both[..2]).status.code(), Some(0));
    story.advance(day(2026, 3, 2), 13, 0).await.expect("the clock moves");
    assert_eq!(story.request(&request).await.expect("the request").state(), v1::RequestState::Planned);
    assert!(story.site.provider.web(&leaver).exists());
    let done = approve(&approver, &both[2..]);
    assert!(done.status.success() && said(&done).contains("customer by demo-approver"), "{}", said(&done));
    story.advance(day(2026, 3, 2), 14, 0).await.expect("the clock moves");
    assert!(!story.site.provider.web(&leaver).exists() && !story.site.provider.mail(&leaver).exists());
    story.advance(day(2026, 3, 4), 12, 0).await.expect("the clock moves");
    let over = story.request(&request).await.expect("the request");
    assert!(!over.done.is_empty(), "{over:?}");
    let of: Vec<_> = over.approved_by.iter().map(|approval| (approval.of.as_str(), approval.by.as_str())).collect();
    assert_eq!(of, [("service", "demo-approver"), ("customer", "demo-approver")]);
    assert_eq!(approve(&approver, &both).status.code(), Some(6), "it is over");
}

#[tokio::test]
async fn an_end_with_a_cause_about_somebody_else_or_of_an_unknown_key_is_refused_and_changes_nothing() {
    let mut story = site().await;
    let (leaver, stayer) = (story.leaver.clone(), story.stayer.clone());
    let for_leaver = story.site.cause(Some(&leaver.service), Some(&leaver.number)).expect("a cause");
    assert_eq!(end(&mut story, &stayer, Some(for_leaver)).await, Err(Code::FailedPrecondition));
    let only_number = story.site.cause(Some(&stayer.service), Some(&leaver.number)).expect("a cause");
    assert_eq!(end(&mut story, &stayer, Some(only_number)).await, Err(Code::FailedPrecondition));
    let good = story.site.cause(Some(&stayer.service), Some(&stayer.number)).expect("a cause");
    let unopened = v1::SignedCause { customer_salt: String::new(), ..good.clone() };
    assert_eq!(end(&mut story, &stayer, Some(unopened)).await, Err(Code::InvalidArgument));
    let swapped =
        v1::SignedCause { customer_salt: good.service_salt.clone(), service_salt: good.customer_salt.clone(), ..good };
    assert_eq!(end(&mut story, &stayer, Some(swapped)).await, Err(Code::FailedPrecondition));
    let unknown = cause_of_a_thief(&story, &stayer);
    assert_eq!(end(&mut story, &stayer, Some(unknown)).await, Err(Code::FailedPrecondition));
    let mut contracts = ContractServiceClient::new(story.site.channel().expect("a channel"));
    let contract = contracts.get_contract(v1::GetContractRequest { service: stayer.service }).await.expect("known");
    assert_eq!(contract.into_inner().state(), v1::ContractState::Active);
}

fn thief() -> SigningKey {
    SigningKey::from_seed(&[66; 32])
}

fn cause_of_a_thief(story: &Story, person: &Person) -> v1::SignedCause {
    let whom = Whom {
        service: Some(person.service.parse().expect("an id")),
        customer: Some(person.number.parse().expect("an id")),
        ended: None,
    };
    sign(&thief(), &whom, (Clock::Simulated, story.site.now())).expect("signs")
}

#[tokio::test]
async fn a_thief_who_registers_a_key_of_their_own_erases_nothing() {
    let mut story = site().await;
    let (leaver, stayer) = (story.leaver.clone(), story.stayer.clone());
    let coordinator = story.site.path("coordinator");
    let client = std::fs::read_to_string(story.site.profile().join("client.toml")).expect("a profile");
    let address = client.split('"').nth(1).expect("an address").to_owned();
    // Whoever has the authority's key is any approver.
    let approver = connect(&coordinator, &address, Who::Role(Approver)).await.expect("connects");
    let registered = v1::RegisterCauseKeyRequest { public_key: thief().verifying().to_hex() };
    KeyServiceClient::new(approver.clone()).register_cause_key(registered).await.expect("registers");
    let operator = connect(&coordinator, &address, Who::Role(Operator)).await.expect("connects");
    assert!(RequestServiceClient::new(operator).list_requests(v1::ListRequestsRequest::default()).await.is_ok());

    let good = story.site.cause(Some(&leaver.service), Some(&leaver.number)).expect("a cause");
    end(&mut story, &leaver, Some(good)).await.expect("an honest end");
    let theirs = cause_of_a_thief(&story, &stayer);
    let request = end(&mut story, &stayer, Some(theirs)).await.expect("the coordinator believes its thief");
    assert_refused(&mut story, &stayer, &request, &leaver).await;
}

#[tokio::test]
async fn a_host_that_trusts_another_key_erases_nothing_until_its_admin_trusts_the_one_that_signs() {
    let other = SigningKey::from_seed(&[67; 32]).verifying().to_hex();
    let mut story = Story::begin(|options| {
        options.backups = false;
        options.trusts = Some(vec![other]);
    })
    .await
    .expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    assert!(story.site.provider.web(&story.leaver).exists());
    assert!(refusals(&story, &request).await.iter().all(|word| word == "bad-cause"));
    story.site.stop_agent().await.expect("stops");
    story.site.options.trusts = None;
    story.site.start_agent().await.expect("starts");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    assert!(!story.site.provider.web(&story.leaver).exists());
}

/// The store and the keys that open it, in the hands of whoever has the coordinator's directory.
struct Stolen {
    store: Embedded,
    keyring: Keyring,
}

impl Stolen {
    fn open(coordinator: &Path) -> Self {
        let store = Embedded::open(&coordinator.join("store")).expect("the store");
        Self { store, keyring: Keyring::open(&coordinator.join("keys")).expect("the keys") }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, key: &Key) -> T {
        let entry = self.store.get(key).await.expect("reads").expect("there");
        serde_json::from_slice(&entry.value).expect("decodes")
    }

    async fn put<T: serde::Serialize>(&self, key: Key, value: &T) {
        let bytes = serde_json::to_vec(value).expect("encodes");
        self.store.commit(Txn::new().put(key, bytes)).await.expect("commits");
    }

    async fn key(&self, subject: &SubjectId) -> gallra_store::SubjectKey {
        for name in self.keyring.subject_key_names(subject) {
            if let Some(entry) = self.store.get(&name).await.expect("reads") {
                return self.keyring.unwrap_subject(&name, &entry.value).expect("opens");
            }
        }
        panic!("no key");
    }

    async fn subjects(&self, request: &Request) -> [SubjectId; 2] {
        let contract: Contract = self.read(&keys::contract(&request.about.parties().expect("an end").contract)).await;
        let customer: Customer = self.read(&keys::customer(&request.about.parties().expect("an end").customer)).await;
        [contract.subject, customer.subject]
    }

    /// Puts the signatures that one request stands on under another.
    async fn graft(&self, from: &str, to: &str) {
        let request = |id: &str| keys::request(&id.parse().expect("an id"));
        let (from, mut to): (Request, Request) = (self.read(&request(from)).await, self.read(&request(to)).await);
        let (signed, forged) = (self.subjects(&from).await, self.subjects(&to).await);
        for (of, onto) in signed.iter().zip(&forged) {
            let (old, new) = (keys::sealed(of, What::Request(from.id)), keys::sealed(onto, What::Request(to.id)));
            let sealed = self.store.get(&old).await.expect("reads").expect("the cause is sealed there");
            let plain = self.key(of).await.open(&old, &sealed.value).expect("opens");
            let _: Backing = serde_json::from_slice(&plain).expect("a backing");
            let value = self.key(onto).await.seal(&new, &plain).expect("seals");
            self.store.commit(Txn::new().put(new, value)).await.expect("commits");
        }
        to.approvals = from.approvals;
        self.put(keys::request(&to.id), &to).await;
    }
}

#[tokio::test]
async fn a_thief_who_puts_one_customers_cause_under_another_erases_nobody() {
    let mut story = site().await;
    let (leaver, stayer) = (story.leaver.clone(), story.stayer.clone());
    let good = story.site.cause(Some(&leaver.service), Some(&leaver.number)).expect("a cause");
    let signed = end(&mut story, &leaver, Some(good)).await.expect("ended");
    let unsigned = end(&mut story, &stayer, None).await.expect("ended");
    story.site.stop_coordinator().await.expect("stops");
    Stolen::open(&story.site.path("coordinator")).graft(&signed, &unsigned).await;
    story.site.start_coordinator().await.expect("starts");
    story.site.wait_connected().await.expect("connects");
    assert_refused(&mut story, &stayer, &unsigned, &leaver).await;
}

#[tokio::test]
async fn a_cause_is_destroyed_with_whom_it_is_about() {
    let mut story = site().await;
    let leaver = story.leaver.clone();
    let good = story.site.cause(Some(&leaver.service), Some(&leaver.number)).expect("a cause");
    let request = end(&mut story, &leaver, Some(good)).await.expect("ended");
    story.site.stop_coordinator().await.expect("stops");
    let (stored, places) = {
        let stolen = Stolen::open(&story.site.path("coordinator"));
        let stored: Request = stolen.read(&keys::request(&request.parse().expect("an id"))).await;
        let subjects = stolen.subjects(&stored).await;
        let places = subjects.map(|subject| keys::sealed(&subject, What::Request(stored.id)));
        for place in &places {
            assert!(stolen.store.get(place).await.expect("reads").is_some(), "sealed while it is needed");
        }
        (stored, places)
    };
    story.site.start_coordinator().await.expect("starts");
    story.site.wait_connected().await.expect("connects");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    assert!(!story.request(&stored.id.to_string()).await.expect("the request").done.is_empty());
    story.site.stop_coordinator().await.expect("stops");
    let stolen = Stolen::open(&story.site.path("coordinator"));
    for place in &places {
        assert!(stolen.store.get(place).await.expect("reads").is_none(), "gone with the request");
    }
}

#[tokio::test]
async fn a_key_is_made_registered_and_listed_and_never_overwritten() {
    let story = Story::begin(|options| options.backups = false).await.expect("a site");
    let file = story.folder.path().join("billing.key").display().to_string();
    let create =
        |profile: &Path| gallra(profile, &["key", "create", "--for", "cause", "--out", &file, "--output", "json"]);
    let made = create(&story.site.profile());
    assert!(
        made.status.success() && said(&made).contains("gallra key register"),
        "an operator cannot: {}",
        said(&made)
    );
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let public = made["public_key"].as_str().expect("a key").to_owned();
    assert_eq!(made["registered"], false);
    assert_eq!(create(&story.site.approver()).status.code(), Some(2), "the file is there");
    let register = |profile: &Path| gallra(profile, &["key", "register", &public]).status.code();
    assert_eq!((register(&story.site.profile()), register(&story.site.approver())), (Some(4), Some(0)));
    assert_eq!(register(&story.site.approver()), Some(0), "again is no harm");
    let listed = gallra(&story.site.profile(), &["key", "list", "--output", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed.as_array().expect("a list").iter().filter(|key| key["public_key"] == public.as_str()).count(), 1);
}
