//! Carries a mapping out inside one open transaction, and checks, before anything becomes lasting, that exactly the
//! subject's rows went (I11) and that nothing of them still stands in any table. Never commits: its caller does.

use std::collections::BTreeMap;

use gallra_model::receipt::Code;

use super::engine::{Session, Sort, number};
use super::look::{Look, all};
use super::mapping::{Act, Pick, Table, column};
use super::residue;
use crate::driver::{Boundary, Failure, Inspection};

/// Deletes and blanks. Returns how many rows, all of them still uncommitted.
pub(super) fn erase(look: &Look<'_>, seen: &Inspection, boundary: &mut dyn Boundary) -> Result<u64, Failure> {
    if Some(look.instance()?) != seen.instance {
        return Err(Failure::new(
            Code::InstanceChanged,
            "the subject's rows were replaced since they were looked at: nothing was changed; inspect again",
        ));
    }
    let acted: Vec<&Table> = look.mapping.tables.iter().filter(|table| !table.act.keeps()).collect();
    let before = Census::take(look)?;
    let mut rows = 0;
    let mut deleted = Rows::new();
    for table in &acted {
        go_on(boundary)?;
        let count = apply(look, table)?;
        rows += count;
        if matches!(table.act, Act::Delete) {
            deleted.insert(table.name.to_ascii_lowercase(), count);
        }
        if look.due(table)? > 0 {
            return Err(Failure::new(
                Code::StillThere,
                format!("rows of table {} could not be erased: does a trigger prevent it? all was undone", table.name),
            ));
        }
    }
    let after = Census::take(look)?;
    let beyond = after.changed - before.changed != rows && !look.mapping.allow_triggers;
    if beyond || !before.is_less_only(&deleted, &after) {
        return Err(others_changed());
    }
    let names: Vec<&str> = acted.iter().map(|table| table.name.as_str()).collect();
    look.session.forget_samples(&names)?;
    nothing_stands(look, seen)?;
    go_on(boundary)?;
    if !boundary.mark(seen) {
        return Err(Failure::new(Code::Target, "what is there could not be written down first: all was undone"));
    }
    Ok(rows)
}

/// Sets the restriction. Returns the subject's rows that now have it.
pub(super) fn restrict(look: &Look<'_>) -> Result<u64, Failure> {
    let unsupported =
        || Failure::new(Code::Unsupported, "this sql target has no `restrict` in agent.toml: nothing was restricted");
    let restrict = look.mapping.restrict.as_ref().ok_or_else(unsupported)?;
    let table = look.mapping.find(&restrict.table).ok_or_else(unsupported)?;
    let session = look.session;
    let changed_before = session.changed();
    let sql = format!(
        "UPDATE {} SET {} = ?2 WHERE {}",
        session.quote(&table.name),
        session.quote(&restrict.column),
        look.mapping.is_subjects(table, session)
    );
    let rows = session.change(&sql, &[look.id(table)?, &restrict.value], &format!("restricting in {}", table.name))?;
    if session.changed() - changed_before != rows && !look.mapping.allow_triggers {
        return Err(others_changed());
    }
    Ok(rows)
}

fn go_on(boundary: &mut dyn Boundary) -> Result<(), Failure> {
    if boundary.may_go_on() {
        return Ok(());
    }
    Err(Failure::new(Code::Stopped, "time or a hold stopped the erasure before it was made lasting: all was undone"))
}

pub(super) fn others_changed() -> Failure {
    Failure::new(
        Code::OthersChanged,
        "a trigger or a foreign key's action changed rows beyond those that were to go: declare the tables that refer to \
         these above them, or set `allow_triggers` if a trigger's work is wanted; all was undone",
    )
}

fn nothing_stands(look: &Look<'_>, seen: &Inspection) -> Result<(), Failure> {
    let standing = residue::standing(look.session, &seen.residue)?;
    if standing == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Code::StillThere,
        format!(
            "{standing} texts of the subject would still stand in tables that agent.toml does not declare (or a \
             trigger copied them): declare those tables, or call them `shared` if they hold common words; all was \
             undone"
        ),
    ))
}

fn apply(look: &Look<'_>, table: &Table) -> Result<u64, Failure> {
    let session = look.session;
    let name = session.quote(&table.name);
    let due = look.mapping.is_due(table, session);
    let id = [look.id(table)?];
    match &table.act {
        Act::Keep => Ok(0),
        Act::Delete => {
            let doing = format!("deleting from {} (tables that refer to it must stand above it)", table.name);
            session.change(&format!("DELETE FROM {name} WHERE {due}"), &id, &doing)
        }
        Act::Blank(columns) => {
            let shape = look.shape(&table.name)?;
            let set: Vec<String> = columns
                .iter()
                .map(|column| {
                    let not_null = shape.column(column).is_some_and(|column| column.not_null);
                    format!("{} = {}", session.quote(column), if not_null { "''" } else { "NULL" })
                })
                .collect();
            let doing = format!("blanking columns of {}", table.name);
            session.change(&format!("UPDATE {name} SET {} WHERE {due}", set.join(", ")), &id, &doing)
        }
    }
}

/// What an act must leave as it is.
struct Census {
    rows: Rows,
    /// The subject's own rows that an erasure leaves: in kept tables, and in blanked ones.
    kept: u64,
    /// Rows changed so far, by whatever.
    changed: u64,
}

impl Census {
    fn take(look: &Look<'_>) -> Result<Self, Failure> {
        Ok(Self { rows: rows_of(look.session)?, kept: kept(look)?, changed: look.session.changed() })
    }

    fn is_less_only(&self, deleted: &Rows, after: &Self) -> bool {
        self.kept == after.kept && are_less_only(&self.rows, deleted, &after.rows)
    }
}

/// Rows of tables, by the tables' names in lower case.
pub(super) type Rows = BTreeMap<String, u64>;

/// Rows of every ordinary table, declared or not.
pub(super) fn rows_of(session: &dyn Session) -> Result<Rows, Failure> {
    let ordinary = session.tables()?.into_iter().filter(|(_, sort)| *sort == Sort::Ordinary);
    ordinary.map(|(table, _)| Ok((table.to_ascii_lowercase(), all(session, &table)?))).collect()
}

/// Whether every table lost exactly the rows that were deleted from it. Triggers may add; nothing may lose more.
pub(super) fn are_less_only(before: &Rows, deleted: &Rows, after: &Rows) -> bool {
    before.iter().all(|(table, rows)| {
        let gone = deleted.get(table).copied().unwrap_or(0);
        after.get(table).is_some_and(|left| *left >= rows.saturating_sub(gone))
    })
}

fn kept(look: &Look<'_>) -> Result<u64, Failure> {
    let mut rows = 0;
    for table in look.mapping.tables.iter().filter(|table| !matches!(table.act, Act::Delete)) {
        let session = look.session;
        // Rows that are reached through a deleted parent can no longer be told by it; the rows of their table can.
        if let Pick::Own { key, .. } = &table.pick {
            let condition = session.exact(&column(session, &table.name, key));
            let sql = format!("SELECT count(*) FROM {} WHERE {condition}", session.quote(&table.name));
            rows += number(session, &sql, &[look.id(table)?])?;
        }
    }
    Ok(rows)
}
