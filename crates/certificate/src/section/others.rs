//! What came back with a backup, and who else was told.

use gallra_verify::told::{Recipient, Restore};

use crate::html::Html;
use crate::page::{Page, quoted};

/// Nothing where nothing came back.
pub(crate) fn restores(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    if told.restores.is_empty() {
        return Html::default();
    }
    let rows = told.restores.iter().map(|restore| row_of_restore(page, restore)).collect();
    let table = page.table(Html::text(t.restores_caption), [t.place, t.copy, t.outcome], rows);
    page.section("restores", t.restores, table)
}

fn row_of_restore(page: Page<'_>, restore: &Restore) -> [Html; 3] {
    let t = page.texts;
    let times = vec![
        Html::fill(t.restore_taken, &[("at", page.instant(&restore.taken))]),
        Html::fill(t.restore_finished, &[("at", page.instant(&restore.finished))]),
    ];
    let mut lines = page.outcomes(&restore.counts);
    lines.push(if !restore.released {
        Html::with("strong", &[("class", "open")], Html::text(t.restore_not_released))
    } else if lines.is_empty() {
        Html::text(t.restore_nothing)
    } else {
        Html::with("strong", &[("class", "done")], Html::text(t.restore_released))
    });
    [page.place(&restore.agent, &restore.target), Html::lines(times), Html::lines(lines)]
}

pub(crate) fn recipients(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    if told.recipients.is_empty() {
        return page.section("recipients", t.recipients, page.paragraph(t.recipients_none));
    }
    let rows = told.recipients.iter().map(|recipient| row_of_recipient(page, recipient)).collect();
    let table = page.table(Html::text(t.recipients_caption), [t.recipient, t.told_of, t.told_at], rows);
    page.section("recipients", t.recipients, table.and(page.paragraph(t.recipients_note)))
}

fn row_of_recipient(page: Page<'_>, recipient: &Recipient) -> [Html; 3] {
    let t = page.texts;
    let answer = if recipient.acknowledged { t.acknowledged } else { t.not_acknowledged };
    let at = Html::lines(vec![page.instant(&recipient.at), Html::text(answer)]);
    [quoted(&recipient.recipient), page.word(t.ofs, &recipient.of), at]
}
