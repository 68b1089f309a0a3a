//! The list that `gallra target list --output json` prints, read back as what agents report. Owns that reading; a word that it
//! does not know is refused, so that no target is planned as another.

use gallra_model::AgentName;
use gallra_model::target::{CopyLife, Inventory, Mode, Role, Scope, Strategy, TargetId, TargetInfo, TargetKind};
use gallra_policy::{CATEGORIES, word};
use serde::Deserialize;

/// An offline preview knows no agent's key, and signs nothing: this one opens nothing.
const NO_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One target as the list has it. What it has beside this is not planned by.
#[derive(Deserialize)]
struct Listed {
    agent: String,
    id: String,
    kind: String,
    category: String,
    role: String,
    scope: String,
    mode: String,
    #[serde(default)]
    copy_life: String,
    #[serde(default)]
    copy_life_days: u32,
    #[serde(default)]
    covers: Vec<String>,
    #[serde(default)]
    purges: bool,
    #[serde(default)]
    by_address: bool,
}

/// Reads a list, each agent's targets in its order.
///
/// # Errors
/// What is wrong with it, and with which target.
pub(super) fn inventories(text: &str) -> Result<Vec<Inventory>, String> {
    let list: Vec<Listed> = serde_json::from_str(text).map_err(|error| {
        format!("not a list of targets: {error}: give what `gallra target list --output json` prints")
    })?;
    let mut inventories: Vec<Inventory> = Vec::new();
    for listed in list {
        let place = format!("{}/{}", listed.agent, listed.id);
        let agent: AgentName = listed.agent.parse().map_err(|error| format!("{place}: agent: {error}"))?;
        let target = target(listed).map_err(|reason| format!("{place}: {reason}"))?;
        match inventories.iter_mut().find(|own| own.agent == agent) {
            Some(own) => own.targets.push(target),
            None => inventories.push(Inventory { agent, evidence_key: NO_KEY.to_owned(), targets: vec![target] }),
        }
    }
    Ok(inventories)
}

fn target(listed: Listed) -> Result<TargetInfo, String> {
    let unknown = |field: &str, word: &str| format!("unknown {field} {word:?}");
    let id = |word: &String| word.parse::<TargetId>().map_err(|error| format!("{word:?}: {error}"));
    let kind = match listed.kind.as_str() {
        "files" => TargetKind::Files,
        "maildir" => TargetKind::Maildir,
        "sql" => TargetKind::Sql,
        "access_log" | "access-log" => TargetKind::AccessLog,
        "restic" => TargetKind::Restic,
        word => return Err(unknown("kind", word)),
    };
    let role = match listed.role.as_str() {
        "controller" => Role::Controller,
        "processor" => Role::Processor,
        word => return Err(unknown("role", word)),
    };
    let scope = match listed.scope.as_str() {
        "contract" => Scope::Contract,
        "customer" => Scope::Customer,
        word => return Err(unknown("scope", word)),
    };
    let mode = match listed.mode.as_str() {
        "observe" => Mode::Observe,
        "act" => Mode::Act,
        word => return Err(unknown("mode", word)),
    };
    let copy_life = match listed.copy_life.as_str() {
        "at_most" => Some(CopyLife::AtMost { days: listed.copy_life_days }),
        "never" => Some(CopyLife::Never),
        "unknown" => Some(CopyLife::Unknown),
        // A backup target that says nothing about its copies is not believed to lose them.
        "" | "unspecified" => kind.is_backup().then_some(CopyLife::Unknown),
        word => return Err(unknown("copy_life", word)),
    };
    let category = word::category(&listed.category)
        .ok_or_else(|| format!("{}; one of: {}", unknown("category", &listed.category), CATEGORIES.join(", ")))?;
    Ok(TargetInfo {
        id: id(&listed.id)?,
        kind,
        category,
        role,
        scope,
        mode,
        purges: listed.purges,
        strategy: kind.is_backup().then_some(Strategy::Observe),
        copy_life,
        covers: listed.covers.iter().map(id).collect::<Result<_, _>>()?,
        by_address: listed.by_address,
    })
}
