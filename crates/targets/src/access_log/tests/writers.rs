//! A real nginx and a real Apache that write while we act, and visitors who do not wait: each visit's line is there
//! exactly once afterwards, unless it was the subject's.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gallra_model::job::Action;
use gallra_model::receipt::{Code, Verdict};

use super::fixture::Logs;
use crate::access_log::Writer;
use crate::attempt;
use crate::driver::Boundary;
use crate::testing::{Always, inspect_then, job, now, service};

/// Visitors at once.
const VISITORS: u64 = 4;
/// Visits that must be made before, during and after the act: enough that some of them meet each step of it.
const VISITS: u64 = 400;
/// Longest wait for a server or an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is stopped by its number when the test ends, whichever way.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Asked first, so that it ends its children too.
        if let Ok(None) = self.0.try_wait() {
            let pid = rustix::process::Pid::from_child(&self.0);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

impl Server {
    /// Asks it to end, and waits until it has written all that it has to write.
    fn end(mut self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).expect("signals");
        self.0.wait().expect("ends");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Waits until the server answers.
fn answers(address: SocketAddr) {
    for _ in 0..2000 {
        if TcpStream::connect_timeout(&address, PATIENCE).is_ok() {
            return;
        }
        // Refused at once while it is not there: let it run.
        std::thread::yield_now();
        let _ = Command::new("true").status();
    }
    panic!("the server does not answer");
}

/// One visit on a connection of its own; its number is in the path.
fn visit(address: SocketAddr, host: &str, number: u64) {
    let mut stream = connect(address);
    let asked = format!("GET /v{number}v HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).expect("asks");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1"), "an answer");
}

fn is_subjects(number: u64) -> bool {
    number.is_multiple_of(3)
}

/// Tells the visitors that it is over, also when the act fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Visits from several threads while `act` runs; then once more so many. Returns how many visits there were before it
/// began, and in all.
fn visited_during(address: SocketAddr, act: impl FnOnce()) -> (u64, u64) {
    let (next, done, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let failed = AtomicBool::new(false);
    let until = |wanted: u64| {
        while done.load(Ordering::SeqCst) < wanted {
            assert!(!failed.load(Ordering::SeqCst), "a visit failed");
            std::thread::yield_now();
        }
    };
    let began = std::thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| {
                // Taken back when every visit was answered.
                let unanswered = Over(&failed);
                while !over.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let host = if is_subjects(number) { "anna.example" } else { "other.example" };
                    visit(address, host, number);
                    done.fetch_add(1, Ordering::SeqCst);
                }
                std::mem::forget(unanswered);
            });
        }
        let over = Over(&over);
        until(VISITS);
        let began = done.load(Ordering::SeqCst);
        act();
        until(done.load(Ordering::SeqCst) + VISITS);
        drop(over);
        began
    });
    (began, next.load(Ordering::SeqCst))
}

/// How often each visit's line is in the logs.
fn logged(logs: &Logs) -> BTreeMap<u64, u32> {
    let mut visits = BTreeMap::new();
    for (line, times) in logs.lines() {
        let number = line.split_once("/v").and_then(|(_, rest)| rest.split_once("v ")).expect("a visit").0;
        *visits.entry(number.parse().expect("a number")).or_default() += times;
    }
    visits
}

fn each_line_once(logs: &Logs, began: u64, visits: u64) {
    let logged = logged(logs);
    let of_others = (0..visits).filter(|number| !is_subjects(*number));
    let wrong: Vec<u64> = of_others.filter(|number| logged.get(number) != Some(&1)).collect();
    assert!(wrong.is_empty(), "visits lost or doubled: {wrong:?} of {visits}; {:?}", logs.names());
    // Visitors were at most one visit each ahead of their count, and a line is written after the answer.
    let old = (0..began.saturating_sub(2 * VISITORS)).filter(|number| is_subjects(*number));
    let left: Vec<u64> = old.filter(|number| logged.contains_key(number)).collect();
    assert!(left.is_empty(), "the subject's visits from before are still there: {left:?}");
    assert!(logged.values().all(|times| *times == 1), "no line is there twice");
}

fn acts(logs: &Logs) {
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Done, None), "{}: {:?}", report.hint, report.checks);
    assert!(report.counts.erased > VISITS / 4, "{:?}", report.counts);
}

fn nginx(directory: &Path, port: u16) -> Server {
    let at = directory.display();
    let config = format!(
        "daemon off; user root; worker_processes 2; pid {at}/server.pid; error_log {at}/error.txt;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
         log_format v '$host:$server_port $remote_addr - $remote_user [$time_local] \"$request\" $status';\n\
         access_log {at}/access.log v;\n\
         client_body_temp_path {at}/t1; proxy_temp_path {at}/t2; fastcgi_temp_path {at}/t3;\n\
         uwsgi_temp_path {at}/t4; scgi_temp_path {at}/t5;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}\n\
         }}\n"
    );
    let path = directory.join("nginx.conf");
    std::fs::write(&path, config).expect("writes");
    let mut nginx = Command::new("nginx");
    nginx.arg("-c").arg(&path).arg("-e").arg(directory.join("error.txt"));
    Server(nginx.spawn().expect("nginx is installed: ./dev installs nginx-light"))
}

#[test]
fn i11_no_line_is_lost_under_a_writing_nginx() {
    let mut logs = Logs::by_host();
    logs.config.writer = Some(Writer { pid_file: logs.path("server.pid"), reopen_seconds: 20 });
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let server = nginx(logs.dir.path(), port);
    answers(address);
    // Three times: without a rotated log, with one, and with a packed one.
    let (began, visits) = visited_during(address, || {
        for _ in 0..2 {
            acts(&logs);
        }
    });
    server.end(rustix::process::Signal::QUIT);
    each_line_once(&logs, began, visits);
    assert!(logs.names().contains(&"access.log.1".to_owned()), "{:?}", logs.names());
}

fn apache(directory: &Path, port: u16) -> Server {
    let at = directory.display();
    let modules = "/usr/lib/apache2/modules";
    let config = format!(
        "ServerRoot {at}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {at}/server.pid\n\
         DefaultRuntimeDir {at}\nErrorLog {at}/error.txt\n\
         LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
         LoadModule authz_core_module {modules}/mod_authz_core.so\n\
         LoadModule alias_module {modules}/mod_alias.so\n\
         User nobody\nGroup nogroup\nGracefulShutdownTimeout 5\n\
         Redirect 204 /\n\
         LogFormat \"%{{Host}}i:%p %h %l %u %t \\\"%r\\\" %>s %O\" v\nCustomLog {at}/access.log v\n"
    );
    let path = directory.join("apache.conf");
    std::fs::write(&path, config).expect("writes");
    let mut apache = Command::new("apache2");
    apache.arg("-D").arg("FOREGROUND").arg("-f").arg(&path);
    Server(apache.spawn().expect("Apache is installed: ./dev installs apache2-bin"))
}

#[test]
fn i11_no_line_is_lost_under_a_writing_apache() {
    let mut logs = Logs::by_host();
    logs.config.writer = Some(Writer { pid_file: logs.path("server.pid"), reopen_seconds: 20 });
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let server = apache(logs.dir.path(), port);
    answers(address);
    let (began, visits) = visited_during(address, || acts(&logs));
    server.end(rustix::process::Signal::WINCH);
    each_line_once(&logs, began, visits);
}

/// A server that takes its time: it goes on writing to the old file after the signal, and only then opens the new one.
const SLOW: &str = r#"
exec 3>>access.log
hand_over() {
    number=0
    while [ $number -lt 30000 ]; do
        echo "other.example:1 ::1 - - [01/Mar/2026:13:00:00 +0000] \"GET /v${number}v \"" >&3
        number=$((number + 1))
    done
    exec 3>>access.log
    echo "other.example:1 ::1 - - [01/Mar/2026:13:00:00 +0000] \"GET /v30000v \"" >&3
}
trap hand_over USR1
echo $$ >server.tmp && mv server.tmp server.pid
while read -r word; do :; done
"#;

#[test]
fn i11_what_is_written_between_signal_and_reopening_is_kept() {
    let mut logs = Logs::by_host();
    logs.config.writer = Some(Writer { pid_file: logs.path("server.pid"), reopen_seconds: 20 });
    let mine = super::fixture::visit("anna.example", "::1", 1).replace("GET /", "GET /v99999v ");
    logs.write("access.log", &mine);
    let mut slow = Command::new("bash");
    slow.args(["-c", SLOW]).current_dir(logs.dir.path()).stdin(std::process::Stdio::piped());
    let mut server = Server(slow.spawn().expect("bash runs"));
    while !logs.path("server.pid").exists() {
        assert!(server.0.try_wait().expect("waits").is_none(), "the server is there");
        std::thread::yield_now();
    }
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.counts.erased), (Verdict::Done, 1), "{}", report.hint);
    drop(server.0.stdin.take());
    server.0.wait().expect("ends");
    let logged = logged(&logs);
    assert_eq!(logged.len(), 30_001, "{:?}", logs.names());
    assert!(logged.values().all(|times| *times == 1) && !logged.contains_key(&99_999));
}

/// A process that opens a log and writes one line to it when it is told to.
struct Late(Child);

impl Late {
    fn opens(logs: &Logs, name: &str) -> Self {
        let opened = logs.path("opened");
        let line = super::fixture::visit("c.example", "::9", 50);
        let mut late = Command::new("sh");
        late.args(["-c", "exec 3>>\"$1\"; : >\"$2\"; read -r x; printf %s \"$3\" >&3", "late"]);
        late.arg(logs.path(name)).arg(&opened).arg(line).stdin(std::process::Stdio::piped());
        let mut late = Self(late.spawn().expect("sh runs"));
        while !opened.exists() {
            assert!(late.0.try_wait().expect("waits").is_none(), "it is there");
            std::thread::yield_now();
        }
        late
    }

    fn writes(mut self) {
        self.0.stdin.take().expect("piped").write_all(b"now\n").expect("told");
        assert!(self.0.wait().expect("ends").success());
    }
}

fn has_late_line(logs: &Logs) -> bool {
    logs.lines().keys().any(|line| line.starts_with("c.example"))
}

/// Lets everything go, and has a process open the log right before it would be replaced.
struct Opens<'a> {
    logs: &'a Logs,
    asked: u32,
    late: Option<Late>,
}

impl Boundary for Opens<'_> {
    fn may_go_on(&mut self) -> bool {
        self.asked += 1;
        // The first asking goes before the look whether somebody writes; this one is for the file itself.
        if self.asked == 2 {
            self.late = Some(Late::opens(self.logs, "access.log"));
        }
        true
    }
}

#[test]
fn i11_a_log_that_somebody_opens_while_it_is_rewritten_stays_theirs() {
    let logs = Logs::by_host();
    let lines = super::fixture::visit("anna.example", "::1", 3) + &super::fixture::visit("b.example", "::1", 4);
    logs.write("access.log", &lines);
    let was = logs.inode("access.log");
    let seen = attempt::run(&logs.driver(), &job(Action::Inspect, &service("anna.example"), None), now(), &mut Always);
    let erase = job(Action::Erase, &service("anna.example"), seen.instance);
    let mut opens = Opens { logs: &logs, asked: 0, late: None };
    let report = attempt::run(&logs.driver(), &erase, now(), &mut opens);
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Target)), "{}", report.hint);
    assert_eq!((logs.inode("access.log"), logs.read("access.log")), (was, lines), "{:?}", logs.names());
    opens.late.expect("it was asked twice").writes();
    assert!(has_late_line(&logs), "somebody else's line is lost");
    let done = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 1), "{}", done.hint);
    assert!(has_late_line(&logs) && !logs.names().iter().any(|name| name.contains("gallra")), "{:?}", logs.names());
}

#[test]
fn i11_nothing_is_joined_to_a_rotated_log_that_is_still_written_to() {
    let mut logs = Logs::by_host();
    logs.config.writer = Some(Writer { pid_file: logs.path("pid"), reopen_seconds: 1 });
    let (mine, other) = (super::fixture::visit("anna.example", "::1", 3), super::fixture::visit("b.example", "::1", 4));
    logs.write("access.log", "");
    logs.write("access.log.1", &other);
    logs.write("access.log.gallra-1", &format!("{mine}{other}"));
    let late = Late::opens(&logs, "access.log.1");
    let report = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!((report.verdict, report.code), (Verdict::Failed, Some(Code::Target)), "{}", report.hint);
    late.writes();
    assert!(has_late_line(&logs), "somebody else's line is lost");
    let done = inspect_then(&logs.driver(), Action::Erase, &service("anna.example"));
    assert_eq!(done.verdict, Verdict::Done, "{}", done.hint);
    assert!(has_late_line(&logs) && !logs.names().iter().any(|name| name.contains("gallra")), "{:?}", logs.names());
}
