//! What is found and called absent, whose it is, and what a reused name does.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};
use gallra_model::target::TargetKind;

use super::fixture::{Site, portrait};
use crate::driver::Driver;
use crate::testing::{Always, service};

#[test]
fn one_customers_tree_goes_and_look_alikes_stay_bit_by_bit() {
    let site = Site::new();
    let tree = site.tree("anna");
    let others = ["anna.example", "Anna", "anna-2", "ann", "annaa", "b@anna"].map(|id| site.tree(id));
    let before = others.each_ref().map(|path| portrait(path));

    let seen = site.inspect("anna");
    assert_eq!((seen.verdict, seen.before.items, seen.before.others), (Verdict::Done, 8, 6));
    let done = site.erase("anna");

    assert_eq!((done.verdict, done.code), (Verdict::Done, None), "{}", done.hint);
    assert_eq!((done.counts.erased, done.after.items, done.after.others), (8, 0, 6));
    assert!(done.counts.settles() && done.checks.iter().all(|check| check.ok));
    assert!(!tree.exists() && site.in_trash().is_empty());
    assert_eq!(others.each_ref().map(|path| portrait(path)), before);
}

#[test]
fn erasing_twice_finds_nothing_the_second_time() {
    let site = Site::new();
    site.tree("anna");
    assert_eq!(site.erase("anna").counts.erased, 8);
    let again = site.erase("anna");
    assert_eq!((again.verdict, again.counts.absent, again.counts.erased), (Verdict::Done, 1, 0));
    assert_eq!(again.instance, None);
}

#[test]
fn an_empty_tree_is_one_item() {
    let site = Site::new();
    fs::create_dir(site.at("anna")).expect("a directory");
    assert_eq!(site.erase("anna").counts.erased, 1);
}

#[test]
fn nothing_is_absent_without_the_sentinel() {
    for there in [true, false] {
        let site = Site::new();
        if there {
            site.tree("anna");
        }
        let seen = site.files().inspect(&service("anna")).expect("inspects");
        fs::remove_file(site.at(".gallra-sentinel")).expect("removes");

        let inspected = site.files().inspect(&service("anna")).map(drop).expect_err("no sentinel");
        let confirmed = site.files().confirm(&service("anna"), &seen).map(drop).expect_err("no sentinel");
        assert_eq!((inspected.code, confirmed.code), (Code::SentinelMissing, Code::SentinelMissing));
        let erased = site.run(Action::Erase, "anna", seen.instance, &mut Always);
        assert_eq!((erased.verdict, erased.code), (Verdict::Failed, Some(Code::SentinelMissing)));
        assert_eq!(site.at("anna/web/css/a.css").exists(), there);
    }
}

#[test]
fn a_root_that_is_not_mounted_is_not_empty() {
    let mut site = Site::new();
    site.config.root = site.at("missing");
    assert_eq!(site.inspect("anna").code, Some(Code::SentinelMissing));
}

#[test]
fn a_sentinel_that_is_a_link_is_none() {
    let site = Site::new();
    fs::rename(site.at(".gallra-sentinel"), site.at("elsewhere")).expect("renames");
    std::os::unix::fs::symlink("elsewhere", site.at(".gallra-sentinel")).expect("a link");
    let inspected = site.files().inspect(&service("anna")).map(drop).expect_err("no sentinel");
    assert_eq!(inspected.code, Code::SentinelMissing);
    let seen = crate::driver::Inspection::default();
    let confirmed = site.files().confirm(&service("anna"), &seen).expect_err("no sentinel");
    assert_eq!(confirmed.code, Code::SentinelMissing);
}

#[test]
fn only_what_the_id_makes_up_may_be_missing() {
    let mut site = Site::new();
    site.config.path = "www/{service}/data".to_owned();
    assert_eq!(site.inspect("anna").code, Some(Code::SentinelMissing));
    let seen = crate::driver::Inspection::default();
    assert_eq!(site.files().confirm(&service("anna"), &seen).expect_err("missing").code, Code::SentinelMissing);
    fs::create_dir(site.at("www")).expect("a directory");
    let absent = site.erase("anna");
    assert_eq!((absent.verdict, absent.counts.absent), (Verdict::Done, 1));
}

#[test]
fn a_directory_made_anew_under_the_name_is_refused_untouched() {
    let site = Site::new();
    let tree = site.tree("anna");
    let seen = site.inspect("anna");
    fs::remove_dir_all(&tree).expect("removes");
    site.tree("anna");
    let before = portrait(&tree);

    let refused = site.run(Action::Erase, "anna", seen.instance, &mut Always);
    assert_eq!((refused.verdict, refused.code), (Verdict::Refused, Some(Code::InstanceChanged)));
    let restricted = site.run(Action::Restrict, "anna", seen.instance, &mut Always);
    assert_eq!(restricted.code, Some(Code::InstanceChanged));
    assert_eq!(portrait(&tree), before);
    assert!(site.in_trash().is_empty());
}

#[test]
fn a_name_reused_between_inspection_and_act_is_refused_by_the_driver_too() {
    let site = Site::new();
    let tree = site.tree("anna");
    let seen = site.files().inspect(&service("anna")).expect("inspects");
    fs::remove_dir_all(&tree).expect("removes");
    site.tree("anna");
    let before = portrait(&tree);
    let refused = site.files().erase(&service("anna"), &seen, &mut Always).expect_err("another instance");
    assert_eq!(refused.code, Code::InstanceChanged);
    assert_eq!(portrait(&tree), before);
}

#[test]
fn an_instance_lives_through_changes_and_a_rename() {
    let site = Site::new();
    let tree = site.tree("anna");
    let seen = site.inspect("anna").instance;
    fs::write(tree.join("new"), "x").expect("a file");
    fs::rename(&tree, site.at("berit")).expect("renames");
    assert!(seen.is_some());
    assert_eq!(site.inspect("berit").instance, seen);
}

#[test]
fn restricting_shuts_everybody_out_and_erases_nothing() {
    let site = Site::new();
    let tree = site.tree("anna");
    let other = site.tree("berit");
    std::os::unix::fs::chown(&tree, Some(4711), Some(4712)).expect("tests run as root");
    let before = (portrait(&tree.join("web")), portrait(&other));

    for _twice in [1, 2] {
        let seen = site.inspect("anna");
        let done = site.run(Action::Restrict, "anna", seen.instance, &mut Always);
        assert_eq!((done.verdict, done.counts.restricted), (Verdict::Done, 8), "{}", done.hint);
        let is = fs::metadata(&tree).expect("it stays");
        assert_eq!((is.mode() & 0o7777, is.uid(), is.gid()), (0, 0, 0));
        assert_eq!((portrait(&tree.join("web")), portrait(&other)), before);
    }
    assert_eq!(note(&tree), "4711:4712:755");
    assert_eq!(site.erase("anna").counts.erased, 8);
}

fn note(path: &Path) -> String {
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(path, "trusted.gallra.restricted", &mut value).expect("a note");
    String::from_utf8(value.iter().copied().take(length).collect()).expect("text")
}

#[test]
fn a_link_or_file_under_the_subjects_name_is_an_error_and_never_followed() {
    let site = Site::new();
    let outside = site.outside();
    let before = portrait(&outside);
    std::os::unix::fs::symlink(&outside, site.at("anna")).expect("a link");
    fs::write(site.at("berit"), "x").expect("a file");
    for id in ["anna", "berit"] {
        assert_eq!(site.inspect(id).code, Some(Code::Target));
        assert_eq!(site.erase(id).verdict, Verdict::Failed);
    }
    assert_eq!(portrait(&outside), before);
}

#[test]
fn a_link_above_the_subjects_name_is_never_followed() {
    let mut site = Site::new();
    let outside = site.outside();
    fs::create_dir(outside.join("anna")).expect("a directory");
    let before = portrait(&outside);
    site.config.path = "www/{service}".to_owned();
    std::os::unix::fs::symlink(&outside, site.at("www")).expect("a link");
    assert_eq!(site.erase("anna").verdict, Verdict::Failed);
    assert_eq!(portrait(&outside), before);
}

#[test]
fn a_trash_that_others_may_enter_stops_everything() {
    let site = Site::new();
    let tree = site.tree("anna");
    fs::create_dir(site.trash()).expect("a directory");
    let before = portrait(&tree);
    let stopped = site.erase("anna");
    assert_eq!((stopped.verdict, stopped.code), (Verdict::Failed, Some(Code::Target)));
    assert_eq!(portrait(&tree), before);
}

#[test]
fn no_hint_names_anybody() {
    let site = Site::new();
    std::os::unix::fs::symlink("/etc", site.at("anna")).expect("a link");
    let hint = site.inspect("anna").hint;
    assert!(!hint.is_empty() && !hint.contains("anna") && !hint.contains(&site.at("").display().to_string()));
}

#[test]
fn a_name_swapped_at_the_very_moment_of_the_act_is_put_back() {
    let site = Site::new();
    let tree = site.tree("anna");
    let look = super::super::look::look(&site.config, TargetKind::Files, &service("anna")).expect("looks");
    fs::rename(&tree, site.at("hidden")).expect("renames");
    let other = site.tree("berit");
    fs::rename(&other, &tree).expect("renames");
    let before = portrait(&tree.join("web"));

    let failed = super::super::erase::erase(&site.config, &look, &crate::Inspection::default(), &mut Always)
        .expect_err("another tree");
    assert_eq!(failed.code, Code::InstanceChanged);
    assert_eq!(portrait(&tree.join("web")), before);
    assert!(site.at("hidden/web/index.html").exists());
}
