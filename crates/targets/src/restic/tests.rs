//! The driver against real repositories. A call of restic costs about half a second of key derivation, so each test
//! makes one repository and asks many things of it. Snapshots are dated by hand, always in the past: restic ignores
//! future ones when it looks for a group's newest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gallra_model::copy::Expected;
use gallra_model::job::Action;
use gallra_model::receipt::Verdict;
use gallra_model::time::day_of;

use super::*;
use crate::attempt;
use crate::testing::{Always, job, service};

/// A repository, its sources under `srv`, and a log of the calls that the driver makes.
struct Store {
    dir: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let store = Self { dir: tempfile::tempdir().expect("a directory") };
        fs::write(store.path("pass"), "correct horse\n").expect("writes");
        let wrapper = format!("#!/bin/sh\necho \"$4\" >> {}\nexec restic \"$@\"\n", store.path("calls").display());
        fs::write(store.path("restic"), wrapper).expect("writes");
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        fs::set_permissions(store.path("restic"), mode).expect("sets the mode");
        store.restic(&["init"]);
        store
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("has one")).expect("makes directories");
        fs::write(path, content).expect("writes");
    }

    /// What the provider's routine does, by hand.
    fn restic(&self, args: &[&str]) -> Vec<u8> {
        let out = Command::new("restic")
            .current_dir(self.dir.path())
            .env("RESTIC_REPOSITORY", self.path("repo"))
            .env("RESTIC_PASSWORD_FILE", self.path("pass"))
            .args(["--no-cache", "--quiet", "--pack-size", "4"])
            .args(args)
            .output()
            .expect("restic is installed");
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    }

    /// A snapshot of `what`, dated 03:00 in this machine's zone.
    fn backup(&self, day: &str, what: &Path) {
        let time = format!("{day} 03:00:00");
        self.restic(&["backup", "--host", "web1", "--time", &time, &what.display().to_string()]);
    }

    fn config(&self, keys: &str) -> Config {
        let root = self.dir.path().display();
        let text = format!(
            "program = '{root}/restic'\nrepository = '{root}/repo'\npassword_file = '{root}/pass'\n\
             paths = ['{root}/srv/w[w]w/{{service}}', '{root}/srv/mail/{{service}}']\nevery_days = 7\n{keys}"
        );
        toml::from_str(&text).expect("a configuration")
    }

    fn driver(&self, keys: &str) -> Restic {
        Restic::open(&self.config(keys)).expect("opens")
    }

    /// First words of the driver's calls since the last time, in order of the alphabet.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("calls")).unwrap_or_default();
        drop(fs::remove_file(self.path("calls")));
        let mut calls: Vec<String> = text.lines().map(str::to_owned).collect();
        calls.sort();
        calls
    }
}

/// Text that does not compress much: a default prune leaves packs of the full size (4 MiB here) alone while 5% of the
/// repository at most is unused.
fn noise(length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'A' + u8::try_from(state % 50).expect("small"))
    };
    (0..length).map(step).collect()
}

fn at(text: &str) -> Instant {
    text.parse().expect("a literal")
}

fn days(listing: &CopyListing) -> Vec<String> {
    listing.copies.iter().map(|copy| day_of(copy.began).to_string()).collect()
}

fn known(listing: &CopyListing) -> Question {
    Question { cutoff: None, known: listing.copies.iter().map(|copy| copy.copy).collect() }
}

#[test]
fn lists_exactly_the_copies_that_hold_the_customers_paths() {
    let store = Store::new();
    store.write("srv/w[w]w/anna/index.html", "hej");
    store.write("srv/w[w]w/anna2/index.html", "hej hej");
    store.write("srv/www/carl/index.html", "not carl's: the template names another directory");
    for empty in ["srv/mail/adam", "srv/mail/bert", "srv/mail/anna.example"] {
        fs::create_dir_all(store.path(empty)).expect("makes directories");
    }
    store.backup("2025-03-03", &store.path("srv"));
    fs::rename(store.path("srv/w[w]w/anna"), store.path("srv/w[w]w/anna.example")).expect("renames");
    store.backup("2025-03-10", &store.path("srv"));
    let driver = store.driver("keep = { last = 2 }");
    let now = at("2025-03-11T12:00:00Z");
    let ask = |id: &str, question: &Question| driver.observe(&service(id), question, now).expect("lists");
    let all = Question::default();

    let anna = ask("anna", &all);
    assert_eq!(days(&anna), ["2025-03-03"]);
    assert_eq!(anna.copies[0].expected, Expected::By(jiff::civil::date(2025, 3, 17)));
    assert!(!anna.run_under_way && anna.reclaimed.is_none());
    assert_eq!(store.calls(), ["cat", "find", "ls", "snapshots", "version"]);
    assert_eq!(ask("anna", &known(&anna)), anna);
    assert_eq!(store.calls(), ["snapshots"], "what is known or was looked at is not looked at again");

    assert_eq!(days(&ask("anna.example", &all)), ["2025-03-03", "2025-03-10"], "an empty mailbox at first");
    assert_eq!(days(&ask("bert", &all)), ["2025-03-03", "2025-03-10"], "find alone leaves it out");
    assert_eq!(days(&ask("carl", &all)), [""; 0], "a wildcard in a template is a plain letter");
    assert!(store.calls().iter().any(|call| call == "ls"));
    let cutoff = Question { cutoff: Some(at("2025-03-05T00:00:00Z")), known: Vec::new() };
    assert_eq!(days(&ask("anna2", &cutoff)), ["2025-03-03"], "what began later cannot hold it");

    refusals(&store, now);

    store.restic(&["backup", "--time", "2025-03-10 03:00:00", "srv"]);
    let failure = driver.observe(&service("dora"), &all, now).expect_err("relative paths");
    assert_eq!(failure.code, Code::SentinelMissing, "nothing can be found in it, so nothing is concluded");
}

/// What must not look like an empty list.
fn refusals(store: &Store, now: Instant) {
    let anna = service("anna");
    let refusal = |driver: &Restic| driver.observe(&anna, &Question::default(), now).expect_err("refuses");
    let another = store.driver(&format!("repository_id = '{}'", "0".repeat(64)));
    assert_eq!(refusal(&another).code, Code::SentinelMissing);

    let wrong = Config { password_file: store.path("restic"), ..store.config("") };
    assert_eq!(refusal(&Restic::open(&wrong).expect("opens")).code, Code::Target);

    let driver = store.driver("");
    let (snapshots, away) = (store.path("repo/snapshots"), store.path("away"));
    fs::rename(&snapshots, &away).expect("renames");
    assert_eq!(refusal(&driver).code, Code::SentinelMissing, "restic itself calls this an empty repository");
    fs::rename(&away, &snapshots).expect("renames back");
    let some = fs::read_dir(&snapshots).expect("reads").next().expect("has one").expect("reads").path();
    let whole = fs::read(&some).expect("reads");
    fs::rename(&some, &away).expect("renames");
    fs::write(&some, [&whole[..], b"x"].concat()).expect("writes");
    let failure = refusal(&driver);
    assert_eq!(failure.code, Code::Target, "restic warns, leaves it out and exits 0");
    assert!(!failure.hint.contains("srv"), "{}", failure.hint);
    fs::rename(&away, &some).expect("renames back");

    fs::rename(store.path("repo"), &away).expect("renames");
    assert_eq!(refusal(&driver).code, Code::SentinelMissing, "a disk that is not mounted");
    fs::create_dir(store.path("repo")).expect("makes the mount point");
    assert_eq!(refusal(&driver).code, Code::SentinelMissing);
    fs::remove_dir(store.path("repo")).expect("removes");
    fs::rename(&away, store.path("repo")).expect("renames back");
}

#[test]
fn what_left_the_list_is_not_reclaimed_before_its_bytes_are_gone() {
    const NEEDLE: &[u8] = b"anna-canary-7f3a";
    let store = Store::new();
    store.write("srv/mail/anna/cur/1", "to: anna-canary-7f3a@example.org");
    store.write("srv/mail/bert/cur/1", &noise(8_000_000));
    store.backup("2025-03-03", &store.path("srv"));
    fs::rename(store.path("srv/mail/anna"), store.path("gone")).expect("renames");
    store.backup("2025-03-10", &store.path("srv"));
    let driver = store.driver("keep = { within = '5m' }");
    let now = at("2025-03-11T12:00:00Z");
    let ask = |question: &Question| driver.observe(&service("anna"), question, now).expect("lists");
    let search = || {
        let found = search(&store.path("repo"), &store.path("pass"), "restic", &[NEEDLE.to_vec()]).expect("searches");
        assert_eq!(found.unreadable, 0);
        assert!(found.packs > 0 && found.blobs > 4, "{found:?}");
        found.hits
    };

    let first = ask(&Question::default());
    assert_eq!(days(&first), ["2025-03-03"]);
    assert_eq!(search(), 1);
    let waiting = known(&first);
    let complete = || {
        let listing = ask(&waiting);
        assert_eq!(days(&listing), [""; 0]);
        listing.reclaimed.map(|reclaimed| reclaimed.is_complete())
    };

    let snapshots = snapshot::parse(&store.restic(&["snapshots", "--json"])[..]).expect("parses");
    store.restic(&["forget", &snapshots[0].id]);
    assert_eq!((complete(), search()), (Some(false), 1), "forgotten, not pruned");
    store.restic(&["prune"]);
    assert_eq!((complete(), search()), (Some(false), 1), "pruned, and tolerated as unused");
    let packs = place::pack_files(&store.path("repo")).expect("reads");
    let kept: Vec<_> = packs.iter().map(|pack| (pack, fs::read(pack).expect("reads"))).collect();
    store.restic(&["prune", "--max-unused", "0"]);
    assert_eq!((complete(), search()), (Some(true), 0));
    store.calls();
    assert_eq!(complete(), Some(true));
    assert_eq!(store.calls(), ["cat", "snapshots", "stats"], "each step is as cheap as it can be");

    for (pack, bytes) in kept.iter().filter(|(pack, _)| !pack.exists()) {
        fs::write(pack, bytes).expect("writes");
    }
    assert_eq!((complete(), search()), (Some(false), 1), "a pack that no index names still holds her letter");

    fs::write(store.path("repo/locks/held"), "x").expect("writes");
    assert!(ask(&waiting).run_under_way);
}

#[test]
fn expectations_are_what_restic_does_when_the_day_comes() {
    let store = Store::new();
    store.write("srv/mail/anna/1", "hej");
    let mail = store.path("srv/mail");
    let past = ["2025-01-16", "2025-01-23", "2025-01-29", "2025-01-30", "2025-02-06"];
    let future = ["2025-02-13", "2025-02-20", "2025-02-27", "2025-03-06"];
    for day in past {
        store.backup(day, &mail);
    }
    let before = snapshot::parse(&store.restic(&["snapshots", "--json"])[..]).expect("parses");
    let rules = [
        ("--keep-within=1m", Rules { within: "1m".parse().ok(), ..Rules::default() }),
        ("--keep-within=14d1h", Rules { within: "14d1h".parse().ok(), ..Rules::default() }),
        ("--keep-last=3", Rules { last: 3, ..Rules::default() }),
        ("--keep-weekly=4", Rules { weekly: 4, ..Rules::default() }),
        ("--keep-monthly=2", Rules { monthly: 2, ..Rules::default() }),
    ];
    let mut removed: Vec<Vec<Expected>> = vec![vec![Expected::Never; past.len()]; rules.len()];
    for day in future {
        store.backup(day, &mail);
        let run = Expected::By(day.parse().expect("a literal"));
        for ((flag, _), removed) in rules.iter().zip(&mut removed) {
            let gone = forgotten(&store, flag);
            for (snapshot, removed) in before.iter().zip(removed) {
                if *removed == Expected::Never && gone.contains(&snapshot.id) {
                    *removed = run;
                }
            }
        }
    }
    let last = future.last().and_then(|day| day.parse().ok()).expect("a literal");
    for ((flag, rules), removed) in rules.into_iter().zip(removed) {
        let routine = Routine { rules, every_days: 7, prune_every_days: 7, own_group: false };
        let now = at("2025-02-07T12:00:00Z");
        let expected = snapshot::expectations(&before, &host_and_paths(), &routine, now, false);
        // What the play shows after the last real run cannot be compared.
        let seen = |expected: Expected| match expected {
            Expected::By(day) if day > last => Expected::Never,
            Expected::By(_) | Expected::Never | Expected::Unknown => expected,
        };
        assert_eq!(expected.into_iter().map(seen).collect::<Vec<_>>(), removed, "{flag}");
        assert!(removed.iter().any(|gone| *gone != Expected::Never), "{flag} shows nothing");
    }
}

/// Ids that a real `forget` with this flag would remove now.
fn forgotten(store: &Store, flag: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Group {
        remove: Option<Vec<Removed>>,
    }
    #[derive(Deserialize)]
    struct Removed {
        id: String,
    }
    let answer = store.restic(&["forget", "--dry-run", "--json", flag]);
    let groups: Vec<Group> = serde_json::from_slice(&answer).expect("parses");
    groups.into_iter().flat_map(|group| group.remove.unwrap_or_default()).map(|removed| removed.id).collect()
}

#[test]
fn a_group_of_the_customers_own_is_expected_to_stay() {
    let store = Store::new();
    store.write("srv/mail/anna/1", "hej");
    store.backup("2025-03-03", &store.path("srv/mail/anna"));
    let driver = store.driver("own_group = true\nkeep = { within = '5m' }");
    assert_eq!(driver.copy_life(), Some(CopyLife::Never));
    let now = at("2026-03-03T12:00:00Z");
    let run = |action| attempt::run(&driver, &job(action, &service("anna"), None), now, &mut Always);
    let report = run(Action::Inspect);
    let listing = report.listing.expect("lists");
    assert_eq!(report.verdict, Verdict::Done);
    assert_eq!((days(&listing), listing.copies[0].expected), (vec!["2025-03-03".to_owned()], Expected::Never));
    assert!(!store.calls().iter().any(|call| call == "find"), "its own list of paths says enough");
    for action in [Action::Erase, Action::Restrict, Action::Confirm, Action::Preserve] {
        let report = run(action);
        assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Unsupported)));
    }
}

#[test]
fn keys_that_would_mislead_are_refused() {
    let open = |keys: &str| {
        let text = format!("repository = '/srv/repo'\npassword_file = '/etc/pass'\n{keys}");
        toml::from_str::<Config>(&text).map_err(|error| error.to_string()).and_then(|config| Restic::open(&config))
    };
    assert!(open("paths = ['/srv/www/{service}']\nevery_days = 7").is_ok());
    for bad in [
        "paths = []\nevery_days = 7",
        "paths = ['srv/{service}']\nevery_days = 7",
        "paths = ['/srv/../{service}']\nevery_days = 7",
        "paths = ['/srv/{service}']\nevery_days = 0",
        "paths = ['/srv/{service}']\nevery_days = 7\nprune_every_days = 0",
        "paths = ['/srv/{service}']\nevery_days = 7\nkeep = { within = '5' }",
        "paths = ['/srv/{service}']\nevery_days = 7\nkeep = { within-daily = '5m' }",
        "paths = ['/srv/{service}']\nevery_days = 7\ngroup_by = ['hosts']",
        "paths = ['/srv/{service}']\nevery_days = 7\nrepository_id = 'abc'",
        "paths = ['/srv/{service}']\nevery_days = 7\nunknown = 1",
    ] {
        assert!(open(bad).is_err(), "{bad}");
    }
}
