//! Flags and files in, a plan or a reason out.

use clap::Parser as _;
use gallra_model::job::Action;

use super::*;
use crate::command::{Arguments, Command};

/// What `gallra target list --output json` prints, as far as it is read, and something that it may print one day.
const TARGETS: &str = r#"[
    {"id": "files", "kind": "files", "category": "customer-data", "role": "processor", "scope": "contract", "mode": "act",
     "copy_life": "unspecified", "copy_life_days": 0, "covers": [], "agent": "web1", "purges": false, "by_address": false},
    {"id": "logs", "kind": "access_log", "category": "access-logs", "role": "controller", "scope": "customer", "mode": "act",
     "copy_life": "unspecified", "copy_life_days": 0, "covers": [], "agent": "web1", "purges": true, "by_address": true},
    {"id": "ledger", "kind": "sql", "category": "bookkeeping", "role": "controller", "scope": "customer", "mode": "observe",
     "copy_life": "unspecified", "copy_life_days": 0, "covers": [], "agent": "office", "of_tomorrow": 1},
    {"id": "repo", "kind": "restic", "category": "backup", "role": "controller", "scope": "contract", "mode": "act",
     "copy_life": "at_most", "copy_life_days": 200, "covers": ["files"], "agent": "web1"}
]"#;

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new(targets: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("targets.json"), targets).expect("a file");
        let instruction = "id = \"own\"\ngiven_by = \"dpo\"\ngiven_on = \"2025-11-03\"\nfrom = \"2025-12-01\"\n[[replace]]\n\
                           rule = \"webone/customer-data\"\ncount = [{ from = \"contract_settled\", period = \"2 weeks\" }]\n";
        std::fs::write(dir.path().join("own.toml"), instruction).expect("a file");
        Self { dir }
    }

    fn args(&self, more: &[&str]) -> PreviewArgs {
        let pack = format!("{}/../../policies/webone.toml", env!("CARGO_MANIFEST_DIR"));
        let targets = self.dir.path().join("targets.json").display().to_string();
        let mut words = vec!["gallra", "plan", "preview", "--policy", &pack, "--inventory", &targets];
        words.extend(more);
        let Arguments { command: Command::Plan(PlanCommand::Preview(args)), .. } =
            Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"))
        else {
            panic!("another command")
        };
        *args
    }

    fn preview(&self, more: &[&str]) -> Result<(Plan, v1::GetPlanResponse), Failure> {
        let args = self.args(more);
        let answer = offline::preview(&args, args.policy.as_deref().expect("a policy"))?;
        Ok((serde_json::from_str(&answer.plan).expect("a plan"), answer))
    }
}

fn erased(plan: &Plan) -> Vec<(String, String)> {
    let erases = plan.steps.iter().filter(|step| step.action == Action::Erase);
    erases.map(|step| (step.target.to_string(), gallra_model::time::day_of(step.due).to_string())).collect()
}

const ENDED: [&str; 4] = ["--ended", "2026-01-31", "--settled", "2026-01-31"];

fn pair(target: &str, day: &str) -> (String, String) {
    (target.to_owned(), day.to_owned())
}

#[test]
fn a_plan_is_made_of_files_alone() {
    let files = Files::new(TARGETS);
    let (plan, answer) = files.preview(&ENDED).expect("a plan");
    assert_eq!(answer.problems, Vec::<String>::new());
    assert_eq!(erased(&plan), [pair("files", "2026-02-28"), pair("logs", "2026-07-31")]);
    assert_eq!(plan.made.to_string(), "2026-01-30T23:00:00Z", "no clock is read: it is planned as the day begins");
    assert!(plan.notes.iter().any(|note| note.code == "copies-outlive-promise" && note.target == "web1/repo"));
    assert!(plan.notes.iter().any(|note| note.code == "observe-mode" && note.target == "office/ledger"));
}

#[test]
fn the_customer_ends_with_the_contract_unless_another_day_or_none_is_given() {
    let files = Files::new(TARGETS);
    let with = |more: &[&str]| files.preview(&[&ENDED, more].concat()).expect("a plan").0;
    assert_eq!(erased(&with(&["--customer-stays"])), [pair("files", "2026-02-28")]);
    let later = with(&["--customer-ended", "2026-03-31", "--customer-settled", "2026-03-31"]);
    assert_eq!(erased(&later), [pair("files", "2026-02-28"), pair("logs", "2026-09-30")]);
    let unsettled = with(&["--customer-ended", "2026-03-31"]);
    assert_eq!(unsettled.anchors.customer_settled, None);
}

#[test]
fn an_instruction_is_carried_out_and_the_plan_may_be_late() {
    let files = Files::new(TARGETS);
    let own = files.dir.path().join("own.toml").display().to_string();
    let more = ["--instruction", &own, "--now", "2026-02-20T08:00:00Z"];
    let (plan, _) = files.preview(&[&ENDED[..], &more].concat()).expect("a plan");
    assert_eq!(erased(&plan).first(), Some(&pair("files", "2026-02-20")));
    for code in ["instruction", "promise-not-met"] {
        assert!(plan.notes.iter().any(|note| note.code == code), "{code}");
    }
}

#[test]
fn each_form_is_printed_in_each_language() {
    let files = Files::new(TARGETS);
    let (plan, answer) = files.preview(&ENDED).expect("a plan");
    let print = |output, language| printed(&answer, Drawn { output, language }).expect("a text");
    assert_eq!(print(View::Json, Tongue::Sv), serde_json::to_string(&plan).expect("JSON"));
    assert!(print(View::Table, Tongue::En).contains("erased 2026-02-28"));
    assert!(print(View::Table, Tongue::Sv).contains("raderas 2026-02-28"));
    assert!(print(View::Html, Tongue::En).starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    assert!(print(View::Html, Tongue::Sv).contains("<h1>Gallringsplan</h1>"));
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    for (from, to, says) in [
        ("\"kind\": \"sql\"", "\"kind\": \"oracle\"", "office/ledger: unknown kind \"oracle\""),
        (
            "\"category\": \"bookkeeping\"",
            "\"category\": \"books\"",
            "office/ledger: unknown category \"books\"; one of: ",
        ),
        ("\"role\": \"processor\"", "\"role\": \"both\"", "web1/files: unknown role"),
        ("\"scope\": \"contract\"", "\"scope\": \"all\"", "web1/files: unknown scope"),
        ("\"mode\": \"observe\"", "\"mode\": \"try\"", "office/ledger: unknown mode"),
        ("\"at_most\"", "\"some\"", "web1/repo: unknown copy_life"),
        ("\"agent\": \"office\"", "\"agent\": \"The Office\"", "The Office/ledger: agent: "),
        ("[\"files\"]", "[\"../files\"]", "web1/repo: \"../files\": "),
        ("[", "", "not a list of targets: "),
    ] {
        let failure = Files::new(&TARGETS.replacen(from, to, 1)).preview(&ENDED).expect_err(says);
        assert!(failure.text.contains(says), "{} against {says}", failure.text);
        assert_eq!(failure.code, USAGE);
    }
    let files = Files::new(TARGETS);
    for (more, says) in [
        (["--ended", "2026-02-30"], "--ended: not a real calendar date"),
        (["--now", "tomorrow"], "--now: not an instant"),
        (["--instruction", "no-such.toml"], "no-such.toml cannot be read"),
    ] {
        let words = if more[0] == "--ended" { more.to_vec() } else { [&ENDED[..2], &more].concat() };
        let failure = files.preview(&words).expect_err(says);
        assert!(failure.text.contains(says) && failure.code == USAGE, "{}", failure.text);
    }
    let early = files.preview(&["--ended", "2026-01-31", "--settled", "2026-01-30"]).expect_err("refused");
    assert_eq!((early.code, early.text.as_str()), (6, "settled before ended: correct the contract's dates"));
}

#[test]
fn one_thing_is_previewed_and_files_belong_to_a_policy() {
    let refused = |words: &str| {
        let words = ["gallra", "plan", "preview"].into_iter().chain(words.split_whitespace());
        Arguments::try_parse_from(words).is_err()
    };
    for words in [
        "",
        "--service a --request b",
        "--policy p --service a --inventory i --ended 2026-01-31",
        "--policy p --ended 2026-01-31",
        "--policy p --inventory i",
        "--service a --inventory i",
        "--service a --instruction i",
        "--service a --now 2026-01-31T00:00:00Z",
        "--service a --customer-stays",
        "--request a --ended 2026-01-31",
        "--service a --output pdf",
        "--service a --language de",
    ] {
        assert!(refused(words), "{words}");
    }
    assert!(!refused("--service a") && !refused("--request a --output html --language sv"));
}
