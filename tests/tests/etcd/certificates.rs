//! Certificates between coordinator and etcd that run out while both run: connections that stand go on, new ones are refused, doctor
//! says which file and what to do, and new files lead back to work without a restart of anything.

use gallra_cli::demo::site::wait_for;
use gallra_store_etcd::testing::{Cluster, Lifetime};
use gallra_wire::details::reason;
use tonic::Code;

use super::load::Billing;
use super::{begun, doctor_says, section, show, tell_again};

/// Seconds that a certificate is good for here: as long as a busy machine takes to look at it once.
const SHORT: Lifetime = Lifetime::Seconds(4);

/// Connections begin anew. A cut one would not do: TLS takes its session up again, and nobody looks at a certificate.
fn begin_anew(cluster: &mut Cluster) {
    cluster.kill(0);
    cluster.restart(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_run_out_are_named_before_and_after_and_renewed_without_a_restart() {
    let (mut cluster, folder) = (Cluster::start(1), tempfile::tempdir().expect("a folder"));
    let story = begun(section(&cluster, folder.path(), "lease_seconds = 2\n"), "").await;
    let billing = Billing::of(&story, "late");
    billing.goes_on(3).await;

    // Ours. It is read again when the file changes, so that a short one is in use soon.
    show(folder.path(), &cluster.authority().issue("gallra", SHORT));
    doctor_says(&story, "certificate", &["critical: ends in 0 days etcd-certificate.pem", "in its place"]).await;
    doctor_says(&story, "certificate", &["critical: has ended etcd-certificate.pem", "in its place"]).await;
    let log = story.site.path("logs/coordinator.log");
    let renewed = wait_for("the file to be read", async || {
        let log = std::fs::read_to_string(&log).ok()?;
        log.contains("certificate towards etcd was renewed").then_some(())
    });
    renewed.await.expect("read again");
    begin_anew(&mut cluster);
    let words = ["critical", "etcd refused our client certificate", "it has expired"];
    doctor_says(&story, "store", &words).await;
    let refused = wait_for("a refusal", async || tell_again(&story).await.err()).await.expect("shut out");
    assert_eq!((refused.code(), reason(&refused).as_deref()), (Code::Unavailable, Some("STORE_DENIED")), "{refused}");
    show(folder.path(), &cluster.authority().issue("gallra", Lifetime::Now));
    billing.goes_on(3).await;
    doctor_says(&story, "certificate", &["ok: good for", "etcd-certificate.pem"]).await;

    // Etcd's own.
    cluster.renew_servers(SHORT);
    doctor_says(&story, "store", &["critical", "server certificate ends in 0 days", "put a new one in its place"])
        .await;
    doctor_says(&story, "store", &["critical", "takes no new one", "server certificate", "has expired"]).await;
    billing.goes_on(1).await;
    begin_anew(&mut cluster);
    doctor_says(&story, "store", &["critical: cannot be examined", "etcd's server certificate", "has expired"]).await;
    cluster.renew_servers(Lifetime::Now);
    billing.goes_on(3).await;
    doctor_says(&story, "store", &["ok: etcd"]).await;
    let passing = [
        (Code::Unavailable, "STORE_DENIED"),
        (Code::Unavailable, "STORE_UNAVAILABLE"),
        (Code::Unavailable, "DEPOSED"),
        (Code::Aborted, "OUTDATED"),
    ];
    billing.end().await.is_kept(&story, &passing).await;
}
