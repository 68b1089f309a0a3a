//! No value becomes markup, whatever the issuer wrote, and no words make the page fall.

use gallra_certificate::{Language, render};
use gallra_verify::told::{Note, Term, Told};
use proptest::prelude::*;

use crate::samples;

/// Everything in a page that is markup: its tags with their attributes' names.
fn markup(page: &str) -> Vec<String> {
    let mut out = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("every tag ends");
        let mut quoted = tag.split('"');
        let names: String = quoted.by_ref().step_by(2).collect();
        assert!(tag == "style" || !text.contains('>'), "a bare sign: {text}");
        out.push(names);
    }
    out
}

/// The same proof with this text wherever it carries one that a proof can choose freely or that this page only shows.
fn with(text: &str) -> Told {
    let text = || text.to_owned();
    let mut told = samples::amendment();
    told.kept.iter_mut().for_each(|kept| (kept.ground, kept.rule, kept.until) = (text(), text(), text()));
    told.recipients.iter_mut().for_each(|one| (one.recipient, one.of, one.at) = (text(), text(), text()));
    told.restores.iter_mut().for_each(|one| (one.agent, one.taken, one.finished) = (text(), text(), text()));
    told.copies.iter_mut().for_each(|one| (one.began, one.gone, one.target) = (text(), Some(text()), text()));
    told.targets.iter_mut().for_each(|one| (one.category, one.why, one.target) = (text(), text(), text()));
    told.log.stamps.iter_mut().for_each(|stamp| stamp.time = text());
    told.log.witnesses.iter_mut().for_each(|witness| witness.name = text());
    (told.log.origin, told.log.root) = (text(), text());
    (told.issuer.name, told.issuer.contact, told.issuer.authority) = (text(), text(), text());
    (told.issuer.organisation_number, told.issuer.country) = (Some(text()), text());
    (told.request.id, told.request.received, told.issued, told.digest) = (text(), text(), text(), text());
    (told.previous, told.copies_closed, told.until) = (Some(text()), Some(text()), Some(text()));
    (told.keys.anchor, told.keys.manifest) = (text(), text());
    (told.plan.digest, told.plan.made, told.plan.policy) = (text(), text(), text());
    told.plan.notes = vec![Note { code: text(), target: format!("x{}", text()), text: text() }];
    told.plan.terms = vec![Term { rule: text(), kind: text(), category: Some(text()), text: text() }];
    told.subjects = vec![text()];
    told
}

fn is_as_if_nothing_were_said(text: &str) {
    for language in Language::ALL {
        for is_final in [true, false] {
            let page = |text: &str| render(&Told { is_final, ..with(text) }, language);
            let got = page(text);
            assert_eq!(markup(&got), markup(&page("zzz")), "{text:?}");
            let steers = |sign: char| (sign.is_control() && sign != '\n') || ('\u{202a}'..='\u{202e}').contains(&sign);
            assert!(!got.contains(steers), "{text:?}");
        }
    }
}

#[test]
fn what_an_issuer_wrote_is_never_markup() {
    for text in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</style></head><body>",
        "<!-- ",
        "]]>",
        "&lt;b&gt; &amp; &#60;",
        "{issuer} {",
        "abc\u{202e}fed\u{0}\u{1b}[2J",
        "a\r\n\tb",
    ] {
        is_as_if_nothing_were_said(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_markup(text in "[\\PC<>&\"'{}/=\u{0}-\u{1f}\u{200b}-\u{202e} a-z]{0,24}") {
        is_as_if_nothing_were_said(&text);
    }

    #[test]
    fn any_numbers_make_a_page(number in any::<u64>(), small in 0_u64..5) {
        for number in [number, small] {
            let mut told = samples::last();
            told.sequence = number;
            (told.log.index, told.log.size, told.plan.number) = (number, number, number);
            told.log.witnesses.iter_mut().for_each(|witness| witness.time = number);
            told.targets.iter_mut().for_each(|target| target.counts = samples::counts(number, number, number));
            told.kept.iter_mut().for_each(|kept| kept.items = number);
            prop_assert!(render(&told, Language::Swedish).ends_with("</html>\n"));
        }
    }
}
