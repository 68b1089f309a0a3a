//! The acting side of a purge by age: rows go in batches, each a transaction in which every row is judged anew before it goes,
//! and in which nothing else may change. Upholds I6 and I11: a batch is there whole or not at all, and a stop is heard
//! between two.

use gallra_model::receipt::Code;
use gallra_model::target::Instance;

use super::act::{Rows, are_less_only, others_changed, rows_of};
use super::engine::{Engine, Session, number};
use super::mapping::{Aged, Pick, Table, column};
use super::survey::{Ages, Fate, address};
use crate::driver::{Boundary, Failure};

/// Rows that one transaction takes, beside those that hang on them.
const ROWS: usize = 500;
/// Rows noted at a time; more are looked for again.
const NOTED: usize = 100_000;

/// Deletes all that is too old. Returns how many rows went.
pub(super) fn all(
    engine: &dyn Engine,
    ages: &Ages<'_>,
    (marks, instance): (&[&str], Instance),
    boundary: &mut dyn Boundary,
) -> Result<u64, Failure> {
    let mut gone = 0;
    for table in ages.tables().filter(|table| table.has_time()) {
        loop {
            let noted = due(&*engine.look()?, ages, table)?;
            for rows in noted.chunks(ROWS) {
                if !boundary.may_go_on() {
                    return Err(Failure::new(
                        Code::Stopped,
                        "time or a hold stopped the purge between two batches: what went is gone, and a new attempt goes on",
                    ));
                }
                // Before the lock is taken that a large batch would keep other connections out with, this process's own too.
                engine.remember(marks, instance)?;
                let session = engine.begin()?;
                let went = batch(&*session, ages, table, rows)?;
                if went > 0 {
                    session.commit()?;
                    gone += went;
                }
            }
            if noted.len() < NOTED {
                break;
            }
        }
    }
    Ok(gone)
}

/// Where the rows are that have to go; some of them, where they are very many.
fn due(session: &dyn Session, ages: &Ages<'_>, table: &Table) -> Result<Vec<i64>, Failure> {
    let mut noted = Vec::new();
    ages.each(session, table, "1 = 1", &mut |fate, at, _| {
        if fate == Fate::Goes && noted.len() < NOTED {
            noted.push(at);
        }
        Ok(())
    })?;
    Ok(noted)
}

/// Deletes those of these rows that are too old now. Nothing lasts yet.
fn batch(session: &dyn Session, ages: &Ages<'_>, table: &Table, rows: &[i64]) -> Result<u64, Failure> {
    let address = address(session, table)?;
    let mut due = Vec::new();
    ages.each(session, table, &format!("{address} IN ({})", list(rows)), &mut |fate, at, _| {
        if fate == Fate::Goes {
            due.push(at);
        }
        Ok(())
    })?;
    if due.is_empty() {
        return Ok(0);
    }
    let (before, changed) = (rows_of(session)?, session.changed());
    let here = format!("{address} IN ({})", list(&due));
    let mut deleted = Rows::new();
    for child in ages.tables().filter(|child| matches!(child.aged, Aged::WithParent)) {
        if let Some(rows) = with_parent(session, table, child, &here)? {
            deleted.insert(child.name.to_ascii_lowercase(), rows);
        }
    }
    let name = session.quote(&table.name);
    let doing = format!("deleting old rows of {} (tables that refer to it must be declared `via` it)", table.name);
    let went = session.change(&format!("DELETE FROM {name} WHERE {here}"), &[], &doing)?;
    if went != due.len() as u64 {
        return Err(Failure::new(
            Code::StillThere,
            format!(
                "old rows of table {} could not be deleted: does a trigger prevent it? the batch was undone",
                table.name
            ),
        ));
    }
    deleted.insert(table.name.to_ascii_lowercase(), went);
    let all = deleted.values().sum();
    let beyond = session.changed() - changed != all && !ages.mapping.allow_triggers;
    if beyond || !are_less_only(&before, &deleted, &rows_of(session)?) {
        return Err(others_changed());
    }
    let names: Vec<&str> = deleted.keys().map(String::as_str).collect();
    session.forget_samples(&names)?;
    Ok(all)
}

/// Deletes rows of a table that go with their parents. `None`: the table hangs on another one.
fn with_parent(session: &dyn Session, table: &Table, child: &Table, here: &str) -> Result<Option<u64>, Failure> {
    let Pick::Via { parent, key, foreign } = &child.pick else { return Ok(None) };
    if !table.is_called(parent) {
        return Ok(None);
    }
    let (from, foreign, key) =
        (session.quote(&child.name), column(session, &child.name, foreign), column(session, parent, key));
    let above = session.quote(&table.name);
    let hang = format!("{foreign} IN (SELECT {key} FROM {above} WHERE {here})");
    let stay = format!("{foreign} IN (SELECT {key} FROM {above} WHERE NOT ({here}))");
    if number(session, &format!("SELECT count(*) FROM {from} WHERE {hang} AND {stay}"), &[])? > 0 {
        return Err(Failure::new(
            Code::OthersChanged,
            format!("rows of table {} refer to rows that stay, too: the batch was undone", child.name),
        ));
    }
    let doing = format!("deleting rows of {} with those that they refer to", child.name);
    session.change(&format!("DELETE FROM {from} WHERE {hang}"), &[], &doing).map(Some)
}

/// Whole numbers, so that they can stand in the statement.
fn list(rows: &[i64]) -> String {
    rows.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}
