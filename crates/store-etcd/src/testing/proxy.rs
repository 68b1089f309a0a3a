//! A connection that can be cut, or lose what comes back: between one client and one member. Owns its port for as long as it
//! lives, so that a mended connection is at the same address.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// All.
    All,
    /// What is asked, and no answer.
    Askings,
    /// Nothing: connections end, and new ones at once.
    Nothing,
}

/// The proxy; it ends when it is dropped.
pub struct Proxy {
    port: u16,
    /// What passes, and how often connections were cut: a cut that is mended at once is one all the same.
    passes: watch::Sender<(Passes, u64)>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// In front of an endpoint of [`super::Cluster`].
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn before(endpoint: &str) -> Self {
        let target: Arc<str> = endpoint.trim_start_matches("https://").into();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (passes, _) = watch::channel((Passes::All, 0));
        let theirs = passes.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&target), theirs.subscribe()));
            }
        });
        Self { port, passes, accepting }
    }

    /// Where it is.
    pub fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Lets this through from now on.
    pub fn let_pass(&self, passes: Passes) {
        self.passes.send_modify(|(now, cuts)| {
            *now = passes;
            *cuts += u64::from(passes == Passes::Nothing);
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.let_pass(Passes::Nothing);
    }
}

async fn serve(client: TcpStream, target: Arc<str>, mut passes: watch::Receiver<(Passes, u64)>) {
    let (now, cuts) = *passes.borrow();
    if now == Passes::Nothing {
        return;
    }
    let Ok(server) = TcpStream::connect(&*target).await else { return };
    let (mut client, mut server) = (client, server);
    let (answers, cut) = (passes.clone(), passes.wait_for(|(_, cut)| *cut != cuts));
    let _ = tokio::select! {
        _ = cut => Ok(()),
        done = pump(&mut client, &mut server, &answers) => done,
    };
}

async fn pump(
    client: &mut TcpStream,
    server: &mut TcpStream,
    passes: &watch::Receiver<(Passes, u64)>,
) -> io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(()),
                n => server.write_all(asked.get(..n).unwrap_or_default()).await?,
            },
            read = server.read(&mut answered) => match read? {
                0 => return Ok(()),
                n if passes.borrow().0 == Passes::All => client.write_all(answered.get(..n).unwrap_or_default()).await?,
                _ => {}
            },
        }
    }
}
