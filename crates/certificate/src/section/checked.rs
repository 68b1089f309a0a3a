//! How it was checked: who erased, who looked, the log, time stamps and witnesses, the keys, and what the level means.

use gallra_verify::told::Vouching;

use crate::date;
use crate::html::Html;
use crate::page::{Page, code};
use crate::text::known;

pub(crate) fn checked(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    let mut steps: Vec<Html> = Vec::new();
    if page.acted() {
        steps.extend([t.checked_plan, t.checked_eraser].map(Html::text));
        // A purge has no steps that confirm.
        if !page.is_purge() {
            steps.push(Html::text(if confirmed_by_another(page) { t.checked_other } else { t.checked_same }));
            steps.extend(told.is_final.then(|| Html::text(t.checked_again)));
        }
    } else {
        steps.push(Html::text(t.checked_eraser));
    }
    let log = [
        ("origin", code(&told.log.origin)),
        ("number", page.number(told.log.index.saturating_add(1))),
        ("size", page.number(told.log.size)),
    ];
    steps.push(Html::fill(t.checked_log, &log));
    steps.push(stamps(page));
    steps.push(witnesses(page));
    steps.push(Html::text(match told.keys.vouching {
        Vouching::KeyFile => t.checked_key_file,
        Vouching::Anchor => t.checked_anchor,
        Vouching::IssuerAlone => t.checked_issuer_alone,
    }));
    let words = known(t.levels, told.level).unwrap_or_default();
    let level = [("level", Html::text(told.level)), ("words", Html::text(words))];
    let level = Html::with("p", &[("class", "level")], Html::fill(t.checked_level, &level));
    page.section("checked", t.checked, page.list(steps).and(level).and(page.paragraph(t.level_scale)))
}

/// From A2 on, and only then, a proof shows that nobody confirmed an erasure of its own.
pub(crate) fn confirmed_by_another(page: Page<'_>) -> bool {
    matches!(page.told.level, "A2" | "A3")
}

/// A checkpoint of `size` entries holds those below `size`.
fn stamps(page: Page<'_>) -> Html {
    let (log, t) = (&page.told.log, page.texts);
    if log.stamps.is_empty() {
        return Html::text(t.checked_no_stamps);
    }
    let stamps = log.stamps.iter().map(|stamp| {
        let template = if stamp.size > log.index { t.checked_stamp } else { t.checked_stamp_short };
        Html::fill(template, &[("at", page.instant(&stamp.time)), ("size", page.number(stamp.size))])
    });
    Html::text(t.checked_stamps).and(page.list(stamps.collect()))
}

fn witnesses(page: Page<'_>) -> Html {
    let (log, t) = (&page.told.log, page.texts);
    if log.witnesses.is_empty() {
        return Html::text(t.checked_no_witnesses);
    }
    let witnesses = log.witnesses.iter().map(|witness| {
        let template = if witness.outside { t.checked_outside } else { t.checked_inside };
        Html::fill(template, &[("name", Html::text(&witness.name)), ("at", date::seconds(witness.time, t))])
    });
    Html::text(t.checked_witnesses).and(page.list(witnesses.collect()))
}
