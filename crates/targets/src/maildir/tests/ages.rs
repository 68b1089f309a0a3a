//! The rolling purge of mails.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gallra_model::job::{Action, JobSpec, Purge};
use gallra_model::receipt::{Code, Verdict};
use gallra_model::selector::Selector;
use gallra_model::{Digest, Instant};
use proptest::prelude::*;

use super::config;
use crate::driver::{Boundary, Driver};
use crate::maildir::{Maildir, Received};
use crate::testing::{Always, StopAfter, customer, job, now, service};
use crate::tree::HardLinks;
use crate::tree::tests::fixture::{Site, portrait};
use crate::{Report, attempt};

/// A year before [`now`].
const CUT: &str = "2025-03-01T03:00:00Z";

fn cut() -> i64 {
    CUT.parse::<Instant>().expect("a literal").as_second()
}

struct Post {
    site: Site,
    received: Received,
}

impl Post {
    fn new() -> Self {
        Self { site: Site::new(), received: Received::Both }
    }

    fn driver(&self) -> Maildir {
        let mut config = config(&self.site);
        config.youngest_purge_age = Some("30 days".parse().expect("an age"));
        config.received = self.received;
        Maildir::open(&config).expect("a good config")
    }

    fn folder(&self, owner: &str, folder: &str) -> PathBuf {
        let at = self.site.at(format!("{owner}/info/Maildir/{folder}"));
        fs::create_dir_all(&at).expect("a folder");
        at
    }

    /// A mail whose name and file say so many seconds beside the line.
    fn mail(&self, owner: &str, folder: &str, (named, changed): (i64, i64)) -> PathBuf {
        let at = self.folder(owner, folder);
        let number = fs::read_dir(&at).expect("lists").count();
        let path = at.join(format!("{}.M{number}P1.host:2,S", cut() + named));
        fs::write(&path, format!("From: a\r\nMessage-ID: <{number}.{owner}.long-enough>\r\n\r\nhello\r\n"))
            .expect("a mail");
        dated(&path, changed);
        path
    }

    fn run(&self, held: Vec<Selector>, boundary: &mut dyn Boundary) -> Report {
        purge_on(&self.driver(), CUT, held, boundary)
    }
}

fn dated(path: &Path, changed: i64) {
    let second = u64::try_from(cut() + changed).expect("after 1970");
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)))
        .expect("a time");
}

fn purge_on(driver: &dyn Driver, before: &str, preserve: Vec<Selector>, boundary: &mut dyn Boundary) -> Report {
    let older_than: Instant = before.parse().expect("a literal");
    let purge = Purge { older_than, policy: Digest::of(b"policy"), preserve };
    let spec = JobSpec { purge: Some(purge), ..job(Action::Purge, &Selector::default(), None) };
    attempt::run(driver, &spec, now(), boundary)
}

#[test]
fn old_mails_go_from_all_mailboxes_and_every_other_file_stays() {
    let post = Post::new();
    let gone = [
        post.mail("anna.example", "cur", (-1, -1)),
        post.mail("anna.example", ".Sent/cur", (-90_000, -5)),
        post.mail("bo.example", "new", (-500_000, -500_000)),
        post.mail("bo.example", "tmp", (-500_000, -500_000)),
    ];
    let stay = [
        post.mail("anna.example", "cur", (0, 0)),
        post.mail("anna.example", "cur", (-10, 0)),
        post.mail("bo.example", "new", (500_000, 500_000)),
    ];
    let others = ["dovecot-uidlist", "subscriptions", "dovecot.index", "old.sieve"].map(|name| {
        let path = post.folder("anna.example", "").join(name);
        fs::write(&path, "anna").expect("a file");
        dated(&path, -900_000);
        path
    });
    let cache = post.folder("anna.example", "").join("dovecot.index.cache");
    let kept = post.folder("cecilia.example", "").join("dovecot.index.cache");
    for cache in [&cache, &kept] {
        fs::write(cache, "Subject: of an old mail").expect("a cache");
    }
    let before: Vec<_> = stay.iter().chain(&others).map(|path| portrait(path)).collect();
    let report = post.run(vec![], &mut Always);
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 4), "{}", report.hint);
    assert_eq!((report.before.items, report.before.others, report.after.others), (4, 3, 3));
    assert!(gone.iter().all(|path| !path.exists()));
    assert_eq!(stay.iter().chain(&others).map(|path| portrait(path)).collect::<Vec<_>>(), before);
    assert!(!cache.exists() && kept.exists(), "headers go with the mails, and only there");
    let again = post.run(vec![], &mut Always);
    assert_eq!((again.verdict, again.counts.absent), (Verdict::Done, 1), "twice is once");
}

#[test]
fn a_mail_that_nobody_can_date_stays_and_keeps_the_run_open() {
    let post = Post::new();
    let old = post.mail("anna.example", "cur", (-10, -10));
    post.mail("anna.example", "cur", (-500_000, 500_000));
    post.mail("anna.example", "cur", (500_000, -500_000));
    let nameless = post.folder("anna.example", "cur").join("a-mail");
    fs::write(&nameless, "x").expect("a mail");
    dated(&nameless, -10);
    post.mail("anna.example", "cur", (900_000_000, 900_000_000));
    let report = post.run(vec![], &mut Always);
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Undated)), "{}", report.hint);
    assert_eq!((report.counts.erased, report.counts.failed), (1, 4));
    assert!(!old.exists() && nameless.exists());
    let by_time = Post { received: Received::FileTime, ..post };
    let report = by_time.run(vec![], &mut Always);
    assert_eq!(
        (report.counts.erased, report.counts.failed),
        (2, 1),
        "the host's admin says that the file's time counts"
    );
}

#[test]
fn mailboxes_of_who_is_held_stay_by_their_exact_name() {
    let post = Post::new();
    for owner in ["ann", "anna", "ANN", "ann.example"] {
        post.mail(owner, "cur", (-10, -10));
    }
    let before = portrait(&post.site.at("ann"));
    let report = post.run(vec![service("ann")], &mut Always);
    assert_eq!(
        (report.verdict, report.counts.erased, report.counts.retained),
        (Verdict::Done, 3, 1),
        "{}",
        report.hint
    );
    assert_eq!(portrait(&post.site.at("ann")), before);
    let refused = post.run(vec![customer("1001")], &mut Always);
    assert_eq!(
        (refused.verdict, refused.code),
        (Verdict::Refused, Some(Code::BadSelector)),
        "a hold that nobody can tell"
    );
    let lifted = post.run(vec![], &mut Always);
    assert_eq!((lifted.counts.erased, lifted.counts.retained), (1, 0));
}

#[test]
fn the_floor_the_sentinel_and_a_line_within_a_second_stop_it_untouched() {
    let post = Post::new();
    let mail = post.mail("anna.example", "cur", (-10, -10));
    let code = |before| purge_on(&post.driver(), before, vec![], &mut Always).code;
    assert_eq!(code("2026-01-30T03:00:01Z"), Some(Code::PurgeAge));
    assert_eq!(code("2025-03-01T03:00:00.5Z"), Some(Code::BadSelector));
    let without = super::driver(&post.site);
    assert!(!without.purges() && post.driver().purges());
    assert_eq!(purge_on(&without, CUT, vec![], &mut Always).code, Some(Code::PurgeAge));
    fs::remove_file(post.site.at(".gallra-sentinel")).expect("removes");
    assert_eq!(code(CUT), Some(Code::SentinelMissing));
    assert!(mail.exists());
}

#[test]
fn links_pipes_and_directories_among_the_mails_are_neither_followed_nor_removed() {
    let post = Post::new();
    let outside = post.site.outside();
    let before = portrait(&outside);
    let cur = post.folder("anna.example", "cur");
    let name = |number: u32| format!("{}.M{number}P9.host:2,S", cut() - 100);
    symlink(outside.join("secret"), cur.join(name(1))).expect("a link");
    symlink(&outside, post.folder("anna.example", "").join(".Old")).expect("a link");
    symlink(&outside, post.site.at("evil.example")).expect("a link");
    fs::create_dir(cur.join(name(2))).expect("a directory");
    super::pipe(&cur.join(name(3)));
    let real = post.mail("anna.example", "cur", (-10, -10));
    let report = post.run(vec![], &mut Always);
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 1), "{}", report.hint);
    assert!(!real.exists() && (1..4).all(|number| fs::symlink_metadata(cur.join(name(number))).is_ok()));
    assert_eq!(portrait(&outside), before);
}

#[test]
fn a_mail_with_a_name_that_stays_is_said_and_one_whose_names_all_go_goes() {
    let mut post = Post::new();
    let both = post.mail("anna.example", "cur", (-10, -10));
    fs::hard_link(&both, post.folder("anna.example", ".Sent/cur").join(both.file_name().expect("a name")))
        .expect("links");
    let elsewhere = post.mail("anna.example", "cur", (-10, -10));
    fs::hard_link(&elsewhere, post.site.outside().join("copy")).expect("links");
    let report = post.run(vec![], &mut Always);
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::StillThere)), "{}", report.hint);
    assert_eq!((report.counts.erased, report.counts.failed), (2, 1));
    assert!(!both.exists() && elsewhere.exists());
    post.site.config.hard_links = HardLinks::Unlink;
    assert_eq!(post.run(vec![], &mut Always).counts.erased, 1);
    assert!(!elsewhere.exists());
}

#[test]
fn a_stop_between_two_mails_is_heard_and_the_next_attempt_goes_on() {
    let post = Post::new();
    for _ in 0..5 {
        post.mail("anna.example", "cur", (-10, -10));
    }
    let left = || fs::read_dir(post.folder("anna.example", "cur")).expect("lists").count();
    let report = post.run(vec![], &mut StopAfter(2));
    assert_eq!((report.verdict, report.code, left()), (Verdict::Failed, Some(Code::Stopped), 3));
    let report = post.run(vec![], &mut Always);
    assert_eq!((report.verdict, report.counts.erased, left()), (Verdict::Done, 3, 0), "{}", report.hint);
}

#[test]
fn whoever_is_called_as_a_folder_of_mails_stops_nobodys_purge() {
    let post = Post::new();
    for owner in ["cur", "new", "tmp"] {
        let mail = post.mail(owner, "cur", (-10, -10));
        fs::copy(&mail, post.site.at(owner).join(mail.file_name().expect("a name"))).expect("copies");
        dated(&post.site.at(owner).join(mail.file_name().expect("a name")), -10);
    }
    let report = post.run(vec![], &mut Always);
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 3), "{}", report.hint);
}

/// Old mails come while the second mailbox is swept.
struct Deliver<'p>(&'p Post, u32);

impl Boundary for Deliver<'_> {
    fn may_go_on(&mut self) -> bool {
        self.1 += 1;
        if self.1 == 2 {
            self.0.mail("anna.example", "new", (-10, -10));
            self.0.mail("bo.example", "new", (-10, -10));
        }
        true
    }
}

#[test]
fn old_mails_that_came_behind_the_sweep_are_found_and_said() {
    let post = Post::new();
    post.mail("anna.example", "cur", (-10, -10));
    post.mail("bo.example", "cur", (-10, -10));
    let report = post.run(vec![], &mut Deliver(&post, 0));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::StillThere)), "{}", report.hint);
    let report = post.run(vec![], &mut Always);
    assert_eq!((report.verdict, post.run(vec![], &mut Always).counts.absent), (Verdict::Done, 1), "{}", report.hint);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_older_and_not_held_is_gone_and_everything_else_is_as_it_was(
        mails in prop::collection::vec((0_usize..3, 0_usize..4, -200_000_i64..200_000, -200_000_i64..200_000), 0..16),
        hold in any::<bool>(),
    ) {
        let post = Post::new();
        let mut all = Vec::new();
        for (owner, folder, named, changed) in &mails {
            let owner = ["ann", "anna", "Ann"][*owner];
            let path = post.mail(owner, ["cur", "new", ".Sent/cur", ".Sent"][*folder], (*named, *changed));
            let goes = *folder < 3 && *named < 0 && *changed < 0 && !(hold && owner == "ann");
            all.push((path.clone(), goes, portrait(&path)));
        }
        let report = post.run(if hold { vec![service("ann")] } else { vec![] }, &mut Always);
        let undated = mails.iter().filter(|(_, folder, named, changed)| {
            *folder < 3 && (*named < 0) != (*changed < 0) && (named - changed).abs() > 86_400
        });
        prop_assert_eq!(report.counts.failed, undated.count() as u64, "{}", &report.hint);
        prop_assert_eq!(report.counts.erased, all.iter().filter(|(_, goes, _)| *goes).count() as u64);
        for (path, goes, before) in &all {
            prop_assert_eq!(path.exists(), !goes);
            if !goes {
                prop_assert_eq!(&portrait(path), before);
            }
        }
    }
}

#[test]
fn the_documented_sections_are_good_ones() {
    #[derive(serde::Deserialize)]
    struct Targets {
        target: Vec<crate::TargetConfig>,
    }
    let page = include_str!("../../../../../docs/targets/maildir.md");
    let sections: Vec<_> = page.split("```").filter_map(|block| block.strip_prefix("toml\n")).collect();
    assert_eq!(sections.len(), 2, "an erasure's and a purge's");
    for (section, purges) in sections.into_iter().zip([false, true]) {
        let targets: Targets = toml::from_str(section).expect("the section's shape");
        for target in targets.target {
            assert_eq!(crate::open(&target).expect("a good section").purges(), purges);
        }
    }
    let files = page.split("```").nth(3).unwrap_or_default().replace("target.maildir", "target.files");
    assert!(toml::from_str::<Targets>(&files.replace("toml\n", "")).is_err(), "trees of files have no age");
}
