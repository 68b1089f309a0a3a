//! A root with a sentinel and customers' trees, and portraits of trees: everything about them in one digest.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use gallra_model::digest::Digest;
use gallra_model::job::Action;
use gallra_model::target::Instance;

use crate::attempt::{self, Report};
use crate::driver::{Boundary, Driver};
use crate::files::Files;
use crate::testing::{Always, job, now, service};
use crate::tree::{Config, HardLinks};

/// A root directory, removed with everything in it at the end.
pub(crate) struct Site {
    dir: TempDir,
    pub(crate) config: Config,
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("tenants may enter");
        let root = dir.path().join("root");
        fs::create_dir(&root).expect("root");
        fs::write(root.join(".gallra-sentinel"), "").expect("sentinel");
        let config = Config {
            root,
            path: "{service}".to_owned(),
            sentinel: ".gallra-sentinel".to_owned(),
            trash: ".gallra-trash".to_owned(),
            hard_links: HardLinks::Keep,
        };
        Self { dir, config }
    }

    /// A directory outside of the root, on the same file system.
    pub(crate) fn outside(&self) -> PathBuf {
        let outside = self.dir.path().join("outside");
        fs::create_dir_all(outside.join("sub")).expect("outside");
        fs::write(outside.join("secret"), "somebody else's").expect("a file");
        fs::write(outside.join("sub/more"), "somebody else's too").expect("a file");
        outside
    }

    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.config.root.join(path)
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.at(&self.config.trash)
    }

    /// What lies in the trash.
    pub(crate) fn in_trash(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.trash()) else { return Vec::new() };
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    /// A customer's tree: eight entries.
    pub(crate) fn tree(&self, id: &str) -> PathBuf {
        let top = self.at(id);
        fs::create_dir_all(top.join("web/css")).expect("directories");
        fs::create_dir_all(top.join("logs")).expect("directories");
        fs::write(top.join("web/index.html"), format!("<h1>{id}</h1>")).expect("a file");
        fs::write(top.join("web/css/a.css"), "h1 {}").expect("a file");
        fs::write(top.join("logs/access.log"), "GET /\n").expect("a file");
        std::os::unix::fs::symlink("web/index.html", top.join("start")).expect("a link");
        top
    }

    pub(crate) fn files(&self) -> Files {
        Files::open(&self.config).expect("a good config")
    }

    /// Inspects; the instance that a coordinator would put into the next job.
    pub(crate) fn inspect(&self, id: &str) -> Report {
        attempt::run(&self.files(), &job(Action::Inspect, &service(id), None), now(), &mut Always)
    }

    /// Runs one action on one instance.
    pub(crate) fn run(
        &self,
        action: Action,
        id: &str,
        instance: Option<Instance>,
        boundary: &mut dyn Boundary,
    ) -> Report {
        attempt::run(&self.files(), &job(action, &service(id), instance), now(), boundary)
    }

    /// Inspects and erases.
    pub(crate) fn erase(&self, id: &str) -> Report {
        let driver: &dyn Driver = &self.files();
        crate::testing::inspect_then(driver, Action::Erase, &service(id))
    }
}

/// Everything about a tree: names, kinds, modes, owners, times, link targets, contents.
pub(crate) fn portrait(path: &Path) -> Digest {
    let is = fs::symlink_metadata(path).expect("it is there");
    let mut parts: Vec<Vec<u8>> = vec![path.as_os_str().as_bytes().to_vec()];
    let numbers = [is.ino(), is.mode().into(), is.uid().into(), is.gid().into(), is.nlink()];
    parts.extend(numbers.iter().map(|number| number.to_le_bytes().to_vec()));
    parts.push(format!("{}.{}", is.mtime(), is.mtime_nsec()).into_bytes());
    if is.is_symlink() {
        parts.push(fs::read_link(path).expect("a link").as_os_str().as_bytes().to_vec());
    } else if is.is_file() {
        parts.push(fs::read(path).expect("a file"));
    } else if is.is_dir() {
        let mut below: Vec<_> = fs::read_dir(path).expect("a directory").map(|e| e.expect("an entry").path()).collect();
        below.sort();
        parts.extend(below.iter().map(|path| portrait(path).as_bytes().to_vec()));
    }
    Digest::of_parts(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// A name of any bytes.
pub(crate) fn bytes(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}
