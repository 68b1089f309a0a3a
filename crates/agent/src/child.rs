//! The unprivileged process: how the privileged one starts it, as whom, and what it gives up at its own start. It is this
//! same program under another name, with nothing inherited but a socket on its standard input and the log (decision 15).

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

/// The user that no file belongs to, where `agent.toml` names none.
pub(crate) const NOBODY: Identity = Identity { uid: 65_534, gid: 65_534 };

/// How long the session may take to end once its pipe is closed.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked at meanwhile.
const STEP: Duration = Duration::from_millis(10);

/// As whom a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// User.
    pub(crate) uid: u32,
    /// Primary group; there is no other.
    pub(crate) gid: u32,
}

/// Finds a user in the text of `/etc/passwd`. Network directories are not asked: the agent must start without a network.
pub(crate) fn find_user(passwd: &str, name: &str) -> Option<Identity> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Identity { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// As whom the session is to run; `None`: as this process, which is not root and can become nobody else.
///
/// # Errors
/// When the user is unknown, or is root.
pub(crate) fn identity(user: Option<&str>) -> anyhow::Result<Option<Identity>> {
    let is_root = rustix::process::geteuid().is_root();
    let Some(name) = user else {
        if is_root {
            tracing::warn!("[session] user is not set in agent.toml: the network half runs as nobody");
        }
        return Ok(is_root.then_some(NOBODY));
    };
    let passwd = std::fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    let found = find_user(&passwd, name).with_context(|| {
        format!(
            "[session] user = \"{name}\" in agent.toml is no user of this host: make one with `adduser --system {name}`"
        )
    })?;
    anyhow::ensure!(found.uid != 0, "[session] user in agent.toml is root: the network half must not be");
    if !is_root {
        tracing::warn!("not root: the network half runs as this user, and can read what this process can");
    }
    Ok(is_root.then_some(found))
}

/// The running session.
pub(crate) struct Session {
    child: Child,
}

/// Starts the session with one end of a socket pair; returns the other.
///
/// # Errors
/// When the system refuses.
pub(crate) fn start(identity: Option<Identity>) -> anyhow::Result<(Session, UnixStream)> {
    let (ours, theirs) = UnixStream::pair().context("a socket pair")?;
    // Itself, whatever the rights of the folders above it: after giving up root those may be closed.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("gallra-agent").arg("session").current_dir("/").env_clear();
    for kept in ["RUST_LOG", "GALLRA_CRASH_AT"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
    if let Some(Identity { uid, gid }) = identity {
        // As root this drops every supplementary group too.
        command.uid(uid).gid(gid);
    }
    let child = command.spawn().context("starting the network half")?;
    tracing::info!(pid = child.id(), uid = identity.map(|is| is.uid), "network half started");
    Ok((Session { child }, ours))
}

impl Session {
    /// Waits for its end after the pipe was closed, and ends it by its id when it does not. Says how it ended.
    pub(crate) fn end(mut self) -> String {
        let mut waited = Duration::ZERO;
        while waited < END_WITHIN {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.to_string(),
                Ok(None) => std::thread::park_timeout(STEP),
                Err(error) => return error.to_string(),
            }
            waited += STEP;
        }
        let _ = self.child.kill();
        self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

/// What the session gives up before it reads a byte: new privileges, memory that others of its user may read, and life
/// after the privileged half.
///
/// # Errors
/// When the system refuses.
pub(crate) fn confine() -> anyhow::Result<()> {
    use rustix::process::{DumpableBehavior, Signal};
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context("tying it to the privileged half")?;
    rustix::thread::set_no_new_privs(true).context("giving up new privileges")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context("closing its memory")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name_only() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ngallra-agent:x:990:991::/:/usr/sbin/nologin\nbroken:x:a:b\n";
        assert_eq!(find_user(passwd, "gallra-agent"), Some(Identity { uid: 990, gid: 991 }));
        for none in ["gallra", "agent", "", "broken", "gallra-agent:x"] {
            assert_eq!(find_user(passwd, none), None, "{none}");
        }
    }
}
