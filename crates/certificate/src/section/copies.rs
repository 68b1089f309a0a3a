//! Copies in backups, by store: how many, when the last was seen gone, or what is still expected when.

use std::collections::BTreeMap;

use gallra_verify::told::Copy;

use crate::date;
use crate::html::Html;
use crate::page::Page;

pub(crate) fn copies(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    if page.is_purge() {
        return page.section("copies", t.copies, page.paragraph(t.copies_purge));
    }
    let mut stores: BTreeMap<(&str, &str), Vec<&Copy>> = BTreeMap::new();
    for copy in &told.copies {
        stores.entry((&copy.agent, &copy.target)).or_default().push(copy);
    }
    let set = match &told.copies_closed {
        None => page.paragraph(t.copies_open),
        Some(_) if stores.is_empty() => page.paragraph(t.copies_none),
        Some(at) => page.sentence(t.copies_closed, &[("at", page.instant(at))]),
    };
    if stores.is_empty() {
        return page.section("copies", t.copies, set);
    }
    let rows = stores.into_iter().map(|((agent, target), copies)| {
        [page.place(agent, target), taken(page, &copies), Html::lines(state(page, &copies))]
    });
    let table = page.table(Html::text(t.copies_caption), [t.store, t.copies_taken, t.copies_state], rows.collect());
    let note = Html::with("p", &[("class", "small")], Html::text(t.copies_note));
    page.section("copies", t.copies, set.and(table).and(note))
}

fn count(copies: &[&Copy]) -> u64 {
    u64::try_from(copies.len()).unwrap_or(u64::MAX)
}

/// Instants of the formats are in order as texts, down to the second.
fn taken(page: Page<'_>, copies: &[&Copy]) -> Html {
    let began = || copies.iter().map(|copy| copy.began.as_str());
    let (first, last) = (began().min().unwrap_or_default(), began().max().unwrap_or_default());
    let parts = [("count", page.number(count(copies))), ("first", page.instant(first)), ("last", page.instant(last))];
    Html::fill(if copies.len() == 1 { page.texts.copy_one } else { page.texts.copy_many }, &parts)
}

fn state(page: Page<'_>, copies: &[&Copy]) -> Vec<Html> {
    let t = page.texts;
    let (gone, left): (Vec<&Copy>, Vec<&Copy>) = copies.iter().partition(|copy| copy.gone.is_some());
    if left.is_empty() {
        let last = gone.iter().filter_map(|copy| copy.gone.as_deref()).max().unwrap_or_default();
        return vec![Html::fill(t.copies_gone, &[("at", page.instant(last))])];
    }
    let mut lines = Vec::new();
    if !gone.is_empty() {
        lines.push(Html::fill(t.copies_gone_some, &[("count", page.number(count(&gone)))]));
    }
    let remains = page.counted(count(&left), t.copies_left_one, t.copies_left_many);
    lines.push(Html::with("strong", &[("class", "open")], remains));
    let expected = || left.iter().filter_map(|copy| copy.expected.as_deref());
    match (expected().min(), expected().max()) {
        (Some(first), Some(last)) if first == last => {
            lines.push(Html::fill(t.copies_expected, &[("day", page.day(first))]));
        }
        (Some(first), Some(last)) => {
            let parts = [("first", page.day(first)), ("last", page.day(last))];
            lines.push(Html::fill(t.copies_expected_span, &parts));
        }
        _ => {}
    }
    let overdue = left
        .iter()
        .copied()
        .filter(|copy| copy.expected.as_deref().is_some_and(|day| date::is_over(day, &page.told.issued)));
    let undated = left.iter().copied().filter(|copy| copy.expected.is_none());
    for (some, one, many) in [
        (overdue.collect::<Vec<_>>(), t.copies_overdue_one, t.copies_overdue_many),
        (undated.collect::<Vec<_>>(), t.copies_undated_one, t.copies_undated_many),
    ] {
        if !some.is_empty() {
            lines.push(page.counted(count(&some), one, many));
        }
    }
    lines
}
