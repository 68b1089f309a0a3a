//! Interruptions: whatever point an erasure ends at, the next one finds the rest and ends the same (I6).

use std::fs;
use std::path::PathBuf;

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};

use super::fixture::{Site, portrait};
use crate::testing::{Always, StopAfter};

/// Ends an erasure right after the tree was moved into the trash; says where it lies now.
fn interrupted_after_the_move(site: &Site) -> PathBuf {
    let instance = site.inspect("anna").instance;
    let stopped = site.run(Action::Erase, "anna", instance, &mut StopAfter(1));
    assert_eq!((stopped.verdict, stopped.code), (Verdict::Failed, Some(Code::Stopped)));
    site.in_trash().first().expect("an entry").clone()
}

#[test]
fn stopped_at_any_boundary_it_goes_on_from_there() {
    for allowed in 0.. {
        let site = Site::new();
        site.tree("anna");
        let other = site.tree("berit");
        let before = portrait(&other);
        let seen = site.inspect("anna");
        let stopped = site.run(Action::Erase, "anna", seen.instance, &mut StopAfter(allowed));
        if stopped.verdict == Verdict::Done {
            assert!(allowed >= 8, "it must ask before every entry");
            break;
        }
        assert_eq!(stopped.code, Some(Code::Stopped));
        assert_eq!(stopped.counts.erased + stopped.counts.failed, 8);

        let again = site.inspect("anna");
        assert_eq!((again.instance, again.before.items), (seen.instance, stopped.after.items));
        let done = site.run(Action::Erase, "anna", seen.instance, &mut Always);
        assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, stopped.after.items), "{}", done.hint);
        assert!(site.in_trash().is_empty());
        assert_eq!(portrait(&other), before);
    }
}

#[test]
fn stopped_before_the_first_entry_nothing_is_touched() {
    let site = Site::new();
    let tree = site.tree("anna");
    let before = portrait(&tree);
    let instance = site.inspect("anna").instance;
    assert_eq!(site.run(Action::Erase, "anna", instance, &mut StopAfter(0)).code, Some(Code::Stopped));
    assert_eq!(portrait(&tree), before);
}

#[test]
fn interrupted_after_the_move_it_is_found_in_the_trash_as_the_same_instance() {
    let site = Site::new();
    let tree = site.tree("anna");
    let seen = site.inspect("anna");
    let entry = interrupted_after_the_move(&site);
    assert!(!tree.exists() && entry.join("tree/web/index.html").exists());
    assert!(!entry.display().to_string().contains("anna"));

    let again = site.inspect("anna");
    assert_eq!((again.instance, again.before.items), (seen.instance, 8));
    let confirmed = site.run(Action::Confirm, "anna", None, &mut Always);
    assert_eq!(confirmed.code, Some(Code::StillThere), "what waits in the trash is not gone");
    assert_eq!(site.erase("anna").counts.erased, 8);
}

#[test]
fn interrupted_before_the_move_it_is_the_same_instance() {
    let site = Site::new();
    let tree = site.tree("anna");
    let seen = site.inspect("anna");
    let entry = interrupted_after_the_move(&site);
    fs::rename(entry.join("tree"), &tree).expect("back, as if the crash had come before");
    assert_eq!(site.inspect("anna").instance, seen.instance);
    let done = site.run(Action::Erase, "anna", seen.instance, &mut Always);
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 8), "{}", done.hint);
    assert!(site.in_trash().is_empty());
}

#[test]
fn interrupted_before_the_last_step_only_that_step_is_left() {
    let site = Site::new();
    site.tree("anna");
    let seen = site.inspect("anna");
    let entry = interrupted_after_the_move(&site);
    fs::remove_dir_all(entry.join("tree")).expect("as if it had been erased");
    let again = site.inspect("anna");
    assert_eq!((again.instance, again.before.items), (seen.instance, 0));
    let done = site.run(Action::Erase, "anna", seen.instance, &mut Always);
    assert_eq!((done.verdict, done.counts.absent), (Verdict::Done, 1), "{}", done.hint);
    assert!(site.in_trash().is_empty());
}

#[test]
fn a_directory_made_anew_during_an_interruption_needs_a_new_approval() {
    let site = Site::new();
    site.tree("anna");
    let seen = site.inspect("anna");
    interrupted_after_the_move(&site);
    let anew = site.tree("anna");
    let before = portrait(&anew);

    let refused = site.run(Action::Erase, "anna", seen.instance, &mut Always);
    assert_eq!((refused.verdict, refused.code), (Verdict::Refused, Some(Code::InstanceChanged)));
    assert_eq!(portrait(&anew), before);
    assert_eq!(site.inspect("anna").before.items, 16);
    let done = site.erase("anna");
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 16), "{}", done.hint);
    assert!(!anew.exists() && site.in_trash().is_empty());
}

#[test]
fn what_waits_in_the_trash_of_one_is_not_anothers() {
    let site = Site::new();
    site.tree("anna");
    site.tree("berit");
    let entry = interrupted_after_the_move(&site);
    let before = portrait(&entry);
    let seen = site.inspect("berit");
    assert_eq!(seen.before.items, 8);
    assert_eq!(site.erase("berit").counts.erased, 8);
    assert_eq!(portrait(&entry), before);
}
