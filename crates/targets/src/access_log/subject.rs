//! Whose a line is, and what becomes of it: the acting side's answer. Pure. Upholds decision 10: hosts match exactly (in
//! DNS letter case, a port and a final dot aside), addresses by value and only in the time they were the subject's.

use gallra_model::Instant;
use gallra_model::receipt::Code;
use gallra_model::selector::{AddressUse, Selector};

use crate::driver::Failure;
use crate::template;

use super::config::{Act, Config, SubjectBy};
use super::format::{self, Format, Parts};
use super::mask;
use super::needle::Needle;

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it is: somebody else's.
    Keep,
    /// It stays, since a held subject's; only in a purge.
    Held,
    /// It stays, since it does not read.
    Unread,
    /// It goes.
    Drop,
    /// The buffer holds what it becomes.
    Replace,
}

/// Decides on lines.
pub(super) trait Judge: Sync {
    /// What every line has in it that does not simply stay; `None`: every line is read.
    fn needle(&self) -> Option<&Needle>;

    /// What becomes of one line, its end of line included.
    fn judge(&self, line: &[u8], becomes: &mut Vec<u8>) -> Fate;

    /// How lines read.
    fn format(&self) -> &Format;
}

/// Who somebody is in a log.
pub(super) enum Who {
    /// In small letters.
    Hosts(Vec<String>),
    /// With their times.
    Addresses(Vec<AddressUse>),
}

impl Who {
    /// What a selector comes to on this target.
    pub(super) fn of(config: &Config, selector: &Selector) -> Result<Self, Failure> {
        let wrong = |hint: &str| Failure::new(Code::BadSelector, hint);
        match config.subject_by {
            SubjectBy::Address if selector.addresses.is_empty() => Err(wrong(
                "no address of the subject is on record, and this log is searched by nothing else: nothing was looked \
                     for; record all of them with `gallra contract address`, then run `gallra job retry`",
            )),
            SubjectBy::Address => Ok(Self::Addresses(selector.addresses.clone())),
            SubjectBy::Host => {
                let mut hosts = Vec::with_capacity(config.hosts.len());
                for host in &config.hosts {
                    let host = template::fill(host, selector, true)?.to_ascii_lowercase();
                    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                    if !host.bytes().all(allowed) || host.ends_with('.') {
                        return Err(wrong("one of hosts, filled in, is no host name: nothing was looked for"));
                    }
                    hosts.push(host);
                }
                Ok(Self::Hosts(hosts))
            }
        }
    }

    fn needle(&self) -> Option<Needle> {
        match self {
            Self::Hosts(hosts) => Some(Needle::hosts(hosts)),
            Self::Addresses(uses) => Needle::addresses(uses.iter().map(|used| used.address)),
        }
    }

    /// Whether a line is theirs; `None` when the part that would say so does not read.
    pub(super) fn is(&self, line: &[u8], parts: &Parts) -> Option<bool> {
        match self {
            Self::Hosts(hosts) => {
                let written = line.get(parts.host.clone()?)?;
                Some(hosts.iter().any(|host| same_host(written, host.as_bytes())))
            }
            Self::Addresses(uses) => {
                let address = format::address(line.get(parts.address.clone())?)?;
                Some(uses.iter().any(|used| used.covers(address, parts.time)))
            }
        }
    }
}

/// Whether a host as written is this one: letter case, a port and one final dot aside.
fn same_host(written: &[u8], host: &[u8]) -> bool {
    let Some((name, rest)) = written.split_at_checked(host.len()) else { return false };
    let rest = rest.strip_prefix(b".").unwrap_or(rest);
    let port = rest.strip_prefix(b":").is_none_or(|port| port.iter().all(u8::is_ascii_digit));
    name.eq_ignore_ascii_case(host) && port && (rest.is_empty() || rest.starts_with(b":"))
}

/// One subject's lines.
pub(super) struct Subject {
    pub(super) who: Who,
    pub(super) act: Act,
    format: Format,
    needle: Option<Needle>,
}

impl Subject {
    pub(super) fn of(config: &Config, selector: &Selector) -> Result<Self, Failure> {
        let who = Who::of(config, selector)?;
        let needle = who.needle();
        Ok(Self { who, act: config.act, format: config.format.clone(), needle })
    }
}

impl Judge for Subject {
    fn needle(&self) -> Option<&Needle> {
        self.needle.as_ref()
    }

    fn judge(&self, line: &[u8], becomes: &mut Vec<u8>) -> Fate {
        let Some(parts) = self.format.read(line) else { return Fate::Unread };
        match (self.who.is(line, &parts), self.act) {
            (None, _) => Fate::Unread,
            (Some(false), _) => Fate::Keep,
            (Some(true), Act::Erase) => Fate::Drop,
            (Some(true), Act::Anonymise) => {
                mask::line(line, &parts, becomes);
                if becomes.as_slice() == line { Fate::Keep } else { Fate::Replace }
            }
        }
    }

    fn format(&self) -> &Format {
        &self.format
    }
}

/// Every line that is older than an instant, but held ones.
pub(super) struct Aged {
    pub(super) before: Instant,
    pub(super) held: Vec<Who>,
    pub(super) format: Format,
}

impl Judge for Aged {
    fn needle(&self) -> Option<&Needle> {
        None
    }

    fn judge(&self, line: &[u8], _: &mut Vec<u8>) -> Fate {
        let Some(parts) = self.format.read(line) else { return Fate::Unread };
        if parts.time >= self.before {
            return Fate::Keep;
        }
        // Whose it is may not read: then it could be theirs, and it is for their sake that it stays.
        let theirs = |held: &Who| held.is(line, &parts) != Some(false);
        if self.held.iter().any(theirs) { Fate::Held } else { Fate::Drop }
    }

    fn format(&self) -> &Format {
        &self.format
    }
}
