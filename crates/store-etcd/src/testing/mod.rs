//! etcd as it is, for tests and benchmarks: one member or three on loopback ports, with certificates of their own, in a folder
//! that goes with them. Owns the processes; knows nothing of what is tested. The program is `etcd`, or what `GALLRA_ETCD` names.

mod certificates;
mod process;
mod proxy;
mod snapshot;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use etcd_client::{Client, ConnectOptions};
use tempfile::TempDir;

use certificates::AUTHORITY;
pub use certificates::{Authority, Issued, Lifetime};
use process::Process;
pub use proxy::{Passes, Proxy};
pub use snapshot::PutBack;

use crate::config::{Cell, Config, Tls};

/// How a cluster differs from three healthy members with etcd's own quota.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many.
    pub members: usize,
    /// `--quota-backend-bytes`.
    pub quota_bytes: Option<u64>,
    /// Of the servers' certificates.
    pub servers: Lifetime,
}

impl Options {
    /// Healthy members.
    pub fn of(members: usize) -> Self {
        Self { members, quota_bytes: None, servers: Lifetime::Now }
    }
}

/// A cluster that runs until it is dropped, or the thread that started it ends.
pub struct Cluster {
    /// Goes last.
    members: Vec<Process>,
    authority: Authority,
    client: Issued,
    cells: AtomicU32,
    dir: TempDir,
}

impl Cluster {
    /// Starts so many members and waits until they serve.
    ///
    /// # Panics
    /// When they do not, with the end of their logs.
    pub fn start(members: usize) -> Self {
        Self::start_with(&Options::of(members))
    }

    /// The same, less healthy.
    ///
    /// # Panics
    /// As [`Cluster::start`].
    pub fn start_with(options: &Options) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("etcd");
        let issued = authority.issue("member", options.servers).write(dir.path(), "member");
        authority.write(dir.path());
        let ports: Vec<_> = (0..options.members).map(|_| [free(), free()]).collect();
        let addresses = ports.iter().map(|ports| ports.each_ref().map(|held| held.local_addr().expect("bound").port()));
        let addresses: Vec<[u16; 2]> = addresses.collect();
        // Held until here, so that no two are the same.
        drop(ports);
        let all: Vec<String> =
            addresses.iter().enumerate().map(|(n, [_, peer])| format!("m{n}=https://127.0.0.1:{peer}")).collect();
        let all = all.join(",");
        let mut started: Vec<Process> = addresses
            .iter()
            .enumerate()
            .map(|(n, ports)| Process::start(n, dir.path(), *ports, &all, &issued, options.quota_bytes))
            .collect();
        started.iter_mut().for_each(Process::wait);
        let client = authority.issue("gallra", Lifetime::Now);
        Self { members: started, authority, client, cells: AtomicU32::new(0), dir }
    }

    /// Client addresses.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(Process::endpoint).collect()
    }

    /// One member's.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn endpoint(&self, member: usize) -> String {
        self.member(member).endpoint()
    }

    /// How large a member's file is.
    ///
    /// # Panics
    /// When there is none.
    pub fn file_bytes(&self, member: usize) -> u64 {
        let file = self.dir.path().join(format!("m{member}/member/snap/db"));
        std::fs::metadata(file).expect("a member has a file").len()
    }

    /// Who signs the certificates.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What a client of a name shows.
    pub fn tls(&self, client: &Issued) -> Tls {
        let Issued { certificate, key } = client.clone();
        Tls { ca: self.authority.certificate().to_owned(), certificate, key, server_name: None }
    }

    /// A configuration for a cell that nobody else has.
    ///
    /// # Panics
    /// Never.
    pub fn config(&self) -> Config {
        let n = self.cells.fetch_add(1, Ordering::Relaxed);
        let cell: Cell = format!("cell-{n}").parse().expect("a cell");
        Config::new(self.endpoints(), cell, Some(self.tls(&self.client))).expect("loopback addresses")
    }

    /// The client's own client, for what the store does not do.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn raw(&self) -> Client {
        self.raw_of(&self.endpoints()).await
    }

    /// The same for one member.
    ///
    /// # Panics
    /// As [`Cluster::raw`].
    pub async fn raw_member(&self, member: usize) -> Client {
        self.raw_of(&[self.endpoint(member)]).await
    }

    fn member(&self, member: usize) -> &Process {
        self.members.get(member).expect("a member of this cluster")
    }

    fn member_mut(&mut self, member: usize) -> &mut Process {
        self.members.get_mut(member).expect("a member of this cluster")
    }

    /// The same as another client.
    ///
    /// # Panics
    /// As [`Cluster::raw`].
    pub async fn raw_as(&self, client: &Issued) -> Client {
        let options = ConnectOptions::new().with_tls(crate::tls::options(&self.tls(client)));
        Client::connect(self.endpoints(), Some(options)).await.expect("a client")
    }

    async fn raw_of(&self, endpoints: &[String]) -> Client {
        let options = ConnectOptions::new().with_tls(crate::tls::options(&self.tls(&self.client)));
        Client::connect(endpoints, Some(options)).await.expect("a client")
    }

    /// Which member leads.
    ///
    /// # Panics
    /// When nobody says.
    pub async fn leader(&self) -> usize {
        for n in 0..self.members.len() {
            if let Ok(status) = self.raw_member(n).await.status().await
                && status.header().is_some_and(|header| header.member_id() == status.leader())
            {
                return n;
            }
        }
        panic!("no member of etcd says that it leads")
    }

    /// kill -9.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self, member: usize) {
        self.member_mut(member).kill();
    }

    /// Starts a killed member again and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub fn restart(&mut self, member: usize) {
        let member = self.member_mut(member);
        member.restart();
        member.wait();
    }

    /// Gives all members other server certificates; each shows them from its next connection on.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn renew_servers(&self, lifetime: Lifetime) {
        self.authority.issue("member", lifetime).write(self.dir.path(), "member");
    }

    /// Has one member lead in the place of another.
    ///
    /// # Panics
    /// When it does not.
    pub async fn hand_over(&self, from: usize, to: usize) {
        let status = self.raw_member(to).await.status().await.expect("answers");
        let id = status.header().expect("a header").member_id();
        self.raw_member(from).await.move_leader(id).await.expect("hands over");
    }

    /// Stops a member in its tracks: its connections stay open, and nobody answers.
    ///
    /// # Panics
    /// When it is not running.
    pub fn freeze(&self, member: usize) {
        self.member(member).signal(rustix::process::Signal::STOP);
    }

    /// Lets a frozen member go on.
    ///
    /// # Panics
    /// When it is not running.
    pub fn thaw(&self, member: usize) {
        self.member(member).signal(rustix::process::Signal::CONT);
    }
}

fn free() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}
