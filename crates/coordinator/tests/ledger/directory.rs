//! The log of a coordinator's directory: its key and name, directories from before there was a log, and the task that wakes by
//! itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gallra_coordinator::core::Core;
use gallra_coordinator::init::{self, Init};
use gallra_coordinator::layout::{Config, Layout};
use gallra_coordinator::ledger::{self, enqueue};
use gallra_coordinator::opening;
use gallra_log::note::Key;
use gallra_proof::key::SigningKey;
use gallra_store::{Store as _, Txn};

use crate::place::{entry, leaf, now, opened};

struct Directory {
    folder: tempfile::TempDir,
}

impl Directory {
    async fn new() -> Self {
        Self::named(None).await
    }

    async fn named(origin: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let init = Init {
            dir: folder.path().join("coordinator"),
            installation: "test".to_owned(),
            listen: "127.0.0.1:1".to_owned(),
            enrol_listen: "127.0.0.1:2".to_owned(),
            names: Vec::new(),
            policy: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/webone.toml"),
            operator: "operator".to_owned(),
            provider: None,
            country: "SE".to_owned(),
            contact: "privacy@provider.invalid".to_owned(),
            authority: "IMY".to_owned(),
            root_holder: "management".to_owned(),
            time_authorities: Vec::new(),
            log_origin: origin.map(str::to_owned),
            approver: None,
        };
        init::run(&init).await.expect("a new coordinator");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("coordinator").join(name)
    }

    async fn open(&self) -> anyhow::Result<Core> {
        opening::open(&Layout::new(self.path("")), Some(now())).await
    }

    async fn refused(&self) -> String {
        self.open().await.map(|_| ()).map_err(|error| format!("{error:#}")).expect_err("it opens, and should not")
    }

    fn public(&self) -> String {
        std::fs::read_to_string(self.path("log.vkey")).expect("written at each start")
    }

    /// Changes `coordinator.toml`.
    fn configure(&self, change: impl FnOnce(String) -> String) {
        let path = self.path("coordinator.toml");
        let text = std::fs::read_to_string(&path).expect("there");
        std::fs::write(path, change(text)).expect("written");
    }

    /// Opens it and logs one entry, after the key manifest that `init` left.
    async fn log_one(&self) {
        let core = self.open().await.expect("it opens");
        core.store.commit(enqueue(Txn::new(), &entry(1), now())).await.expect("committed");
        core.ledger.pass(now()).await.expect("a pass");
        assert_eq!(core.ledger.checkpoint().expect("published").size, 2);
    }
}

#[tokio::test]
async fn a_new_directory_has_a_key_and_a_log_under_its_name() {
    let directory = Directory::new().await;
    directory.log_one().await;
    let public: Key = directory.public().trim_end().parse().expect("a key");
    assert_eq!(public.name(), "log.test.invalid/1");
    let core = directory.open().await.expect("it opens again");
    core.ledger.pass(now()).await.expect("a pass");
    assert_eq!(opened(&core.ledger.checkpoint().expect("published").note, &public).size, 2);
}

#[tokio::test]
async fn a_directory_from_before_there_was_a_log_gets_a_key_once() {
    let directory = Directory::new().await;
    std::fs::remove_file(directory.path("log.key")).expect("removed");
    std::fs::remove_dir(directory.path("log")).expect("removed");
    directory.configure(|text| text.split("[log]").next().expect("a part").to_owned());
    directory.log_one().await;
    let public = directory.public();
    drop(directory.open().await.expect("it opens again"));
    assert_eq!(directory.public(), public);
}

#[tokio::test]
async fn a_log_is_not_gone_on_with_under_another_key() {
    let directory = Directory::new().await;
    directory.log_one().await;
    let other = SigningKey::from_seed(&[1; 32]).to_pem().expect("PEM");
    std::fs::write(directory.path("log.key"), other).expect("written");
    assert!(directory.refused().await.contains("put the key back"));
    std::fs::remove_file(directory.path("log.key")).expect("removed");
    assert!(directory.refused().await.contains("log.key is missing, and the log has entries"));
    assert!(!directory.path("log.key").exists(), "none was made");
    // Nor where the store is a new one, and what lies beside it says that there was a log.
    std::fs::rename(directory.path("store"), directory.path("gone")).expect("moved");
    std::fs::create_dir(directory.path("store")).expect("made");
    let store = gallra_store::Embedded::create(&directory.path("store")).expect("a store");
    let generation = gallra_coordinator::error::encode(&1_u64).expect("JSON");
    store.commit(Txn::new().put(gallra_store::keys::meta_generation(), generation)).await.expect("committed");
    drop(store);
    assert!(directory.refused().await.contains("log.key is missing"));
}

#[tokio::test]
async fn a_log_has_the_name_that_the_key_manifest_gives_it() {
    let directory = Directory::named(Some("log.provider.example/2026a")).await;
    // Before the first entry, too: a proof is of the log that its manifest names, and a reader would find none.
    directory.configure(|text| text.replace("2026a", "2027a"));
    assert!(directory.refused().await.contains("names the log log.provider.example/2026a"));
    directory.configure(|text| text.replace("2027a", "2026a"));
    directory.log_one().await;
    assert!(directory.public().starts_with("log.provider.example/2026a+"));
    directory.configure(|text| text.replace("2026a", "2027a"));
    assert!(directory.refused().await.contains("names the log log.provider.example/2026a"));
    let unnamed = Directory::new().await;
    unnamed.configure(|text| text.replace("[log]", "[log]\norigin = \"log.provider.example/2026a\""));
    assert!(unnamed.refused().await.contains("names the log log.test.invalid/1"));
}

#[test]
fn a_name_that_no_key_can_have_is_refused() {
    let config = |log: &str| {
        let plain = "installation = \"test\"\nlisten = \"a:1\"\nenrol_listen = \"a:2\"\npolicy = \"webone\"\n";
        Config::parse(&format!("{plain}{log}"))
    };
    let default = config("").expect("no [log] is a log");
    assert_eq!((default.log.hear_agents, default.origin().expect("a name").as_str()), (1, "log.test.invalid/1"));
    assert_eq!(config("[log]\nhear_agents = 0\n").expect("reads").log.hear_agents, 0);
    assert!(config("[log]\norigin = \"log.provider.example/2026a\"\n").is_ok());
    for bad in ["", "a b", "a+b", "a\\nb", "a\\u0085b", &"a".repeat(256)] {
        assert!(config(&format!("[log]\norigin = \"{bad}\"\n")).is_err(), "{bad:?}");
    }
    assert!(config("[log]\norigins = \"x\"\n").is_err(), "a misspelt key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_begins_to_wait_wakes_the_sequencer() {
    let directory = Directory::new().await;
    let core = Arc::new(directory.open().await.expect("it opens"));
    let running = tokio::spawn({
        let core = Arc::clone(&core);
        async move { ledger::run(&core).await }
    });
    for number in 0..5 {
        core.store.commit(enqueue(Txn::new(), &entry(number), now())).await.expect("committed");
        let seen = core.ledger.sequenced(&leaf(number), Duration::from_secs(60)).await.expect("waits");
        assert_eq!(seen.expect("in time").index, number + 1, "after the key manifest");
    }
    // And by an agent that is heard, where nothing else moves.
    running.abort();
    let _ = running.await;
    drop(Arc::into_inner(core).expect("nobody else holds it"));
    let core = Arc::new(directory.open().await.expect("it opens"));
    let name = "web1".parse().expect("a name");
    core.store.commit(Txn::new().put(gallra_store::keys::agent(&name), b"{}".to_vec())).await.expect("committed");
    core.store.commit(enqueue(Txn::new(), &entry(5), now())).await.expect("committed");
    let running = tokio::spawn({
        let core = Arc::clone(&core);
        async move { ledger::run(&core).await }
    });
    let sixth = leaf(5);
    let waits = core.ledger.sequenced(&sixth, Duration::from_secs(60));
    let (seen, heard) = tokio::join!(waits, core.ledger.heard(&name, None));
    heard.expect("heard");
    assert_eq!(seen.expect("waits").expect("in time").index, 6);
    running.abort();
}
