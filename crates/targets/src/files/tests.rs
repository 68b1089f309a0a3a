//! What is said of this driver alone; the rest is tested with `tree`.

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};

use crate::config::TargetConfig;
use crate::testing::{NoAct, inspect_then, service};
use crate::tree::tests::fixture::{Site, portrait};

#[test]
fn an_erasure_that_does_nothing_is_found_out() {
    let site = Site::new();
    let tree = site.tree("anna");
    let before = portrait(&tree);
    let idle = NoAct::new(site.files());
    let report = inspect_then(&idle, Action::Erase, &service("anna"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::StillThere)));
    assert_eq!((report.counts.erased, report.counts.failed, idle.asked.get()), (0, 8, 1));
    assert_eq!(portrait(&tree), before);
}

#[test]
fn the_section_is_read_with_its_defaults_and_unknown_keys_are_refused() {
    let section = |more: &str| {
        let text = format!(
            "id = \"web\"\ncategory = \"customer-data\"\nrole = \"processor\"\nscope = \"contract\"\n[files]\n\
             root = \"/srv/www\"\npath = \"{{service}}\"\n{more}"
        );
        toml::from_str::<TargetConfig>(&text)
    };
    let config = section("").expect("reads");
    assert!(crate::config::open(&config).is_ok());
    let files = config.files.expect("a files target");
    assert_eq!((files.sentinel.as_str(), files.trash.as_str()), (".gallra-sentinel", ".gallra-trash"));
    assert!(section("hard_links = \"unlink\"").is_ok());
    assert!(section("follow = true").is_err());
}
