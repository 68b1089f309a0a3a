//! Trees that are odd without ill will: names of any bytes, special files, great depth, other names of files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{AtFlags, CWD, FileType, IFlags, Mode, OFlags};

use gallra_model::receipt::{Code, Verdict};

use super::fixture::{Site, bytes, portrait};
use crate::tree::HardLinks;

#[test]
fn names_of_any_bytes_are_names() {
    let site = Site::new();
    let tree = site.tree("anna");
    let names: [&[u8]; 7] = [b"line\nbreak", b"\xff\xfe", b"-rf", b" ", b"*", b"{service}", &[b'x'; 255]];
    for name in names {
        fs::create_dir(tree.join(bytes(name))).expect("a directory");
        fs::write(tree.join(bytes(name)).join(bytes(name)), "x").expect("a file");
    }
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 8 + 14), "{}", done.hint);
    assert!(!tree.exists());
}

#[test]
fn pipes_sockets_and_devices_are_removed_and_never_opened() {
    let site = Site::new();
    let tree = site.tree("anna");
    for (name, kind, device) in [
        ("pipe", FileType::Fifo, 0),
        ("null", FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
        ("disk", FileType::BlockDevice, rustix::fs::makedev(7, 200)),
    ] {
        rustix::fs::mknodat(CWD, tree.join(name), kind, Mode::RWXU, device).expect("tests run as root");
    }
    let _listening = std::os::unix::net::UnixListener::bind(tree.join("socket")).expect("a socket");
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 12), "{}", done.hint);
}

#[test]
fn directories_without_permissions_are_emptied() {
    let site = Site::new();
    let tree = site.tree("anna");
    for path in ["web/css", "web", "logs", ""] {
        fs::set_permissions(tree.join(path), fs::Permissions::from_mode(0o0)).expect("a mode");
    }
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 8), "{}", done.hint);
}

/// Makes a chain of directories below `top`, each with `beside` more directories in it.
fn chain(top: &std::path::Path, name: &str, depth: usize, beside: usize) {
    let mut at = rustix::fs::open(top, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("opens");
    for _level in 0..depth {
        for number in 0..beside {
            rustix::fs::mkdirat(&at, format!("{number}{name}"), Mode::RWXU).expect("makes");
        }
        rustix::fs::mkdirat(&at, name, Mode::RWXU).expect("makes");
        at = rustix::fs::openat(&at, name, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("opens");
    }
}

/// So few files may be open that a walk which holds one a level open, or one each 2048 bytes of path, fails.
fn few_open_files() {
    let few = rustix::process::Rlimit { current: Some(200), maximum: Some(200) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, few).expect("a lower limit");
}

#[test]
fn ten_thousand_levels_exhaust_neither_stack_nor_descriptors() {
    let site = Site::new();
    let tree = site.tree("anna");
    chain(&tree, "d", 10_000, 0);
    few_open_files();
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 10_008), "{}", done.hint);
    assert!(!tree.exists() && site.in_trash().is_empty());
}

#[test]
fn long_names_deep_down_with_branches_are_followed_back() {
    let site = Site::new();
    let tree = site.tree("anna");
    chain(&tree, &"d".repeat(250), 1_500, 2);
    few_open_files();
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 4_508), "{}", done.hint);
    assert!(!tree.exists() && site.in_trash().is_empty());
}

#[test]
fn a_directory_with_very_many_files_is_emptied() {
    let site = Site::new();
    let tree = site.tree("anna");
    for number in 0..3_000 {
        fs::write(tree.join(format!("session-file-with-a-long-name-{number}")), "x").expect("a file");
    }
    assert_eq!(site.erase("anna").counts.erased, 3_008);
}

#[test]
fn a_file_with_a_name_elsewhere_waits_until_that_name_is_gone() {
    let site = Site::new();
    let tree = site.tree("anna");
    let outside = site.outside();
    fs::hard_link(tree.join("logs/access.log"), outside.join("kept.log")).expect("a hard link");
    fs::hard_link(tree.join("logs/access.log"), tree.join("web/also.log")).expect("a hard link");

    let seen = site.inspect("anna");
    let check = seen.checks.iter().find(|check| check.name == "hard-links-elsewhere").expect("the check");
    assert_eq!((check.count, check.ok), (1, false));
    let failed = site.erase("anna");
    assert_eq!((failed.verdict, failed.code), (Verdict::Failed, Some(Code::Target)));
    assert_eq!((failed.counts.erased, failed.counts.failed), (8, 1));
    assert!(!tree.exists());
    assert_eq!(fs::read(outside.join("kept.log")).expect("stays"), b"GET /\n");

    fs::remove_file(outside.join("kept.log")).expect("removes");
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 1), "{}", done.hint);
    assert_eq!(done.instance, seen.instance);
    assert!(site.in_trash().is_empty());
}

#[test]
fn hard_links_within_the_tree_all_go() {
    let site = Site::new();
    let tree = site.tree("anna");
    for name in ["a", "b", "web/c"] {
        fs::hard_link(tree.join("logs/access.log"), tree.join(name)).expect("a hard link");
    }
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 11), "{}", done.hint);
    assert!(site.in_trash().is_empty());
}

#[test]
fn hard_links_that_the_admin_accounts_for_are_only_unlinked() {
    let mut site = Site::new();
    site.config.hard_links = HardLinks::Unlink;
    let tree = site.tree("anna");
    let outside = site.outside();
    fs::hard_link(tree.join("logs/access.log"), outside.join("kept.log")).expect("a hard link");
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 8), "{}", done.hint);
    assert!(outside.join("kept.log").exists());
}

#[test]
fn flags_against_deletion_are_taken_off_the_subjects_files_only() {
    for flags in [IFlags::IMMUTABLE, IFlags::APPEND, IFlags::IMMUTABLE | IFlags::APPEND] {
        let site = Site::new();
        let tree = site.tree("anna");
        fs::hard_link(tree.join("logs/access.log"), tree.join("web/also.log")).expect("a hard link");
        let other = site.tree("berit").join("logs/access.log");
        let flagged = ["logs/access.log", "web/css/a.css", "web/css", "web", ""].map(|path| tree.join(path));
        let flag = |path: &std::path::Path, flags| {
            let open = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("opens");
            let others = rustix::fs::ioctl_getflags(&open)? - (IFlags::IMMUTABLE | IFlags::APPEND);
            rustix::fs::ioctl_setflags(&open, others | flags)
        };
        if flag(&other, flags).is_err() {
            return; // Not permitted in this place, or no such flags on its file system.
        }
        for path in &flagged {
            flag(path, flags).expect("was permitted a moment ago");
        }
        let done = site.erase("anna");
        let other_holds = fs::remove_file(&other).is_err();
        flag(&other, IFlags::empty()).expect("off again");
        assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 9), "{}", done.hint);
        assert!(other_holds && !tree.exists() && site.in_trash().is_empty());
    }
}

#[test]
fn a_file_held_open_goes_and_the_receipt_says_that_somebody_holds_it() {
    let site = Site::new();
    let tree = site.tree("anna");
    let (held, others) =
        (fs::File::open(tree.join("logs/access.log")), fs::File::open(site.tree("berit").join("start")));
    let directory = fs::File::open(tree.join("web"));
    let counted = |report: &crate::Report| {
        report.checks.iter().find(|check| check.name == "held-open").map(|check| (check.count, check.ok))
    };
    assert_eq!(counted(&site.inspect("anna")), Some((1, true)));
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 8), "{}", done.hint);
    assert_eq!(counted(&done), Some((1, true)));
    assert_eq!(std::io::read_to_string(held.expect("opens")).expect("lives on for its holder"), "GET /\n");
    assert_eq!(counted(&site.erase("anna")), Some((0, true)));
    drop((others, directory));
}

#[test]
fn bytes_are_those_of_plain_files() {
    let site = Site::new();
    let tree = site.at("anna");
    fs::create_dir(&tree).expect("a directory");
    fs::write(tree.join("a"), vec![0; 12_345]).expect("a file");
    std::os::unix::fs::symlink("a", tree.join("b")).expect("a link");
    assert_eq!(site.inspect("anna").before.bytes, 12_345);
}

#[test]
fn links_are_removed_and_what_they_lead_to_stays() {
    let site = Site::new();
    let tree = site.tree("anna");
    let outside = site.outside();
    let other = site.tree("berit");
    for (to, name) in [(&outside, "dir"), (&outside.join("secret"), "file"), (&other, "berit"), (&site.at(""), "root")]
    {
        std::os::unix::fs::symlink(to, tree.join(name)).expect("a link");
        std::os::unix::fs::symlink(to, tree.join("web").join(name)).expect("a link");
    }
    let before = (portrait(&outside), portrait(&other));
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 16), "{}", done.hint);
    assert_eq!((portrait(&outside), portrait(&other)), before);
    assert!(rustix::fs::statat(CWD, &tree, AtFlags::SYMLINK_NOFOLLOW).is_err());
}

#[test]
fn a_wide_tree_is_emptied_by_both_pairs_of_hands_and_counted_once() {
    let site = Site::new();
    let tree = site.tree("anna");
    for number in 0..60 {
        let dir = tree.join(format!("{number}/below"));
        fs::create_dir_all(&dir).expect("directories");
        for file in 0..(number * 10) {
            fs::write(dir.join(format!("{file}")), "x").expect("a file");
        }
        fs::hard_link(tree.join("logs/access.log"), dir.with_file_name("also.log")).expect("a hard link");
    }
    let done = site.erase("anna");
    let entries = 8 + 60 * 3 + (0..60).map(|number| number * 10).sum::<u64>();
    assert_eq!(
        (done.verdict, done.counts.erased, done.before.items),
        (Verdict::Done, entries, entries),
        "{}",
        done.hint
    );
    assert!(!tree.exists() && site.in_trash().is_empty());
}
