//! Single words from outside: ids, names, days, periods, templates of `agent.toml`.

use gallra_model::selector::{ExternalId, MAX_ID_BYTES};
use gallra_model::target::{Category, TargetId};
use gallra_model::{
    AgentName, ContractId, CopyId, CustomerId, Day, Digest, JobId, Nonce, ObligationId, Pseudonym, RequestId, SubjectId,
};
use gallra_policy::calendar::{TimeOfDay, parse_day};
use gallra_policy::{Moment, Period, YearEnd};
use gallra_store::Epoch;
use gallra_targets::template::{By, fill, id_of};

use super::{selector, text};
use crate::Seen;
use crate::quiet::says_nothing_of;
use crate::spelling::{one_spelling, same_again};

/// Ids, names, digests, service ids and customer numbers: one spelling each, and nothing that leads elsewhere.
pub fn ids(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let references = [
        one_spelling::<CustomerId>(text),
        one_spelling::<ContractId>(text),
        one_spelling::<SubjectId>(text),
        one_spelling::<RequestId>(text),
        one_spelling::<JobId>(text),
        one_spelling::<CopyId>(text),
        one_spelling::<ObligationId>(text),
        one_spelling::<Pseudonym>(text),
        one_spelling::<Nonce>(text),
    ];
    let is_hex = |length| text.len() == length && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
    assert!(references.iter().all(|read| *read == is_hex(32)), "{text:?}");
    assert_eq!(one_spelling::<Digest>(text), is_hex(64), "{text:?}");
    let names = [
        one_spelling::<AgentName>(text),
        one_spelling::<TargetId>(text),
        one_spelling::<Category>(text),
        gallra_identity::is_label(text),
    ];
    assert!(names.iter().all(|read| *read == names.contains(&true)), "names differ on {text:?}: {names:?}");
    let number = one_spelling::<Epoch>(text);
    let id = external_id(text);
    Seen::of(references.contains(&true) || names.contains(&true) || is_hex(64) || number || id)
}

fn external_id(text: &str) -> bool {
    match text.parse::<ExternalId>() {
        Ok(id) => {
            assert_eq!(id.expose(), text);
            assert!(!text.is_empty() && text.len() <= MAX_ID_BYTES && !text.contains(".."), "{text:?}");
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b)), "{text:?}");
            assert!(text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric), "no option, no hidden file");
            assert!(!format!("{id:?}").contains(text) || "ExternalId(sealed)".contains(text), "shown by Debug");
            true
        }
        Err(refusal) => {
            says_nothing_of(text.as_bytes(), &refusal.to_string());
            false
        }
    }
}

/// Days, moments, periods and hours, as policies and callers write them. The two readers of days agree.
pub fn calendar(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let day = parse_day(text);
    if let Ok(day) = day {
        assert_eq!(day.to_string(), text);
        assert_eq!(text.parse::<Day>().ok(), Some(day), "the date library reads another day");
    }
    let field = gallra_wire::parse::day("day", text);
    assert_eq!(field.as_ref().ok(), day.as_ref().ok(), "a field and a policy differ on {text:?}");
    let rest = [
        same_again::<Moment>(text),
        same_again::<Period>(text),
        same_again::<YearEnd>(text),
        one_spelling::<TimeOfDay>(text),
    ];
    Seen::of(day.is_ok() || rest.contains(&true))
}

/// Three lines: a template, a service id, a customer number. A template never widens, and fills in the whole id.
pub fn template(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let mut lines = text.split('\n');
    let template = lines.next().unwrap_or_default();
    let mut id = || lines.next().and_then(|line| line.parse::<ExternalId>().ok());
    let (service, customer) = (id(), id());
    let selector = selector(service.as_ref(), customer.as_ref());
    let Ok(filled) = fill(template, &selector, true) else { return Seen::Refused };
    let id = |by| id_of(&selector, by).unwrap_or_default();
    let by_hand = template.replace("{service}", id(By::Service)).replace("{customer}", id(By::Customer));
    // An id has no brace, so that the order of replacing plays no part.
    assert_eq!(filled, by_hand);
    assert!(!filled.contains('{'), "something is left to fill in: {template:?}");
    assert!(template.contains("{service}") || template.contains("{customer}"), "widened: {template:?}");
    Seen::Read
}
