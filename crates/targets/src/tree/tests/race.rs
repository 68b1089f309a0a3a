//! The long race: a process of another user fights one erasure after the other for half a minute, from inside its tree
//! and by path. Owns that process (this test program, started again as user 65534) and what is asserted after every
//! round: nothing outside was touched, and the tree is gone. `GALLRA_RACE_SECONDS` makes it longer.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use gallra_model::digest::Digest;
use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};

use super::fixture::{Site, portrait};
use crate::driver::Driver as _;
use crate::testing::{Always, service};

/// What the test takes without `GALLRA_RACE_SECONDS`.
const SECONDS: u64 = 30;
/// The tenant.
const UID: u32 = 65534;
/// Pairs of a directory and something to swap it for; directories to move out.
const PAIRS: u64 = 40;
/// Rounds in which no link leads to the real `/etc`.
const DECOYS: u64 = 5;
/// Attempts within which a round must end: one is what is seen, and a coordinator tries more often than this.
const ATTEMPTS: u32 = 5;
/// Tells the started program what it is, and where its tree lies.
const ROLE: &str = "GALLRA_TEST_TENANT";
/// What the tenant's files say.
const OWN: &str = "the tenant's own";
/// In the shared directory: the tenant ends when it sees it.
const STOP: &str = "stop";

/// Everything that a round plays on.
struct Ground {
    site: Site,
    outside: PathBuf,
    shared: PathBuf,
}

impl Ground {
    fn new() -> Self {
        let site = Site::new();
        let outside = site.outside();
        let shared = site.at("").with_file_name("shared");
        fs::create_dir(&shared).expect("a directory");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).expect("like /tmp");
        fs::set_permissions(site.at(""), fs::Permissions::from_mode(0o755)).expect("tenants may enter");
        site.tree("berit");
        Self { site, outside, shared }
    }

    /// Everybody else's data near by.
    fn bystanders(&self) -> Digest {
        let [outside, berit] = [self.outside.as_path(), &self.site.at("berit")].map(portrait);
        Digest::of_parts(&[outside.as_bytes(), berit.as_bytes()])
    }

    /// A fresh tree of the tenant's. The first ones lead to decoys only, so that a driver that can be led astray is found
    /// out before it comes near the real `/etc`.
    fn plant(&self, round: u64) -> PathBuf {
        let tree = self.site.tree("anna");
        let deep = PathBuf::from(["a-name-of-forty-bytes-to-make-paths-long-"; 20].join("/"));
        let etc = if round < DECOYS { self.outside.clone() } else { "/etc".into() };
        let victims = [self.outside.clone(), self.site.at("berit"), etc.join("hostname"), etc];
        for (number, victim) in (0..PAIRS).zip(victims.iter().cycle()) {
            let dir = tree.join(format!("swap/{number}"));
            fs::create_dir_all(dir.join("sub")).expect("directories");
            fs::write(dir.join("secret"), "x").expect("a file");
            let beside = tree.join(format!("swap/for-{number}"));
            match number % 5 {
                4 => rustix::fs::mknodat(CWD, &beside, rustix::fs::FileType::Fifo, Mode::RWXU, 0).expect("a pipe"),
                _ => std::os::unix::fs::symlink(victim, &beside).expect("a link"),
            }
            // The same again, with the other half where the act cannot remove it.
            fs::create_dir_all(tree.join(format!("lure/{number}/sub"))).expect("directories");
            fs::write(tree.join(format!("lure/{number}/data")), OWN).expect("a file");
            std::os::unix::fs::symlink(victim, self.shared.join(format!("lure-{number}"))).expect("a link");
            own(&self.shared.join(format!("lure-{number}")));
            let loot = tree.join(format!("move/{number}/loot"));
            fs::create_dir_all(&loot).expect("directories");
            fs::write(loot.join("data"), OWN).expect("a file");
        }
        for number in 0..3 {
            fs::create_dir_all(tree.join("deep").join(&deep).join(format!("{number}"))).expect("directories");
            rustix::fs::mknodat(
                CWD,
                tree.join("deep").join(&deep).join(format!("for-{number}")),
                rustix::fs::FileType::Fifo,
                Mode::RWXU,
                0,
            )
            .expect("a pipe");
        }
        own(&tree);
        tree
    }
}

/// Gives a tree to the tenant.
fn own(path: &Path) {
    std::os::unix::fs::lchown(path, Some(UID), Some(UID)).expect("run this test as root: a tenant is another user");
    if fs::symlink_metadata(path).expect("it is there").is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            own(&entry.expect("an entry").path());
        }
    }
}

/// The tenant's process.
struct Tenant {
    child: Child,
    says: BufReader<std::process::ChildStdout>,
    shared: PathBuf,
}

impl Tenant {
    fn start(tree: &Path, shared: &Path) -> Self {
        let role = format!("{}\n{}", tree.display(), shared.display());
        let mut child = Command::new("/proc/self/exe")
            .args(["--exact", "tree::tests::race::the_tenant", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .uid(UID)
            .gid(UID)
            .current_dir(tree)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("run this test as root: a tenant is another user");
        let says = BufReader::new(child.stdout.take().expect("piped"));
        let mut tenant = Self { child, says, shared: shared.to_owned() };
        tenant.hear("ready");
        tenant
    }

    /// The rest of the next line that begins with a word.
    fn hear(&mut self, word: &str) -> String {
        let mut line = String::new();
        while self.says.read_line(&mut line).expect("text") > 0 {
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the tenant's process ended before it said {word}")
    }

    /// Ends it; says how often it swapped, moved and made.
    fn stop(mut self) -> [u64; 3] {
        fs::write(self.shared.join(STOP), "").expect("a file");
        let said = self.hear("turns");
        self.child.wait().expect("ends");
        fs::remove_file(self.shared.join(STOP)).expect("removes");
        let mut numbers = said.split(' ').map(|number| number.parse().expect("a number"));
        std::array::from_fn(|_| numbers.next().expect("three numbers"))
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// No test by itself: what the tenant's process runs.
#[test]
fn the_tenant() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (tree, shared) = role.split_once('\n').expect("two paths");
    let (tree, shared) = (Path::new(tree), Path::new(shared));
    assert_eq!(rustix::process::geteuid().as_raw(), UID, "only as another user");
    let [swapped, moved, made] = [const { AtomicU64::new(0) }; 3];
    let parent = rustix::process::getppid();
    let stopped = || shared.join(STOP).exists() || rustix::process::getppid() != parent;
    let turn = |act: &dyn Fn(u64) -> bool, count: &AtomicU64| {
        for turn in 0.. {
            count.fetch_add(u64::from(act(turn)), Ordering::Relaxed);
            if turn.is_multiple_of(64) && stopped() {
                return;
            }
        }
    };
    let [inside, below, lure] = ["swap", "move", "lure"].map(|name| open(&tree.join(name)));
    let deep = open(&walk_down(&tree.join("deep")));
    thread::scope(|scope| {
        scope.spawn(|| turn(&|turn| swap(&inside, &deep, (&lure, shared), tree, turn), &swapped));
        scope.spawn(|| turn(&|turn| carry(&below, tree, shared, turn), &moved));
        while [&swapped, &moved].iter().any(|count| count.load(Ordering::Relaxed) == 0) {
            thread::yield_now();
        }
        say("ready");
        turn(&|turn| make(&inside, tree, turn), &made);
    });
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    say(&format!("turns {} {} {}", count(&swapped), count(&moved), count(&made)));
}

#[expect(clippy::print_stdout, reason = "how the tenant's process speaks to the test that started it")]
fn say(text: &str) {
    println!("\n{text}");
}

fn open(path: &Path) -> OwnedFd {
    rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("opens")
}

/// The last directory of a chain that has several below it.
fn walk_down(from: &Path) -> PathBuf {
    let mut at = from.to_owned();
    loop {
        let below: Vec<_> =
            fs::read_dir(&at).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
        match below.as_slice() {
            [only] => at = only.clone(),
            _ => return at,
        }
    }
}

/// Swaps a directory for a link or a pipe, by held descriptor and by path in turn.
fn swap(inside: &OwnedFd, deep: &OwnedFd, (lure, shared): (&OwnedFd, &Path), tree: &Path, turn: u64) -> bool {
    let exchange = |at: &OwnedFd, number: u64| {
        rustix::fs::renameat_with(at, number.to_string(), at, format!("for-{number}"), RenameFlags::EXCHANGE).is_ok()
    };
    let number = turn % PAIRS;
    match turn % 7 {
        0 => exchange(inside, number),
        1 => exchange(deep, turn % 3),
        2..6 => {
            let other = shared.join(format!("lure-{number}"));
            rustix::fs::renameat_with(lure, number.to_string(), CWD, &other, RenameFlags::EXCHANGE).is_ok()
        }
        _ => {
            let (one, other) = (tree.join(format!("swap/{number}")), tree.join(format!("swap/for-{number}")));
            rustix::fs::renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).is_ok()
        }
    }
}

/// Moves data out of the tree and back.
fn carry(below: &OwnedFd, tree: &Path, shared: &Path, turn: u64) -> bool {
    let (number, out) = (turn / 2 % PAIRS, shared.join(format!("loot-{}", turn / 2 % PAIRS)));
    let at = format!("{number}/loot");
    if turn.is_multiple_of(2) {
        rustix::fs::renameat(below, &at, CWD, &out).is_ok()
    } else if turn % 4 == 1 {
        rustix::fs::renameat(CWD, &out, below, &at).is_ok()
    } else {
        fs::rename(&out, tree.join("move").join(&at)).is_ok()
    }
}

/// Makes files and directories.
fn make(inside: &OwnedFd, tree: &Path, turn: u64) -> bool {
    let name = format!("new-{}", turn % 5000);
    let how = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    if turn.is_multiple_of(2) {
        rustix::fs::openat(inside, format!("{}/{name}", turn % PAIRS), how, Mode::RWXU).is_ok()
    } else {
        fs::create_dir(tree.join("web").join(name)).is_ok()
    }
}

/// One fresh tree, one tenant, attempts until it is gone. Says how many it took and what the tenant did.
fn round(ground: &Ground, number: u64) -> (u32, [u64; 3]) {
    let tree = ground.plant(number);
    let before = ground.bystanders();
    let seen = ground.site.files().inspect(&service("anna")).expect("it is quiet yet");
    let untouched = || assert!(ground.bystanders() == before, "somebody else's data was touched");
    let tenant = Tenant::start(&tree, &ground.shared);
    if number.is_multiple_of(2) {
        // The act alone, without the looks that would have the tenant shut out first: it has to stand by itself.
        let acted = ground.site.files().erase(&service("anna"), &seen, &mut Always);
        untouched();
        assert!(acted.as_ref().is_ok_and(|gone| gone.erased > 0), "{acted:?}");
    }
    let mut attempts = 0;
    let done = loop {
        attempts += 1;
        let done = ground.site.run(Action::Erase, "anna", seen.instance, &mut Always);
        untouched();
        let known = matches!(done.code, None | Some(Code::Target | Code::CheckBlind | Code::StillThere));
        assert!(known, "{:?}: {}", done.code, done.hint);
        if done.verdict == Verdict::Done {
            break done;
        }
        assert!(attempts < ATTEMPTS, "the tenant kept its tree through {attempts} attempts: {}", done.hint);
    };
    let turns = tenant.stop();
    assert!(done.checks.iter().all(|check| check.ok) && done.counts.settles());
    assert!(fs::symlink_metadata(&tree).is_err() && ground.site.in_trash().is_empty(), "the tree is gone");
    untouched();
    take_loot(&ground.shared);
    (attempts, turns)
}

/// What the tenant moved out in time is its own, out of the tree, and untouched; the next round begins without it.
fn take_loot(shared: &Path) {
    for entry in fs::read_dir(shared).expect("a directory") {
        let loot = entry.expect("an entry").path();
        assert_eq!(fs::symlink_metadata(&loot).expect("it is there").uid(), UID);
        if loot.is_symlink() {
            fs::remove_file(loot).expect("removes");
            continue;
        }
        assert_eq!(fs::read(loot.join("data")).expect("whole"), OWN.as_bytes());
        fs::remove_dir_all(loot).expect("removes");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the race goes on is real time, and no decision hangs on it")]
fn a_tenant_who_fights_for_half_a_minute_loses_its_tree_and_nothing_else_is_touched() {
    assert!(rustix::process::geteuid().is_root(), "run this test as root: a tenant is another user");
    let seconds = std::env::var("GALLRA_RACE_SECONDS").map_or(SECONDS, |text| text.parse().expect("seconds"));
    let etc = portrait(Path::new("/etc"));
    let ground = Ground::new();
    let (began, mut rounds, mut most, mut turns) = (Instant::now(), 0, 0, [0; 3]);
    while began.elapsed() < Duration::from_secs(seconds) {
        let (attempts, turned) = round(&ground, rounds);
        (rounds, most) = (rounds + 1, most.max(attempts));
        turns = std::array::from_fn(|at| turns[at] + turned[at]);
    }
    assert!(portrait(Path::new("/etc")) == etc, "/etc was touched");
    assert!(rounds > DECOYS && turns.iter().all(|&turns| turns > rounds), "the tenant did not fight: {turns:?}");
    say(&format!("{rounds} rounds, at most {most} attempts each; swapped, moved, made: {turns:?}"));
}
