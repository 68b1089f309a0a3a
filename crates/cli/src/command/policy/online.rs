//! The policy commands that talk to a coordinator: what a version would do to open requests, putting it into force, and what
//! holds since when.

use std::cell::RefCell;
use std::path::Path;

use gallra_policy::Policy;
use gallra_policy::diff::diff;
use gallra_policy::render;
use gallra_wire::v1;
use gallra_wire::v1::policy_service_client::PolicyServiceClient;
use tonic::transport::Channel;

use super::{Shown, both, read_packs};
use crate::cause;
use crate::client::connect;
use crate::exit::{Failure, OK, USAGE};
use crate::output::{self, Format};

/// A pack with all that it includes, as it is sent.
struct Packs {
    policy: Policy,
    packs: Vec<v1::PolicyPack>,
}

/// Checked here first, so that every problem is shown with its file and its line.
fn packs(file: &Path) -> Result<Packs, Failure> {
    let read = RefCell::new(Vec::new());
    let policy = read_packs(file, |name, text| {
        read.borrow_mut().push(v1::PolicyPack { name: name.to_owned(), text: text.to_owned() });
    })
    .map_err(wrong)?;
    Ok(Packs { policy, packs: read.into_inner() })
}

fn wrong(reason: String) -> Failure {
    Failure::new(USAGE, format!("error: {reason}"))
}

/// Says what the policy does to open requests, and applies it.
pub(super) async fn apply(
    profile: Option<&Path>,
    file: &Path,
    cause_key: Option<&Path>,
    reach_ended: bool,
    shown: Shown,
) -> Result<u8, Failure> {
    let Packs { policy, packs } = packs(file)?;
    let channel = connect(profile).await?;
    let cause = match cause_key {
        Some(key) => {
            let key = cause::read_key(key)?;
            Some(cause::sign_policy(&key, policy.digest(), cause::clock(channel.clone()).await?)?)
        }
        None => None,
    };
    let name = policy.name().to_owned();
    let asked = v1::PreviewPolicyRequest { name: name.clone(), packs: packs.clone(), reach_ended };
    let changed = told(channel.clone(), asked, |change| output::note(&in_words(change))).await?;
    output::note(&counted(changed));
    let request = v1::ApplyPolicyRequest { name, packs, cause, reach_ended };
    let applied = PolicyServiceClient::new(channel).apply_policy(request).await?.into_inner();
    let pairs = [
        ("policy", applied.name.clone()),
        ("digest", applied.digest.clone()),
        ("waits for", applied.waits_for.clone()),
        ("begun", applied.begun.to_string()),
        ("purges by age", if applied.purges { "signed" } else { "not signed: nothing is purged by age" }.to_owned()),
    ];
    output::one(shown.output, &applied, &pairs);
    Ok(OK)
}

/// Says what it would do, and does nothing.
pub(super) async fn changes(
    profile: Option<&Path>,
    file: &Path,
    reach_ended: bool,
    shown: Shown,
) -> Result<u8, Failure> {
    let Packs { policy, packs } = packs(file)?;
    let channel = connect(profile).await?;
    let asked = v1::PreviewPolicyRequest { name: policy.name().to_owned(), packs, reach_ended };
    printed(channel, asked, shown.output).await?;
    Ok(OK)
}

/// What differs between two packs, and what becomes of open requests under the second.
pub(super) async fn diff_live(
    profile: Option<&Path>,
    (old, new): (&Path, &Path),
    reach_ended: bool,
    shown: Shown,
) -> Result<u8, Failure> {
    let [before, after] = both(old, new).map_err(wrong)?;
    let differences = diff(&before, &after);
    let Packs { policy, packs } = packs(new)?;
    let channel = connect(profile).await?;
    let versions =
        PolicyServiceClient::new(channel.clone()).list_policies(v1::ListPoliciesRequest {}).await?.into_inner();
    let now = versions.versions.iter().find(|version| version.state == "in-force");
    if now.is_none_or(|now| now.digest != before.digest().to_string()) {
        output::note("the old pack is not the policy in force: requests are compared with the plans that they have");
    }
    let asked = v1::PreviewPolicyRequest { name: policy.name().to_owned(), packs, reach_ended };
    match shown.output {
        Format::Table => {
            output::line(render::diff_table(&differences).trim_end());
            output::line("");
            printed(channel, asked, Format::Table).await?;
        }
        Format::Json => {
            output::line("{\"differences\":");
            output::line(render::diff_json(&differences).trim_end());
            output::line(",\"requests\":");
            printed(channel, asked, Format::Json).await?;
            output::line("}");
        }
    }
    Ok(OK)
}

/// Prints each changed request as it comes, so that a million of them need no memory.
async fn printed(channel: Channel, asked: v1::PreviewPolicyRequest, format: Format) -> Result<(), Failure> {
    match format {
        Format::Table => {
            let changed = told(channel, asked, |change| output::line(&in_words(change))).await?;
            output::line(&counted(changed));
        }
        Format::Json => {
            output::line("[");
            let first = std::cell::Cell::new(true);
            told(channel, asked, |change| {
                if !first.replace(false) {
                    output::line(",");
                }
                output::json(change);
            })
            .await?;
            output::line("]");
        }
    }
    Ok(())
}

/// Asks, and hears each answer. Returns how many there were.
async fn told(
    channel: Channel,
    asked: v1::PreviewPolicyRequest,
    each: impl Fn(&v1::ChangedRequest),
) -> Result<u64, Failure> {
    let mut stream = PolicyServiceClient::new(channel).preview_policy(asked).await?.into_inner();
    let mut count = 0;
    while let Some(change) = stream.message().await? {
        each(&change);
        count += 1;
    }
    Ok(count)
}

fn counted(changed: u64) -> String {
    match changed {
        0 => "no open request changes".to_owned(),
        1 => "1 open request changes".to_owned(),
        many => format!("{many} open requests change"),
    }
}

/// One changed request for a person.
fn in_words(change: &v1::ChangedRequest) -> String {
    let mut lines = vec![format!("request {}", change.request)];
    if !change.refused.is_empty() {
        lines.push(format!("  no plan can be made: {}", change.refused));
    }
    if change.stops {
        lines.push("  stops, and shows legal_review, until somebody has looked".to_owned());
    }
    for target in &change.targets {
        let [before, after] = [&target.before, &target.after]
            .map(|fate| fate.as_ref().map_or_else(|| "unknown".to_owned(), fate_in_words));
        lines.push(format!("  {}/{} ({}): {before} -> {after}", target.agent, target.target, target.category));
    }
    lines.join("\n")
}

fn fate_in_words(fate: &v1::TargetFate) -> String {
    let done = match (fate.does.as_str(), fate.day.as_str()) {
        ("wait", _) => "waits".to_owned(),
        ("watch", _) if fate.latest.is_empty() => "copies watched".to_owned(),
        ("watch", _) => format!("copies gone by {}", fate.latest),
        ("keep", day) => format!("kept until {day}"),
        (does, day) => format!("{does} {day}"),
    };
    format!("{done} ({})", fate.rule)
}

/// What was, is and will be in force.
pub(super) async fn list(profile: Option<&Path>, shown: Shown) -> Result<u8, Failure> {
    let mut client = PolicyServiceClient::new(connect(profile).await?);
    let versions = client.list_policies(v1::ListPoliciesRequest {}).await?.into_inner().versions;
    let head = ["since", "state", "policy", "digest", "by", "reaches ended", "purges"];
    let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    output::list(shown.output, &versions, head, |version| {
        let since = if version.since.is_empty() { "always".to_owned() } else { version.since.clone() };
        [
            since,
            version.state.clone(),
            version.name.clone(),
            version.digest.clone(),
            version.by.clone(),
            yes(version.reaches_ended),
            yes(version.purges),
        ]
    });
    Ok(OK)
}

/// Takes a waiting one back.
pub(super) async fn withdraw(profile: Option<&Path>, digest: String, shown: Shown) -> Result<u8, Failure> {
    let mut client = PolicyServiceClient::new(connect(profile).await?);
    let version = client.withdraw_policy(v1::WithdrawPolicyRequest { digest }).await?.into_inner();
    let pairs =
        [("withdrawn", version.digest.clone()), ("policy", version.name.clone()), ("day", version.since.clone())];
    output::one(shown.output, &version, &pairs);
    Ok(OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(does: &str, day: &str, latest: &str) -> v1::TargetFate {
        v1::TargetFate { does: does.into(), rule: "p/r".into(), day: day.into(), latest: latest.into() }
    }

    #[test]
    fn a_changed_request_is_told_target_by_target() {
        let target = |before, after| v1::ChangedTarget {
            agent: "web1".into(),
            target: "www".into(),
            category: "mail".into(),
            before,
            after,
        };
        let change = v1::ChangedRequest {
            request: "r".into(),
            stops: true,
            refused: "why".into(),
            targets: vec![
                target(Some(fate("erase", "2026-02-28", "2026-02-28")), Some(fate("erase", "2026-03-31", ""))),
                target(Some(fate("wait", "", "")), Some(fate("keep", "2033-01-01", ""))),
                target(Some(fate("watch", "", "")), Some(fate("watch", "", "2026-08-31"))),
                target(None, Some(fate("wait", "", ""))),
            ],
        };
        let expected = "request r\n  no plan can be made: why\n  stops, and shows legal_review, until somebody has looked\n  \
            web1/www (mail): erase 2026-02-28 (p/r) -> erase 2026-03-31 (p/r)\n  \
            web1/www (mail): waits (p/r) -> kept until 2033-01-01 (p/r)\n  \
            web1/www (mail): copies watched (p/r) -> copies gone by 2026-08-31 (p/r)\n  \
            web1/www (mail): unknown -> waits (p/r)";
        assert_eq!(in_words(&change), expected);
        assert_eq!(
            [0, 1, 2].map(counted),
            ["no open request changes", "1 open request changes", "2 open requests change"]
        );
    }
}
