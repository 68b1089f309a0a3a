//! What `doctor` wants to know of etcd: members, versions, who leads there, how full it is, what alarms it raised. Owns the
//! questions; what is bad enough to say is decided by [`Health::findings`], a function of the answers.

use std::time::Duration;

use etcd_client::{AlarmAction, AlarmOptions, AlarmType};
use gallra_store::StoreError;

use crate::members::{Member, Twice};
use crate::tls::Validity;
use crate::{Etcd, fault::Fault};

/// etcd's own quota where none was set (`--quota-backend-bytes`).
pub const DEFAULT_QUOTA_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// From this share of the quota on, in percent, it is said.
const FULL_PERCENT: u64 = 80;
/// From this share of unused pages in the file on, in percent, and this size, defragmenting is advised.
const LOOSE_PERCENT: u64 = 50;
const LOOSE_BYTES: u64 = 100 * 1024 * 1024;
/// So long without a word from etcd, and changes are not heard.
const SILENT: Duration = Duration::from_secs(15);
/// Days before its end from which a server's certificate is spoken of, and from which it is urgent.
const CERTIFICATE_DAYS: (i64, i64) = (60, 14);

/// One member, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberHealth {
    /// How it was reached.
    pub endpoint: String,
    /// What it says, or why it says nothing.
    pub status: Result<MemberStatus, String>,
    /// Whether it would take a new connection: how long its certificate holds, or why one is refused, on either side.
    pub door: Result<Option<Validity>, String>,
}

/// What a member says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its id.
    pub id: u64,
    /// Its version.
    pub version: String,
    /// Bytes of its file.
    pub size: u64,
    /// Bytes of the file that are in use; the rest is given back by defragmenting.
    pub in_use: u64,
    /// Bytes that it may take, where it tells (3.6).
    pub quota: Option<u64>,
    /// Which member leads, as far as it knows; 0 for none.
    pub leader: u64,
    /// Whether it only learns, and does not vote.
    pub learner: bool,
    /// What it complains of.
    pub errors: Vec<String>,
}

/// An alarm that a member raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// The quota is used up: removals only.
    NoSpace,
    /// Its data are damaged.
    Corrupt,
}

/// etcd, at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The cluster's id.
    pub cluster: u64,
    /// All members that are configured here.
    pub members: Vec<MemberHealth>,
    /// Members that etcd counts, by name (empty before it has started) and id.
    pub counted: Vec<(String, u64)>,
    /// Alarms, by member id.
    pub alarms: Vec<(u64, Alarm)>,
    /// Bytes that each member may take.
    pub quota: u64,
    /// For how long the feed of changes has heard nothing; none where it never has.
    pub silent_for: Option<Duration>,
    /// When this was looked at, in seconds since 1970 UTC.
    pub at: i64,
}

/// Something that a person should know, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether anything is at risk now.
    pub urgent: bool,
    /// What, and what next.
    pub text: String,
}

impl Etcd {
    /// Asks every member.
    ///
    /// # Errors
    /// When not even one answers.
    pub async fn health(&self) -> Result<Health, StoreError> {
        let shared = &self.shared;
        // Members that are well may be those of another cluster, or of an earlier time.
        shared.revision().await?;
        let list =
            shared.members.ask(Twice::Harmless, |client| async move { client.cluster_client().member_list().await });
        let list = list.await.map_err(|fault| fault.of_read("listing etcd's members"))?;
        let alarms = self.alarms().await?;
        let mut members = Vec::new();
        for member in shared.members.all() {
            let (status, door) =
                tokio::join!(status(&member, shared.members.answer_within), shared.members.knock(&member));
            let door = door.map_err(|refusal| refusal.hint);
            members.push(MemberHealth { endpoint: member.endpoint.clone(), status, door });
        }
        let told = members.iter().filter_map(|member| member.status.as_ref().ok()?.quota).min();
        Ok(Health {
            cluster: shared.cluster,
            members,
            counted: list.members().iter().map(|member| (member.name().to_owned(), member.id())).collect(),
            alarms,
            quota: told.or(shared.quota).unwrap_or(DEFAULT_QUOTA_BYTES),
            silent_for: shared.feed.silent_for(),
            at: seconds(),
        })
    }

    /// The share of its quota that the fullest member uses: bytes in use, without the empty pages of its file.
    ///
    /// # Errors
    /// When no member answers.
    pub async fn fullest(&self) -> Result<f64, StoreError> {
        let shared = &self.shared;
        let (mut fullest, mut why) = (None, String::new());
        for member in shared.members.all() {
            match status(&member, shared.members.answer_within).await {
                Ok(said) => {
                    let quota = said.quota.or(shared.quota).unwrap_or(DEFAULT_QUOTA_BYTES);
                    fullest = Some(share(said.in_use, quota).max(fullest.unwrap_or_default()));
                }
                Err(silent) => why = silent,
            }
        }
        fullest.ok_or(StoreError::Unavailable { hint: why })
    }

    /// Takes the alarm back that a used-up quota raised. Worth it only after space was made: etcd raises it again else.
    ///
    /// # Errors
    /// When nobody answers, or our user may not.
    pub async fn disarm_no_space(&self) -> Result<(), StoreError> {
        let raised = self.alarms().await?;
        // Each by its member: for none in particular etcd says yes and does nothing.
        for (member, _) in raised.into_iter().filter(|(_, alarm)| *alarm == Alarm::NoSpace) {
            let disarmed = self.shared.members.ask(Twice::Harmless, |client| async move {
                let mut options = AlarmOptions::new();
                options.with_member(member);
                client.maintenance_client().alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(options)).await
            });
            disarmed.await.map_err(|fault| fault.of_read("disarming etcd's alarm"))?;
        }
        Ok(())
    }

    async fn alarms(&self) -> Result<Vec<(u64, Alarm)>, StoreError> {
        let raised = self.shared.members.ask(Twice::Harmless, |client| async move {
            client.maintenance_client().alarm(AlarmAction::Get, AlarmType::None, None).await
        });
        let raised = raised.await.map_err(|fault| fault.of_read("listing etcd's alarms"))?;
        Ok(raised.alarms().iter().filter_map(|raised| Some((raised.member_id(), alarm(raised.alarm())?))).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for a figure: some bytes of many gigabytes are nothing to it")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn alarm(raised: AlarmType) -> Option<Alarm> {
    match raised {
        AlarmType::None => None,
        AlarmType::Nospace => Some(Alarm::NoSpace),
        AlarmType::Corrupt => Some(Alarm::Corrupt),
    }
}

async fn status(member: &Member, within: Duration) -> Result<MemberStatus, String> {
    let size = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
    let mut client = member.client.maintenance_client();
    match tokio::time::timeout(within, client.status()).await {
        Ok(Ok(said)) => Ok(MemberStatus {
            id: said.header().map_or(0, etcd_client::ResponseHeader::member_id),
            version: said.version().to_owned(),
            size: size(said.db_size()),
            in_use: size(said.raft_used_db_size()),
            quota: Some(size(said.db_size_quota())).filter(|quota| *quota > 0),
            leader: said.leader(),
            learner: said.is_learner(),
            errors: said.errors().to_vec(),
        }),
        Ok(Err(error)) => Err(Fault::of(&error).hint),
        Err(_) => Err(Fault::silent(within).hint),
    }
}

impl Health {
    /// What is wrong, or soon will be.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.members.iter().flat_map(|member| self.of_member(member)).collect();
        let mut say = |urgent, text: String| findings.push(Finding { urgent, text });
        for (member, alarm) in &self.alarms {
            say(
                true,
                match alarm {
                    Alarm::NoSpace => format!(
                        "member {member:x} has used up its quota: etcd takes removals only, and no new leader can be elected. \
                         Compact, defragment, disarm: docs/etcd.md"
                    ),
                    Alarm::Corrupt => format!(
                        "member {member:x} has damaged data: take it out of the cluster and add it anew, empty: docs/etcd.md"
                    ),
                },
            );
        }
        let reached: Vec<&MemberStatus> =
            self.members.iter().filter_map(|member| member.status.as_ref().ok()).collect();
        let unknown = self.counted.iter().filter(|(_, id)| !reached.iter().any(|member| member.id == *id)).count();
        if unknown > 0 {
            let all = self.counted.len();
            say(
                false,
                format!(
                    "{unknown} of {all} members of etcd were not reached here: give all endpoints to every replica"
                ),
            );
        }
        if self.counted.len() == 2 {
            say(false, "etcd has two members: it stops when either does; run one or three".to_owned());
        }
        if reached.iter().any(|member| member.leader == 0) {
            say(true, "a member of etcd knows no leader: look at the links between the members".to_owned());
        }
        if self.silent_for.is_none_or(|silent| silent > SILENT) {
            say(true, "nothing is heard of what others change: see the log for why the feed breaks".to_owned());
        }
        findings
    }

    fn of_member(&self, member: &MemberHealth) -> Vec<Finding> {
        let endpoint = &member.endpoint;
        let finding = |urgent, text: String| Finding { urgent, text };
        let status = match (&member.status, &member.door) {
            (Ok(status), _) => status,
            (Err(_), Err(why)) => return vec![finding(true, format!("{endpoint} does not answer: {why}"))],
            (Err(why), Ok(_)) => return vec![finding(false, format!("{endpoint} does not answer: {why}"))],
        };
        let percent = |part: u64, whole: u64| part.saturating_mul(100).checked_div(whole).unwrap_or(100);
        let mut findings = self.of_door(member).into_iter().collect::<Vec<_>>();
        let full = percent(status.in_use, self.quota);
        if full >= FULL_PERCENT {
            findings.push(finding(
                full >= 95,
                format!("{endpoint} uses {full} percent of its quota: split the cell or raise --quota-backend-bytes (8 GiB at most)"),
            ));
        } else if percent(status.size, self.quota) >= FULL_PERCENT
            || (status.size >= LOOSE_BYTES
                && percent(status.size - status.in_use.min(status.size), status.size) >= LOOSE_PERCENT)
        {
            findings.push(finding(
                false,
                format!("{endpoint}'s file is mostly empty pages: defragment it, members one after another"),
            ));
        }
        if status.learner {
            findings.push(finding(
                false,
                format!("{endpoint} only learns and does not vote: promote it, or take it out of the list"),
            ));
        }
        findings.extend(status.errors.iter().map(|error| finding(true, format!("{endpoint} says: {error}"))));
        findings
    }

    /// Connections of before go on when a certificate ends; the next one is not made.
    fn of_door(&self, member: &MemberHealth) -> Option<Finding> {
        let endpoint = &member.endpoint;
        match &member.door {
            Err(why) => Some(Finding {
                urgent: true,
                text: format!("{endpoint} answers on connections that stand, and takes no new one: {why}"),
            }),
            Ok(Some(shown)) => {
                let days = (shown.until - self.at).div_euclid(86_400);
                (days < CERTIFICATE_DAYS.0).then(|| Finding {
                    urgent: days < CERTIFICATE_DAYS.1,
                    text: format!(
                        "{endpoint}'s server certificate ends in {days} days: put a new one in its place, it is read at each new connection"
                    ),
                })
            }
            Ok(None) => None,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates are of real machines, and only `doctor` is told")]
fn seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn member(id: u64) -> MemberStatus {
        let version = "3.5.16".to_owned();
        MemberStatus {
            id,
            version,
            size: 1_000,
            in_use: 900,
            quota: None,
            leader: 1,
            learner: false,
            errors: Vec::new(),
        }
    }

    fn healthy(ids: &[u64]) -> Health {
        let members = ids
            .iter()
            .map(|id| MemberHealth { endpoint: format!("m{id}"), status: Ok(member(*id)), door: Ok(None) })
            .collect();
        let counted = ids.iter().map(|id| (format!("m{id}"), *id)).collect();
        Health {
            cluster: 7,
            members,
            counted,
            alarms: Vec::new(),
            quota: 2 * GIB,
            silent_for: Some(Duration::ZERO),
            at: 0,
        }
    }

    fn with(change: impl FnOnce(&mut MemberStatus)) -> Vec<Finding> {
        let mut health = healthy(&[1]);
        let mut status = member(1);
        change(&mut status);
        health.members[0].status = Ok(status);
        health.findings()
    }

    #[test]
    fn a_healthy_etcd_says_nothing() {
        assert_eq!(healthy(&[1]).findings(), []);
        assert_eq!(healthy(&[1, 2, 3]).findings(), []);
    }

    #[test]
    fn each_trouble_is_said_with_what_to_do() {
        let urgent = |findings: Vec<Finding>, word: &str| {
            let found: Vec<_> = findings.iter().filter(|finding| finding.text.contains(word)).collect();
            assert_eq!((found.len(), findings.len()), (1, 1), "{word}: {findings:?}");
            found[0].urgent
        };
        assert!(!urgent(with(|m| (m.size, m.in_use) = (2 * GIB, 17 * GIB / 10)), "split the cell"));
        assert!(urgent(with(|m| (m.size, m.in_use) = (2 * GIB, 2 * GIB)), "split the cell"));
        assert!(!urgent(with(|m| m.size = 2 * GIB), "defragment"));
        assert!(!urgent(with(|m| m.size = GIB / 2), "defragment"));
        assert!(!urgent(with(|m| m.learner = true), "promote"));
        assert!(urgent(with(|m| m.leader = 0), "no leader"));
        assert!(urgent(with(|m| m.errors = vec!["NOSPACE".to_owned()]), "says: NOSPACE"));
        let changed = |change: fn(&mut Health)| {
            let mut health = healthy(&[1]);
            change(&mut health);
            health.findings()
        };
        assert!(urgent(changed(|h| h.alarms = vec![(1, Alarm::NoSpace)]), "removals only"));
        assert!(urgent(changed(|h| h.alarms = vec![(1, Alarm::Corrupt)]), "damaged"));
        assert!(urgent(changed(|h| h.silent_for = None), "feed"));
        assert!(urgent(changed(|h| h.silent_for = Some(SILENT * 2)), "feed"));
        assert!(!urgent(changed(|h| h.counted.extend([("b".to_owned(), 2), ("c".to_owned(), 3)])), "2 of 3 members"));
        let until = |days: i64| Ok(Some(Validity { from: -1, until: days * 86_400 }));
        let door = |door: Result<Option<Validity>, String>| {
            let mut health = healthy(&[1]);
            health.members[0].door = door;
            health.findings()
        };
        assert_eq!(door(until(61)), []);
        assert!(!urgent(door(until(30)), "ends in 30 days"));
        assert!(urgent(door(until(13)), "ends in 13 days"));
        assert!(urgent(door(Err("it has expired".to_owned())), "takes no new one: it has expired"));
        assert_eq!(healthy(&[1, 2]).findings().len(), 1, "two members");
    }
}
