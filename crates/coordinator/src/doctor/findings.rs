//! What is bad enough to be said, how bad it is, and what to do about it: functions of values. Names agents, endpoints and files, and
//! nobody.

use gallra_flow::heartbeat::Presence;
use gallra_model::hold::Halt;
use gallra_model::{AgentName, Instant};
use gallra_store::epochs::Due;
use gallra_store::{Schema, Speaks};

use crate::archive::Looked;
use crate::brake::BRAKE;
use crate::restore::RESTORE;
use crate::schema::{self, Living, Next, SPEAKS};

/// How bad a finding is; worse ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Nothing is at risk yet, or somebody wanted it so.
    Warning,
    /// Nothing is erased, nothing is proven, or something is about to be lost.
    Critical,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which part.
    pub part: &'static str,
    /// What was found.
    pub what: String,
    /// Where; empty where the part says it.
    pub place: String,
    /// What to do next; empty where there is nothing to do.
    pub next: String,
}

fn finding(severity: Severity, part: &'static str, what: impl Into<String>, next: &str) -> Finding {
    Finding { severity, part, what: what.into(), place: String::new(), next: next.to_owned() }
}

fn at(mut finding: Finding, place: impl Into<String>) -> Finding {
    finding.place = place.into();
    finding
}

const ARCHIVE: &str = "archive";
const STORE: &str = "store";
/// Days before its end from which a certificate is spoken of, and from which it is urgent.
const CERTIFICATE_DAYS: (i64, i64) = (60, 14);
/// How many times the store's file must fit into what is free: turning a key epoch makes a backup and a fresh file.
const FREE_TIMES: (u64, u64) = (4, 2);

/// A part that could not be examined.
pub(super) fn failed(part: &'static str, why: &dyn std::fmt::Display) -> Finding {
    let next = "what the text names, then run this again; docs/etcd.md, section 4, where it is of etcd";
    finding(Severity::Critical, part, format!("cannot be examined: {why}"), next)
}

/// What left the store, and whether it is where it should be.
pub(super) fn archive(looked: &Looked, used: bool) -> Finding {
    let Looked { folder, named, missing, first, another } = looked;
    if let Some(why) = another {
        let next = "what the text names; until then finished requests stay in the store, and those that left it may not be shown";
        return finding(Severity::Critical, ARCHIVE, why.clone(), next);
    }
    if let Some(first) = first {
        let what = format!("of {named} finished requests that left the store {missing} have no file, or a damaged one");
        let next = "put the folder back from its own backup: docs/operations.md, section 6";
        return at(finding(Severity::Critical, ARCHIVE, what, next), format!("{folder}: {first}"));
    }
    if !used {
        let next =
            "name a folder that all coordinators share as `archive` in coordinator.toml: docs/etcd.md, section 7";
        return finding(Severity::Ok, ARCHIVE, "finished requests stay in the store", next);
    }
    at(finding(Severity::Ok, ARCHIVE, format!("{named} finished requests left the store"), ""), folder.clone())
}

/// An engine of several: what it said itself, each with its advice in the text.
pub(super) fn engine(said: &[(bool, String)]) -> Vec<Finding> {
    if said.is_empty() {
        return vec![finding(Severity::Ok, STORE, "etcd: all members answer, nothing is wrong", "")];
    }
    let of = |urgent: bool| if urgent { Severity::Critical } else { Severity::Warning };
    said.iter()
        .map(|(urgent, text)| finding(of(*urgent), STORE, text.clone(), "docs/etcd.md, sections 3 and 4"))
        .collect()
}

/// The embedded engine's file, and what is free beside it, in bytes.
pub(super) fn embedded(size: u64, free: u64) -> Finding {
    let what = format!("embedded: {size} bytes, {free} free on its file system");
    if free < size.saturating_mul(FREE_TIMES.1) {
        let next = "free some space or enlarge the file system: the key epoch cannot turn without room for a backup and a fresh file";
        return finding(Severity::Critical, STORE, what, next);
    }
    if free < size.saturating_mul(FREE_TIMES.0) {
        return finding(Severity::Warning, STORE, what, "enlarge the file system before the store has doubled");
    }
    finding(Severity::Ok, STORE, what, "")
}

/// Coordinators that show that they are there, and whether one of them leads.
pub(super) fn coordinators(alive: usize, led: bool) -> Finding {
    const PART: &str = "coordinators";
    let what = format!("{alive} there, {} leads", if led { "one" } else { "none" });
    if !led {
        let next = "wait for the lease to run out and run this again; if none leads then, look at etcd and at the coordinators' logs";
        return finding(Severity::Critical, PART, what, next);
    }
    if alive < 2 {
        return finding(Severity::Warning, PART, what, "start the others: when this one ends, nobody answers");
    }
    finding(Severity::Ok, PART, what, "")
}

/// The store's schema, what this coordinator speaks, and who holds a raise back.
pub(super) fn schema(schema: &Schema, speaks: Speaks, living: &[Living]) -> Finding {
    const PART: &str = "schema";
    const GUIDE: &str = "docs/operations.md, section 9";
    if let Some(to) = schema.raising {
        let next = "it goes on while a coordinator leads; where it stands still, the leader's log says why";
        return finding(Severity::Warning, PART, format!("{} is being raised to {to}", schema.number), next);
    }
    if schema.number >= SPEAKS.to {
        return finding(Severity::Ok, PART, schema.to_string(), "");
    }
    if speaks.to < SPEAKS.to {
        let what = format!("{schema}, held there by schema_at_most of this coordinator");
        return finding(
            Severity::Warning,
            PART,
            what,
            "take it out of coordinator.toml once this version has proven itself",
        );
    }
    match schema::next(schema, speaks, living) {
        Next::Waits(late) => {
            let late: Vec<String> = late.into_iter().map(|one| one.address).collect();
            let what = format!("{schema}, and waits for coordinators that speak no newer one: {}", late.join(", "));
            finding(Severity::Warning, PART, what, &format!("upgrade them, or take out schema_at_most there: {GUIDE}"))
        }
        Next::Begin(_) | Next::GoOn(_) | Next::Done => {
            let what = format!("{schema}, and will be raised: all coordinators speak a newer one");
            finding(
                Severity::Warning,
                PART,
                what,
                "wait a minute and run this again; where it stays so, see the leader's log",
            )
        }
    }
}

/// The log: why it is stopped, how many agents it waits for, and how much waits for it.
pub(super) fn log(stopped: Option<&str>, waits_for: usize, waiting: usize) -> Finding {
    const PART: &str = "log";
    if let Some(why) = stopped {
        let next =
            "put the newest store in its place, or end the log: docs/operations.md, section 6, docs/log.md, section 4";
        return finding(Severity::Critical, PART, format!("stopped, nothing is signed or permitted: {why}"), next);
    }
    if waits_for > 0 {
        let what = format!(
            "signs nothing before {waits_for} more agents have said what they keep of it; {waiting} entries wait"
        );
        return finding(
            Severity::Warning,
            PART,
            what,
            "see that agents are up, or set hear_agents in coordinator.toml",
        );
    }
    finding(Severity::Ok, PART, format!("signs; {waiting} entries wait"), "")
}

/// Where the key epoch stands.
pub(super) fn key_epoch(due: Due) -> Finding {
    const PART: &str = "key-epoch";
    let next = "see the coordinator's log for why it does not turn, and mend that; it goes on by itself";
    match due {
        Due::In(seconds) => finding(Severity::Ok, PART, format!("turns in {} days", seconds / 86_400), ""),
        Due::Now => finding(Severity::Ok, PART, "turns now", ""),
        Due::Late => finding(Severity::Critical, PART, "turns late: less than half a day is left", next),
        Due::Missed => finding(
            Severity::Critical,
            PART,
            "is older than 31 days: who was erased a month ago can still be read",
            next,
        ),
    }
}

/// Seconds by which the clock leapt ahead; 0 where it is believed.
pub(super) fn clock(ahead_seconds: i64) -> Finding {
    const PART: &str = "clock";
    if ahead_seconds == 0 {
        return finding(Severity::Ok, PART, "believed", "");
    }
    let next = "compare it with another machine's; mend it, or gallra start --clock";
    finding(Severity::Critical, PART, format!("doubted: {ahead_seconds} seconds ahead, nothing is erased"), next)
}

/// The emergency stop. One that no person pulled waits for a person.
pub(super) fn stop(halt: Option<&Halt>) -> Finding {
    const PART: &str = "stop";
    let Some(halt) = halt else { return finding(Severity::Ok, PART, "not pulled", "") };
    let what = format!("pulled by {} at {}: {}", halt.by, halt.at, halt.reason);
    let nobodys = halt.by == BRAKE || halt.by == RESTORE;
    let severity = if nobodys { Severity::Critical } else { Severity::Warning };
    finding(severity, PART, what, "look at its reason, then gallra start; nothing is erased until then")
}

/// What to do with a certificate of a listener.
pub(super) const RESTART: &str = "make a new one and restart the coordinator";
/// What to do with one that is shown to etcd.
pub(super) const READ_AGAIN: &str = "put a new one, with its key, in its place: both are read again within seconds";

/// A certificate by its last second; none where it cannot be read.
pub(super) fn certificate(name: &str, until: Option<i64>, now: Instant, next: &str) -> Finding {
    const PART: &str = "certificate";
    let Some(until) = until else {
        return at(finding(Severity::Critical, PART, "cannot be read", "put back what was there"), name);
    };
    let days = (until - now.as_second()).div_euclid(86_400);
    at(
        if until <= now.as_second() {
            finding(Severity::Critical, PART, "has ended", next)
        } else if days < CERTIFICATE_DAYS.1 {
            finding(Severity::Critical, PART, format!("ends in {days} days"), next)
        } else if days < CERTIFICATE_DAYS.0 {
            finding(Severity::Warning, PART, format!("ends in {days} days"), next)
        } else {
            finding(Severity::Ok, PART, format!("good for {days} days"), "")
        },
        name,
    )
}

/// Whether the keys that the newest manifest lists are in this coordinator's directory.
pub(super) fn issuer(missing: Option<&str>) -> Finding {
    const PART: &str = "issuer";
    match missing {
        None => finding(Severity::Ok, PART, "signs with the keys of the newest manifest", ""),
        Some(why) => finding(Severity::Critical, PART, format!("signs nothing here: {why}"), "docs/keys.md, section 2"),
    }
}

/// An agent, as it is known.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Its name.
    pub name: AgentName,
    /// Whether it is there, at whichever coordinator.
    pub presence: Presence,
    /// Since when it is quarantined.
    pub quarantined: Option<Instant>,
}

/// Agents that are silent or quarantined, and how many had no time yet to come back.
pub(super) fn agents(all: &[Agent]) -> Vec<Finding> {
    const PART: &str = "agents";
    let bad = all.iter().filter_map(|agent| {
        let found = match (agent.quarantined, agent.presence) {
            (Some(since), _) => finding(
                Severity::Critical,
                PART,
                format!("quarantined since {since}: its journal went back"),
                "look at the host, then gallra agent approve",
            ),
            (None, Presence::Silent) => finding(
                Severity::Warning,
                PART,
                "silent: it has no stream, or says nothing on it; its jobs wait",
                "see that gallra-agent runs there and reaches this",
            ),
            (None, Presence::Awaited | Presence::There) => return None,
        };
        Some(at(found, agent.name.as_str()))
    });
    let mut found: Vec<Finding> = bad.collect();
    let awaited = all.iter().filter(|agent| agent.presence == Presence::Awaited).count();
    if awaited > 0 {
        let what = format!("{awaited} of {} not back yet: who answers has just changed", all.len());
        found.push(finding(Severity::Ok, PART, what, ""));
    } else if found.is_empty() {
        found.push(finding(Severity::Ok, PART, format!("all {} connected", all.len()), ""));
    }
    found
}

/// Requests that are open, and overdue among them.
pub(super) fn requests(open: usize, overdue: usize) -> Finding {
    const PART: &str = "requests";
    let what = format!("{open} open, {overdue} overdue");
    if overdue > 0 {
        return finding(Severity::Critical, PART, what, "gallra request list shows which, gallra request show why");
    }
    finding(Severity::Ok, PART, what, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Instant {
        "2026-11-28T08:00:00Z".parse().unwrap()
    }

    fn said(finding: &Finding) -> (Severity, bool) {
        (finding.severity, finding.next.is_empty())
    }

    const OK: (Severity, bool) = (Severity::Ok, true);
    const WARNING: (Severity, bool) = (Severity::Warning, false);
    const CRITICAL: (Severity, bool) = (Severity::Critical, false);

    #[test]
    fn the_engine_s_own_findings_keep_their_urgency() {
        assert_eq!(engine(&[]).iter().map(said).collect::<Vec<_>>(), [OK]);
        let two = [(true, "no space".to_owned()), (false, "two members".to_owned())];
        assert_eq!(engine(&two).iter().map(said).collect::<Vec<_>>(), [CRITICAL, WARNING]);
        assert_eq!(said(&failed("store", &"nobody answers")), CRITICAL);
    }

    #[test]
    fn a_file_without_room_to_turn_its_epoch_is_critical() {
        assert_eq!(said(&embedded(100, 400)), OK);
        assert_eq!(said(&embedded(100, 399)), WARNING);
        assert_eq!(said(&embedded(100, 199)), CRITICAL);
    }

    #[test]
    fn nobody_leads_or_nobody_else_is_there() {
        assert_eq!(said(&coordinators(2, true)), OK);
        assert_eq!(said(&coordinators(1, true)), WARNING);
        assert_eq!(said(&coordinators(2, false)), CRITICAL);
    }

    #[test]
    fn a_schema_that_is_not_raised_names_who_holds_it_back() {
        let one = |address: &str, to| Living { address: address.to_owned(), schemas: Speaks { from: 0, to } };
        let of = |number, raising, to, living: &[Living]| {
            schema(&Schema { number, oldest: 0, raising }, Speaks { from: 0, to }, living)
        };
        let newest = SPEAKS.to;
        assert_eq!(said(&of(newest, None, newest, &[])), OK);
        let waits = of(newest - 1, None, newest, &[one("https://a", newest), one("https://b", newest - 1)]);
        assert_eq!(said(&waits), WARNING);
        assert!(waits.what.contains("https://b") && !waits.what.contains("https://a"), "{}", waits.what);
        let held = of(newest - 1, None, newest - 1, &[one("https://a", newest - 1)]);
        assert!(said(&held) == WARNING && held.what.contains("schema_at_most"), "{}", held.what);
        assert_eq!(said(&of(newest - 1, None, newest, &[one("https://a", newest)])), WARNING);
        assert_eq!(said(&of(newest - 1, Some(newest), newest, &[])), WARNING);
    }

    #[test]
    fn a_log_that_is_stopped_is_worse_than_one_that_waits() {
        assert_eq!(said(&log(None, 0, 7)), OK);
        assert_eq!(said(&log(None, 1, 7)), WARNING);
        let stopped = log(Some("the store went back"), 1, 7);
        assert_eq!(said(&stopped), CRITICAL);
        assert!(stopped.what.contains("the store went back"));
    }

    #[test]
    fn an_epoch_is_critical_once_it_is_late() {
        let of = |due| said(&key_epoch(due));
        assert_eq!([of(Due::In(90_000)), of(Due::Now), of(Due::Late), of(Due::Missed)], [OK, OK, CRITICAL, CRITICAL]);
    }

    #[test]
    fn a_doubted_clock_erases_nothing() {
        assert_eq!([said(&clock(0)), said(&clock(601))], [OK, CRITICAL]);
    }

    #[test]
    fn a_stop_that_no_person_pulled_waits_for_one() {
        let by = |by: &str| said(&stop(Some(&Halt { by: by.to_owned(), at: now(), reason: "why".to_owned() })));
        assert_eq!([said(&stop(None)), by("astrid"), by(BRAKE), by(RESTORE)], [OK, WARNING, CRITICAL, CRITICAL]);
    }

    #[test]
    fn a_certificate_is_spoken_of_before_it_ends() {
        let days =
            |days: i64| said(&certificate("server.pem", Some(now().as_second() + days * 86_400), now(), RESTART));
        assert_eq!(
            [days(60), days(59), days(14), days(13), days(0), days(-1)],
            [OK, WARNING, WARNING, CRITICAL, CRITICAL, CRITICAL]
        );
        assert_eq!(said(&certificate("server.pem", None, now(), RESTART)), CRITICAL);
        assert_eq!(certificate("server.pem", None, now(), RESTART).place, "server.pem");
    }

    #[test]
    fn keys_that_are_missing_here_are_critical() {
        assert_eq!([said(&issuer(None)), said(&issuer(Some("no Ed25519 key")))], [OK, CRITICAL]);
    }

    #[test]
    fn agents_are_named_where_something_is_wrong() {
        let agent = |name: &str, presence, quarantined| Agent { name: name.parse().unwrap(), presence, quarantined };
        let (there, silent) = (Presence::There, Presence::Silent);
        assert_eq!(agents(&[agent("web1", there, None)]).iter().map(said).collect::<Vec<_>>(), [OK]);
        assert_eq!(agents(&[agent("web1", Presence::Awaited, None)]).iter().map(said).collect::<Vec<_>>(), [OK]);
        let found =
            agents(&[agent("web1", there, None), agent("web2", silent, None), agent("web3", there, Some(now()))]);
        let places: Vec<_> = found.iter().map(|found| (found.place.as_str(), said(found))).collect();
        assert_eq!(places, [("web2", WARNING), ("web3", CRITICAL)]);
    }

    #[test]
    fn what_is_overdue_is_critical() {
        assert_eq!([said(&requests(3, 0)), said(&requests(3, 1))], [OK, CRITICAL]);
    }
}
