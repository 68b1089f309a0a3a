//! What was erased, where and when: one row a target, apart by the role in which the provider held it.

use gallra_verify::told::Target;

use crate::html::Html;
use crate::page::{Page, code};
use crate::text::known;

pub(crate) fn erased(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    if told.targets.is_empty() {
        return page.section("targets", t.targets, page.paragraph(t.targets_none));
    }
    let of_role = |role: &str| told.targets.iter().filter(|target| target.role == role).collect::<Vec<_>>();
    let (own, hosted) = match page.is_purge() {
        true => (t.controller_purge, t.processor_purge),
        false => (t.controller_note, t.processor_note),
    };
    let own = table(page, of_role("controller"), t.controller, own);
    let hosted = table(page, of_role("processor"), t.processor, hosted);
    let item = Html::with("p", &[("class", "small")], Html::text(t.targets_item));
    page.section("targets", t.targets, when(page).and(own).and(hosted).and(item))
}

/// The two moments between which it happened. The plan is in the log before anything is erased, and the set of copies is
/// closed after all live data is confirmed gone.
fn when(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    if !page.acted() {
        return Html::default();
    }
    // A proof without closed copies, or a purge's, bounds it by its own time.
    let before = told.copies_closed.as_ref().filter(|_| !page.is_purge()).unwrap_or(&told.issued);
    let parts = [("after", page.instant(&told.plan.made)), ("before", page.instant(before))];
    page.sentence(t.targets_when, &parts)
}

fn table(page: Page<'_>, targets: Vec<&Target>, caption: &'static str, note: &'static str) -> Html {
    let t = page.texts;
    if targets.is_empty() {
        return Html::default();
    }
    let caption = Html::fill(caption, &[("issuer", page.issuer())]);
    let rows = targets.into_iter().map(|target| row(page, target)).collect();
    let table = page.table(caption, [t.place, t.what, t.outcome], rows);
    table.and(page.sentence(note, &[("issuer", page.issuer())]))
}

fn row(page: Page<'_>, target: &Target) -> [Html; 3] {
    let t = page.texts;
    let kind = known(t.kinds, target.kind).map_or_else(|| code(target.kind), Html::text);
    let place = Html::lines(vec![page.place(&target.agent, &target.target), kind]);
    [place, page.word(t.categories, &target.category), Html::lines(outcome(page, target))]
}

fn outcome(page: Page<'_>, target: &Target) -> Vec<Html> {
    let t = page.texts;
    let mut lines = page.outcomes(&target.counts);
    let kept = page.kept_at(target);
    if kept > 0 {
        lines.push(page.counted(kept, t.kept_one, t.kept_many));
    }
    if lines.is_empty() && target.proven {
        lines.push(Html::text(t.nothing_there));
    }
    let state = if target.proven {
        Html::with("strong", &[("class", "done")], Html::text(t.done))
    } else {
        let why = Html::fill(t.not_done, &[("why", page.word(t.whys, &target.why))]);
        Html::with("strong", &[("class", "open")], why)
    };
    lines.push(state);
    lines
}
