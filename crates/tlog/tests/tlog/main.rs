//! The crate over real sockets: what is served is what was published, a witness's statuses are those of the page, and a log
//! that asks takes nothing that does not verify.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod asking;
mod log;
mod page;
mod serving;
mod third_party;
mod witnessing;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use gallra_tlog::{Handler, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A server that ends when it is dropped.
struct Served {
    at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
}

impl Served {
    async fn new(handler: impl Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(serve(listener, handler, async {
            let _ = stopped.await;
        }));
        Self { at, stop: Some(stop) }
    }

    /// Sends bytes as they are; what comes back until the other side closes.
    async fn raw(&self, request: &[u8]) -> String {
        let (at, request) = (self.at, request.to_vec());
        tokio::task::spawn_blocking(move || raw(at, &request)).await.unwrap()
    }

    /// Status, headers in lower case, body.
    async fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let (at, body) = (self.at, body.to_vec());
        let (method, path) = (method.to_owned(), path.to_owned());
        tokio::task::spawn_blocking(move || ask(at, &method, &path, &body)).await.unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn exchange(at: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A server that has answered and closed takes no more.
    let _ = stream.write_all(request);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    said
}

fn raw(at: SocketAddr, request: &[u8]) -> String {
    String::from_utf8_lossy(&exchange(at, request)).into_owned()
}

/// As [`Served::ask`], for whoever may wait.
fn ask(at: SocketAddr, method: &str, path: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let said = exchange(at, &[head.as_bytes(), body].concat());
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(said[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, said[end + 4..].to_vec())
}
