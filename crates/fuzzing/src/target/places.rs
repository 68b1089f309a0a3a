//! What drivers read of a host: the mapping of a database, the path of a tree, the beginning of a mail.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use gallra_targets::{files, fuzzing, sql};

use super::{selector, text};
use crate::Seen;

/// Longest table or column name that a database takes whole.
const NAME_BYTES: usize = 63;

/// A `[target.sql]` section: every name that gets into SQL is a plain identifier.
pub fn sql_mapping(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let Ok(config) = toml::from_str::<sql::Config>(text) else { return Seen::Refused };
    if sql::Sql::open(&config).is_err() {
        return Seen::Refused;
    }
    let plain = |name: &str| {
        let known = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        known && (1..=NAME_BYTES).contains(&name.len()) && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    for table in &config.table {
        let names = [Some(&table.table), table.key.as_ref(), table.id.as_ref(), table.time_column.as_ref()];
        let via = table.via.iter().flat_map(|via| [&via.table, &via.key, &via.foreign]);
        let all = names.into_iter().flatten().chain(&table.columns).chain(via);
        assert!(all.into_iter().all(|name| plain(name)), "a name that is none, of table {:?}", table.table);
        assert!(table.key.is_some() != table.via.is_some(), "found by nothing, or by two things");
    }
    assert!(config.shared.iter().all(|name| plain(name)) && plain(&config.sentinel.table));
    Seen::Read
}

/// Four lines: template, sentinel, trash, id. A path that is taken stays beneath the root, and apart from what is ours.
pub fn files_path(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let mut lines = text.split('\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    let (path, sentinel, trash) = (line(), line(), line());
    let id = line().parse().ok();
    let hard_links = files::HardLinks::Keep;
    let config = files::Config { root: "/srv/www".into(), path, sentinel, trash, hard_links };
    if files::Files::open(&config).is_err() {
        return Seen::Refused;
    }
    let selector = selector(id.as_ref(), id.as_ref());
    let Some((above, last)) = fuzzing::tree_name(&config, &selector) else { return Seen::Refused };
    let place = Path::new(&above).join(&last);
    let down = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    assert!(place.components().all(down) && !last.is_empty() && !last.contains('/'), "leads elsewhere");
    assert!(!["", ".", ".."].contains(&last.as_str()), "not a name of its own");
    let is_above = |ours: &str| Path::new(ours).starts_with(place.strip_prefix(".").unwrap_or(&place));
    assert!(!is_above(&config.sentinel) && !is_above(&config.trash), "what is ours would go with the subject's");
    assert!(!place.starts_with(&config.trash), "the subject's would be where ours is");
    Seen::Read
}

/// The beginning of a mail file, or its path. A Message-ID is searched for later: it stands in the mail, is long enough
/// not to be found by chance, and is one line.
pub fn mail_head(bytes: &[u8]) -> Seen {
    let folders: Vec<&[u8]> = bytes.split(|byte| *byte == b'/').collect();
    let is_mail = fuzzing::is_mail(Path::new(OsStr::from_bytes(bytes)));
    let holds = |folder: &[u8]| matches!(folder, b"cur" | b"new" | b"tmp");
    assert!(!is_mail || folders.iter().any(|folder| holds(folder)), "a mail in no folder of mails");
    let Some(id) = fuzzing::message_id(bytes) else { return Seen::of(is_mail) };
    assert!((12..=512).contains(&id.len()) && !id.contains(&b'\n'));
    assert!(bytes.windows(id.len()).any(|part| part == id), "an id that stands nowhere");
    Seen::Read
}
