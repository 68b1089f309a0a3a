//! Rows without a date: from the file's words to typed entries. Owns which keys each kind has; a kind's missing or
//! surplus key is a problem, so that no such row is mere text.

use super::rules::{Marks, rule_id};
use super::section::{Section, known};
use crate::entry::{Effect, Entry, Recipient, Recipients, Request};
use crate::problem::Findings;
use crate::word::{CATEGORIES, category};

/// A row as read.
pub(super) struct EntryRow {
    pub(super) entry: Entry,
    pub(super) at: usize,
    pub(super) marks: Marks,
    /// Whether it stands in the pack itself, and not in one that it includes.
    pub(super) own: bool,
}

/// Every kind of row without a date.
const KINDS: [&str; 25] = [
    "agreed-otherwise",
    "anonymised-first",
    "as-law",
    "assess",
    "by-instruction",
    "complaint",
    "controller-decides",
    "counting",
    "disclosure",
    "exemptions",
    "expect-none",
    "identify",
    "instructions",
    "minimise",
    "no-period",
    "notify",
    "provider-adds",
    "recipients",
    "request",
    "return-or-delete",
    "roles",
    "sale",
    "transport",
    "unsettled",
    "zone",
];

/// Countries of the EU and the EEA: data that goes elsewhere needs a safeguard (GDPR ch. V).
const EEA: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

pub(super) fn entry(prefix: &str, mut row: Section<'_>, findings: &mut Findings<'_>) -> Option<EntryRow> {
    let id = row.needed("id", findings);
    let at = id.map_or(row.at, |id| id.at);
    let id = id.and_then(|id| rule_id(prefix, id, findings));
    let of = match row.text("category", findings) {
        Some(word) => Some(known(word, category, &CATEGORIES, findings)?),
        None => None,
    };
    let basis = row.text("basis", findings).map(|basis| basis.text.to_owned());
    let cites = row.strings("cites", findings);
    let marks = Marks::read(&mut row, findings);
    let effect = effect(&mut row, findings);
    // A kind that is not known has keys that are not known either: one problem is enough.
    if effect.is_some() {
        row.finish(findings);
    }
    let entry = Entry { id: id?, category: of, effect: effect?, basis, cites };
    if entry.is_of_the_answer() && entry.category.is_none() {
        findings.at(at, "a row of this kind is about one category", "add category = \"…\"");
    }
    Some(EntryRow { entry, at, marks, own: true })
}

fn effect(row: &mut Section<'_>, findings: &mut Findings<'_>) -> Option<Effect> {
    let kind = row.needed("kind", findings)?;
    Some(match kind.text {
        "no-period" => Effect::NoPeriod,
        "by-instruction" => Effect::ByInstruction,
        "expect-none" => Effect::ExpectNone,
        "identify" => Effect::Identify,
        "counting" => Effect::Counting,
        "return-or-delete" => Effect::ReturnOrDelete,
        "anonymised-first" => {
            Effect::AnonymisedFirst { uses: row.words("uses", findings), parts: row.words("parts", findings) }
        }
        "as-law" => Effect::AsLaw {
            law: row.needed("law", findings)?.text.to_owned(),
            exceptions_need: row.words("exceptions_need", findings),
        },
        "controller-decides" => Effect::ControllerDecides { acts_on: row.words("acts_on", findings) },
        "recipients" => Effect::Recipients(recipients(row, findings)),
        "transport" => {
            Effect::Transport { clients: row.word("clients", findings)?, at_rest: row.flag("at_rest", findings) }
        }
        "request" => Effect::Request(request(row, findings)?),
        "assess" => Effect::Assess { holds: row.words("holds", findings) },
        "disclosure" => Effect::Disclosure {
            to: row.strings("to", findings),
            grounds: row.words("grounds", findings),
            holds: row.words("holds", findings),
        },
        "minimise" => {
            Effect::Minimise { send: row.words("send", findings), instead_of: row.words("instead_of", findings) }
        }
        "complaint" => Effect::Complaint { to: row.strings("to", findings) },
        "sale" => Effect::Sale { survives: row.words("survives", findings) },
        "instructions" => {
            Effect::Instructions { large_factor: large_factor(row, findings)?, warns: row.words("warns", findings) }
        }
        "agreed-otherwise" => Effect::AgreedOtherwise { rule: row.needed("rule", findings)?.text.to_owned() },
        "unsettled" => {
            Effect::Unsettled { after: row.parsed("after", findings)?, every: row.parsed("every", findings)? }
        }
        "roles" => Effect::Roles {
            without_contract: row.words("without_contract", findings),
            active_by: row.words("active_by", findings),
        },
        "zone" => Effect::Zone { zone: zone(row, findings)? },
        "notify" => Effect::Notify { of: row.words("of", findings) },
        "exemptions" => Effect::Exemptions { grounds: row.words("grounds", findings) },
        "provider-adds" => {
            Effect::ProviderAdds { laws: row.strings("laws", findings), needs: row.words("needs", findings) }
        }
        other => {
            findings.at(kind.at, format!("unknown kind \"{other}\""), format!("one of: {}", KINDS.join(", ")));
            return None;
        }
    })
}

fn large_factor(row: &mut Section<'_>, findings: &mut Findings<'_>) -> Option<u16> {
    let at = row.at;
    let factor = row.number("large_factor", findings);
    if factor.is_none_or(|factor| factor < 2) {
        findings.at(
            at,
            "large_factor is missing or below 2",
            "write how many times as long or short is a large deviation",
        );
    }
    factor.filter(|factor| *factor >= 2)
}

/// Days are reckoned in one zone, and only in that one: a pack may state it, and no other.
fn zone(row: &mut Section<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let zone = row.needed("zone", findings)?;
    if zone.text != "Europe/Stockholm" {
        findings.at(zone.at, "days are reckoned in Europe/Stockholm only", "write zone = \"Europe/Stockholm\"");
    }
    Some(zone.text.to_owned())
}

fn recipients(row: &mut Section<'_>, findings: &mut Findings<'_>) -> Recipients {
    let transport = row.has("transport").then(|| row.word("transport", findings)).flatten();
    Recipients {
        grounds: row.words("grounds", findings),
        to: row.sections("to", findings).into_iter().filter_map(|to| recipient(to, findings)).collect(),
        sources: row.strings("sources", findings),
        transport,
        per_service: row.flag("per_service", findings),
        holds: row.words("holds", findings),
    }
}

fn recipient(mut to: Section<'_>, findings: &mut Findings<'_>) -> Option<Recipient> {
    let at = to.at;
    let name = to.needed("name", findings).map(|name| name.text.to_owned());
    let fields = to.words("fields", findings);
    let ground = to.word("ground", findings);
    let agreement = to.flag("agreement", findings);
    let country = to.text("country", findings);
    let safeguard = to.text("safeguard", findings).map(|text| text.text.to_owned());
    to.finish(findings);
    if fields.is_empty() {
        findings.at(at, "the recipient gets no field", "add fields = [\"name\", …]");
    }
    if let Some(country) = country {
        let form = country.text.len() == 2 && country.text.bytes().all(|byte| byte.is_ascii_uppercase());
        if !form {
            findings.at(country.at, "not a country", "write its two letters, as \"SE\"");
        } else if !EEA.contains(&country.text) && safeguard.is_none() {
            let hint = "add safeguard = \"…\": GDPR ch. V asks for one";
            findings.at(country.at, "the country lies outside the EU and the EEA, and no safeguard is named", hint);
        }
    }
    let country = country.map(|country| country.text.to_owned());
    Some(Recipient { name: name?, fields, ground: ground?, agreement, country, safeguard })
}

fn request(row: &mut Section<'_>, findings: &mut Findings<'_>) -> Option<Request> {
    let right = row.word("right", findings);
    let article = row.needed("article", findings).map(|article| article.text.to_owned());
    let answer = row.needed("answer", findings).map(|rule| rule.text.to_owned());
    let request = Request {
        grounds: row.words("grounds", findings),
        channels: row.words("channels", findings),
        by_staff: row.flag("by_staff", findings),
        warns: row.words("warns", findings),
        until: row.words("until", findings),
        finishes_first: row.words("finishes_first", findings),
        form: row.words("form", findings),
        always: row.words("always", findings),
        names_processing: row.flag("names_processing", findings),
        right: right?,
        article: article?,
        answer: answer?,
    };
    Some(request)
}
