//! `gallra-coordinator serve` with a `[log]` that is served: over a real socket, and nothing where nothing was signed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

/// Ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gallra-coordinator"))
}

fn get(at: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(at).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("an answer");
    said
}

#[test]
fn a_coordinator_serves_its_log_where_its_configuration_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("coordinator");
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/webone.toml");
    let addresses = ["--listen", "127.0.0.1:0", "--enrol-listen", "127.0.0.1:0"];
    let made = program().arg("init").arg("--dir").arg(&dir).arg("--policy").arg(policy).args(addresses).output();
    let made = made.expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = dir.join("coordinator.toml");
    let text = std::fs::read_to_string(&file).expect("made");
    assert!(text.contains("[log]\n"), "{text}");

    // A witness under a log's key is a mistake that is named, and not left out.
    let key = gallra_log::note::Signer::from_seed("w.example/1", gallra_log::note::Kind::Log, &[1; 32]).expect("a key");
    let witness = format!("[[log.witness]]\nname = \"w\"\nurl = \"http://127.0.0.1:1\"\nkey = \"{}\"\n", key.public());
    std::fs::write(&file, format!("{text}\n{witness}")).expect("written");
    let refused = program().arg("serve").arg("--dir").arg(&dir).output().expect("it runs");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("log.witness w"), "{refused:?}");
    assert!(!refused.status.success());

    std::fs::write(&file, text.replace("[log]\n", "[log]\nlisten = \"127.0.0.1:0\"\n")).expect("written");
    let mut child = program().arg("serve").arg("--dir").arg(&dir).stderr(Stdio::piped()).env_remove("RUST_LOG").spawn();
    let stderr = child.as_mut().expect("it starts").stderr.take().expect("piped");
    let _running = Running(child.expect("it starts"));
    let served = BufReader::new(stderr).lines().map_while(Result::ok).find(|line| line.contains("served to anybody"));
    let at = served.expect("it says where").split("listen=").nth(1).expect("an address").trim().to_owned();
    // Nothing was ever signed.
    for path in ["/checkpoint", "/tile/0/000.p/1", "/tile/entries/000", "/"] {
        assert!(get(&at, path).starts_with("HTTP/1.1 404 "), "{path}");
    }
}
