//! A log whose key is lost, and another that goes on where it ended: `docs/log.md`, section 4, command by command, with real
//! processes. What was planned under the old log is planned anew and proven under the new one.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_testkit::provider::verify;
use gallra_testkit::{Story, day};

/// The name that `init` gives.
const OLD: &str = "log.demo.invalid/1";
const NEW: &str = "log.test.example/2";

/// A folder with a profile of each kind, in which commands run.
struct Desk {
    folder: PathBuf,
    coordinator: PathBuf,
    operator: PathBuf,
    approver: PathBuf,
}

impl Desk {
    fn program(&self, program: &str, profile: &Path, words: &str) -> Output {
        Command::new(programs().expect("the programs").join(program))
            .args(words.split(' '))
            .current_dir(&self.folder)
            .env("GALLRA_PROFILE", profile)
            .output()
            .expect("it runs")
    }

    /// Runs as operator, and succeeds.
    fn does(&self, words: &str) -> String {
        told(&self.program("gallra", &self.operator, words), words)
    }

    fn code(&self, words: &str) -> Option<i32> {
        self.program("gallra", &self.operator, words).status.code()
    }

    /// The stopped coordinator's program.
    fn coordinator(&self, words: &str) -> Output {
        self.program("gallra-coordinator", &self.operator, &format!("{words} --dir {}", self.coordinator.display()))
    }

    /// Three holders of whom two act, in the place of the first one.
    fn seats_three(&self) {
        self.does("key export --out first.json");
        for name in ["chair", "auditor", "deputy"] {
            self.does(&format!("key create --for root --out {name}"));
        }
        self.does(
            "key manifest edit --keys first.json --add-holder chair=chair.pub --add-holder auditor=auditor.pub --add-holder \
             deputy=deputy.pub --drop-holder management --threshold 2 --out seats.json",
        );
        let first = self.coordinator.join("roots/management");
        let sign = |from: &str, root: &str, out: &str| {
            self.does(&format!("key manifest sign {from} --keys first.json --root {root} --out {out}"));
        };
        sign("seats.json", &first.display().to_string(), "seats-1.json");
        sign("seats-1.json", "chair", "seats-2.json");
        sign("seats-2.json", "auditor", "seats-3.json");
        told(&self.program("gallra", &self.approver, "key submit seats-3.json"), "key submit");
    }

    /// Both files that end the log, signed by the chair and the deputy.
    fn words(&self) {
        self.does("key export --out keys.json");
        std::fs::write(self.folder.join("last.note"), self.does("log checkpoint")).expect("written");
        self.does(&format!("key create --for log --out {}", self.coordinator.join("log-2").display()));
        let public = self.coordinator.join("log-2.pub");
        let edit = format!("key manifest edit --keys keys.json --log {NEW}={} --out manifest.json", public.display());
        assert!(self.does(&edit).contains(&format!("log: {OLD} -> {NEW}")));
        let create = "log succession create --keys keys.json --manifest manifest.json --checkpoint";
        assert_eq!(self.code(&format!("{create} keys.json --out no.json")), Some(2), "that is no checkpoint");
        assert!(self.does(&format!("{create} last.note --out succession.json")).contains("more holders sign"));
        for (what, file) in [("key manifest", "manifest"), ("log succession", "succession")] {
            for (number, root) in [(1, "chair"), (2, "deputy")] {
                let from = if number == 1 { format!("{file}.json") } else { format!("{file}-1.json") };
                self.does(&format!("{what} sign {from} --keys keys.json --root {root} --out {file}-{number}.json"));
            }
        }
        let strange = "log succession sign succession-1.json --keys keys.json --root stranger --out no.json";
        self.does("key create --for root --out stranger");
        assert_eq!(self.code(strange), Some(2), "who holds nothing signs nothing");
        let shown = self.does("log succession show succession-2.json --keys keys.json --output json");
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!((shown["enough"].as_bool(), shown["origin"].as_str()), (Some(true), Some(NEW)), "{shown}");
        let online = self.program("gallra", &self.approver, "key submit manifest-2.json");
        assert_eq!(online.status.code(), Some(6), "not without the succession, and not online");
    }
}

fn told(output: &Output, words: &str) -> String {
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[tokio::test]
async fn a_log_whose_key_is_lost_goes_on_as_it_is_written_down() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let desk = Desk {
        folder: story.folder.path().to_owned(),
        coordinator: story.site.path("coordinator"),
        operator: story.site.profile(),
        approver: story.site.approver(),
    };
    desk.seats_three();
    let request = story.end_and_settle().await.expect("a request");
    let before = story.plan(&request).await.expect("a plan").number;
    desk.words();

    story.site.stop_coordinator().await.expect("it stops");
    std::fs::remove_file(desk.coordinator.join("log.key")).expect("lost");
    let clock = story.site.now();
    let succeed = |succession: &str, more: &str| {
        let files = format!("log succeed --succession {succession} --manifest manifest-2.json");
        desk.coordinator(&format!("{files} --demonstration-clock {clock}{more}"))
    };
    let too_few = succeed("succession-1.json", "");
    assert!(String::from_utf8_lossy(&too_few.stderr).contains("1 of 2 root holders"), "{too_few:?}");
    let foretold = told(&succeed("succession-2.json", " --dry-run"), "a dry run");
    assert!(
        foretold.contains("planned and inspected anew: 1") && foretold.contains("nothing was changed"),
        "{foretold}"
    );
    assert!(!desk.coordinator.join("log/ended").exists());
    told(&succeed("succession-2.json", ""), "it goes on");
    assert!(told(&succeed("succession-2.json", ""), "again").contains("nothing to do"));
    assert!(desk.coordinator.join("log/ended-1/checkpoint").exists());

    // Where a name stands in the configuration, it is the new one.
    let config = desk.coordinator.join("coordinator.toml");
    let text = std::fs::read_to_string(&config).expect("there");
    let named = |origin: &str| {
        std::fs::write(&config, text.replace("[log]\n", &format!("[log]\norigin = \"{origin}\"\n"))).expect("written");
    };
    named(OLD);
    let refused = desk.coordinator(&format!("serve --demonstration-clock {clock}"));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("write that"), "{refused:?}");
    named(NEW);
    story.site.start_coordinator().await.expect("it starts");
    story.site.wait_connected().await.expect("the agent is back");

    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    assert!(story.plan(&request).await.expect("a plan").number > before, "planned anew");
    let (proof, _, _) = story.newest_proof(&request).await.expect("a proof");
    desk.does("key export --out after.json");
    let verdict = verify(&proof, &desk.folder.join("after.json"));
    assert!(verdict.starts_with("VALID final"), "{verdict}");
    let shown: serde_json::Value = serde_json::from_str(&desk.does("log show --output json")).expect("JSON");
    assert_eq!((shown["origin"].as_str(), shown["stopped"].as_str()), (Some(NEW), Some("")), "{shown}");
    assert!(desk.does("log entry 0").contains("kind log-succession"));
}
