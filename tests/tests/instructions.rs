//! Customers' instructions and policies to come against running processes: who may set and accept what, what the command
//! line says of it, and that the erasure follows. The races against permits are in the coordinator's own tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gallra_cli::demo::site::{programs, wait_for};
use gallra_model::Day;
use gallra_model::job::Action;
use gallra_testkit::{Story, day};

fn gallra(profile: &Path, words: &[&str]) -> Output {
    Command::new(programs().expect("the programs").join("gallra"))
        .args(words)
        .args(["--output", "json"])
        .env("GALLRA_PROFILE", profile)
        .output()
        .expect("gallra runs")
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

/// An instruction about hosted data, which the policy erases a month after the settlement.
fn instruction(story: &Story, name: &str, period: &str) -> String {
    let text = format!(
        "id = \"{name}\"\ngiven_by = \"customer's data protection officer\"\ngiven_on = \"2026-01-05\"\nfrom = \"2026-01-05\"\n\
         [[replace]]\nrule = \"webone/customer-data\"\ncount = [{{ from = \"contract_settled\", period = \"{period}\" }}]\n"
    );
    let file = story.folder.path().join(format!("{name}.toml"));
    std::fs::write(&file, text).expect("written");
    file.to_str().expect("text").to_owned()
}

/// The shipped policy with a first day and another period for hosted data, beside the law.
fn version(story: &Story, from: &str, period: &str) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let folder = story.folder.path().join("packs");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::copy(shipped.join("law-se.toml"), folder.join("law-se.toml")).expect("the law");
    let text = std::fs::read_to_string(shipped.join("webone.toml")).expect("the pack");
    let text = text.replacen("period = \"1 month\"", &format!("period = \"{period}\""), 1);
    let file = folder.join("webone.toml");
    std::fs::write(&file, format!("valid_from = \"{from}\"\n{text}")).expect("written");
    file
}

/// The last day by which the hosted files go.
async fn latest(story: &Story, request: &str) -> Option<Day> {
    let plan = story.plan(request).await.expect("a plan");
    let erases = plan.steps.iter().filter(|step| step.action == Action::Erase);
    erases.filter(|step| step.category.as_str() == "customer-data").filter_map(|step| step.latest).min()
}

#[tokio::test]
async fn an_instruction_moves_the_erasure_and_one_that_strays_far_waits_for_somebody_else() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let (operator, approver) = (story.site.profile(), story.site.approver());
    let number = story.leaver.number.clone();
    let month = Some(day(2026, 2, 28));
    assert_eq!(latest(&story, &request).await, month);

    let file = instruction(&story, "longer", "45 days");
    let customer = ["--customer", number.as_str()];
    assert_eq!(gallra(&approver, &["instruction", "set", customer[0], customer[1], &file]).status.code(), Some(4));
    let set = json(&gallra(&operator, &["instruction", "set", customer[0], customer[1], &file]));
    let one = &set["instruction"];
    assert_eq!((&one["state"], &one["set_by"]), (&"in-force".into(), &"demo-operator".into()));
    assert_eq!((&one["deviations"][0]["turn"], &set["begun"]), (&"longer".into(), &0.into()));
    assert!(!set.to_string().contains(&number), "it is named by reference only");
    assert_eq!(latest(&story, &request).await, Some(day(2026, 3, 17)));
    let twice =
        gallra(&operator, &["instruction", "set", customer[0], customer[1], &instruction(&story, "twice", "40 days")]);
    assert_eq!(twice.status.code(), Some(2));
    let reason = String::from_utf8_lossy(&twice.stderr).into_owned();
    assert!(reason.contains("contradictory: webone/customer-data was replaced by the instruction longer"), "{reason}");
    assert!(twice.stdout.is_empty());
    json(&gallra(&operator, &["instruction", "remove", customer[0], customer[1], "longer"]));
    assert_eq!(latest(&story, &request).await, month);
    assert_eq!(
        gallra(&operator, &["instruction", "remove", customer[0], customer[1], "longer"]).status.code(),
        Some(3)
    );

    let far = instruction(&story, "far", "2 months");
    let set = json(&gallra(&operator, &["instruction", "set", customer[0], customer[1], &far]));
    assert_eq!(set["instruction"]["state"], "legal-review");
    assert!(story.request(&request).await.expect("the request").facts.contains(&"legal_review".to_owned()));
    story.advance(day(2026, 3, 31), 22, 30).await.expect("the clock moves");
    assert!(story.site.provider.web(&story.leaver).exists(), "neither by the standard nor by the instruction");
    let digest = set["instruction"]["digest"].as_str().expect("a digest");
    let accept = |profile: &Path, digest: &str| {
        gallra(profile, &["instruction", "accept", customer[0], customer[1], "far", "--digest", digest])
    };
    assert_eq!(accept(&operator, digest).status.code(), Some(4));
    let other = accept(&approver, &"0".repeat(64));
    assert_eq!(other.status.code(), Some(6), "{}", String::from_utf8_lossy(&other.stderr));
    let accepted = json(&accept(&approver, digest));
    let one = &accepted["instruction"];
    assert_eq!(one["state"], "in-force");
    assert!(one["accepted_by"] != "" && one["accepted_by"] != one["set_by"]);
    let alone = gallra(&operator, &["instruction", "remove", customer[0], customer[1], "far"]);
    assert_eq!(alone.status.code(), Some(6), "{}", String::from_utf8_lossy(&alone.stderr));
    let all = json(&gallra(&approver, &["instruction", "list"]));
    assert_eq!((&all[0]["id"], all.as_array().map(Vec::len)), (&"far".into(), Some(1)));
    story.advance(day(2026, 3, 31), 22, 31).await.expect("the clock moves");
    let web = story.site.provider.web(&story.leaver);
    wait_for("the erasure to go on", async || (!web.exists()).then_some(())).await.expect("it went on");
}

#[tokio::test]
async fn a_policy_waits_for_its_day_and_says_before_what_it_will_do() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let (operator, approver) = (story.site.profile(), story.site.approver());
    let shorter = version(&story, "2026-02-10", "1 week");
    let shorter = shorter.to_str().expect("text");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/webone.toml");
    let shipped = shipped.to_str().expect("text");

    let told = json(&gallra(&operator, &["policy", "apply", shorter, "--dry-run"]));
    assert_eq!((&told[0]["request"], &told[0]["stops"]), (&request.as_str().into(), &false.into()));
    let targets = told[0]["targets"].as_array().expect("targets");
    let files = targets.iter().find(|target| target["category"] == "customer-data").expect("hosted files");
    assert_eq!((&files["before"]["latest"], &files["after"]["latest"]), (&"2026-02-28".into(), &"2026-02-07".into()));
    let live = json(&gallra(&operator, &["policy", "diff", shipped, shorter, "--live"]));
    assert_eq!(live["requests"], told);
    assert!(
        live["differences"].as_array().is_some_and(|rows| rows.iter().any(|row| row["rule"] == "webone/customer-data"))
    );

    assert_eq!(gallra(&operator, &["policy", "apply", shorter]).status.code(), Some(4));
    let output = gallra(&approver, &["policy", "apply", shorter]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 open request changes"), "said before it acts");
    let applied = json(&output);
    assert_eq!(applied["waits_for"], "2026-02-10");
    let states = |output: &Output| {
        let list = json(output);
        list.as_array().expect("a list").iter().map(|one| one["state"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(states(&gallra(&operator, &["policy", "list"])), ["\"in-force\"", "\"waiting\""]);
    let other = version(&story, "2026-02-10", "2 weeks");
    let double = gallra(&approver, &["policy", "apply", other.to_str().expect("text")]);
    assert_eq!(double.status.code(), Some(6), "of one name and day: {}", String::from_utf8_lossy(&double.stderr));

    story.advance(day(2026, 2, 9), 23, 30).await.expect("the clock moves");
    assert!(story.site.provider.web(&story.leaver).exists());
    assert_eq!(latest(&story, &request).await, Some(day(2026, 2, 28)));
    story.advance(day(2026, 2, 10), 12, 0).await.expect("the clock moves");
    assert_eq!(latest(&story, &request).await, Some(day(2026, 2, 7)));
    assert!(!story.site.provider.web(&story.leaver).exists(), "late, so at once");
    assert_eq!(states(&gallra(&operator, &["policy", "list"])), ["\"past\"", "\"in-force\""]);
    let digest = applied["digest"].as_str().expect("a digest");
    assert_eq!(gallra(&approver, &["policy", "withdraw", digest]).status.code(), Some(3), "it waits no more");
}
