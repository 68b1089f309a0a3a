//! The contract of every engine, on one member and on three. Each test has a cluster of its own, so that revisions are nobody
//! else's; the random transactions' cases share one, each in a cell of its own.

use std::sync::Arc;

use async_trait::async_trait;
use gallra_store::Store;
use gallra_store::contract_tests::Fixture;
use gallra_store_etcd::testing::Cluster;
use gallra_store_etcd::{Config, Etcd};

struct InCell {
    config: Config,
    made: bool,
}

impl InCell {
    fn of(cluster: &Cluster) -> Self {
        Self { config: cluster.config(), made: false }
    }
}

#[async_trait]
impl Fixture for InCell {
    async fn open(&mut self) -> Arc<dyn Store> {
        let store = if self.made { Etcd::open(&self.config).await } else { Etcd::create(&self.config).await };
        self.made = true;
        Arc::new(store.expect("opens"))
    }
}

mod one_member {
    use super::*;

    gallra_store::store_contract_tests!(cluster = Cluster::start(1) => InCell::of(&cluster));
}

mod three_members {
    use super::*;

    gallra_store::store_contract_tests!(cluster = Cluster::start(3) => InCell::of(&cluster));
}
