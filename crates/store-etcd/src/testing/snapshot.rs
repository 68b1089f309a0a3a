//! An operator at `etcdctl`: a snapshot that a member makes of itself, a cluster that is put back from one, and whatever else is done
//! by hand. The program is `etcdctl`, or what `GALLRA_ETCDCTL` names. Owns no opinion on what that does to a store.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use super::{AUTHORITY, Cluster, Process};

/// How a cluster is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutBack {
    /// Under its old addresses and token: to every client it is the same cluster.
    TheSame,
    /// Under another token: it is another cluster.
    Another,
}

impl Cluster {
    /// Runs `etcdctl` against all members; what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn etcdctl(&self, words: &[&str]) -> String {
        let dir = self.dir.path();
        let client = self.client.write(dir, "client");
        run(Command::new(program()).args(words).env("ETCDCTL_API", "3").args([
            "--endpoints".into(),
            self.endpoints().join(","),
            "--cacert".into(),
            dir.join(AUTHORITY).display().to_string(),
            "--cert".into(),
            client.certificate.display().to_string(),
            "--key".into(),
            client.key.display().to_string(),
        ]))
    }

    /// Saves a snapshot of the first member.
    ///
    /// # Panics
    /// When it cannot be saved.
    pub fn snapshot(&self) -> PathBuf {
        let file = self.dir.path().join(format!("snapshot-{}.db", self.cells.fetch_add(1, Ordering::Relaxed)));
        let client = self.client.write(self.dir.path(), "client");
        run(Command::new(program()).env("ETCDCTL_API", "3").args(["snapshot", "save"]).arg(&file).args([
            "--endpoints".into(),
            self.endpoint(0),
            "--cacert".into(),
            self.dir.path().join(AUTHORITY).display().to_string(),
            "--cert".into(),
            client.certificate.display().to_string(),
            "--key".into(),
            client.key.display().to_string(),
        ]));
        file
    }

    /// Ends all members, puts each back from a snapshot into a new folder, and starts them there.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn put_back(&mut self, snapshot: &Path, how: PutBack) {
        let number = self.cells.fetch_add(1, Ordering::Relaxed);
        let token = match how {
            PutBack::TheSame => "etcd-cluster".to_owned(),
            PutBack::Another => format!("another-{number}"),
        };
        self.members.iter_mut().for_each(Process::kill);
        for member in &mut self.members {
            let folder = format!("{}-{number}", member.told("data-dir"));
            let mut restore = Command::new(program());
            restore.env("ETCDCTL_API", "3").args(["snapshot", "restore"]).arg(snapshot);
            for same in ["name", "initial-cluster", "initial-advertise-peer-urls"] {
                restore.args([format!("--{same}"), member.told(same).to_owned()]);
            }
            run(restore.args(["--initial-cluster-token", &token, "--data-dir", &folder]));
            member.tell("data-dir", &folder);
            member.tell("initial-cluster-token", &token);
            member.restart();
        }
        self.members.iter_mut().for_each(Process::wait);
    }
}

fn program() -> String {
    std::env::var("GALLRA_ETCDCTL").unwrap_or_else(|_| "etcdctl".to_owned())
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("etcdctl runs (Debian: etcd-client)");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}
