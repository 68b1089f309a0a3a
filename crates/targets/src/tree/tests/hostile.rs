//! A tenant who fights back: swaps directories for links, makes files while they go, mounts things; some are even
//! root, so that no permission helps the driver.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rustix::fs::{Mode, OFlags, RenameFlags};

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};

use super::fixture::{Site, portrait};
use crate::driver::Driver;
use crate::testing::{Always, service};

/// Does something over and over until told to stop; says how often.
struct Tenant {
    stop: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Tenant {
    fn new(act: impl Fn(u64) -> bool + Send + 'static) -> Self {
        let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, counted) = (Arc::clone(&stop), Arc::clone(&turns));
        let thread = thread::spawn(move || {
            let mut turn = 0;
            while !told.load(Ordering::Relaxed) {
                turn += 1;
                if act(turn) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        while turns.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        Self { stop, turns, thread: Some(thread) }
    }

    fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("once").join().expect("a tenant ends in order");
        self.turns.load(Ordering::Relaxed)
    }
}

fn open(path: &Path) -> rustix::fd::OwnedFd {
    rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("opens")
}

/// A tree with directories, each beside a link to `outside`, to be swapped for each other.
fn tree_with_links(site: &Site, outside: &Path) -> PathBuf {
    let tree = site.tree("anna");
    for number in 0..PAIRS {
        let dir = tree.join(format!("swap/{number}"));
        fs::create_dir_all(dir.join("sub")).expect("directories");
        fs::write(dir.join("secret"), "x").expect("a file");
        std::os::unix::fs::symlink(outside, tree.join(format!("swap/link-{number}"))).expect("a link");
    }
    tree
}

const PAIRS: u64 = 50;

fn swap(at: &rustix::fd::OwnedFd, below: &str, turn: u64) -> bool {
    let (dir, link) = (format!("{below}{}", turn % PAIRS), format!("{below}link-{}", turn % PAIRS));
    rustix::fs::renameat_with(at, dir.as_str(), at, link.as_str(), RenameFlags::EXCHANGE).is_ok()
}

#[test]
fn swapping_by_path_neither_leads_outside_nor_stops_the_erasure() {
    let site = Site::new();
    let outside = site.outside();
    let before = portrait(&outside);
    for _round in 0..5 {
        let tree = tree_with_links(&site, &outside);
        let instance = site.files().inspect(&service("anna")).expect("inspects").instance;
        let root = open(&site.at(""));
        let tenant = Tenant::new(move |turn| swap(&root, "anna/swap/", turn));
        let done = site.run(Action::Erase, "anna", instance, &mut Always);
        tenant.stop();
        assert_eq!((done.verdict, done.code), (Verdict::Done, None), "{}", done.hint);
        assert!(!tree.exists() && site.in_trash().is_empty());
        assert_eq!(portrait(&outside), before);
    }
}

#[test]
fn swapping_from_inside_as_root_leads_nobody_outside() {
    let site = Site::new();
    let outside = site.outside();
    let before = portrait(&outside);
    let tree = tree_with_links(&site, &outside);
    // The other half of each pair lies where the act cannot remove it, so that no swap is the last one.
    let lures = site.at("").with_file_name("lures");
    fs::create_dir(&lures).expect("a directory");
    for number in 0..PAIRS {
        std::os::unix::fs::symlink(&outside, lures.join(number.to_string())).expect("a link");
    }
    let (inside, lures) = (open(&tree.join("swap")), open(&lures));
    let seen = site.files().inspect(&service("anna")).expect("inspects");
    let tenant = Tenant::new(move |turn| {
        let name = (turn % PAIRS).to_string();
        rustix::fs::renameat_with(&inside, name.as_str(), &lures, name.as_str(), RenameFlags::EXCHANGE).is_ok()
    });
    for _attempt in 0..10 {
        // Its checks never agree under such a tenant, so it is called by itself; its result is only a claim.
        let _ = site.files().erase(&service("anna"), &seen, &mut Always);
        assert_eq!(portrait(&outside), before);
    }
    assert!(tenant.stop() > 0);
    assert_eq!(site.erase("anna").verdict, Verdict::Done);
    assert!(!tree.exists() && site.in_trash().is_empty());
}

/// A tenant's process without rights that stands inside its tree and does `act` over and over; ends when told.
struct Process(Child);

impl Process {
    fn new(inside: &Path, act: &str) -> Self {
        let script = format!("echo ready; n=0; while [ -e /proc/{} ]; do n=$((n+1)); {act}; done", std::process::id());
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .current_dir(inside)
            .uid(65534)
            .gid(65534)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("tests run as root");
        let mut ready = [0; 6];
        child.stdout.as_mut().expect("piped").read_exact(&mut ready).expect("it runs");
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_tenants_process_inside_the_tree_is_shut_out_of_it() {
    let site = Site::new();
    let outside = site.outside();
    fs::create_dir(outside.join("loot")).expect("a directory");
    for path in [&outside.join("loot"), &site.at("")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let before = portrait(&outside);
    for act in [
        ": > new-$n".to_owned(),
        "mkdir -p $n/deep/er".to_owned(),
        format!("mv 1 x; ln -s {} 1; rm 1; mv x 1", outside.display()),
    ] {
        let tree = tree_with_links(&site, &outside);
        own(&tree);
        let instance = site.files().inspect(&service("anna")).expect("inspects").instance;
        let tenant = Process::new(&tree.join("swap"), &act);
        let done = site.run(Action::Erase, "anna", instance, &mut Always);
        drop(tenant);
        assert_eq!((done.verdict, done.code), (Verdict::Done, None), "{act}: {}", done.hint);
        assert!(!tree.exists() && site.in_trash().is_empty());
        assert_eq!(portrait(&outside), before);
    }
}

/// Gives a tree to the tenant.
fn own(path: &Path) {
    std::os::unix::fs::lchown(path, Some(65534), Some(65534)).expect("tests run as root");
    if fs::symlink_metadata(path).expect("it is there").is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            own(&entry.expect("an entry").path());
        }
    }
}

#[test]
fn files_made_during_the_deletion_go_too() {
    let site = Site::new();
    let tree = site.tree("anna");
    for number in 0..500 {
        fs::write(tree.join(format!("web/{number}")), "x").expect("a file");
    }
    let seen = site.files().inspect(&service("anna")).expect("inspects");
    let web = open(&tree.join("web"));
    let tenant = Tenant::new(move |turn| {
        let how = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&web, format!("new-{}", turn % 100), how, Mode::RWXU).is_ok();
        thread::yield_now();
        made
    });
    // A tenant that is root may outrun the act; it may never make it claim what is not so.
    let acted = site.files().erase(&service("anna"), &seen, &mut Always);
    assert!(tenant.stop() > 0);
    if acted.is_ok() {
        assert!(site.in_trash().is_empty());
    }
    assert_eq!(site.erase("anna").verdict, Verdict::Done);
    assert!(!tree.exists() && site.in_trash().is_empty());
}

/// Unmounts at the end, also of a test that fails.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn mount_points_are_never_crossed() {
    let site = Site::new();
    let outside = site.outside();
    let before = portrait(&outside);
    let tree = site.tree("anna");
    for (place, what) in
        [("web/css", outside.clone()), ("logs/access.log", outside.join("secret")), ("", outside.clone())]
    {
        let place = if place.is_empty() { tree.clone() } else { tree.join(place) };
        let mounted = Command::new("mount").arg("--bind").arg(&what).arg(&place).status();
        if !mounted.is_ok_and(|status| status.success()) {
            return; // Not permitted in this place.
        }
        let mount = Mounted(&place);
        let seen = site.inspect("anna");
        assert_eq!((seen.verdict, seen.code), (Verdict::Failed, Some(Code::Target)));
        assert!(seen.hint.contains("mount point"), "{}", seen.hint);
        assert_eq!(site.erase("anna").verdict, Verdict::Failed);
        drop(mount);
        assert_eq!(portrait(&outside), before);
    }
    assert_eq!(site.erase("anna").counts.erased, 8);
}

#[test]
fn a_mount_made_after_the_look_stops_the_act() {
    let site = Site::new();
    let tree = site.tree("anna");
    let outside = site.outside();
    let before = portrait(&outside);
    let seen = site.files().inspect(&service("anna")).expect("inspects");
    let place = tree.join("web/css");
    let mounted = Command::new("mount").arg("--bind").arg(&outside).arg(&place).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return; // Not permitted in this place.
    }
    let stopped = site.files().erase(&service("anna"), &seen, &mut Always);
    let trash = site.in_trash();
    let moved = trash.first().map(|entry| entry.join("tree/web/css")).unwrap_or(place);
    drop(Mounted(&moved));
    assert_eq!(stopped.expect_err("a mount").code, Code::Target);
    assert_eq!(portrait(&outside), before);
    assert_eq!(site.erase("anna").verdict, Verdict::Done);
}
