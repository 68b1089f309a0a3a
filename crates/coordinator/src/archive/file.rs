//! What is in an archive's file: a request's records as they were in the store, packed. Pure; the page is 0041. Refuses what is of
//! another request or another version.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use gallra_model::RequestId;
use gallra_store::{Key, keys};
use serde::{Deserialize, Serialize};

/// The first word in each.
const FORMAT: &str = "gallra-archive/1";
/// Most bytes of a request's records that are put into a file: a thousand restores and thousands of copies fit. What is larger stays
/// in the store.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// Records by their keys.
pub(crate) type Records = BTreeMap<Key, Vec<u8>>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    format: String,
    request: RequestId,
    records: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    key: String,
    value: String,
}

/// Why it is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// Too much, or no text.
    #[error("the record {0} is no text")]
    NoText(Key),
    /// Too much for one file.
    #[error("its records are more than {MOST_BYTES} bytes")]
    TooLarge,
    /// Not packed, or not as a file is.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Another one's.
    #[error("it is of another request, or of another version of this program")]
    Other,
}

fn damaged(why: impl std::fmt::Display) -> FileError {
    FileError::Damaged(why.to_string())
}

/// The bytes of a file.
///
/// # Errors
/// Where the records cannot be in one.
pub(super) fn pack(request: &RequestId, records: &Records) -> Result<Vec<u8>, FileError> {
    let mut content = Content { format: FORMAT.to_owned(), request: *request, records: Vec::new() };
    for (key, value) in records {
        let value = String::from_utf8(value.clone()).map_err(|_| FileError::NoText(key.clone()))?;
        content.records.push(Record { key: key.as_str().to_owned(), value });
    }
    let plain = serde_json::to_vec(&content).map_err(damaged)?;
    if plain.len() as u64 > MOST_BYTES {
        return Err(FileError::TooLarge);
    }
    let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&plain).map_err(damaged)?;
    packer.finish().map_err(damaged)
}

/// The records in a file.
///
/// # Errors
/// Where it is none of this request.
pub(super) fn unpack(request: &RequestId, bytes: &[u8]) -> Result<Records, FileError> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).take(MOST_BYTES + 1).read_to_end(&mut plain).map_err(damaged)?;
    if plain.len() as u64 > MOST_BYTES {
        return Err(FileError::TooLarge);
    }
    // The parser's own words may quote what stands there.
    let content: Content = serde_json::from_slice(&plain).map_err(|why| damaged(format!("{:?}", why.classify())))?;
    if content.format != FORMAT || content.request != *request {
        return Err(FileError::Other);
    }
    let mut records = Records::new();
    for Record { key, value } in content.records {
        let key = Key::parse(&key).map_err(damaged)?;
        if keys::leaving(key.as_str()) != Some(*request) {
            return Err(FileError::Other);
        }
        records.insert(key, value.into_bytes());
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mine() -> RequestId {
        RequestId::from_bytes([7; 16])
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_is_unpacked(values in proptest::collection::vec(".{0,200}", 0..20)) {
            let one = |(number, value): (usize, &String)| {
                (keys::plan(&mine(), u32::try_from(number).expect("small")), value.clone().into_bytes())
            };
            let records: Records = values.iter().enumerate().map(one).collect();
            let bytes = pack(&mine(), &records).expect("packs");
            prop_assert_eq!(unpack(&mine(), &bytes).expect("unpacks"), records);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(unpack(&mine(), &bytes).is_err());
        }
    }

    #[test]
    fn a_file_of_another_request_or_with_another_s_record_is_refused() {
        let other = RequestId::from_bytes([8; 16]);
        let records = Records::from([(keys::plan(&mine(), 1), b"{}".to_vec())]);
        let bytes = pack(&mine(), &records).expect("packs");
        assert!(matches!(unpack(&other, &bytes), Err(FileError::Other)));
        for foreign in [keys::plan(&other, 1), keys::request(&mine()), keys::meta_policy()] {
            let bytes = pack(&mine(), &Records::from([(foreign, b"{}".to_vec())])).expect("packs");
            assert!(matches!(unpack(&mine(), &bytes), Err(FileError::Other)));
        }
    }
}
