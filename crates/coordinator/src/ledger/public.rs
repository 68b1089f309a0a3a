//! What the ledger has published, for [`gallra_tlog`] to serve to anybody. Nothing that is not signed and published is seen here.

use async_trait::async_trait;
use gallra_tlog::{Published, Unavailable};

use super::Ledger;
use crate::core::Core;

#[async_trait]
impl Published for Ledger {
    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, Unavailable> {
        Ok(Self::checkpoint(self).map(|signed| signed.note.into_bytes()))
    }

    async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.tile(path).await.map_err(|error| Unavailable(error.to_string()))
    }
}

#[async_trait]
impl Published for Core {
    async fn checkpoint(&self) -> Result<Option<Vec<u8>>, Unavailable> {
        Published::checkpoint(&self.ledger).await
    }

    async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        Published::file(&self.ledger, path).await
    }
}
