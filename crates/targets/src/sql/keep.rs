//! Lists what must be kept, by row keys, so that it can be found again when its time is up although nobody knows then
//! whose it was (decision 11). Touches nothing. The agent seals the list; it names persons until then.

use gallra_model::digest::Digest;
use gallra_model::receipt::Code;
use serde::Serialize;

use super::engine::{Value, number};
use super::look::Look;
use super::mapping::{Table, column};
use crate::driver::{Failure, Preserved};

/// Rows that one handle may stand for: the list is held in memory and sealed as one value.
const MAX_ROWS: u64 = 1_000_000;

#[derive(Serialize)]
struct Keys<'a> {
    format: &'static str,
    engine: &'a str,
    /// Digest of the tables' columns, so that a changed schema is noticed when the rows are looked for years later.
    schema: Digest,
    tables: Vec<TableKeys<'a>>,
}

#[derive(Serialize)]
struct TableKeys<'a> {
    table: &'a str,
    id: Vec<String>,
    rows: Vec<Vec<serde_json::Value>>,
}

/// The subject's rows in every declared table.
pub(super) fn preserve(look: &Look<'_>, engine: &str) -> Result<Preserved, Failure> {
    let mut items = 0;
    let mut tables = Vec::new();
    let mut columns = Vec::new();
    for table in &look.mapping.tables {
        items += look.subjects(table)?;
        if items > MAX_ROWS {
            return Err(Failure::new(Code::Limit, format!("more than {MAX_ROWS} rows to keep: nothing was done")));
        }
        let shape = look.shape(&table.name)?;
        columns.push(table.name.as_bytes().to_vec());
        columns.extend(shape.columns.iter().map(|column| column.name.as_bytes().to_vec()));
        let id = table.id.clone().map_or_else(|| shape.primary(), |id| vec![id]);
        let rows = rows(look, table, &id)?;
        tables.push(TableKeys { table: &table.name, id, rows });
    }
    let parts: Vec<&[u8]> = columns.iter().map(Vec::as_slice).collect();
    let keys = Keys { format: "gallra/sql-keys/v0", engine, schema: Digest::of_parts(&parts), tables };
    let keys = serde_json::to_vec(&keys)
        .map_err(|_| Failure::new(Code::Target, "row keys could not be written as JSON: nothing was kept"))?;
    Ok(Preserved { items, keys })
}

fn rows(look: &Look<'_>, table: &Table, id: &[String]) -> Result<Vec<Vec<serde_json::Value>>, Failure> {
    if id.is_empty() {
        return Err(Failure::new(
            Code::Unsupported,
            format!("rows of table {} have no name to find them by: set its `id` in agent.toml", table.name),
        ));
    }
    let names = names_of(look, table, id).join(", ");
    let from = look.session.quote(&table.name);
    let condition = look.mapping.is_subjects(table, look.session);
    if let [single] = names_of(look, table, id).as_slice() {
        let sql =
            format!("SELECT count(*) FROM {from} WHERE {single} IN (SELECT {single} FROM {from} WHERE {condition})");
        if number(look.session, &sql, &[look.id(table)?])? != look.subjects(table)? {
            return Err(Failure::new(
                Code::Unsupported,
                format!("the id column of table {} also names other rows: set another `id` in agent.toml", table.name),
            ));
        }
    }
    let sql = format!("SELECT {names} FROM {from} WHERE {condition} ORDER BY {names}");
    let mut rows = Vec::new();
    look.session.rows(&sql, &[look.id(table)?], &mut |row| {
        if row.contains(&Value::Null) {
            return Err(Failure::new(
                Code::Unsupported,
                format!("a row of table {} has no value in its id column: it could not be found again", table.name),
            ));
        }
        rows.push(row.iter().map(json).collect());
        Ok(())
    })?;
    Ok(rows)
}

fn names_of(look: &Look<'_>, table: &Table, id: &[String]) -> Vec<String> {
    id.iter().map(|name| column(look.session, &table.name, name)).collect()
}

fn json(value: &Value) -> serde_json::Value {
    let blob = |bytes: &[u8]| serde_json::json!({ "hex": hex::encode(bytes) });
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(bytes) => std::str::from_utf8(bytes).map_or_else(|_| blob(bytes), Into::into),
        Value::Blob(bytes) => blob(bytes),
    }
}
