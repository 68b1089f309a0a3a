//! What a restore brought back, in the proof: real processes, a real repository, and a host that tells of it when its coordinator is
//! there again. Before the final proof it is said in that one; after it, the proof is open until all is gone again, and then amended.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

use gallra_cli::demo::site::{Site, programs, wait_for};
use gallra_testkit::provider::verify;
use gallra_testkit::{Story, day};
use gallra_wire::v1;

/// When the routine saved everything, with the leaver in it.
const TAKEN: &str = "2026-01-04T02:00:00Z";

/// Runs `gallra-agent restored` over the sites, with the coordinator down.
fn restored(site: &Site, config: &Path) -> Output {
    Command::new(programs().expect("the programs").join("gallra-agent"))
        .args(["restored", "--accept-simulated-clock", "--taken", TAKEN, "--target", "www", "--dir"])
        .arg(site.path("agent"))
        .arg("--config")
        .arg(config)
        .output()
        .expect("gallra-agent runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn show(site: &Site, request: &str) -> String {
    let mut command = Command::new(programs().expect("the programs").join("gallra"));
    let shown = command.args(["request", "show", request]).env("GALLRA_PROFILE", site.profile()).output();
    said(&shown.expect("gallra runs"))
}

/// What waits on the host to be told.
fn waiting(site: &Site) -> usize {
    std::fs::read_dir(site.path("agent/privileged/restores/outbox")).expect("an outbox").count()
}

/// A copy of the sites that the repository does not know: what an admin puts back by hand.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success());
}

async fn down(story: &mut Story) {
    story.site.stop_coordinator().await.expect("stops");
    story.site.stop_agent().await.expect("stops");
}

async fn up(story: &mut Story) {
    story.site.start_coordinator().await.expect("starts");
    story.site.start_agent().await.expect("starts");
}

/// Waits until so many restores are told of, and nothing waits on the host any more.
async fn told(story: &Story, request: &str, count: usize) -> v1::Request {
    wait_for("the coordinator to hear of the restore", async || {
        let shown = story.request(request).await.ok()?;
        (shown.restores.len() == count && waiting(&story.site) == 0).then_some(shown)
    })
    .await
    .expect("it is told of")
}

/// The newest proof's stage, what a stranger makes of it, and the types of its statements after the receipts'.
async fn proof(story: &Story, request: &str) -> (v1::Stage, String, Vec<String>) {
    let (proof, key, stage) = story.newest_proof(request).await.expect("a proof");
    let verdict = verify(&proof, &key);
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(&proof).expect("the proof")).expect("JSON");
    let payload = |envelope: &serde_json::Value| {
        use base64::Engine as _;
        let text = envelope["payload"].as_str().expect("a text");
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        serde_json::from_slice::<serde_json::Value>(&bytes).expect("JSON")
    };
    let said = payload(&file["proof"]["envelope"]);
    let evidence = said["predicate"]["evidence"].as_array().expect("a list").iter();
    let types = evidence.map(|piece| piece["statement"].as_str().expect("a word").to_owned());
    (stage, verdict, types.filter(|word| word == "restore" || word == "copy-set").collect())
}

#[tokio::test]
async fn what_a_restore_brought_back_is_said_in_the_proof_of_who_had_left() {
    let mut story = Story::begin(|options| {
        options.keep = "{ last = 1 }".to_owned();
        options.keep_arguments = vec!["--keep-last".to_owned(), "1".to_owned()];
    })
    .await
    .expect("a site");
    story.advance(day(2026, 1, 4), 3, 0).await.expect("the clock moves");
    story.site.routine.back_up(story.site.now()).expect("a backup");
    let (web, aside) = (story.site.provider.web(&story.leaver), story.site.path("aside"));
    copy(&web, &aside);
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    assert!(!web.exists(), "erased");
    let list = story.site.path("agent/privileged/suppression/list");
    let listed = async || (std::fs::read_to_string(&list).ok()?.lines().count() >= 3).then_some(());
    wait_for("the agent to have its suppression list", listed).await.expect("its list");
    let config = story.site.path("agent.toml");

    // Before the last copy is gone: told when both are up again, and said in the final proof, before the set of copies.
    down(&mut story).await;
    copy(&aside, &web);
    let run = restored(&story.site, &config);
    assert_eq!((run.status.code(), web.exists(), waiting(&story.site)), (Some(0), false, 1), "{}", said(&run));
    up(&mut story).await;
    let shown = told(&story, &request, 1).await;
    assert!(shown.restores[0].gone && shown.restores[0].erased > 0, "{:?}", shown.restores);
    assert!(!shown.facts.contains(&"came_back".to_owned()), "{:?}", shown.facts);
    story.advance(day(2026, 3, 8), 3, 0).await.expect("the clock moves");
    story.site.routine.back_up(story.site.now()).expect("a backup");
    story.site.routine.prune().expect("pruned");
    for weeks in 1..8 {
        story.advance_days(day(2026, 3, 8), weeks * 7).await.expect("the clock moves");
    }
    let (stage, verdict, types) = proof(&story, &request).await;
    assert_eq!((stage, types.join(" ")), (v1::Stage::Final, "restore copy-set".to_owned()), "{verdict}");
    assert!(verdict.starts_with("VALID final, KEPT:"), "{verdict}");

    // After it, and not all of it goes: the host trusts nobody who signed for it.
    down(&mut story).await;
    copy(&aside, &web);
    let distrusts = story.site.path("distrusts.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    let keys = text.lines().find(|line| line.starts_with("keys = ")).expect("the causes' keys");
    std::fs::write(&distrusts, text.replace(keys, &format!("keys = [\"{}\"]", "11".repeat(32)))).expect("writes");
    let run = restored(&story.site, &distrusts);
    assert_eq!((run.status.code(), web.exists(), waiting(&story.site)), (Some(3), true, 1), "{}", said(&run));
    up(&mut story).await;
    let shown = told(&story, &request, 2).await;
    assert!(
        ["came_back", "amending"].iter().all(|fact| shown.facts.iter().any(|had| had == fact)),
        "{:?}",
        shown.facts
    );
    assert!(show(&story.site, &request).contains("NOT gone again"), "{}", show(&story.site, &request));
    let (stage, verdict, _) = proof(&story, &request).await;
    assert_eq!(stage, v1::Stage::Interim, "{verdict}");
    assert!(verdict.starts_with("VALID interim until unknown"), "{verdict}");

    // Once more, under what the host does trust: the proof is amended, and the subject's file with it.
    down(&mut story).await;
    let run = restored(&story.site, &config);
    assert_eq!((run.status.code(), web.exists()), (Some(0), false), "{}", said(&run));
    up(&mut story).await;
    let shown = told(&story, &request, 3).await;
    assert!(shown.facts.iter().all(|fact| fact != "came_back" && fact != "amending"), "{:?}", shown.facts);
    let (stage, verdict, types) = proof(&story, &request).await;
    assert_eq!((stage, types.join(" ")), (v1::Stage::Amendment, "restore copy-set restore".to_owned()), "{verdict}");
    assert!(verdict.starts_with("VALID final, KEPT:"), "{verdict}");
    let shown = show(&story.site, &request);
    assert!(shown.contains("and all of it did later") && shown.contains("erased again"), "{shown}");
}
