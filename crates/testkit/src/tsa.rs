//! A time stamping authority for tests: a certificate authority and its certificates in a folder, and a server on an odd port
//! of loopback that lets `openssl ts` answer. It can be told to behave badly, since that is what most tests are about.
//!
//! Runs in threads of the test's own process; `openssl` runs once an answer. Nothing of it outlives the value.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

/// Longest request that is read, in bytes: a query has 77.
const MOST_REQUEST: usize = 8_192;
/// How long a connection is held at most.
const HOLD: Duration = Duration::from_secs(60);
/// How often one that is held sees whether all is over.
const GLANCE: Duration = Duration::from_millis(50);

const CONFIG: &str = include_str!("tsa/openssl.cnf");

/// What it does with a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Answers it.
    Grants,
    /// Answers it with a certificate that ended years ago.
    Expired,
    /// Takes it, and says nothing until whoever asked goes away.
    Slow,
    /// Begins an answer, and says no more until whoever asked goes away.
    Halfway,
    /// Answers as if it had asked with another nonce.
    OtherNonce,
    /// Stamps another digest.
    OtherMessage,
    /// Refuses the algorithm, as RFC 3161 has it.
    Rejects,
    /// Answers with bytes that are nothing.
    Garbage,
    /// Answers with more bytes than any token has.
    Flood,
    /// Answers with a page for people.
    Page,
    /// Answers with this HTTP status.
    Status(u16),
    /// Closes the connection.
    HangsUp,
}

/// A running authority.
#[derive(Debug)]
pub struct Tsa {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    dir: TempDir,
    mood: Mutex<Mood>,
    /// One `openssl` at a time: it counts its tokens in a file.
    answering: Mutex<()>,
    asked: AtomicUsize,
    over: AtomicBool,
}

impl Tsa {
    /// Makes keys and certificates, and serves. Takes some 0.3 seconds.
    ///
    /// # Errors
    /// What `openssl` said.
    pub fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        certificates(dir.path())?;
        let listener = odd_port()?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            dir,
            mood: Mutex::new(Mood::Grants),
            answering: Mutex::new(()),
            asked: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let serving = shared.clone();
        let server = std::thread::spawn(move || serve(&listener, &serving));
        Ok(Self { shared, address, server: Some(server) })
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it behaves from now on.
    pub fn is_now(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// How many queries came.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// The root that its chains end in, as a file in PEM.
    pub fn root_pem(&self) -> PathBuf {
        self.shared.dir.path().join("root.pem")
    }

    /// The same in DER.
    ///
    /// # Errors
    /// The system's.
    pub fn root_der(&self) -> anyhow::Result<Vec<u8>> {
        Ok(fs::read(self.shared.dir.path().join("root.der"))?)
    }

    /// Ends it: from here on nothing listens at its address.
    pub fn stop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let Some(server) = self.server.take() else { return };
        // It waits for a connection; this one is the last.
        drop(TcpStream::connect(self.address));
        // Whether it panicked is in the test's output.
        let _ = server.join();
    }
}

impl Drop for Tsa {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A free odd port on loopback, listened on.
fn odd_port() -> anyhow::Result<TcpListener> {
    for _ in 0..200 {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        if listener.local_addr()?.port() % 2 == 1 {
            return Ok(listener);
        }
    }
    bail!("no free odd port on loopback")
}

/// Answers until it is over, each connection in a thread of its own, and waits for all of them.
fn serve(listener: &TcpListener, shared: &Shared) {
    std::thread::scope(|scope| {
        for stream in listener.incoming() {
            if shared.over.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            // Whoever asked sees a broken connection, which is an answer too.
            scope.spawn(move || drop(answer(stream, shared)));
        }
    });
}

fn answer(mut stream: TcpStream, shared: &Shared) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(HOLD))?;
    stream.set_write_timeout(Some(HOLD))?;
    let query = query(&mut stream)?;
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let mood = *shared.mood.lock().unwrap_or_else(PoisonError::into_inner);
    let (kind, reply) = ("application/timestamp-reply", |config, query: &[u8]| shared.reply(config, query));
    match mood {
        Mood::Grants => say(&mut stream, 200, kind, &reply("now", &query)?),
        Mood::Expired => say(&mut stream, 200, kind, &reply("then", &query)?),
        Mood::Rejects => say(&mut stream, 200, kind, &reply("picky", &query)?),
        Mood::OtherNonce => say(&mut stream, 200, kind, &reply("now", &changed(&query, &[0x01, 0x01, 0xff], -1)?)?),
        Mood::OtherMessage => say(&mut stream, 200, kind, &reply("now", &changed(&query, &[0x04, 0x20], 2)?)?),
        Mood::Garbage => say(&mut stream, 200, kind, b"\x30\x84\xff\xff\xff\xff and no more"),
        Mood::Flood => say(&mut stream, 200, kind, &vec![0x30; 1 << 20]),
        Mood::Page => say(&mut stream, 200, "text/html", b"<h1>Welcome</h1>"),
        Mood::Status(status) => say(&mut stream, status, "text/plain", b"no"),
        Mood::HangsUp => Ok(()),
        Mood::Slow => waits(&mut stream, shared),
        Mood::Halfway => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 3000\r\n\r\n0")?;
            waits(&mut stream, shared)
        }
    }
}

/// The body of a POST.
fn query(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut some = [0; 1024];
    loop {
        let count = stream.read(&mut some)?;
        ensure!(count > 0 && read.len() < MOST_REQUEST, "no whole request");
        read.extend_from_slice(some.get(..count).unwrap_or_default());
        let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let (head, body) = read.split_at(end + 4);
        let head = std::str::from_utf8(head)?.to_ascii_lowercase();
        ensure!(head.starts_with("post "), "not a POST");
        ensure!(head.contains("\r\ncontent-type: application/timestamp-query\r\n"), "not a query");
        let (_, length) = head.split_once("\r\ncontent-length: ").context("no length")?;
        let length: usize = length.split("\r\n").next().unwrap_or_default().parse()?;
        if body.len() >= length {
            return Ok(body.to_vec());
        }
    }
}

/// Flips a bit of the byte so far from where the last such bytes begin.
fn changed(query: &[u8], mark: &[u8], away: isize) -> anyhow::Result<Vec<u8>> {
    let at = query.windows(mark.len()).rposition(|bytes| bytes == mark).context("a query of another form")?;
    let mut changed = query.to_vec();
    let byte = at.checked_add_signed(away).and_then(|at| changed.get_mut(at)).context("a query of another form")?;
    *byte ^= 1;
    Ok(changed)
}

fn say(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> anyhow::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} It\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")?;
    Ok(stream.write_all(body)?)
}

/// Until the other side closes, [`HOLD`] has passed, or the authority ends.
fn waits(stream: &mut TcpStream, shared: &Shared) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(GLANCE))?;
    let glances = HOLD.as_millis() / GLANCE.as_millis();
    for _ in 0..glances {
        if shared.over.load(Ordering::SeqCst) {
            break;
        }
        match stream.read(&mut [0; 64]) {
            Ok(0) => break,
            Ok(_) => {}
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(why) => return Err(why.into()),
        }
    }
    Ok(())
}

impl Shared {
    /// What `openssl ts` makes of a query under a section of the configuration.
    fn reply(&self, section: &str, query: &[u8]) -> anyhow::Result<Vec<u8>> {
        let _alone = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = self.dir.path();
        fs::write(dir.join("query"), query)?;
        openssl(dir, &format!("ts -reply -config openssl.cnf -section {section} -queryfile query -out reply"))?;
        Ok(fs::read(dir.join("reply"))?)
    }
}

/// A root, and below it two certificates of one key: a good one, and one that ended in 2022.
fn certificates(dir: &Path) -> anyhow::Result<()> {
    fs::write(dir.join("openssl.cnf"), CONFIG)?;
    for (file, text) in [("index", ""), ("index.attr", "unique_subject = no\n"), ("serial", "01\n")] {
        fs::write(dir.join(file), text)?;
    }
    let dates = |from, until| format!("-startdate {from}0601000000Z -enddate {until}0601000000Z");
    for name in ["root", "tsa"] {
        openssl(dir, &format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {name}.key"))?;
        openssl(dir, &format!("req -config openssl.cnf -new -key {name}.key -subj /CN=gallra-{name} -out {name}.csr"))?;
    }
    let ca = "ca -config openssl.cnf -batch -notext -keyfile root.key";
    openssl(dir, &format!("{ca} -selfsign -in root.csr -extensions root -out root.pem {}", dates(2020, 2099)))?;
    for (name, dates) in [("now", dates(2020, 2098)), ("then", dates(2020, 2022))] {
        openssl(dir, &format!("{ca} -cert root.pem -in tsa.csr -extensions tsa -out {name}.pem {dates}"))?;
    }
    openssl(dir, "x509 -in root.pem -outform DER -out root.der")
}

fn openssl(dir: &Path, arguments: &str) -> anyhow::Result<()> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().context("openssl")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openssl {arguments}: {said}");
    Ok(())
}
