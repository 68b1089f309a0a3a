//! The top: what kind of certificate this is, seen at once and not by colour alone, and the case in brief.

use gallra_verify::Clock;

use crate::html::Html;
use crate::page::{Page, code};

/// What kind of proof it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Final,
    Interim,
    Amendment,
}

fn stage(page: Page<'_>) -> Stage {
    match (page.told.is_final, page.told.amendment) {
        (false, _) => Stage::Interim,
        (true, true) => Stage::Amendment,
        (true, false) => Stage::Final,
    }
}

fn title(page: Page<'_>) -> &'static str {
    if page.is_purge() { page.texts.title_purge } else { page.texts.title }
}

fn stage_words(page: Page<'_>) -> &'static str {
    match stage(page) {
        Stage::Final => page.texts.stage_final,
        Stage::Interim => page.texts.stage_interim,
        Stage::Amendment => page.texts.stage_amendment,
    }
}

/// The page's name in a window or a list of files.
pub(crate) fn name(page: Page<'_>) -> String {
    let demonstration = match page.told.clock {
        Clock::Real => String::new(),
        Clock::Simulated => format!("{}: ", page.texts.simulated_title),
    };
    format!("{demonstration}{} ({}), {}", title(page), stage_words(page), page.told.issuer.name)
}

/// Above and below everything, where the clock was a demonstration's.
pub(crate) fn banner(page: Page<'_>) -> Html {
    match page.told.clock {
        Clock::Real => Html::default(),
        Clock::Simulated => Html::with("p", &[("class", "banner")], Html::text(page.texts.simulated)),
    }
}

pub(crate) fn head(page: Page<'_>) -> Html {
    let class = match stage(page) {
        Stage::Final => "stage final",
        Stage::Interim => "stage interim",
        Stage::Amendment => "stage amendment",
    };
    let top = Html::with("p", &[("class", "from")], page.issuer())
        .and(Html::element("h1", Html::text(title(page))))
        .and(Html::with("p", &[("class", class)], Html::text(stage_words(page))));
    let leads: Html = leads(page).into_iter().map(|lead| page.paragraph(lead)).collect();
    let leads = Html::with("div", &[("class", "lead")], leads);
    banner(page).and(Html::element("header", top.and(leads).and(brief(page))))
}

/// What it comes to, in a few sentences. None says more than the parts below.
fn leads(page: Page<'_>) -> Vec<&'static str> {
    let (told, t) = (page.told, page.texts);
    let mut leads = Vec::new();
    match stage(page) {
        Stage::Interim => {
            leads.push(t.lead_interim);
            let live_is_done = told.copies_closed.is_some() && told.targets.iter().all(|target| target.proven);
            if live_is_done && !told.restores.iter().any(|one| !one.released) && copies_left(page) {
                leads.push(t.lead_interim_copies);
            }
        }
        Stage::Final => leads.push(outcome(page)),
        Stage::Amendment => leads.extend([t.lead_amendment, outcome(page)]),
    }
    if !told.kept.is_empty() {
        leads.push(t.lead_kept);
    }
    if told.is_final && !told.copies.is_empty() && !copies_left(page) {
        leads.push(t.lead_copies_gone);
    }
    if page.is_purge() {
        leads.push(t.lead_purge);
    }
    leads
}

fn copies_left(page: Page<'_>) -> bool {
    page.told.copies.iter().any(|copy| copy.gone.is_none())
}

fn outcome(page: Page<'_>) -> &'static str {
    let counts = || page.told.targets.iter().map(|target| &target.counts);
    if counts().any(|counts| counts.anonymised > 0 || counts.key_destroyed > 0) {
        page.texts.lead_final_else
    } else if counts().any(|counts| counts.erased > 0) {
        page.texts.lead_final
    } else {
        page.texts.lead_nothing_erased
    }
}

fn brief(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    let mut issuer = vec![Html::text(&format!("{} ({})", told.issuer.name, told.issuer.country))];
    if let Some(number) = &told.issuer.organisation_number {
        issuer.push(Html::fill(t.issuer_number, &[("number", Html::text(number))]));
    }
    let number = match told.sequence.checked_sub(1) {
        None | Some(0) => Html::text(t.number_first),
        Some(before) => {
            Html::fill(t.number_later, &[("number", page.number(told.sequence)), ("before", page.number(before))])
        }
    };
    let level = Html::element("strong", Html::text(told.level)).and(Html::literal(", ")).and(Html::text(t.level_brief));
    let pairs = vec![
        (Html::text(t.issuer), Html::lines(issuer)),
        (Html::text(t.contact), Html::text(&told.issuer.contact)),
        (Html::text(t.reason), reason(page)),
        (Html::text(t.received), page.instant(&told.request.received)),
        (Html::text(t.issued), page.instant(&told.issued)),
        (Html::text(t.number), number),
        (Html::text(t.level), level),
        (Html::text(t.exact_request), code(&told.request.id)),
    ];
    let heading = Html::element("h2", Html::text(t.brief));
    heading.and(page.pairs(pairs)).and(Html::with("p", &[("class", "small")], Html::text(t.zone_note)))
}

fn reason(page: Page<'_>) -> Html {
    let t = page.texts;
    match (page.told.request.kind, &page.told.plan.purge) {
        (_, Some(day)) => Html::fill(t.reason_purge, &[("day", page.day(day))]),
        ("contract-end", _) => Html::text(t.reason_contract),
        ("customer-end", _) => Html::text(t.reason_customer),
        ("right", _) => Html::text(t.reason_right),
        (other, _) => code(other),
    }
}
