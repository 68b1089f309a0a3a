//! What the section of `agent.toml` refuses, without a database.

use std::path::Path;

use proptest::prelude::*;

use super::{MAPPING, config};
use crate::sql::{Config, Sql};

fn refusal(mapping: &str) -> String {
    Sql::open(&config(Path::new("/nowhere/register.db"), mapping)).err().unwrap_or_default()
}

#[test]
fn a_good_section_opens_although_the_database_is_not_there() {
    assert_eq!(refusal(MAPPING), "");
}

#[test]
fn a_name_that_is_no_plain_identifier_is_refused_wherever_it_stands() {
    for bad in ["x; DROP TABLE customer", "a\\\"b", "", "1a", "a b", "a.b", "å", "a--", "'a'"] {
        for good in
            ["\"mailbox\"", "\"service_id\"", "\"customer_no\"", "\"login_address\"", "\"created\"", "\"status\""]
        {
            let refused = refusal(&MAPPING.replace(good, &format!("\"{bad}\"")));
            assert!(refused.contains("plain identifier"), "{good} as {bad}: {refused}");
        }
    }
}

#[test]
fn a_mapping_that_does_not_fit_together_is_refused() {
    for (from, to, word) in [
        ("by = \"service\"\n", "", "either"),
        (
            "by = \"service\"\n",
            "by = \"service\"\nvia = { table = \"customer\", key = \"a\", foreign = \"b\" }\n",
            "either",
        ),
        ("columns = [\"login_address\", \"phone\"]", "", "needs `columns`"),
        ("columns = [\"login_address\", \"phone\"]", "columns = [\"CUSTOMER_NO\"]", "cannot be blanked"),
        ("action = \"delete\"", "action = \"blank\"\ncolumns = [\"mailbox_id\"]", "cannot be blanked"),
        ("action = \"keep\"", "action = \"keep\"\ncolumns = [\"x\"]", "only `blank`"),
        ("table = \"invoice\"", "table = \"Mailbox\"", "twice"),
        ("via = { table = \"mailbox\"", "via = { table = \"alias\"", "below it"),
        ("via = { table = \"mailbox\"", "via = { table = \"elsewhere\"", "below it"),
        ("anchor = { table = \"customer\"", "anchor = { table = \"alias\"", "`anchor`"),
        (
            "restrict = { table = \"customer\", column = \"status\"",
            "restrict = { table = \"x\", column = \"status\"",
            "`restrict`",
        ),
        ("column = \"status\"", "column = \"customer_no\"", "set the key"),
        ("wait_seconds = 0", "wait_seconds = 301", "wait_seconds"),
        ("wait_seconds = 0", "shared = [\"MAILBOX\"]", "only be one"),
        ("table = \"invoice\"", "table = \"sqlite_schema\"", "itself"),
    ] {
        assert!(MAPPING.contains(from), "{from}");
        let refused = refusal(&MAPPING.replacen(from, to, 1));
        assert!(refused.contains(word), "{to}: {refused:?}");
    }
    assert!(Sql::open(&config(Path::new("register.db"), MAPPING)).is_err(), "a relative path");
}

#[test]
fn kept_rows_cannot_hang_on_deleted_ones() {
    let refused = refusal(&MAPPING.replacen("action = \"delete\"", "action = \"keep\"", 1));
    assert!(refused.contains("hang on"), "{refused}");
}

#[test]
fn the_documented_section_is_a_good_one() {
    #[derive(serde::Deserialize)]
    struct Targets {
        target: Vec<crate::TargetConfig>,
    }
    let page = include_str!("../../../../../docs/targets/sql.md");
    let sections: Vec<_> = page.split("```").filter_map(|block| block.strip_prefix("toml\n")).collect();
    assert_eq!(sections.len(), 2, "an erasure's and a purge's");
    for section in sections {
        let targets: Targets = toml::from_str(section).expect("the section's shape");
        assert!(targets.target.iter().all(|target| target.sql.is_some() && crate::open(target).is_ok()));
    }
}

#[test]
fn unknown_keys_are_refused() {
    let text = format!("engine = \"sqlite\"\ndatabase = \"/x\"\nwhere = \"1=1\"\n{MAPPING}");
    assert!(toml::from_str::<Config>(&text).is_err());
}

proptest! {
    #[test]
    fn no_text_reaches_sql_unless_it_is_an_identifier(name in "\\PC{0,70}") {
        let plain = name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let mut section = config(Path::new("/x"), MAPPING);
        section.sentinel.key.clone_from(&name);
        prop_assert_eq!(Sql::open(&section).is_ok(), plain);
    }
}
