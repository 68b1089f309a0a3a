//! A directory of logs, and ways to look at it that share no code with the driver.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gallra_model::selector::{AddressUse, Selector};

use crate::access_log::{AccessLog, Act, Config, Format, SubjectBy};

pub(super) struct Logs {
    pub(super) dir: tempfile::TempDir,
    pub(super) config: Config,
}

/// A line as Apache's vhost_combined writes it, at 13:`minute` UTC on 1 March 2026.
pub(super) fn visit(host: &str, address: &str, minute: u32) -> String {
    format!(
        "{host}:443 {address} - - [01/Mar/2026:13:{minute:02}:00 +0000] \"GET /{minute} HTTP/1.1\" 200 17 \
         \"https://anna.example/\" \"curl 192.0.2.1 anna.example:443\"\n"
    )
}

impl Logs {
    pub(super) fn by_host() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = Config {
            root: dir.path().to_owned(),
            logs: vec!["access.log".into()],
            format: Format::VhostCombined,
            subject_by: SubjectBy::Host,
            hosts: vec!["{service}".into(), "www.{service}".into()],
            act: Act::Erase,
            writer: None,
            ignore: vec![],
            youngest_purge_age: None,
            youngest_purge_age_days: Some(30),
        };
        Self { dir, config }
    }

    pub(super) fn by_address() -> Self {
        let logs = Self::by_host();
        let config = Config { subject_by: SubjectBy::Address, hosts: vec![], ..logs.config };
        Self { config, ..logs }
    }

    pub(super) fn driver(&self) -> AccessLog {
        AccessLog::open(&self.config).expect("good keys")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, packed as its name says; gzip in two members.
    pub(super) fn write(&self, name: &str, lines: &str) {
        std::fs::write(self.path(name), packed(name, lines)).expect("writes");
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o640)).expect("a mode");
    }

    pub(super) fn read(&self, name: &str) -> String {
        unpacked(&self.path(name))
    }

    pub(super) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).expect("lists");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    }

    /// Every line of every file, and how often it is there.
    pub(super) fn lines(&self) -> BTreeMap<String, u32> {
        let mut lines = BTreeMap::new();
        for name in self.names().iter().filter(|name| name.contains("access.log")) {
            for line in self.read(name).lines() {
                *lines.entry(line.to_owned()).or_default() += 1;
            }
        }
        lines
    }

    pub(super) fn inode(&self, name: &str) -> u64 {
        self.path(name).metadata().expect("is there").ino()
    }
}

pub(super) fn packed(name: &str, lines: &str) -> Vec<u8> {
    if name.ends_with(".gz") {
        let half = lines.len() / 2;
        return [&lines.as_bytes()[..half], &lines.as_bytes()[half..]].concat_with(|part| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(part).expect("packs");
            packer.finish().expect("packs")
        });
    }
    if name.ends_with(".zst") { zstd::encode_all(lines.as_bytes(), 1).expect("packs") } else { lines.into() }
}

trait ConcatWith {
    fn concat_with(&self, pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8>;
}

impl ConcatWith for [&[u8]; 2] {
    fn concat_with(&self, pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        self.iter().flat_map(|part| pack(part)).collect()
    }
}

pub(super) fn unpacked(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("reads");
    let mut text = String::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("whole");
        }
        Some("zst") => text = String::from_utf8(zstd::decode_all(bytes.as_slice()).expect("whole")).expect("text"),
        _ => text = String::from_utf8(bytes).expect("text"),
    }
    text
}

/// A subject by address, from 13:10 to 13:20 on 1 March 2026.
pub(super) fn addresses(addresses: &[&str]) -> Selector {
    let one = |address: &&str| AddressUse {
        address: address.parse().expect("a literal"),
        from: "2026-03-01T13:10:00Z".parse().expect("a literal"),
        until: Some("2026-03-01T13:20:00Z".parse().expect("a literal")),
    };
    Selector { addresses: addresses.iter().map(one).collect(), ..Selector::default() }
}
