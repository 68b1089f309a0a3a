//! Checkpoint and tiles: what is there, how long it may be kept, and what is refused.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use gallra_tlog::{MOST_CONNECTIONS, Tiles};

use crate::Served;
use crate::log::Log;

#[tokio::test]
async fn anybody_gets_the_checkpoint_and_the_tiles_of_its_tree() {
    let log = Log::of(600);
    let note = log.note.as_ref().unwrap().to_string();
    let served = Served::new(Tiles(log)).await;
    let (status, head, body) = served.ask("GET", "/checkpoint", b"").await;
    assert_eq!((status, body), (200, note.into_bytes()));
    assert!(head.contains("content-type: text/plain; charset=utf-8") && head.contains("cache-control: no-cache"));
    for (path, length, kept) in [
        ("/tile/0/000", 8192, "public, max-age=31536000, immutable"),
        ("/tile/0/002.p/88", 88 * 32, "public, max-age=3600"),
        ("/tile/0/000.p/7", 7 * 32, "public, max-age=3600"),
        ("/tile/1/000.p/2", 64, "public, max-age=3600"),
        // "entry N" behind two bytes of length: ten of one digit, ninety of two, and so on.
        ("/tile/entries/000", 10 * 9 + 90 * 10 + 156 * 11, "public, max-age=31536000, immutable"),
    ] {
        let (status, head, body) = served.ask("GET", path, b"").await;
        assert_eq!(status, 200, "{path}");
        assert!(head.contains("content-type: application/octet-stream"), "{head}");
        assert!(head.contains(&format!("cache-control: {kept}")) && head.contains("nosniff"), "{head}");
        assert_eq!(body.len(), length, "{path}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_get_nothing() {
    let served = Served::new(Tiles(Log::of(600))).await;
    for path in [
        "/",
        "//checkpoint",
        "/checkpoint/",
        "/checkpoint?x=1",
        "/Checkpoint",
        "/tile/0/003",
        "/tile/0/002",
        "/tile/0/002.p/89",
        "/tile/0/2",
        "/tile/0/x000/000",
        "/tile/0/000.p/0",
        "/tile/64/000",
        "/tile/entries/../../../etc/passwd",
        "/tile/entries/%2e%2e/000",
        "/tile/0/%30%30%30",
        "/tile/0/000?",
        "/add-checkpoint",
    ] {
        let (status, head, _) = served.ask("GET", path, b"").await;
        assert_eq!(status, 404, "{path}");
        assert!(head.contains("cache-control: no-cache"), "what is not there today may be there tomorrow: {head}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "X"] {
        let (status, head, _) = served.ask(method, "/checkpoint", b"").await;
        assert_eq!(status, 405, "{method}");
        assert!(head.contains("allow: get, head"));
    }
    let (status, head, body) = served.ask("HEAD", "/tile/0/000", b"").await;
    assert_eq!((status, body.len()), (200, 0));
    assert!(head.contains("content-length: 8192"), "{head}");
}

#[tokio::test]
async fn a_log_without_a_checkpoint_has_none_and_a_broken_store_is_never_an_absence() {
    let mut log = Log::of(3);
    log.note = None;
    let served = Served::new(Tiles(log)).await;
    assert_eq!(served.ask("GET", "/checkpoint", b"").await.0, 404);
    let mut log = Log::of(3);
    log.broken = true;
    let served = Served::new(Tiles(log)).await;
    for path in ["/checkpoint", "/tile/0/000.p/3"] {
        let (status, _, body) = served.ask("GET", path, b"").await;
        assert_eq!(status, 503);
        assert!(!String::from_utf8(body).unwrap().contains("disk"), "why is for the operator");
    }
    assert_eq!(served.ask("GET", "/tile/0/0", b"").await.0, 404);
}

#[tokio::test]
async fn headers_are_bounded() {
    let served = Served::new(Tiles(Log::of(3))).await;
    let with = |headers: String| format!("GET /checkpoint HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    let fits = with("A: b\r\n".repeat(60));
    assert!(served.raw(fits.as_bytes()).await.starts_with("HTTP/1.1 200 "));
    let many = with("A: b\r\n".repeat(65));
    assert!(served.raw(many.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let long = with(format!("A: {}\r\n", "b".repeat(20_000)));
    assert!(served.raw(long.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
    assert!(!served.raw(path.as_bytes()).await.contains(" 200 "));
    for junk in ["\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET /checkpoint HTTP/9.9\r\n\r\n"] {
        assert!(!served.raw(junk.as_bytes()).await.contains(" 200 "), "{junk:?}");
    }
}

/// One connection serves many requests; whoever says nothing on it is let go.
#[tokio::test]
async fn a_connection_serves_many_and_a_silent_one_is_ended() {
    let served = Served::new(Tiles(Log::of(3))).await;
    let at = served.at;
    let said = tokio::task::spawn_blocking(move || {
        let (mut stream, mut half) = (TcpStream::connect(at).unwrap(), TcpStream::connect(at).unwrap());
        half.write_all(b"GET /checkpoint HTTP/1.1\r\nHost: x\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        for _ in 0..3 {
            stream.write_all(b"GET /tile/0/000.p/3 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        }
        let mut said = Vec::new();
        // Ends because the other side closes, not by the time-out above, which would be an error.
        stream.read_to_end(&mut said).unwrap();
        half.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        half.read_to_end(&mut Vec::new()).unwrap();
        said
    });
    let said = String::from_utf8_lossy(&said.await.unwrap()).into_owned();
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 3);
}

/// One answer on a connection that stays open.
fn once(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    stream.write_all(b"GET /tile/0/000.p/3 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut said = Vec::new();
    while !said.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut some = [0; 1024];
        let read = stream.read(&mut some).unwrap();
        assert!(read > 0, "closed");
        said.extend_from_slice(&some[..read]);
    }
    assert!(said.starts_with(b"HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let mut served = Served::new(Tiles(Log::of(3))).await;
    let (at, stop) = (served.at, served.stop.take().unwrap());
    tokio::task::spawn_blocking(move || {
        let mut open = TcpStream::connect(at).unwrap();
        once(&mut open);
        stop.send(()).unwrap();
        // An open connection that asks nothing more is ended.
        open.read_to_end(&mut Vec::new()).unwrap();
        assert!(TcpStream::connect(at).is_err());
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn one_connection_too_many_waits_until_another_goes() {
    let served = Served::new(Tiles(Log::of(3))).await;
    let at = served.at;
    tokio::task::spawn_blocking(move || {
        let mut all: Vec<TcpStream> = (0..MOST_CONNECTIONS).map(|_| TcpStream::connect(at).unwrap()).collect();
        all.iter_mut().for_each(once);
        let mut late = TcpStream::connect(at).unwrap();
        late.write_all(b"GET /checkpoint HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        late.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert!(late.read(&mut [0; 1]).is_err(), "answered though all places are taken");
        all.pop();
        once(&mut all[0]);
        late.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let mut said = Vec::new();
        late.read_to_end(&mut said).unwrap();
        assert!(said.starts_with(b"HTTP/1.1 200 OK"));
    })
    .await
    .unwrap();
}
