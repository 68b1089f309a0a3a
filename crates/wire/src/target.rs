//! Inventories to and from the wire.

use gallra_model::target::{CopyLife, Inventory, Mode, Role, Scope, Strategy, TargetInfo, TargetKind};
use tonic::Status;

use crate::{parse, v1};

/// Most targets one agent may report.
pub const MAX_TARGETS: usize = 10_000;

/// To the wire.
pub fn inventory_to_wire(inventory: &Inventory) -> v1::Inventory {
    v1::Inventory {
        agent: inventory.agent.to_string(),
        evidence_key: inventory.evidence_key.clone(),
        targets: inventory.targets.iter().map(target_to_wire).collect(),
    }
}

/// One target to the wire; `agent` is left empty.
pub fn target_to_wire(target: &TargetInfo) -> v1::Target {
    let (copy_life, copy_life_days) = match target.copy_life {
        None => (v1::CopyLife::Unspecified, 0),
        Some(CopyLife::AtMost { days }) => (v1::CopyLife::AtMost, days),
        Some(CopyLife::Never) => (v1::CopyLife::Never, 0),
        Some(CopyLife::Unknown) => (v1::CopyLife::Unknown, 0),
    };
    v1::Target {
        id: target.id.to_string(),
        kind: match target.kind {
            TargetKind::Files => v1::TargetKind::Files,
            TargetKind::Maildir => v1::TargetKind::Maildir,
            TargetKind::Sql => v1::TargetKind::Sql,
            TargetKind::AccessLog => v1::TargetKind::AccessLog,
            TargetKind::Restic => v1::TargetKind::Restic,
        }
        .into(),
        category: target.category.to_string(),
        role: match target.role {
            Role::Controller => v1::DataRole::Controller,
            Role::Processor => v1::DataRole::Processor,
        }
        .into(),
        scope: match target.scope {
            Scope::Contract => v1::Scope::Contract,
            Scope::Customer => v1::Scope::Customer,
        }
        .into(),
        mode: match target.mode {
            Mode::Observe => v1::Mode::Observe,
            Mode::Act => v1::Mode::Act,
        }
        .into(),
        copy_life: copy_life.into(),
        copy_life_days,
        covers: target.covers.iter().map(ToString::to_string).collect(),
        agent: String::new(),
        purges: target.purges,
        by_address: target.by_address,
    }
}

/// From the wire.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field.
pub fn inventory_from_wire(inventory: v1::Inventory) -> Result<Inventory, Status> {
    if inventory.targets.len() > MAX_TARGETS {
        return Err(crate::details::invalid_text(format!("inventory.targets: at most {MAX_TARGETS}")));
    }
    Ok(Inventory {
        agent: parse::field("inventory.agent", &inventory.agent)?,
        evidence_key: inventory.evidence_key,
        targets: inventory.targets.into_iter().map(target_from_wire).collect::<Result<_, _>>()?,
    })
}

fn target_from_wire(target: v1::Target) -> Result<TargetInfo, Status> {
    let unknown = |field: &str| crate::details::invalid_text(format!("target.{field}: unspecified or unknown"));
    let kind = match target.kind() {
        v1::TargetKind::Files => TargetKind::Files,
        v1::TargetKind::Maildir => TargetKind::Maildir,
        v1::TargetKind::Sql => TargetKind::Sql,
        v1::TargetKind::AccessLog => TargetKind::AccessLog,
        v1::TargetKind::Restic => TargetKind::Restic,
        v1::TargetKind::Unspecified => return Err(unknown("kind")),
    };
    let role = match target.role() {
        v1::DataRole::Controller => Role::Controller,
        v1::DataRole::Processor => Role::Processor,
        v1::DataRole::Unspecified => return Err(unknown("role")),
    };
    let scope = match target.scope() {
        v1::Scope::Contract => Scope::Contract,
        v1::Scope::Customer => Scope::Customer,
        v1::Scope::Unspecified => return Err(unknown("scope")),
    };
    let mode = match target.mode() {
        v1::Mode::Observe => Mode::Observe,
        v1::Mode::Act => Mode::Act,
        v1::Mode::Unspecified => return Err(unknown("mode")),
    };
    let copy_life = match target.copy_life() {
        v1::CopyLife::AtMost => Some(CopyLife::AtMost { days: target.copy_life_days }),
        v1::CopyLife::Never => Some(CopyLife::Never),
        v1::CopyLife::Unknown => Some(CopyLife::Unknown),
        // A backup target that says nothing about its copies is not believed to lose them.
        v1::CopyLife::Unspecified => kind.is_backup().then_some(CopyLife::Unknown),
    };
    Ok(TargetInfo {
        id: parse::field("target.id", &target.id)?,
        kind,
        category: parse::field("target.category", &target.category)?,
        role,
        scope,
        mode,
        purges: target.purges,
        strategy: kind.is_backup().then_some(Strategy::Observe),
        copy_life,
        covers: target.covers.iter().map(|id| parse::field("target.covers", id)).collect::<Result<_, _>>()?,
        by_address: target.by_address,
    })
}
