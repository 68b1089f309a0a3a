//! The ceremony of `docs/keys.md`, command by command, against a running coordinator: a proof, then other root holders, other
//! issuer keys and no agent's key any more, and the proof stands.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gallra_cli::demo::site::programs;
use gallra_testkit::provider::verify;
use gallra_testkit::{Story, day};

/// A folder with a profile of each kind, in which commands run.
struct Desk {
    folder: PathBuf,
    operator: PathBuf,
    approver: PathBuf,
}

impl Desk {
    fn run(&self, profile: &Path, words: &str) -> Output {
        Command::new(programs().expect("the programs").join("gallra"))
            .args(words.split(' '))
            .current_dir(&self.folder)
            .env("GALLRA_PROFILE", profile)
            .output()
            .expect("gallra runs")
    }

    /// Runs as operator, and succeeds.
    fn does(&self, words: &str) -> String {
        let output = self.run(&self.operator, words);
        assert!(output.status.success(), "gallra {words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// The exit code, as an approver.
    fn approver(&self, words: &str) -> Option<i32> {
        self.run(&self.approver, words).status.code()
    }

    fn code(&self, words: &str) -> Option<i32> {
        self.run(&self.operator, words).status.code()
    }

    fn json(&self, words: &str) -> serde_json::Value {
        serde_json::from_str(&self.does(&format!("{words} --output json"))).expect("JSON")
    }

    /// Ids of keys of a role and a status.
    fn ids(&self, role: &str, status: &str) -> Vec<String> {
        let listed = self.json("key list");
        let of = |key: &&serde_json::Value| key["role"] == role && key["status"] == status;
        let keys = listed.as_array().expect("a list").iter().filter(of);
        keys.map(|key| key["keyid"].as_str().expect("an id").to_owned()).collect()
    }
}

async fn finished() -> (Story, PathBuf) {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 1), 22, 30).await.expect("the clock moves");
    let (proof, _, _) = story.newest_proof(&request).await.expect("a proof");
    (story, proof)
}

#[tokio::test]
async fn the_ceremony_as_it_is_written_down() {
    let (story, proof) = finished().await;
    let folder = story.folder.path().to_owned();
    let desk = Desk { folder: folder.clone(), operator: story.site.profile(), approver: story.site.approver() };
    desk.does("key export --out keys.json");
    assert!(verify(&proof, &folder.join("keys.json")).starts_with("VALID final"), "before");

    // 1: everybody makes a pair of keys.
    let coordinator = story.site.path("coordinator");
    let roots = coordinator.join("roots");
    let first = std::fs::read_dir(&roots).expect("roots").filter_map(|entry| {
        let name = entry.expect("an entry").file_name().into_string().expect("text");
        name.strip_suffix(".pub").map(str::to_owned)
    });
    let first: Vec<String> = first.collect();
    let [first] = first.as_slice() else { panic!("one root holder: {first:?}") };
    for name in ["chair", "auditor", "deputy"] {
        desk.does(&format!("key create --for root --out {name}"));
        assert_eq!(desk.code(&format!("key create --kind root --out {name}")), Some(2), "never written over");
    }
    desk.does(&format!("key create --for issuer --out {}", coordinator.join("issuer-2027").display()));

    // 2: what is to be signed.
    let old = desk.ids("issuer", "active");
    let edit = format!(
        "key manifest edit --keys keys.json --add-holder chair=chair.pub --add-holder auditor=auditor.pub --add-holder \
         deputy=deputy.pub --drop-holder {first} --threshold 2 --add-issuer {}.pub --drop {} --drop {} --out next.json",
        coordinator.join("issuer-2027").display(),
        old[0],
        old[1]
    );
    let made = desk.json(&edit);
    let changes = made["changes"].as_array().expect("changes");
    assert_eq!(
        (made["version"].as_u64(), made["enough"].as_bool(), changes.len()),
        (Some(2), Some(false), 10),
        "{made}"
    );
    assert!(changes.contains(&"threshold: 1 -> 2".into()), "{made}");

    // 3: the holders sign, one after the other.
    let sign = |from: &str, root: &str, out: &str| {
        format!("key manifest sign {from} --keys keys.json --root {root} --out {out}")
    };
    desk.does(&sign("next.json", &roots.join(first).display().to_string(), "one.json"));
    assert_eq!(desk.approver("key submit one.json"), Some(6), "too few");
    desk.does(&sign("one.json", "chair", "two.json"));
    desk.does(&sign("two.json", "chair", "twice.json"));
    assert_eq!(desk.approver("key submit twice.json"), Some(6), "one holder twice is not two");
    assert_eq!(desk.json("key manifest show twice.json --keys keys.json")["enough"], false);
    desk.does("key create --for root --out stranger");
    assert_eq!(desk.code(&sign("two.json", "stranger", "no.json")), Some(2), "who holds nothing signs nothing");
    desk.does(&sign("two.json", "auditor", "three.json"));
    assert_eq!(desk.json("key manifest show three.json --keys keys.json")["enough"], true);

    // 4: an approver brings it.
    assert_eq!(desk.code("key submit three.json"), Some(4), "an operator does not");
    assert_eq!(desk.approver("key submit three.json"), Some(0));
    assert_eq!(desk.approver("key submit three.json"), Some(0), "again is no harm");
    let listed = desk.json("key list");
    let signing = listed.as_array().expect("a list").iter().filter(|key| key["signing"] == true).count();
    assert_eq!((desk.ids("issuer", "left-out"), signing), (old, 2));

    // 5: an agent's key is lost.
    let [agent] = desk.ids("agent", "active").try_into().expect("one agent");
    assert_eq!(desk.code(&format!("key revoke {agent}")), Some(4));
    assert_eq!(desk.code("agent invite web1"), Some(6), "its name is its own");
    assert_eq!(desk.approver(&format!("key revoke {agent}")), Some(0));
    assert_eq!(desk.approver(&format!("key revoke {agent} --retired")), Some(6), "it has ended");
    let is_connected = || desk.json("agent list")[0]["connected"] == true;
    assert!((0..500).any(|_| !is_connected()), "its stream ends at once");
    desk.does("agent invite web1");
    assert!(desk.does("key rotate agent web1").contains("gallra agent invite web1"));

    // 6: it is published, and the proof of before stands.
    desk.does("key export --out keys-2.json");
    let file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("keys-2.json")).expect("a file")).expect("JSON");
    assert_eq!(
        (file["manifests"].as_array().map(Vec::len), file["events"].as_array().map(Vec::len)),
        (Some(2), Some(2))
    );
    for keys in ["keys-2.json", "keys.json"] {
        assert!(verify(&proof, &folder.join(keys)).starts_with("VALID final"), "{keys}");
    }
}
