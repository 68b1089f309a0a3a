//! Calls of the `restic` program: bounded in time, output and environment. Only ever reads (`--no-lock`, so that
//! nothing is written into the store). Refuses to pass on what restic prints: its messages quote paths, and paths name
//! people, so a failure carries a category and the exit code only.

use std::ffi::{OsStr, OsString};
use std::io::{BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gallra_model::receipt::Code;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::driver::Failure;

/// Most bytes read of one answer. Answers are parsed as they come, so this bounds time and a runaway, not memory.
const ANSWER_BYTES: u64 = 16 << 30;

/// Most bytes looked at of what restic complains about.
const COMPLAINT_BYTES: u64 = 64 << 10;

/// The program, the repository and the bounds of every call.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Name or path of the program.
    pub(crate) program: String,
    /// The repository as restic takes it.
    pub(crate) repository: OsString,
    /// The file with the repository's password.
    pub(crate) password_file: PathBuf,
    /// Where restic may cache; nowhere if unset.
    pub(crate) cache_dir: Option<PathBuf>,
    /// Longest time of one call.
    pub(crate) limit: Duration,
}

/// What reads an answer: the raw bytes, as they come.
pub(crate) type Answer = BufReader<std::io::Take<std::process::ChildStdout>>;

impl Program {
    /// Calls restic and hands its answer to `parse`, which returns `None` for one that it does not understand.
    ///
    /// # Errors
    /// [`Code::SentinelMissing`] when restic finds no repository, otherwise [`Code::Target`]: an exit code other than 0,
    /// a warning (restic skips what it cannot read and still exits 0), a time-out, an answer that does not parse.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        args: &[impl AsRef<OsStr>],
        parse: impl FnOnce(&mut Answer) -> Option<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut child = self.command(args).spawn().map_err(|error| no_start(&error))?;
        let deadline = Deadline::after(self.limit);
        let answer = child.stdout.take().map(|out| {
            in_background(move || {
                let mut answer = BufReader::new(out.take(ANSWER_BYTES));
                let parsed = parse(&mut answer);
                // A parser that stopped early must not leave restic writing into a full pipe.
                let drained = std::io::copy(&mut answer, &mut std::io::sink());
                parsed.filter(|_| drained.is_ok())
            })
        });
        let complaint = child.stderr.take().map(|err| in_background(move || complaint(err)));
        let said = answer.and_then(|answer| deadline.wait(&answer));
        let said = said.zip(complaint.and_then(|complaint| deadline.wait(&complaint)));
        // Only then: whoever still holds a pipe is in the program's group, which its unreaped id keeps for us to end.
        let said = said.and_then(|said| Some((said, exit(&mut child, deadline)?)));
        let Some(((answer, complaint), status)) = said else {
            end(&mut child);
            let minutes = self.limit.as_secs().div_ceil(60);
            return Err(Failure::new(
                Code::Target,
                format!("restic did not answer within {minutes} minutes: raise `timeout_minutes` or look at the store"),
            ));
        };
        judge(status, &complaint)?;
        answer.ok_or_else(|| Failure::new(Code::Target, "restic's answer is not in the form that this driver knows"))
    }

    /// The version of the program as major and minor number; needs no repository.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn version(&self) -> Result<(u32, u32), Failure> {
        self.read(&["version"], |answer| {
            let mut text = String::new();
            answer.take(4096).read_to_string(&mut text).ok()?;
            let mut numbers = text.strip_prefix("restic ")?.split(['.', '-', ' ']);
            Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
        })
    }

    fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&self.program);
        // The repository goes into the environment, which other users of the host cannot read.
        command.env_clear().env("RESTIC_REPOSITORY", &self.repository).env("RESTIC_PASSWORD_FILE", &self.password_file);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
        command.env("HOME", std::env::var_os("HOME").unwrap_or_else(|| "/nonexistent".into()));
        command.args(["--no-lock", "--quiet"]);
        match &self.cache_dir {
            Some(dir) => command.arg("--cache-dir").arg(dir),
            None => command.arg("--no-cache"),
        };
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Its own group, so that a transport that restic starts ends with it.
        command.process_group(0);
        command
    }
}

fn no_start(error: &std::io::Error) -> Failure {
    let why = error.kind();
    let hint = format!("the restic program of this target cannot be started ({why}): install it or correct `program`");
    Failure::new(Code::Target, hint)
}

/// Reads a whole small answer as JSON.
pub(crate) fn json<T: serde::de::DeserializeOwned>(answer: &mut Answer) -> Option<T> {
    serde_json::from_reader(answer).ok()
}

/// Until when a call may take. It bounds real waiting only: nothing is decided by it but that restic did not answer.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "bounds the wait for a program; no decision hangs on the time")]
    fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    #[expect(clippy::disallowed_methods, reason = "bounds the wait for a program; no decision hangs on the time")]
    fn wait<T>(self, receive: &mpsc::Receiver<T>) -> Option<T> {
        receive.recv_timeout(self.0.saturating_duration_since(Instant::now())).ok()
    }
}

fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (send, receive) = mpsc::sync_channel(1);
    // Whoever waits may have given up: then nobody wants the answer.
    std::thread::spawn(move || drop(send.send(work())));
    receive
}

fn complaint(mut err: impl Read) -> String {
    let mut bytes = Vec::new();
    let read = (&mut err).take(COMPLAINT_BYTES).read_to_end(&mut bytes);
    // What cannot be read is a complaint all the same.
    if read.is_err() || std::io::copy(&mut err, &mut std::io::sink()).is_err() {
        bytes.push(b'?');
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for the end of a program. The watching thread leaves it unreaped, so that its id stays its own until here.
fn exit(child: &mut Child, deadline: Deadline) -> Option<ExitStatus> {
    let pid = Pid::from_child(child);
    let over = in_background(move || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).is_ok());
    deadline.wait(&over).filter(|over| *over).and_then(|_| child.wait().ok())
}

/// Ends the program and whatever it started. It has not been waited for, so its id is still its own.
fn end(child: &mut Child) {
    if kill_process_group(Pid::from_child(child), Signal::KILL).is_ok() {
        drop(child.wait());
    }
}

fn judge(status: ExitStatus, complaint: &str) -> Result<(), Failure> {
    let code = status.code();
    if code == Some(0) && complaint.is_empty() {
        return Ok(());
    }
    let says = |part: &str| complaint.contains(part);
    if code == Some(10) || says("unable to open config file") || says("Is there a repository") {
        return Err(Failure::new(
            Code::SentinelMissing,
            "restic finds no repository where this target names one: is the disk mounted, the store reachable?",
        ));
    }
    let what = if code == Some(12) || says("wrong password") || says("no key found") {
        "the password in `password_file` does not open it"
    } else if says("password") {
        "`password_file` cannot be read"
    } else if code == Some(11) || says("lock") {
        "it is locked"
    } else if says("permission denied") {
        "a file of it may not be read"
    } else if code == Some(0) {
        "restic could not read all of it and warned"
    } else {
        "run the same restic command by hand to see why"
    };
    let code = code.map_or_else(|| "by a signal".to_owned(), |code| format!("with code {code}"));
    Err(Failure::new(Code::Target, format!("restic ended {code} on this target's repository: {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, limit: Duration) -> Program {
        Program {
            program: name.to_owned(),
            repository: "/nowhere".into(),
            password_file: "/nowhere".into(),
            cache_dir: None,
            limit,
        }
    }

    /// A program in restic's place.
    fn script(dir: &tempfile::TempDir, body: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join("restic");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("sets the mode");
        path.display().to_string()
    }

    fn run(body: &str, limit: Duration) -> Result<u64, Failure> {
        let dir = tempfile::tempdir().expect("a directory");
        let name = script(&dir, body);
        program(&name, limit).read(&["x"], json::<u64>)
    }

    #[test]
    fn an_answer_counts_only_without_error_and_warning() {
        let long = Duration::from_secs(60);
        assert_eq!(run("echo 7", long), Ok(7));
        for (body, code) in [
            ("echo 7; exit 1", Code::Target),
            ("echo 7; echo 'could not load snapshot /srv/anna' >&2", Code::Target),
            ("echo 'seven of /srv/anna'", Code::Target),
            ("echo 'Is there a repository at /srv/anna' >&2; exit 1", Code::SentinelMissing),
            ("exit 10", Code::SentinelMissing),
            ("kill -9 $$", Code::Target),
        ] {
            let failure = run(body, long).expect_err(body);
            assert_eq!(failure.code, code, "{body}");
            assert!(!failure.hint.contains("anna"), "{}", failure.hint);
        }
        let failure = program("/nowhere/restic", long).version().expect_err("no program");
        assert_eq!(failure.code, Code::Target);
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started() {
        let patience = Deadline::after(Duration::from_secs(60));
        for body in ["sleep 600 & sleep 600", "sleep 600 &"] {
            let failure = run(body, Duration::from_millis(50)).expect_err("hangs");
            assert!(failure.hint.contains("did not answer"), "{}", failure.hint);
        }
        assert!(patience.0 > Deadline::after(Duration::ZERO).0, "it was waited for all the same");
    }

    #[test]
    fn nothing_of_the_agents_environment_is_passed_on() {
        let count = "env | grep -vcE '^(PATH|HOME|PWD|SHLVL|_|RESTIC_REPOSITORY|RESTIC_PASSWORD_FILE)=' || true";
        assert_eq!(run(count, Duration::from_secs(60)), Ok(0));
    }
}
