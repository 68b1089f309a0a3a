//! Which rows of a mapping leave by their age, checked before any database is opened: with `youngest_purge_age` every table
//! says where its rows' age is, so that no promise goes unkept in silence.

use crate::sql::mapping::{Act, Aged, Mapping, Pick, Table};

/// Checks what the tables say of ages and, where the target purges, has each say it.
///
/// # Errors
/// What is wrong, in words of `agent.toml`.
pub(super) fn settle(mapping: &mut Mapping, purges: bool) -> Result<(), String> {
    for table in mapping.tables.iter().filter(|table| table.has_time()) {
        if !matches!(table.act, Act::Delete) {
            return Err(format!("table {}: only rows that `delete` takes can leave by their age", table.name));
        }
    }
    if !purges {
        return Ok(());
    }
    let aged: Vec<Aged> = mapping.tables.iter().map(|table| settled(mapping, table)).collect::<Result<_, _>>()?;
    for (table, aged) in mapping.tables.iter_mut().zip(aged) {
        table.aged = aged;
    }
    if mapping.tables.iter().any(Table::has_time) {
        return Ok(());
    }
    Err("`youngest_purge_age` needs at least one table with a `time_column`".into())
}

fn settled(mapping: &Mapping, table: &Table) -> Result<Aged, String> {
    let name = &table.name;
    let parent = match &table.pick {
        Pick::Via { parent, .. } => mapping.find(parent),
        Pick::Own { .. } => None,
    };
    match (&table.aged, parent.is_some_and(Table::has_time)) {
        (Aged::Own { .. }, true) => Err(format!(
            "table {name}: it has a `time_column`, and so has the table that it refers to: which of them counts? leave one \
             out, or call the other `ageless`"
        )),
        (Aged::Ageless, true) => {
            Err(format!("table {name}: its rows go when those go that they refer to: no `ageless`"))
        }
        (Aged::Unsaid | Aged::WithParent, true) => {
            if !matches!(table.act, Act::Delete) || mapping.sentinel.table.eq_ignore_ascii_case(name) {
                return Err(format!(
                    "table {name}: its rows go with those that they refer to, so it must be `delete`, and without the sentinel"
                ));
            }
            Ok(Aged::WithParent)
        }
        (Aged::Unsaid | Aged::WithParent, false) => Err(format!(
            "table {name}: `youngest_purge_age` needs to know the age of every row: write `time_column` and \
             `time_written`, or `ageless = true` for rows that are no records of their own"
        )),
        (aged @ (Aged::Own { .. } | Aged::Ageless), false) => Ok(aged.clone()),
    }
}
