//! Files in, text or a reason out.

use super::*;

fn packs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn shipped(name: &str) -> PathBuf {
    packs().join(format!("{name}.toml"))
}

fn table() -> Shown {
    Shown { output: Format::Table }
}

fn json() -> Shown {
    Shown { output: Format::Json }
}

/// A folder with the law and one file more.
fn folder(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::copy(shipped("law-se"), dir.path().join("law-se.toml")).expect("the law");
    let file = dir.path().join(name);
    std::fs::write(&file, text).expect("a file");
    (dir, file)
}

fn asked(pack: &str, category: &str, instruction: Option<PathBuf>) -> ExplainArgs {
    ExplainArgs {
        file: shipped(pack),
        category: category.to_owned(),
        ended: Some("2026-01-31".to_owned()),
        settled: Some("2026-01-31".to_owned()),
        left_active: None,
        record: Some("2026-01-31".to_owned()),
        known: None,
        received: None,
        fiscal_year_end: None,
        instruction,
        shown: json(),
    }
}

#[test]
fn a_pack_is_read_with_what_stands_beside_it() {
    let policy = read_pack(&shipped("webone")).expect("in order");
    assert!(policy.rules().iter().any(|rule| rule.id == "law/bookkeeping"));
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let refusal = read_pack(Path::new("no-such-pack.toml")).expect_err("refused");
    assert!(refusal.starts_with("no-such-pack.toml cannot be read"), "{refusal}");
}

#[test]
fn every_shipped_pack_is_in_order() {
    let names = ["netip", "host001", "connect2ip", "reseller003", "webone", "law-se"];
    let files: Vec<_> = names.map(shipped).into();
    let text = checked(&files, None, None, table()).expect("in order");
    assert_eq!(text.lines().count(), names.len());
    let text = checked(&files, None, None, json()).expect("in order");
    let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(names.len()));
    let one: serde_json::Value =
        serde_json::from_str(&checked(&[shipped("netip")], None, None, json()).expect("in order")).expect("JSON");
    assert_eq!(one.get("name").and_then(|name| name.as_str()), Some("netip"), "one pack is one object");
}

#[test]
fn the_problems_of_every_file_are_told() {
    let (_one, bad) = folder("bad.toml", "name = \"bad\"\nprovider = \"B\"\ncolour = 1\nshape = 2\n");
    let (_two, worse) = folder("worse.toml", "name = \"other\"\nprovider = \"W\"\n");
    let text = checked(&[bad, shipped("webone"), worse], None, None, table()).expect_err("problems");
    for expected in ["bad.toml:3: unknown key colour", "bad.toml:4: unknown key shape", "worse.toml:1: the pack's name"]
    {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn two_packs_of_one_name_and_first_day_are_refused() {
    let text = std::fs::read_to_string(shipped("webone")).expect("the pack");
    let (_one, same) = folder("webone.toml", &text);
    let refusal = checked(&[shipped("webone"), same], None, None, table()).expect_err("refused");
    assert!(refusal.starts_with("webone: two policies of this name have the same first day"), "{refusal}");
    let (_two, later) = folder("webone.toml", &format!("valid_from = \"2027-01-01\"\n{text}"));
    assert!(checked(&[shipped("webone"), later], None, None, table()).is_ok());
}

#[test]
fn targets_without_a_row_are_told_from_a_file_or_live() {
    let target = |category: &str| {
        format!(
            "{{\"agent\": \"web1\", \"id\": \"t\", \"kind\": \"sql\", \"category\": \"{category}\", \"mode\": \"act\"}}"
        )
    };
    let (_dir, inventory) = folder("targets.json", &format!("[{}]", target("tickets")));
    let files = [shipped("webone")];
    let refusal = checked(&files, Some(&inventory), None, table()).expect_err("refused");
    assert!(refusal.starts_with("web1/t: no row of webone is about tickets"), "{refusal}");
    assert!(checked(&[shipped("netip")], Some(&inventory), None, table()).is_ok());
    let live = vec![Reported { agent: "a".into(), id: "b".into(), kind: "sql".into(), category: "register".into() }];
    let refusal = checked(&files, None, Some(live), table()).expect_err("refused");
    assert!(refusal.starts_with("a/b: no row of webone is about register"), "{refusal}");
    let (_other, broken) = folder("targets.json", "{}");
    assert!(checked(&files, Some(&broken), None, table()).expect_err("refused").contains("not a list of targets"));
}

#[test]
fn two_versions_are_compared_and_a_broken_one_is_refused() {
    let text = std::fs::read_to_string(shipped("webone")).expect("the pack");
    let (_dir, new) = folder("webone.toml", &text.replace("period = \"1 month\" }]", "period = \"2 months\" }]"));
    let shown = differing(&shipped("webone"), &new, table()).expect("compared");
    assert!(shown.starts_with("webone/customer-data: changed, longer\n  was "), "{shown}");
    let list: serde_json::Value =
        serde_json::from_str(&differing(&shipped("webone"), &new, json()).expect("compared")).expect("JSON");
    assert_eq!(list.pointer("/0/turn").and_then(|turn| turn.as_str()), Some("longer"));
    assert_eq!(differing(&new, &new, table()).as_deref(), Ok("no difference\n"));
    assert_eq!(differing(&new, &new, json()).as_deref(), Ok("[]\n"));
    assert!(
        differing(Path::new("gone.toml"), Path::new("lost.toml"), table())
            .is_err_and(|both| both.contains("lost.toml"))
    );
}

#[test]
fn hosted_logs_are_refused_by_name_until_an_instruction_gives_a_period() {
    let refusal = explained(asked("netip", "hosted-logs", None)).expect_err("refused");
    assert!(refusal.contains("netip/hosted-logs"), "{refusal}");
    let (_dir, file) = folder(
        "logs.toml",
        "id = \"logs\"\ngiven_by = \"controller\"\ngiven_on = \"2026-01-01\"\nfrom = \"2026-01-01\"\n[[replace]]\n\
         rule = \"netip/hosted-logs\"\ncount = [{ from = \"record\", period = \"3 months\" }]\n",
    );
    let text = explained(asked("netip", "hosted-logs", Some(file.clone()))).expect("answered");
    let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(list.pointer("/0/latest").and_then(|day| day.as_str()), Some("2026-04-30"));
    let refusal = explained(asked("webone", "chat", Some(file))).expect_err("refused");
    assert!(refusal.starts_with("logs.toml:5: netip/hosted-logs is no rule of webone"), "{refusal}");
    let refusal = explained(asked("webone", "chat", Some(PathBuf::from("none.toml")))).expect_err("refused");
    assert!(refusal.starts_with("none.toml cannot be read"), "{refusal}");
}
