//! The coordinator forgets too: turns key epochs with each pass of the leader, leaves a reference of what was erased, makes
//! backups (decision 12, I12). Owns by which identifiers a sealed value is found; the turning itself is the store's
//! (`gallra_store::epochs`). Handles identifiers in clear, and logs none.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use gallra_model::Nonce;
use gallra_model::contract::{ContractIdentity, CustomerIdentity};
use gallra_model::selector::{AddressUse, ExternalId};
use gallra_planted::Bug;
use gallra_store::epochs::{Due, Gathered, OnDisk, Progress, Turning};
use gallra_store::keys::{self, IndexKind, What};
use gallra_store::{Embedded, Keyring, Txn};
use gallra_store_etcd::Etcd;

use crate::clock::real_now;
use crate::core::Core;
use crate::error::{CoreError, decode, encode};
use crate::layout::Layout;
use crate::schema;

/// Steps of a turning in one pass: some seconds, in which nothing else is moved by time.
const STEPS: usize = 256;

/// By what a sealed value's subject is found; `people.rs` writes and looks up the same. One that cannot be read is found by
/// nothing, which the turning says aloud.
fn names(what: What, plain: &[u8]) -> Vec<(IndexKind, zeroize::Zeroizing<String>)> {
    let text = |kind, id: &ExternalId| (kind, zeroize::Zeroizing::new(id.expose().to_owned()));
    match what {
        What::Customer(_) => decode::<CustomerIdentity>("identity", plain).map_or_else(
            |_| Vec::new(),
            |identity| {
                let number = text(IndexKind::CustomerNumber, &identity.number);
                // Of what contracts left here that went on under another customer; else nobody is found by a former address.
                let former = if identity.holders.is_empty() { Vec::new() } else { identity.former };
                std::iter::once(number).chain(held(&identity.holders, &former)).collect()
            },
        ),
        What::Contract(_) => decode::<ContractIdentity>("identity", plain).map_or_else(
            |_| Vec::new(),
            |identity| {
                let addresses = identity.addresses.iter().map(|address| text(IndexKind::Address, address));
                let service = text(IndexKind::ServiceId, &identity.service);
                let held = held(identity.holder.as_slice(), &identity.uses);
                std::iter::once(service).chain(addresses).chain(held).collect()
            },
        ),
        What::Request(_) | What::Job(_) | What::Claim(_) | What::Receipt(_) | What::Instructions(_) => Vec::new(),
    }
}

/// Tokens, and the addresses that they are listed under.
fn held(holders: &[Nonce], uses: &[AddressUse]) -> Vec<(IndexKind, zeroize::Zeroizing<String>)> {
    let plain = |kind, word: String| (kind, zeroize::Zeroizing::new(word));
    let used: BTreeSet<_> = uses.iter().map(|used| used.address).collect();
    let holders = holders.iter().map(|holder| plain(IndexKind::Holder, holder.to_string()));
    holders.chain(used.into_iter().map(|address| plain(IndexKind::UsedAddress, address.to_string()))).collect()
}

impl Core {
    /// Does a bounded part of turning the key epoch, if it is due. Trouble is logged and tried again at the next pass:
    /// nothing is lost by it, but the day in which it must end goes by.
    pub async fn turn_epoch(&self) {
        let turning = Turning { store: &*self.store, keyring: &self.keyring, effects: &*self.effects, names: &names };
        match turning.turn(self.time.now(), STEPS).await {
            Ok(Progress::NotDue { .. }) => {}
            Ok(Progress::Turned { epoch }) => {
                tracing::info!(%epoch, "the key epoch has turned; give the new key to its custodians, destroy the old one");
            }
            Ok(Progress::Working { due }) => {
                if due >= Due::Late {
                    tracing::error!("the key epoch turns late; what was erased a month ago may still be readable");
                }
                self.wake.notify_one();
            }
            Err(error) => tracing::error!(%error, "the key epoch could not be turned; it is tried again"),
        }
    }

    /// Adds the reference of a contract that is erased, with its last version: a late event cannot reopen it.
    ///
    /// # Errors
    /// Never in practice.
    pub(crate) fn close(&self, txn: Txn, service: &ExternalId, version: u64) -> Result<Txn, CoreError> {
        Ok(txn.put(keys::closed(&self.keyring.closed_reference(service.expose())), encode(&version)?))
    }

    /// The version of a contract that is to begin; 0 stands for the next one.
    ///
    /// # Errors
    /// [`CoreError::Precondition`] for an event from before a contract of this service was erased.
    pub(crate) async fn version_after_closed(&self, service: &ExternalId, version: u64) -> Result<u64, CoreError> {
        let closed = self.store.get(&keys::closed(&self.keyring.closed_reference(service.expose()))).await?;
        let last: u64 = closed.map_or(Ok(0), |entry| decode("closed reference", &entry.value))?;
        if version != 0 && version <= last && !gallra_planted::is(Bug::DoubledEventReopens) {
            return Err(CoreError::Precondition(
                "the event is older than the end of a contract that is erased; it reopens nothing".into(),
            ));
        }
        Ok(version.max(last + 1))
    }
}

/// `gallra-coordinator backup`: a verified copy of the store, of a stopped coordinator's or of the one in etcd; prints its path.
///
/// # Errors
/// Says what was in the way; a running coordinator among them.
pub async fn back_up(layout: &Layout) -> anyhow::Result<()> {
    let config = layout.config()?;
    let keyring = Keyring::open(&layout.keys(&config)).context("the key-wrapping keys cannot be read")?;
    let (path, copied) = match &config.etcd {
        None => {
            let store = Arc::new(Embedded::open(&layout.path("store")).context("the store cannot be opened")?);
            schema::look(&*store, &config).await?;
            OnDisk::new(store, layout.path("backups")).back_up_now(&keyring, real_now()).await?
        }
        Some(etcd) => {
            let store = Etcd::open(&etcd.read(layout)?).await.context("the store in etcd cannot be opened")?;
            schema::look(&store, &config).await?;
            keyring.share(&store).await?;
            Gathered::new(Arc::new(store), layout.path("backups")).back_up_now(&keyring, real_now()).await?
        }
    };
    tracing::info!(entries = copied.entries, "copied, read back and compared");
    writeln!(std::io::stdout(), "{}", path.display()).context("the path could not be printed")
}
