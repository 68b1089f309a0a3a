//! One member's process. Owns its arguments and its end: it is killed when it is dropped, and by the kernel when the thread
//! that started it ends, so that a test that is killed leaves nothing running.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::certificates::{AUTHORITY, Files};

/// What etcd logs once it is a member of a cluster that has a leader.
const READY: &str = "serving client traffic";
/// Longest wait for it, on a machine that is busy with other tests.
const READY_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Process {
    arguments: Vec<String>,
    client: u16,
    log: PathBuf,
    child: Child,
    ready: Receiver<()>,
}

impl Process {
    pub(super) fn start(
        n: usize,
        dir: &Path,
        [client, peer]: [u16; 2],
        all: &str,
        files: &Files,
        quota: Option<u64>,
    ) -> Self {
        let path = |path: &Path| path.display().to_string();
        let authority = path(&dir.join(AUTHORITY));
        let url = |port: u16| format!("https://127.0.0.1:{port}");
        let mut arguments: Vec<String> = [
            ("name", format!("m{n}")),
            ("data-dir", path(&dir.join(format!("m{n}")))),
            ("listen-client-urls", url(client)),
            ("advertise-client-urls", url(client)),
            ("listen-peer-urls", url(peer)),
            ("initial-advertise-peer-urls", url(peer)),
            ("initial-cluster", all.to_owned()),
            ("cert-file", path(&files.certificate)),
            ("key-file", path(&files.key)),
            ("trusted-ca-file", authority.clone()),
            ("peer-cert-file", path(&files.certificate)),
            ("peer-key-file", path(&files.key)),
            ("peer-trusted-ca-file", authority),
            // Leases of a second, and elections of half a second.
            ("heartbeat-interval", "50".to_owned()),
            ("election-timeout", "500".to_owned()),
            ("logger", "zap".to_owned()),
            ("log-outputs", "stderr".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect();
        arguments.extend(["--client-cert-auth".to_owned(), "--peer-client-cert-auth".to_owned()]);
        arguments.extend(quota.map(|bytes| format!("--quota-backend-bytes={bytes}")));
        let log = dir.join(format!("m{n}.log"));
        let (child, ready) = spawn(&arguments, &log);
        Self { arguments, client, log, child, ready }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.client)
    }

    /// Waits until it serves.
    pub(super) fn wait(&mut self) {
        if self.ready.recv_timeout(READY_WITHIN).is_err() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let end: Vec<&str> = log.lines().rev().take(20).collect();
            panic!("etcd does not serve: {:?}\n{}", self.child.try_wait(), end.join("\n"));
        }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().expect("it is running");
        self.child.wait().expect("it ends");
    }

    /// What it was told of one thing.
    pub(super) fn told(&self, name: &str) -> &str {
        let told = self.arguments.iter().find_map(|one| one.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('='));
        told.expect("an argument of every member")
    }

    /// Tells it something else from its next start on.
    pub(super) fn tell(&mut self, name: &str, value: &str) {
        self.arguments.retain(|one| !one.starts_with(&format!("--{name}=")));
        self.arguments.push(format!("--{name}={value}"));
    }

    pub(super) fn restart(&mut self) {
        (self.child, self.ready) = spawn(&self.arguments, &self.log);
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it is running");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(arguments: &[String], log: &Path) -> (Child, Receiver<()>) {
    let program = std::env::var("GALLRA_ETCD").unwrap_or_else(|_| "etcd".to_owned());
    // setpriv is part of every Linux (util-linux); it becomes etcd, under the same process id.
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(&program)
        .args(arguments)
        .env_remove("ETCD_NAME")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("setpriv starts");
    let stderr = child.stderr.take().expect("piped");
    let log = OpenOptions::new().create(true).append(true).open(log).expect("a log");
    let (told, ready) = sync_channel(1);
    std::thread::spawn(move || follow(stderr, log, &told));
    (child, ready)
}

/// Keeps the log, and says when the member serves. Ends with the process.
fn follow(stderr: ChildStderr, mut log: File, ready: &SyncSender<()>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if line.contains(READY) {
            let _ = ready.try_send(());
        }
        let _ = writeln!(log, "{line}");
    }
}
