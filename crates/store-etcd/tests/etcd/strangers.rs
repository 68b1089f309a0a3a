//! Certificates that are not accepted, clusters that are not ours, and rights that we do not have: each with words that help.

use std::time::Duration;

use etcd_client::{Permission, PermissionType};
use gallra_store::{Election as _, Store as _, StoreError, Txn};
use gallra_store_etcd::testing::{Authority, Cluster, Issued, Lifetime, Options, PutBack};
use gallra_store_etcd::{Config, Etcd, Tls, validity};

use super::{bounded, hear, key, prefix};

/// What comes of opening a store with this.
async fn refused(mut config: Config) -> String {
    config.give_up_after = Duration::from_secs(1);
    match bounded("it gives up", Etcd::create(&config)).await {
        Err(error @ StoreError::Denied { .. }) => error.to_string(),
        Err(other) => panic!("denied, and not: {other}"),
        Ok(_) => panic!("it was let in"),
    }
}

fn with(cluster: &Cluster, tls: Tls) -> Config {
    Config { tls: Some(tls), ..cluster.config() }
}

fn shows(error: &str, words: &[&str]) {
    assert!(words.iter().all(|word| error.contains(word)), "{words:?} in: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_that_is_not_accepted_is_named_with_the_reason() {
    let cluster = Cluster::start(1);
    let expired = cluster.authority().issue("gallra", Lifetime::Past);
    shows(&refused(with(&cluster, cluster.tls(&expired))).await, &["our client certificate", "expired"]);
    let held = validity(&expired.certificate).expect("a certificate");
    assert!(held.until < 1_700_000_000 && held.from < held.until, "{held:?}");

    let theirs = Authority::new("others").issue("gallra", Lifetime::Now);
    shows(&refused(with(&cluster, cluster.tls(&theirs))).await, &["our client certificate", "authority"]);

    let Issued { certificate, key } = cluster.authority().issue("gallra", Lifetime::Now);
    let ca = Authority::new("others").certificate().to_owned();
    let tls = Tls { ca, certificate, key, server_name: None };
    shows(&refused(with(&cluster, tls)).await, &["server certificate", "another authority"]);

    let ours = cluster.authority().issue("gallra", Lifetime::Now);
    let named = Tls { server_name: Some("etcd.example".to_owned()), ..cluster.tls(&ours) };
    shows(&refused(with(&cluster, named)).await, &["server certificate", "names another host"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_certificate_that_has_expired_is_named() {
    let cluster = Cluster::start_with(&Options { servers: Lifetime::Past, ..Options::of(1) });
    shows(&refused(cluster.config()).await, &["server certificate", "has expired"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_made_once_and_opened_where_it_was_made() {
    let (here, elsewhere) = (Cluster::start(1), Cluster::start(1));
    let config = here.config();
    let missing = Etcd::open(&config).await.err().expect("there is none yet");
    assert!(matches!(missing, StoreError::Format { .. }), "{missing}");
    let store = Etcd::create(&config).await.expect("makes");
    assert!(matches!(Etcd::create(&config).await, Err(StoreError::Format { .. })), "there is one already");
    drop(store);
    Etcd::open(&config).await.expect("opens");

    // As after a restore: the same keys in another cluster.
    let first = format!("gallra/{}/", config.cell);
    let mark = here.raw().await.get(first.clone(), None).await.expect("reads").kvs()[0].value().to_vec();
    elsewhere.raw().await.put(first, mark, None).await.expect("writes");
    let config = Config { endpoints: elsewhere.endpoints(), cell: config.cell, ..elsewhere.config() };
    let restored = Etcd::open(&config).await.err().expect("it is another cluster");
    shows(&restored.to_string(), &["another cluster", "docs/etcd.md"]);
    drop(Etcd::adopt(&config).await.expect("who knows says so"));
    Etcd::open(&config).await.expect("opens from then on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_went_back_is_believed_no_more_however_far_it_counts() {
    let mut cluster = Cluster::start(1);
    let config = cluster.config();
    let store = Etcd::create(&config).await.expect("makes");
    let snapshot = cluster.snapshot();
    for n in 0..5 {
        store.commit(Txn::new().put(key("a/b"), n.to_string())).await.expect("writes");
    }
    cluster.put_back(&snapshot, PutBack::TheSame);
    let read = bounded("it answers", store.get(&key("a/b"))).await.expect_err("it went back");
    assert!(matches!(read, StoreError::Format { .. }), "{read}");
    shows(&read.to_string(), &["went back", "stop all coordinators"]);
    // Soon it counts as far as it did before.
    let mut raw = cluster.raw().await;
    for n in 0..20 {
        raw.put("other/key", n.to_string(), None).await.expect("writes");
    }
    let read = store.get(&key("a/b")).await.expect_err("it went back");
    assert!(matches!(read, StoreError::Format { .. }), "{read}");
    let written = store.commit(Txn::new().put(key("a/c"), "x")).await.expect_err("it went back");
    assert!(matches!(written, StoreError::Format { .. }), "not sent, and so of no open outcome: {written}");
    let term = bounded("nor is a leader elected", store.campaign("one")).await;
    assert!(matches!(term, Err(StoreError::Format { .. })), "{term:?}");
    // To whoever comes then it is the same cluster: what is older than others know is for the log to find.
    let again = Etcd::open(&config).await.expect("opens");
    assert_eq!(again.get(&key("a/c")).await.expect("reads"), None, "it was not carried out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_from_the_next_call_on_and_an_unfit_one_never() {
    let cluster = Cluster::start(1);
    let mut config = cluster.config();
    config.give_up_after = Duration::from_secs(1);
    let store = Etcd::create(&config).await.expect("makes");
    let (one, other) =
        (cluster.authority().issue("gallra", Lifetime::Past), cluster.authority().issue("gallra", Lifetime::Now));
    let mixed = Issued { certificate: one.certificate.clone(), key: other.key.clone() };
    for unfit in [mixed, Issued { certificate: String::new(), key: String::new() }] {
        let why = store.renew(cluster.tls(&unfit)).await.expect_err("cannot be shown");
        assert!(matches!(why, StoreError::Denied { .. }), "{why}");
        store.commit(Txn::new().put(key("a/b"), "x")).await.expect("everything is as it was");
    }
    // The connection is a new one: it can be seen which is shown.
    store.renew(cluster.tls(&one)).await.expect("that it has ended is etcd's to say");
    let denied = bounded("it is refused", store.get(&key("a/b"))).await.expect_err("it has ended");
    shows(&denied.to_string(), &["our client certificate", "expired"]);
    store.renew(cluster.tls(&other)).await.expect("fits");
    bounded("it is let in", store.commit(Txn::new().put(key("a/b"), "y"))).await.expect("writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_missing_is_named_and_the_prefix_is_enough() {
    let cluster = Cluster::start(1);
    let config = cluster.config();
    let store = Etcd::create(&config).await.expect("makes");
    let mut raw = cluster.raw().await;
    // The certificate's name is the user; its role reads and no more.
    let first = format!("gallra/{}/", config.cell);
    raw.user_add("root", "root", None).await.expect("adds");
    raw.user_grant_role("root", "root").await.expect("grants");
    for (role, may) in [("reader", PermissionType::Read), ("cell", PermissionType::Readwrite)] {
        raw.role_add(role).await.expect("adds");
        let permission = Permission::new(may, first.clone()).with_prefix();
        raw.role_grant_permission(role, permission).await.expect("grants");
    }
    raw.user_add("gallra", "unused", None).await.expect("adds");
    raw.user_grant_role("gallra", "reader").await.expect("grants");
    raw.auth_enable().await.expect("enables");
    assert_eq!(store.get(&key("a/b")).await.expect("may read"), None);
    let denied = store.commit(Txn::new().put(key("a/b"), "x")).await.expect_err("may not write");
    assert!(matches!(denied, StoreError::Denied { .. }), "{denied}");
    shows(&denied.to_string(), &["permission denied", "readwrite"]);

    let root = cluster.authority().issue("root", Lifetime::Now);
    let mut root = cluster.raw_as(&root).await;
    root.user_grant_role("gallra", "cell").await.expect("grants");
    let mut watch = store.watch(prefix("a/"));
    let written = store.commit(Txn::new().put(key("a/b"), "x")).await.expect("may write now");
    hear(&mut watch, [key("a/b")].into()).await;
    // Since 3.5.30 only root may; a coordinator that may not goes on without.
    if let Err(compacting) = store.compact(written).await {
        assert!(matches!(compacting, StoreError::Denied { .. }), "{compacting}");
    }
    store.health().await.expect("may ask");
    let term = bounded("it may lead", store.campaign("one")).await.expect("leads");
    term.resign().await;
    drop(store);
    let fresh = Config { cell: "other".parse().expect("a cell"), ..config.clone() };
    let foreign = Etcd::create(&fresh).await.err().expect("another cell is not its own");
    assert!(matches!(foreign, StoreError::Denied { .. }), "{foreign}");
    Etcd::open(&config).await.expect("opens");
}
