//! Certificates towards etcd that are renewed while the coordinator runs: their files are looked at, and what is new in them is shown
//! from the next call on. Owns the pace; whether they can be used is the engine's to say. Upholds that a renewal loses nothing: what
//! cannot be used leaves everything as it was, and is looked at again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use gallra_store_etcd::{Etcd, Tls};

use crate::layout::{EtcdConfig, Layout};

/// Real time: between two looks at the files. Certificate and key are two files: the look between them sees what does not fit together.
const EVERY: Duration = Duration::from_secs(2);

/// Starts looking, for as long as the store is there.
pub(crate) fn watch(store: &Arc<Etcd>, shown: Option<Tls>, config: &EtcdConfig, layout: &Layout) {
    if let Some(shown) = shown {
        tokio::spawn(follow(Arc::downgrade(store), shown, config.clone(), layout.clone()));
    }
}

async fn follow(store: Weak<Etcd>, mut shown: Tls, config: EtcdConfig, layout: Layout) {
    let mut ticks = tokio::time::interval(EVERY);
    // Said once for each trouble, and not at each look.
    let mut complained = String::new();
    loop {
        ticks.tick().await;
        let Some(store) = store.upgrade() else { return };
        match look(&store, &shown, &config, &layout).await {
            Ok(None) => complained.clear(),
            Ok(Some(renewed)) => {
                shown = renewed;
                tracing::info!("the certificate towards etcd was renewed: its files were read again");
            }
            Err(error) => {
                let trouble = format!("{error:#}");
                if trouble != complained {
                    tracing::warn!(
                        error = trouble,
                        "new certificate files towards etcd cannot be used; the old ones are"
                    );
                    complained = trouble;
                }
            }
        }
    }
}

/// What is shown from now on; none where the files are as they were.
async fn look(store: &Etcd, shown: &Tls, config: &EtcdConfig, layout: &Layout) -> anyhow::Result<Option<Tls>> {
    let Some(found) = config.tls(layout)?.filter(|found| found != shown) else { return Ok(None) };
    store.renew(found.clone()).await?;
    Ok(Some(found))
}
