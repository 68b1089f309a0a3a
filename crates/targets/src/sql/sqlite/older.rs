//! Which rows are older than an instant, in SQLite's own date arithmetic: the second opinion on what `written` reads in the
//! agent. What is not written as declared is not older than anything.

use gallra_model::Instant;
use gallra_model::time::day_of;

use crate::sql::written::Written;

/// An SQL condition on a column. `before` is a whole second.
pub(super) fn condition(column: &str, written: Written, before: Instant) -> String {
    let second = before.as_second();
    match written {
        Written::UnixSeconds => format!("(typeof({column}) = 'integer' AND {column} > 0 AND {column} < {second})"),
        Written::LocalDate => {
            let (date, day) = (is_date(column), day_of(before));
            format!("(typeof({column}) = 'text' AND {date} AND {column} > '1970-01-01' AND {column} < '{day}')")
        }
        Written::UtcText => {
            let (whole, rest) = (format!("substr({column}, 1, 19)"), format!("substr({column}, 20, 16)"));
            let plain = format!("replace({whole}, 'T', ' ')");
            let zoneless = format!(
                "CASE WHEN {rest} LIKE '%Z' THEN substr({rest}, 1, length({rest}) - 1) \
                 WHEN {rest} LIKE '%+00:00' THEN substr({rest}, 1, length({rest}) - 6) ELSE {rest} END"
            );
            // The pieces put together are the whole: neither a further character nor a zero byte is behind them.
            format!(
                "(typeof({column}) = 'text' AND {whole} || {rest} = {column} COLLATE BINARY \
                 AND substr({column}, 11, 1) IN ('T' COLLATE BINARY, ' ') AND {rest} NOT GLOB '*z' \
                 AND strftime('%Y-%m-%d %H:%M:%S', {plain}) = {plain} COLLATE BINARY \
                 AND (({zoneless}) = '' OR (({zoneless}) GLOB '.[0-9]*' AND length({zoneless}) <= 10 \
                 AND substr({zoneless}, 2) NOT GLOB '*[^0-9]*')) \
                 AND unixepoch({plain}) BETWEEN 1 AND {second} - 1)"
            )
        }
    }
}

fn is_date(column: &str) -> String {
    format!(
        "{column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' \
         AND strftime('%Y-%m-%d', {column}) = {column} COLLATE BINARY"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;
    use rusqlite::types::Value;

    use super::*;
    use crate::sql::engine;
    use crate::testing::now;

    /// Values that are written as times, and the same with one character put elsewhere, doubled, left out or exchanged.
    fn values() -> impl Strategy<Value = Value> {
        let good = (-2_000_000_000_i64..2_000_000_000, "(Z|\\+00:00|\\.[0-9]{1,10}Z?|)", any::<bool>(), any::<bool>());
        let text = good.prop_map(|(far, rest, space, day)| {
            let at = Instant::from_second(now().as_second() + far).expect("in range").to_string();
            let text = if day { at.get(..10).unwrap_or_default().to_owned() } else { at.replace('Z', "") + &rest };
            if space { text.replace('T', " ") } else { text }
        });
        let bent = (text, any::<prop::sample::Index>(), "[0-9TtZz:. +\\-\\x00]?", any::<bool>(), 0_u8..4);
        let bent = bent.prop_map(|(text, at, new, replaced, bends)| {
            let (head, tail) = text.split_at(at.index(text.len()));
            let tail = if replaced { tail.get(1..).unwrap_or_default() } else { tail };
            if bends == 0 { format!("{head}{new}{tail}") } else { text }
        });
        prop_oneof![
            8 => bent.prop_map(Value::Text),
            1 => any::<i64>().prop_map(Value::Integer),
            1 => (0_i64..3_000_000_000).prop_map(Value::Integer),
            1 => any::<f64>().prop_map(Value::Real),
            1 => Just(Value::Blob(b"2020-01-01".to_vec())),
            1 => Just(Value::Null),
        ]
    }

    fn ours(value: &Value) -> engine::Value {
        match value.clone() {
            Value::Null => engine::Value::Null,
            Value::Integer(number) => engine::Value::Integer(number),
            Value::Real(number) => engine::Value::Real(number),
            Value::Text(text) => engine::Value::Text(text.into_bytes()),
            Value::Blob(bytes) => engine::Value::Blob(bytes),
        }
    }

    /// Whether each of the two calls a value older.
    fn both(written: Written, value: &Value, before: Instant) -> (bool, bool) {
        thread_local!(static DATABASE: Connection = Connection::open_in_memory().expect("a database"));
        let by_agent = written.latest(&ours(value), now()).is_some_and(|latest| latest < before);
        let sql = format!("SELECT coalesce({}, 0) FROM (SELECT ?1 AS c)", condition("c", written, before));
        let by_database = DATABASE.with(|database| database.query_row(&sql, [value], |row| row.get(0)));
        (by_database.expect("an answer"), by_agent)
    }

    #[test]
    fn what_looks_like_an_old_time_and_is_none_is_older_for_neither() {
        for text in [
            "2020-01-01T00:00:00z",
            "2020-01-01T00:00:00.5z",
            "2020-01-01t00:00:00Z",
            "2020-01-01T00:00:00Z\0",
            "2020-01-01 00:00:00\0x",
            "2020-01-01T00:00:00.123456789Z and more",
            "2020-01-01T00:00:00.1234567890",
            "2020-01-01T00:00:00.",
            "2020-01-01T00:00:00.5x",
            "2020-01-01T00:00:00ZZ",
            "2020-01-01T00:00:00+00:00Z",
            "2020-01-01T00:00:00+01:00",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:00:60Z",
            "2020-02-30T00:00:00Z",
            "2020-02-30",
            "2020-01-01\0",
            "20200101",
            "1577836800",
            "1970-01-01T00:00:00.9Z",
            "1970-01-01",
            "now",
        ] {
            for written in [Written::UtcText, Written::UnixSeconds, Written::LocalDate] {
                assert_eq!(both(written, &Value::Text(text.to_owned()), now()), (false, false), "{written:?} {text:?}");
            }
        }
        for (written, text) in [
            (Written::UtcText, "2020-01-01T00:00:00Z"),
            (Written::UtcText, "2020-01-01 00:00:00.123456789+00:00"),
            (Written::LocalDate, "2020-01-01"),
        ] {
            assert_eq!(both(written, &Value::Text(text.to_owned()), now()), (true, true), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_database_and_the_agent_call_the_same_values_older(value in values(), hours in -400_000_i64..400_000) {
            let before = now().checked_sub(jiff::SignedDuration::from_hours(hours.abs() + 48)).expect("in range");
            for written in [Written::UtcText, Written::UnixSeconds, Written::LocalDate] {
                let (by_database, by_agent) = both(written, &value, before);
                prop_assert_eq!(by_database, by_agent, "{:?} {:?} before {}", written, value, before);
            }
        }
    }
}
