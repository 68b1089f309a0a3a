//! Interim: what is still to be done, and by when. Nothing where the proof is final.

use crate::date;
use crate::html::Html;
use crate::page::Page;

pub(crate) fn left(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    if told.is_final {
        return Html::default();
    }
    let mut items = Vec::new();
    let unproven: Vec<Html> = told
        .targets
        .iter()
        .filter(|target| !target.proven)
        .map(|target| {
            let place = page.place(&target.agent, &target.target).and(Html::literal(": "));
            place.and(page.word(t.whys, &target.why))
        })
        .collect();
    if !unproven.is_empty() {
        let count = u64::try_from(unproven.len()).unwrap_or(u64::MAX);
        items.push(page.counted(count, t.left_targets_one, t.left_targets_many).and(page.list(unproven)));
    }
    if told.copies_closed.is_none() && !page.is_purge() {
        items.push(Html::text(t.left_set));
    }
    let copies = told.copies.iter().filter(|copy| copy.gone.is_none()).fold(0, |count, _| count + 1);
    if copies > 0 {
        items.push(page.counted(copies, t.left_copies_one, t.left_copies_many));
    }
    if told.restores.iter().any(|restore| !restore.released) {
        items.push(Html::text(t.left_restores));
    }
    if items.is_empty() {
        items.push(Html::text(t.left_withheld));
    }
    let then = page.list(items).and(when(page)).and(page.paragraph(t.left_then));
    page.section("left", t.left, then)
}

fn when(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    let Some(until) = &told.until else { return page.paragraph(t.left_unknown) };
    let by = page.sentence(t.left_until, &[("day", Html::element("strong", page.day(until)))]);
    if date::is_over(until, &told.issued) { by.and(page.paragraph(t.left_until_over)) } else { by }
}
