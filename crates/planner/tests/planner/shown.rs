//! A plan as it is shown, in both languages and both forms, against files beside the scenarios. `UPDATE_GOLDEN=1` writes them
//! anew: read the difference before keeping it. And: what others wrote never becomes markup, nor what a terminal obeys.

use std::path::Path;

use gallra_model::plan::Plan;
use gallra_planner::plan;
use gallra_planner::show::{Language, html, text};

use crate::script::World;

/// Nearly everything that a plan can say: a hold, a lock, a duty beyond a promise, an instruction, copies that live too long,
/// what waits, what changed, and an objection.
const WHOLE: &str = "\
contract 2026-01-31 -
customer 2026-01-31 -
agent web1
files files customer-data processor contract act
old files customer-data processor contract act
repo restic backup controller contract act covers files life 200
then
now 2026-02-10T10:00:00Z
contract 2026-01-31 2026-02-10
customer 2026-01-31 2026-02-10
gone web1/old
agent web1
mail maildir customer-data processor contract observe
logs access-log access-logs controller customer act
nightly restic backup controller customer act covers logs life never
agent office
contacts sql contact controller customer act
ledger sql bookkeeping controller customer act
cases sql tickets controller customer act
hold 1 target web1/mail expires 2026-05-15 review 2026-04-01
hold 2 category access-logs
instruct webone/chat by customer_settled 2 months
instruct webone/customer-data at contract_settled 3 months
";

fn whole() -> (Plan, Vec<String>) {
    let plan = plan(&World::read(WHOLE).facts()).unwrap();
    (plan, vec!["web1/files: too-early: it is erased before its earliest day".to_owned()])
}

/// Digests change with every word of a pack.
fn without_digests(text: &str) -> String {
    let mut out = String::new();
    for (at, word) in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()).enumerate() {
        let hex = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        if hex.len() == 64 && at > 0 { out.push_str(&word.replace(hex, "…")) } else { out.push_str(word) }
    }
    out
}

fn golden(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shown").join(name);
    let got = without_digests(got) + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, got).unwrap();
    } else {
        assert_eq!(got, std::fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
    }
}

#[test]
fn the_timeline_is_as_it_was() {
    let (plan, problems) = whole();
    for language in Language::ALL {
        golden(&format!("plan.{}.txt", language.tag()), &text(&plan, &problems, language));
    }
}

#[test]
fn the_page_is_as_it_was() {
    let (plan, problems) = whole();
    for language in Language::ALL {
        golden(&format!("plan.{}.html", language.tag()), &html(&plan, &problems, language));
    }
}

/// Every tag is closed in order, and no text is left with a bare sign.
fn is_sound(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("every tag ends");
        let in_style = open.last() == Some(&"style");
        assert!(in_style || !text.contains('>'), "a bare sign: {text}");
        let name = tag.split_whitespace().next().unwrap();
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "closed in order");
        } else if !tag.ends_with('/') && !matches!(name, "!DOCTYPE" | "meta") {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn the_page_needs_nothing_else_and_can_be_heard() {
    let (plan, problems) = whole();
    for language in Language::ALL {
        let page = html(&plan, &problems, language);
        is_sound(&page);
        for word in [
            "<script",
            "http://",
            "https://",
            "src=",
            "href=",
            "url(",
            "@import",
            "javascript:",
            "onload",
            "<link",
            "<img",
        ] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("default-src 'none'"));
        assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
        let pictures = page.matches("<svg").count();
        let labelled =
            page.matches("role=\"img\" aria-label=\"").count() + page.matches("aria-hidden=\"true\"").count();
        assert_eq!(pictures, labelled, "each picture has words, or is left out");
        assert!(page.contains("<caption>") && page.contains("scope=\"row\"") && page.contains("@media print"));
        assert!(page.contains("role=\"alert\""), "an objection is not overlooked");
    }
}

#[test]
fn what_others_wrote_stays_text() {
    const EVIL: &str = "<script>alert(1)</script> \" onload='x' & \u{1b}[2J\r\n\u{7}\u{9b}31m";
    let (mut plan, _) = whole();
    let evil = || EVIL.to_owned();
    for held in &mut plan.holds {
        held.targets = vec![evil()];
    }
    for note in &mut plan.notes {
        (note.text, note.target, note.code) = (evil(), evil(), evil());
    }
    for change in &mut plan.changes {
        (change.what, change.target, change.before, change.after) = (evil(), evil(), Some(evil()), Some(evil()));
    }
    for step in &mut plan.steps {
        step.rule = evil();
        if let Some(keep) = &mut step.keep {
            (keep.rule, keep.ground) = (evil(), evil());
        }
    }
    for lock in &mut plan.restrictions {
        lock.rule = evil();
    }
    for needed in &mut plan.approvals {
        (needed.what, needed.rule) = (evil(), Some(evil()));
    }
    for backup in &mut plan.backups {
        backup.rule = evil();
    }
    for term in &mut plan.terms {
        let term = std::sync::Arc::make_mut(term);
        (term.rule, term.kind, term.text) = (evil(), evil(), evil());
    }
    for language in Language::ALL {
        let page = html(&plan, &[evil()], language);
        is_sound(&page);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
        let shown = text(&plan, &[evil()], language);
        for form in [&page, &shown] {
            assert!(form.chars().all(|c| c == '\n' || !c.is_control()), "a control character is left");
        }
        assert!(shown.lines().all(|line| !line.trim_start().starts_with("[2J")), "no line was broken in two");
    }
}

#[test]
fn a_picture_shows_the_days_where_they_are() {
    let script = "contract 2026-01-31 2026-01-31\nagent a\nf files customer-data processor contract act\n";
    let plan = plan(&World::read(script).facts()).unwrap();
    let shown = text(&plan, &[], Language::English);
    let row = |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let column = |line: &str, sign: char| line.chars().position(|own| own == sign).unwrap();
    let (end, erased) = (row("contract"), row("a/f"));
    assert!(column(&end, 'S') < column(&erased, 'X'), "{shown}");
    assert_eq!(column(&end, 'S'), column(&erased, '━'), "the data is there from the end on: {shown}");
    assert_eq!(erased.chars().filter(|own| *own == 'X').count(), 1);
}
