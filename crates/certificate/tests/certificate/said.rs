//! What has to be seen, and what must not be claimed.

use gallra_certificate::{Language, render};
use gallra_verify::Clock;
use gallra_verify::told::{Counts, Log, Told};

use crate::samples;

/// The text of a page, without markup.
fn text(told: &Told, language: Language) -> String {
    let page = render(told, language);
    let body = page.split_once("<body>").expect("a body").1;
    body.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text)).collect()
}

fn english(told: &Told) -> String {
    text(told, Language::English)
}

#[test]
fn an_interim_proof_looks_interim_and_says_what_is_left() {
    for told in [samples::interim(), samples::hosted()] {
        assert!(english(&told).contains("Interim: not everything is done"));
        assert!(english(&told).contains("It is not final."));
        assert!(english(&told).contains("VALID interim"));
        let swedish = text(&told, Language::Swedish);
        assert!(swedish.contains("Preliminärt: allt är inte klart") && swedish.contains("Det som återstår"));
    }
    let done = english(&samples::last());
    assert!(!done.contains("Interim") && !done.contains("What is still to be done"));
}

#[test]
fn a_simulated_clock_is_said_above_and_below() {
    let banner = "The certificate is worth nothing";
    for (clock, times) in [(Clock::Real, 0), (Clock::Simulated, 2)] {
        let told = Told { clock, ..samples::last() };
        assert_eq!(english(&told).matches(banner).count(), times);
        assert_eq!(render(&told, Language::English).contains("<title>DEMONSTRATION: "), times > 0);
    }
}

/// Every word that a proof can give for a target that is not proven has words of its own in both languages.
#[test]
fn every_reason_why_a_target_is_open_is_told_in_words() {
    let issuers = ["waiting", "no-receipt", "not-rechecked", "held", "not-settled", "failed", "refused", "unknown"];
    let codes = [
        "observe-mode",
        "no-such-target",
        "bad-selector",
        "sentinel-missing",
        "instance-changed",
        "bad-permit",
        "old-generation",
        "simulated-clock",
        "limit",
        "still-there",
        "check-blind",
        "others-changed",
        "purge-age",
        "undated",
        "unsupported",
        "target",
        "interrupted",
        "stopped",
    ];
    let notes = ["waits-for-settlement", "needs-a-period", "observe-mode", "not-purged"];
    for why in issuers.into_iter().chain(codes).chain(notes) {
        let told = Told { targets: vec![samples::unproven("office/x", "sql", "chat", why)], ..samples::interim() };
        for language in Language::ALL {
            assert!(!render(&told, language).contains(&format!("<code>{why}</code>")), "{why} in {}", language.tag());
        }
        assert!(english(&told).contains("Not done: ") && english(&told).contains("1 place is not done:"));
    }
    let told = Told { targets: vec![samples::unproven("office/x", "sql", "chat", "new-word")], ..samples::interim() };
    assert!(render(&told, Language::English).contains("Not done: <code>new-word</code>"));
}

#[test]
fn every_category_of_the_policies_has_words() {
    let packs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut seen = 0;
    for pack in std::fs::read_dir(packs).unwrap() {
        let pack = std::fs::read_to_string(pack.unwrap().path()).unwrap();
        for category in pack.lines().filter_map(|line| line.strip_prefix("category = \"")?.strip_suffix('"')) {
            let target = samples::target("a/b", "sql", category, "controller", samples::counts(1, 1, 0));
            let page = render(&Told { targets: vec![target], ..samples::last() }, Language::Swedish);
            assert!(!page.contains(&format!("<code>{category}</code>")), "{category}");
            seen += 1;
        }
    }
    assert!(seen > 20, "the packs were read");
}

#[test]
fn what_a_role_holds_stands_apart() {
    let both = english(&samples::last());
    let (own, hosted) = ("Data for which Exempel Hosting AB itself is responsible", "28(3)(g) GDPR");
    assert!(both.contains(own) && both.contains(hosted));
    let processor = english(&samples::hosted());
    assert!(!processor.contains(own) && processor.contains(hosted));
    let purge = english(&samples::purge());
    assert!(purge.contains(own) && !purge.contains(hosted));
    assert!(!purge.contains("for the person whom the data is about."), "it is about nobody in particular");
}

/// The counts of a target are a sum over statements about the same items: twice as many as there are.
#[test]
fn what_is_kept_is_counted_once_and_a_look_is_no_item() {
    let page = english(&samples::last());
    assert!(page.contains("14 items kept") && !page.contains("28 items"));
    assert!(page.contains("Nothing was here."), "the mailbox was empty");
}

#[test]
fn no_outcome_is_told_as_another() {
    let only = |change: fn(&mut Counts)| {
        let mut counts = samples::counts(0, 1, 0);
        change(&mut counts);
        let target = samples::target("a/b", "sql", "chat", "controller", counts);
        english(&Told { targets: vec![target], kept: Vec::new(), ..samples::last() })
    };
    for (page, word) in [
        (only(|counts| counts.anonymised = 7), "7 items anonymised"),
        (only(|counts| counts.key_destroyed = 7), "7 items unreadable"),
        (only(|counts| counts.restricted = 7), "7 items restricted, but still there"),
        (only(|counts| counts.failed = 7), "7 items could not be erased"),
        (only(|counts| counts.unknown = 7), "7 items that nobody can answer for"),
    ] {
        assert!(page.contains(word), "{word}");
        assert!(!page.contains("items erased") && !page.contains("confirmed gone. "), "{word}");
        assert!(!page.contains("Everything that the plan was to erase is confirmed gone."), "{word}");
    }
}

#[test]
fn copies_are_not_called_gone_while_one_is_there() {
    for told in [samples::interim(), samples::hosted()] {
        let page = english(&told);
        assert!(!page.contains("All gone.") && !page.contains("backup copies of the data are gone"));
    }
    let page = english(&samples::interim());
    for word in ["1 gone.", "3 remain.", "For 1 of them the day had passed", "For 1 of them no last day is known."] {
        assert!(page.contains(word), "{word}");
    }
    assert!(english(&samples::hosted()).contains("What had to go is gone from live systems."));
    assert!(!page.contains("What had to go is gone from live systems."));
    assert!(english(&samples::purge()).contains("The purge says nothing of backup copies."));
}

#[test]
fn a_restore_that_is_not_clean_is_said() {
    let mut told = samples::amendment();
    assert!(english(&told).contains("Everything that had to go is gone again."));
    assert!(english(&told).contains("Nothing that was erased had come back."));
    told.restores.iter_mut().for_each(|restore| restore.released = false);
    told.is_final = false;
    let page = english(&told);
    assert!(page.contains("Something that came back from a backup is not confirmed gone."));
    assert!(!page.contains("gone again") && !page.contains("had come back."));
}

#[test]
fn what_is_not_shown_follows_from_what_is() {
    let weak = english(&samples::interim());
    for limit in ["Nobody outside bears witness to them.", "Fewer than two witnesses", "The same agent may have both"] {
        assert!(weak.contains(limit), "{limit}");
    }
    let strong = english(&samples::amendment());
    for limit in ["Nobody outside bears witness to them.", "Fewer than two witnesses", "The same agent may have both"] {
        assert!(!strong.contains(limit), "{limit}");
    }
    for always in ["It covers only the places that are listed.", "This page is not signed.", "free space on a disk"] {
        assert!(weak.contains(always) && strong.contains(always), "{always}");
    }
    let nothing_kept = Told { kept: Vec::new(), ..samples::last() };
    assert!(english(&nothing_kept).contains("Nothing is kept."));
}

#[test]
fn a_stamp_that_does_not_hold_the_proof_says_so() {
    let short = "(before the proof itself)";
    let told = samples::last();
    assert_eq!(english(&told).matches(short).count(), 1);
    let log = Log { index: 9_000, ..told.log.clone() };
    assert_eq!(english(&Told { log, ..told }).matches(short).count(), 0, "entry 9000 is in a log of 9001");
}

#[test]
fn complaints_go_to_the_authority_that_the_issuer_names() {
    let sweden = text(&samples::last(), Language::Swedish);
    assert!(sweden.contains("Integritetsskyddsmyndigheten (IMY)") && sweden.contains("artikel 77"));
    assert!(sweden.contains("www.imy.se") && sweden.contains("Lämna ett klagomål"));
    let norway = text(&samples::hosted(), Language::Swedish);
    assert!(norway.contains("Datatilsynet") && !norway.contains("imy.se"));
}
