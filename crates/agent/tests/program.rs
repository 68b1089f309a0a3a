//! The program itself: joins with a token over TLS, serves over mTLS, refuses an altered permit, erases under a good one,
//! and ends on SIGTERM. The coordinator here is a few lines over the real wire, authority and keys.
#![allow(clippy::wildcard_enum_match_arm, reason = "a panic is a failed test")]

mod coordinator;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_agent::dir::Dir;
use gallra_model::job::Action;
use gallra_model::message::{ToAgent, ToCoordinator};
use gallra_model::receipt::{Code, Verdict};

use coordinator::{Coordinator, cause_key, spec};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gallra-agent");

/// A host with one customer's tree and another's.
fn host(dir: &Path) {
    for path in ["www/anna.example/sub", "www/bert.example"] {
        fs::create_dir_all(dir.join(path)).expect("makes");
    }
    fs::write(dir.join("www/.gallra-sentinel"), "").expect("writes");
    fs::write(dir.join("www/anna.example/index.html"), "canary of anna, long enough to be looked for").expect("writes");
    fs::write(dir.join("www/anna.example/sub/a"), "more of the canary, long enough to be looked for").expect("writes");
    fs::write(dir.join("www/bert.example/index.html"), "what belongs to somebody else").expect("writes");
    let root = dir.join("www");
    let config = format!(
        "[limits]\nroots = [\"{0}\"]\n[causes]\nkeys = [\"{1}\"]\n[[target]]\nid = \"web\"\ncategory = \"customer-data\"\nrole = \"processor\"\n\
         scope = \"contract\"\nmode = \"act\"\n[target.files]\nroot = \"{0}\"\npath = \"{{service}}\"\n",
        root.display(),
        cause_key().verifying().to_hex()
    );
    fs::write(dir.join("agent.toml"), config).expect("writes");
}

fn serve(dir: &Path) -> Child {
    let mut command = Command::new(PROGRAM);
    command.arg("serve").arg("--dir").arg(dir.join("state")).arg("--config").arg(dir.join("agent.toml"));
    command.stderr(Stdio::piped()).spawn().expect("starts")
}

fn terminate(child: Child) -> String {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    let output = child.wait_with_output().expect("ends");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    log
}

#[test]
fn it_joins_serves_refuses_an_altered_permit_erases_under_a_good_one_and_ends() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path();
    host(dir);
    let mut coordinator = Coordinator::start();
    let join = |token: &str| {
        let state = dir.join("state");
        Command::new(PROGRAM).arg("join").args(["--token", token]).arg("--dir").arg(state).output().expect("runs")
    };
    let joined = join(&coordinator.token());
    assert!(joined.status.success(), "{}", String::from_utf8_lossy(&joined.stderr));
    assert!(!join(&coordinator.token()).status.success(), "a directory belongs to one agent");
    let evidence = fs::read_to_string(Dir::new(dir.join("state")).evidence_key()).expect("reads");
    let evidence = gallra_proof::key::SigningKey::from_pem(&evidence).expect("a key").verifying();

    let agent = serve(dir);
    let ToCoordinator::Hello { inventory, .. } = coordinator.hear() else { panic!("hello first") };
    assert_eq!(inventory.evidence_key, evidence.to_hex());
    coordinator.welcome();

    // Inspect: pins the instance.
    let look = spec(Action::Inspect, None);
    let permit = coordinator.offer(&look);
    coordinator.say(ToAgent::Permitted { permit });
    let seen = coordinator.receipt(&evidence);
    assert_eq!((seen.verdict, seen.code), (Verdict::Done, None), "{}", seen.hint);

    // An altered permit touches nothing.
    let erase = spec(Action::Erase, seen.instance);
    let mut altered = coordinator.offer(&erase);
    let payload = String::from_utf8(STANDARD.decode(&altered.payload).expect("base64")).expect("JSON");
    altered.payload = STANDARD.encode(payload.replace("\"begin_within_seconds\":30", "\"begin_within_seconds\":31"));
    coordinator.say(ToAgent::Permitted { permit: altered });
    let refused = coordinator.receipt(&evidence);
    assert_eq!((refused.verdict, refused.code), (Verdict::Refused, Some(Code::BadPermit)));
    assert!(dir.join("www/anna.example/sub/a").exists());

    // A good one erases, and nothing else.
    let permit = coordinator.offer(&erase);
    coordinator.say(ToAgent::Permitted { permit });
    let erased = coordinator.receipt(&evidence);
    assert_eq!((erased.verdict, erased.code), (Verdict::Done, None), "{}", erased.hint);
    assert!(!dir.join("www/anna.example").exists());
    let other = fs::read_to_string(dir.join("www/bert.example/index.html")).expect("still there");
    assert_eq!(other, "what belongs to somebody else");

    let log = terminate(agent);
    assert!(log.contains("ready") && log.contains("pid="), "{log}");
    assert!(!log.contains("anna"), "no identifier in the log: {log}");
    let journal = fs::read_to_string(dir.join("state/privileged/journal")).expect("reads");
    assert!(!journal.contains("anna"), "no identifier in the journal");
}

#[test]
fn it_does_not_start_on_a_damaged_journal_or_a_path_outside_of_its_roots() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path();
    host(dir);
    let check = |config: &Path| Command::new(PROGRAM).arg("check").arg("--config").arg(config).output().expect("runs");
    let output = check(&dir.join("agent.toml"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "web\tfiles\tcustomer-data\tact\n");
    let text = fs::read_to_string(dir.join("agent.toml")).expect("reads");
    let outside = text.replacen(&format!("{}", dir.join("www").display()), "/srv/elsewhere", 1);
    fs::write(dir.join("outside.toml"), outside).expect("writes");
    let output = check(&dir.join("outside.toml"));
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("limits.roots"));

    let coordinator = Coordinator::start();
    let state = dir.join("state");
    let join =
        Command::new(PROGRAM).arg("join").args(["--token", &coordinator.token()]).arg("--dir").arg(&state).output();
    assert!(join.expect("runs").status.success());
    fs::write(state.join("privileged/journal"), "damaged\nand more\n").expect("writes");
    let output = serve(dir).wait_with_output().expect("ends");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("damaged at line 1"));
}

/// A job as text, with one part of it replaced by a lie.
fn lie(from: &str, to: &str) -> ToAgent {
    let honest = String::from_utf8(spec(Action::Erase, None).to_bytes().expect("serialises")).expect("JSON");
    let spec = honest.replace(from, to);
    assert_ne!(spec, honest, "{from} is not there to be replaced");
    ToAgent::Offer { spec, trace: None }
}

#[test]
fn a_coordinator_that_lies_gets_nothing_done_and_the_agent_goes_on() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path();
    host(dir);
    let mut coordinator = Coordinator::start();
    let state = dir.join("state");
    let joined =
        Command::new(PROGRAM).args(["join", "--token", &coordinator.token()]).arg("--dir").arg(&state).output();
    assert!(joined.expect("runs").status.success());
    let evidence = fs::read_to_string(Dir::new(state).evidence_key()).expect("reads");
    let evidence = gallra_proof::key::SigningKey::from_pem(&evidence).expect("a key").verifying();
    let agent = serve(dir);
    assert!(matches!(coordinator.hear(), ToCoordinator::Hello { .. }));
    coordinator.welcome();

    // What is no job, or another's, is not answered at all.
    for (from, to) in [
        ("\"web\"", "\"../web\""),
        ("\"web1\"", "\"web2\""),
        ("\"generation\":1", "\"generation\":0"),
        ("\"erase\"", "\"reformat\""),
    ] {
        coordinator.say(lie(from, to));
    }
    coordinator.say(ToAgent::Offer { spec: "x".repeat(3 << 20), trace: None });
    let forged = gallra_model::envelope::Envelope {
        payload_type: "application/vnd.gallra.permit.v0-draft+json".into(),
        payload: "e30=".into(),
        signatures: vec![],
    };
    coordinator.say(ToAgent::Permitted { permit: forged.clone() });
    coordinator.say(ToAgent::Order { order: forged });

    // What is a job and may not be is refused with a reason, without asking.
    for (from, to, code) in [
        // Whom this version cannot name may be somebody to a later one.
        ("anna.example", "../../../etc", Code::Unsupported),
        ("anna.example", "anna.example\\u0000", Code::Unsupported),
        ("anna.example", "*", Code::Unsupported),
        ("anna.example", "' OR 1=1 --", Code::Unsupported),
        // Whoever says more may have meant it as a condition.
        ("{\"job\"", "{\"extra\":1,\"job\"", Code::Unsupported),
        ("\"web\"", "\"dns\"", Code::NoSuchTarget),
        ("{\"service\":\"anna.example\"}", "{}", Code::BadSelector),
        ("anna.example", "bert.example", Code::BadCause),
        ("\"real\"", "\"simulated\"", Code::SimulatedClock),
    ] {
        coordinator.say(lie(from, to));
        assert_eq!(coordinator.receipt(&evidence).code, Some(code), "{to}");
    }

    // And it still answers an honest offer.
    let look = spec(Action::Inspect, None);
    let permit = coordinator.offer(&look);
    coordinator.say(ToAgent::Permitted { permit });
    let seen = coordinator.receipt(&evidence);
    assert_eq!((seen.verdict, seen.before.items), (Verdict::Done, 4));
    let log = terminate(agent);
    for word in ["panicked", "anna", "bert", "etc", "OR 1=1"] {
        assert!(!log.contains(word), "{word}: {log}");
    }
}
