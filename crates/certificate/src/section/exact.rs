//! Ids and fingerprints for whoever compares, and what plan and policy say in the issuer's words.

use gallra_verify::told::{Note, Term};

use crate::html::Html;
use crate::page::{Page, code};

pub(crate) fn exact(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    let numbered = |template: &'static str, number: u64| Html::fill(template, &[("number", page.number(number))]);
    let mut pairs =
        vec![(Html::text(t.exact_request), code(&told.request.id)), (Html::text(t.exact_proof), code(&told.digest))];
    pairs.extend(told.previous.iter().map(|digest| (Html::text(t.exact_previous), code(digest))));
    pairs.extend([
        (Html::text(t.exact_issued), code(&told.issued)),
        (numbered(t.exact_plan, told.plan.number), code(&told.plan.digest)),
        (Html::text(t.exact_policy), code(&told.plan.policy)),
        (Html::text(t.exact_anchor), code(&told.keys.anchor)),
        (numbered(t.exact_manifest, told.keys.version), code(&told.keys.manifest)),
        (Html::text(t.exact_log), code(&told.log.origin)),
        (Html::text(t.exact_index), code(&told.log.index.to_string())),
        (Html::fill(t.exact_root, &[("size", page.number(told.log.size))]), code(&told.log.root)),
    ]);
    let subjects = (1..).zip(&told.subjects);
    pairs.extend(subjects.map(|(number, digest)| (numbered(t.exact_subject, number), code(digest))));
    let body = Html::with("p", &[("class", "small")], Html::text(t.exact_note)).and(page.pairs(pairs));
    page.section("exact", t.exact, body.and(notes(page)).and(terms(page)))
}

fn notes(page: Page<'_>) -> Html {
    let t = page.texts;
    let row = |note: &Note| {
        let place = if note.target.is_empty() { Html::text(t.notes_whole) } else { code(&note.target) };
        [place, page.word(t.notes_words, &note.code), english(&note.text)]
    };
    let rows: Vec<_> = page.told.plan.notes.iter().map(row).collect();
    said(page, t.notes, [t.place, t.note, t.quoted], rows)
}

fn terms(page: Page<'_>) -> Html {
    let t = page.texts;
    let row = |term: &Term| {
        let rule = Html::lines(vec![page.word(t.term_kinds, &term.kind), code(&term.rule)]);
        let about = term.category.as_deref().map_or_else(Html::default, |word| page.word(t.categories, word));
        [rule, about, english(&term.text)]
    };
    let rows: Vec<_> = page.told.plan.terms.iter().map(row).collect();
    said(page, t.terms, [t.term, t.what, t.quoted], rows)
}

/// The planner writes notes and terms in English.
fn english(text: &str) -> Html {
    Html::with("span", &[("class", "quoted"), ("lang", "en")], Html::text(text))
}

fn said(page: Page<'_>, caption: &'static str, heads: [&'static str; 3], rows: Vec<[Html; 3]>) -> Html {
    if rows.is_empty() {
        return Html::default();
    }
    let note = Html::with("p", &[("class", "small")], Html::text(page.texts.quoted_note));
    page.table(Html::text(caption), heads, rows).and(note)
}
