//! The store's keys, and the key files beside it.

use gallra_store::keys::{Family, hold_change, hold_expiry, job, ready, subject_key, timer};
use gallra_store::keys::{
    parse_hold_change, parse_hold_expiry, parse_job, parse_ready, parse_subject_key, parse_timer,
};
use gallra_store::{Key, KeyPrefix, keyring};

use super::text;
use crate::Seen;
use crate::quiet::says_nothing_of;

/// A key as the engine gives it back, or as a caller's page token brings it.
pub fn key(bytes: &[u8]) -> Seen {
    let key = match Key::from_bytes(bytes) {
        Ok(key) => key,
        Err(refusal) => {
            says_nothing_of(bytes, &refusal.to_string());
            return Seen::Refused;
        }
    };
    assert_eq!(key.as_bytes(), bytes);
    let family = Family::of(&key);
    assert_eq!(Family::ALL.iter().filter(|family| family.prefix().covers(&key)).count(), usize::from(family.is_some()));
    // What a key is taken apart into makes the same key again, so that an entry is found where it was seen.
    let again = [
        parse_timer(&key).map(|(at, request)| timer(at, &request)),
        parse_ready(&key).map(|(agent, due, id)| ready(&agent, due, &id)),
        parse_job(&key).map(|(request, id)| job(&request, &id)),
        parse_subject_key(&key).map(|(epoch, subject)| subject_key(epoch, &subject)),
        parse_hold_expiry(&key).map(|(at, hold)| hold_expiry(at, &hold)),
        parse_hold_change(&key).map(|hold| hold_change(&hold)),
    ];
    for made in again.into_iter().flatten() {
        assert_eq!(made, key);
    }
    if let Ok(prefix) = KeyPrefix::parse(key.as_str()) {
        let range = prefix.range();
        assert!(range.start() < range.end() && prefix.as_str() == key.as_str());
    }
    Seen::of(family.is_some())
}

/// A key file of the coordinator, of an epoch, a month, pseudonyms or closed references: whole, in its one form, or refused.
pub fn key_file(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let keys = keyring::reads_key_file(text);
    let written = keys.iter().zip(text.split('\n').skip(1)).map(|(key, line)| {
        let secret = line.get(key.len() + 1..).unwrap_or_default();
        // In capitals too: somebody may have typed it off a sheet in a safe.
        assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "no secret");
        format!("{key} {secret}\n")
    });
    let written = std::iter::once("gallra key file 1\n".to_owned()).chain(written).collect::<String>();
    assert!(keys.is_empty() || written == text, "read in another form: {} bytes", text.len());
    assert!(keys.len() == 1 || keys.is_empty() || keys == ["wrap", "index"], "of two kinds: {keys:?}");
    Seen::of(!keys.is_empty())
}
