//! The keys of `[target.access-log]`. Knows no file system. Upholds decision 10: whose lines are meant follows from exact
//! hosts or exact addresses, and addresses are looked for only where the host's admin says that the log is the provider's.

use std::path::{Component, PathBuf};

use serde::Deserialize;

use super::format::Format;
use crate::age::Age;

/// By what a line is somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectBy {
    /// The virtual host that was asked for: the line is about a visit to the subject's service.
    Host,
    /// The client's address, in the time it was the subject's: only for the provider's own logs.
    Address,
}

/// What an erase job comes to on this target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The subject's lines go.
    #[default]
    Erase,
    /// The subject's lines stay, their addresses are cut to /24 (IPv4) or /48 (IPv6).
    Anonymise,
}

/// How the process that writes the log is told to open it anew.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    /// Where the process that gets the signal wrote its number. It gets USR1: nginx opens its logs anew, Apache restarts
    /// gracefully.
    pub pid_file: PathBuf,
    /// How long to wait until no process holds the old file, in seconds.
    #[serde(default = "half_a_minute")]
    pub reopen_seconds: u32,
}

fn half_a_minute() -> u32 {
    30
}

/// Where the logs lie, how their lines read, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory, absolute. Nothing outside of it is touched.
    pub root: PathBuf,
    /// Names of the live logs in it. Their rotated files follow from the names.
    pub logs: Vec<String>,
    /// How a line reads.
    pub format: Format,
    /// By what a line is somebody's.
    pub subject_by: SubjectBy,
    /// With `subject_by = "host"`: the subject's hosts, each with `{service}` or `{customer}`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// What an erase job comes to.
    #[serde(default)]
    pub act: Act,
    /// Who writes the live logs; unset: nobody, or whoever holds one open makes the job fail.
    #[serde(default)]
    pub writer: Option<Writer>,
    /// Names in the directory that begin like a log's and are none.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// A purge by age reaches no line that is younger, in hours or days; unset here and in days: no purge at all.
    #[serde(default)]
    pub youngest_purge_age: Option<Age>,
    /// The same in days: one of the two is written.
    #[serde(default)]
    pub youngest_purge_age_days: Option<u32>,
}

impl Config {
    /// Refuses keys that could never be used safely. Looks at no disk.
    pub(super) fn check(&self) -> Result<(), String> {
        let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        if !self.root.is_absolute() || !self.root.components().all(plain) {
            return Err("root must be an absolute path without '..'".into());
        }
        let one_name = |name: &String| {
            !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0']) && !name.contains("gallra-")
        };
        if self.logs.is_empty() || !self.logs.iter().all(one_name) {
            return Err("logs must name at least one file of root, without '/'".into());
        }
        for log in &self.logs {
            let of = |other: &&String| *other != log && super::place::role_of(log, other.as_bytes()).is_some();
            if self.logs.iter().filter(of).count() > 0 || self.logs.iter().filter(|other| *other == log).count() > 1 {
                return Err("logs: a name stands twice, or reads as a rotated file of another".into());
            }
        }
        match self.subject_by {
            SubjectBy::Host if self.hosts.is_empty() => {
                return Err("subject_by = \"host\" needs hosts, for example [\"{service}\", \"www.{service}\"]".into());
            }
            SubjectBy::Host if !self.format.has_host() => {
                return Err("subject_by = \"host\" needs a format that has a host in it".into());
            }
            SubjectBy::Address if !self.hosts.is_empty() => {
                return Err("hosts is for subject_by = \"host\"".into());
            }
            SubjectBy::Host | SubjectBy::Address => {}
        }
        if self.hosts.iter().any(|host| !host.contains('{')) {
            return Err("every one of hosts must name {service} or {customer}".into());
        }
        if self.writer.as_ref().is_some_and(|writer| !writer.pid_file.is_absolute()) {
            return Err("writer.pid_file must be an absolute path".into());
        }
        if self.youngest_purge_age_days == Some(0) {
            return Err("youngest_purge_age_days must be at least 1: a younger purge could empty every log".into());
        }
        if self.youngest_purge_age.is_some() && self.youngest_purge_age_days.is_some() {
            return Err("write youngest_purge_age or youngest_purge_age_days, not both".into());
        }
        self.format.check()
    }

    /// The youngest age that a purge may reach, whichever key says it; unset: nothing is purged.
    pub(super) fn youngest(&self) -> Option<Age> {
        self.youngest_purge_age.or_else(|| self.youngest_purge_age_days.map(Age::days))
    }
}
