//! The property that most formats share: what is read is written, and that is read as the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::quiet::says_nothing_of;

/// A text type with exactly one spelling: what is read is written byte for byte the same.
pub(crate) fn one_spelling<T>(text: &str) -> bool
where
    T: FromStr + ToString,
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(value) => {
            assert_eq!(value.to_string(), text, "a second spelling of {}", std::any::type_name::<T>());
            true
        }
        Err(refusal) => {
            says_nothing_of(text.as_bytes(), &refusal.to_string());
            false
        }
    }
}

/// A text type with several spellings: what is read and written is read as the same.
pub(crate) fn same_again<T>(text: &str) -> bool
where
    T: FromStr + ToString + PartialEq + Debug,
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            let again = written.parse::<T>().unwrap_or_else(|refusal| panic!("{written:?} is refused: {refusal}"));
            assert_eq!(again, value, "{text:?} is written as {written:?}");
            true
        }
        Err(refusal) => {
            says_nothing_of(text.as_bytes(), &refusal.to_string());
            false
        }
    }
}

/// JSON: what is read and written is read as the same, and written as the same.
pub(crate) fn same_json<T>(bytes: &[u8]) -> Option<T>
where
    T: Serialize + DeserializeOwned,
{
    let value: T = serde_json::from_slice(bytes).ok()?;
    let kind = std::any::type_name::<T>();
    let written = serde_json::to_vec(&value).unwrap_or_else(|why| panic!("{kind} is read and not written: {why}"));
    let again: T = serde_json::from_slice(&written)
        .unwrap_or_else(|why| panic!("{kind} is not read again ({why}): {}", String::from_utf8_lossy(&written)));
    let twice = serde_json::to_vec(&again).unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&twice), "{kind}");
    Some(value)
}
