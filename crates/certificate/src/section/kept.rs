//! What is kept, on which ground, and until when.

use gallra_verify::told::Kept;

use crate::html::Html;
use crate::page::{Page, quoted};

pub(crate) fn kept(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    if told.kept.is_empty() {
        let nothing = if told.is_final && !page.is_purge() { t.kept_nothing } else { t.kept_nothing_yet };
        return page.section("kept", t.kept, page.paragraph(nothing));
    }
    let rows = told.kept.iter().map(|kept| row(page, kept)).collect();
    let table = page.table(Html::text(t.kept_caption), [t.what, t.ground, t.until], rows);
    page.section("kept", t.kept, table.and(page.paragraph(t.kept_note)))
}

fn row(page: Page<'_>, kept: &Kept) -> [Html; 3] {
    let t = page.texts;
    let target = page.told.targets.iter().find(|one| one.agent == kept.agent && one.target == kept.target);
    let mut what = vec![page.place(&kept.agent, &kept.target)];
    what.extend(target.map(|target| page.word(t.categories, &target.category)));
    what.push(page.counted(kept.items, t.kept_one, t.kept_many));
    let ground = vec![quoted(&kept.ground), Html::fill(t.rule, &[("rule", page.rule(&kept.rule))])];
    [Html::lines(what), Html::lines(ground), page.day(&kept.until)]
}
