//! `gallra-coordinator witness` in a folder: made, started, killed, started again.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use gallra_log::note::Key;
use gallra_log::witness::AddCheckpoint;
use gallra_tlog::{Address, Answer, ClientError, add_checkpoint};

use crate::tree::key;

pub(crate) const NAME: &str = "witness.auditor.example/w1";

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gallra-coordinator"))
}

/// A witness's folder, and its process while one runs.
pub(crate) struct Witness {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) key: Key,
    running: Option<(Child, Address)>,
}

impl Witness {
    /// Made, and not yet started; it knows the test's log.
    pub(crate) fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        let made = run(&["init", "--dir", dir, "--name", NAME]);
        assert!(made.status.success(), "{made:?}");
        let key = String::from_utf8(made.stdout).unwrap().trim_end().parse().unwrap();
        let added = run(&["add-log", "--dir", dir, "--key", &key_of_log()]);
        assert!(added.status.success(), "{added:?}");
        Self { folder, key, running: None }
    }

    pub(crate) fn started() -> Self {
        let mut witness = Self::made();
        witness.start(None);
        witness
    }

    /// Starts it on a port that is free; `crash` names a crash point.
    pub(crate) fn start(&mut self, crash: Option<&str>) {
        let mut command = program();
        command.args(["witness", "run", "--listen", "127.0.0.1:0", "--dir"]).arg(self.folder.path());
        command.stderr(Stdio::piped()).env_remove("RUST_LOG");
        match crash {
            Some(point) => command.env("GALLRA_CRASH_AT", point),
            None => command.env_remove("GALLRA_CRASH_AT"),
        };
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines.by_ref().map(Result::unwrap).find(|line| line.contains("witness ready")).expect("it starts");
        // Read on, so that it never waits for the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let at = ready.split("listen=").nth(1).unwrap().split(' ').next().unwrap();
        self.running = Some((child, format!("http://{at}").parse().unwrap()));
    }

    pub(crate) fn address(&self) -> Address {
        self.running.as_ref().unwrap().1.clone()
    }

    pub(crate) async fn ask(&self, request: &AddCheckpoint) -> Result<Answer, ClientError> {
        let address = self.address();
        tokio::time::timeout(Duration::from_secs(60), add_checkpoint(&address, request))
            .await
            .expect("an answer in time")
    }

    /// SIGKILL, now.
    pub(crate) fn kill(&mut self) {
        let (mut child, _) = self.running.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// How it ended, where it ends by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.running.take().unwrap().0.wait().unwrap()
    }

    /// SIGTERM, by its own id.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let id = i32::try_from(self.running.as_ref().unwrap().0.id()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.ended()
    }

    pub(crate) fn conflicts(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with("conflict-")).collect()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn key_of_log() -> String {
    key().public().to_string()
}

/// A command of the witness, to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    program().arg("witness").args(arguments).output().unwrap()
}
