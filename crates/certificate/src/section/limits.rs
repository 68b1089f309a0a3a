//! What the certificate does not show. As long as what it shows, on purpose.

use crate::html::Html;
use crate::page::Page;
use crate::section::checked::confirmed_by_another;

/// Witnesses of other organisations without whom a log can be shown to each reader in another state.
const ENOUGH_WITNESSES: usize = 2;

pub(crate) fn limits(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    let outside = told.log.witnesses.iter().filter(|witness| witness.outside).count();
    let limits = [
        (!told.is_final, t.limit_interim),
        (true, t.limit_targets),
        (true, t.limit_said),
        (true, t.limit_erased),
        (!told.kept.is_empty(), t.limit_kept),
        (!told.copies.is_empty(), t.limit_dedup),
        (page.is_purge(), t.limit_copies_purge),
        (page.acted() && !confirmed_by_another(page), t.limit_same),
        (true, if told.log.stamps.is_empty() { t.limit_clocks } else { t.limit_clocks_stamped }),
        (outside < ENOUGH_WITNESSES, t.limit_log),
        (true, t.limit_last),
        (page.acted(), t.limit_attempts),
        (true, t.limit_page),
    ];
    let limits = limits.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| Html::text(text));
    page.section("limits", t.limits, page.list(limits.collect()))
}
