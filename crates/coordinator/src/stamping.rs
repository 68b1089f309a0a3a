//! Time stamps of others on checkpoints (`docs/formats/timestamp-v1.md`): when one is asked for, whose, and where it is kept. Owns
//! the pace; asking is `gallra-stamp`'s, and whether a token is believed is the reader's own check, so that none is kept, and none
//! handed out, that would spoil a proof. Nothing waits for it: an authority that is away delays no plan, no permit and no proof.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_log::note::Note;
use gallra_model::manifest::Manifest;
use gallra_proof::manifest;
use gallra_retry::Waits;
use gallra_stamp::{Authority, Roots, Why};
use gallra_store::{Txn, keys};
use gallra_verify::timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::asked::crypto;
use crate::core::{Core, random};
use crate::error::{CoreError, decode, encode};
use crate::layout::LogConfig;
use crate::ledger::{Ledger, Signed};

/// How long an authority may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long none is asked after all were asked in vain: at first and at most, and for as long as one of them asks for.
const REST: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(900));
/// How often it is looked whether there is another manifest.
const LOOK: Duration = Duration::from_secs(60);

/// Who is asked, and how often.
pub struct Stamping {
    authorities: Vec<Authority>,
    every: Duration,
}

/// The newest time stamp that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastStamp {
    /// Size of the checkpoint that it is on.
    pub size: u64,
    /// When, in the authority's words: RFC 3339, UTC.
    pub at: String,
}

/// What came of a look.
enum Came {
    Stamped,
    /// There was none to be stamped.
    Nothing,
    /// Nobody answered as they should; the longest that any asks to be left alone.
    InVain(Option<Duration>),
    /// What answers is not believed under so many manifests: asking again may cost, and helps nobody.
    Unbelieved(usize),
}

impl Stamping {
    /// Those of the configuration, in their order.
    ///
    /// # Errors
    /// Names the address that cannot be asked.
    pub fn new(config: &LogConfig) -> anyhow::Result<Self> {
        let ask = |url: &String| Ok(Authority::new(url, &Roots::System, PATIENCE)?);
        let authorities = config.timestamp.iter().map(ask).collect::<anyhow::Result<_>>()?;
        Ok(Self { authorities, every: Duration::from_secs(60 * u64::from(config.timestamp_minutes.max(1))) })
    }

    /// Runs until the task is dropped: stamps the newest checkpoint whenever there is one that is not, and the last stamp is old
    /// enough. The first after a start is stamped at once.
    pub async fn run(&self, core: &Core) {
        if self.authorities.is_empty() {
            return;
        }
        let (mut moves, mut waits) = (core.ledger.moves(), Waits::new(REST.0, REST.1));
        loop {
            let came = self.stamp(core).await;
            if matches!(came, Ok(Came::Stamped | Came::Nothing | Came::Unbelieved(_))) {
                waits.reset();
            }
            match came {
                Ok(Came::Stamped) => tokio::time::sleep(self.every).await,
                Ok(Came::Nothing) => {
                    let _ = timeout(self.every, moves.changed()).await;
                }
                Ok(Came::InVain(hint)) => tokio::time::sleep(waits.next_wait_after(hint)).await,
                Ok(Came::Unbelieved(manifests)) => self.rest_under(core, manifests).await,
                Err(error) => {
                    tracing::warn!(%error, "no time stamp on the log's checkpoint; it is asked for again");
                    tokio::time::sleep(waits.next_wait()).await;
                }
            }
        }
    }

    /// As long as after a stamp, or until there is another manifest.
    async fn rest_under(&self, core: &Core, manifests: usize) {
        let until = Instant::now() + self.every;
        while Instant::now() < until {
            tokio::time::sleep_until(until.min(Instant::now() + LOOK)).await;
            if core.manifests().await.is_ok_and(|all| all.len() != manifests) {
                return;
            }
        }
    }

    async fn stamp(&self, core: &Core) -> Result<Came, CoreError> {
        let Some(signed) = core.ledger.checkpoint() else { return Ok(Came::Nothing) };
        if core.store.get(&keys::ledger_stamp(core.ledger.tree_key(), signed.size)).await?.is_some() {
            return Ok(Came::Nothing);
        }
        let manifests = core.manifests().await?;
        let newest = manifests.last().ok_or(CoreError::NotFound("key manifest"))?;
        let roots = roots(&manifest::read(newest).map_err(crypto)?.predicate);
        if roots.is_empty() {
            tracing::error!(
                "no time stamp on the log's checkpoint: coordinator.toml names whom to ask, and the key manifest names no time \
                 stamping authority that readers believe; submit one that does (`gallra key manifest edit --authority NAME=FILE`)"
            );
            return Ok(Came::Unbelieved(manifests.len()));
        }
        let text = text(&signed)?;
        let (mut unbelieved, mut hint) = (false, None);
        for authority in &self.authorities {
            match authority.ask(text.as_bytes(), random()?, |token| believed(token, &text, &roots)).await {
                Ok(stamped) => {
                    let tree = core.ledger.tree_key();
                    let last = LastStamp { size: signed.size, at: stamped.said.at() };
                    let txn = Txn::new().put(keys::ledger_stamp(tree, signed.size), STANDARD.encode(stamped.token));
                    core.store.commit(txn.put(keys::ledger_stamped(tree), encode(&last)?)).await?;
                    tracing::info!(size = last.size, at = last.at, "the log's checkpoint was stamped");
                    return Ok(Came::Stamped);
                }
                Err(error) if matches!(error.why, Why::Unbelieved(_)) => {
                    unbelieved = true;
                    tracing::error!(
                        %error,
                        "a time stamp was thrown away: ask another authority in coordinator.toml, or submit a key manifest that \
                         names this one's root (`gallra key manifest edit --authority NAME=FILE`)"
                    );
                }
                Err(error) => {
                    hint = hint.max(asked_for(&error.why));
                    tracing::warn!(%error, "no time stamp on the log's checkpoint from this authority");
                }
            }
        }
        Ok(if unbelieved { Came::Unbelieved(manifests.len()) } else { Came::InVain(hint) })
    }
}

/// How long an authority asks to be left alone.
fn asked_for(why: &Why) -> Option<Duration> {
    if let Why::Later { after, .. } = why { gallra_retry::after(after) } else { None }
}

/// Whose stamps a manifest's readers believe. One that cannot be read is kept: their check refuses all tokens then.
fn roots(manifest: &Manifest) -> Vec<Vec<u8>> {
    manifest.authorities.iter().map(|one| STANDARD.decode(&one.certificate).unwrap_or_default()).collect()
}

fn believed(token: &[u8], text: &str, roots: &[Vec<u8>]) -> Result<timestamp::Stamp, timestamp::StampError> {
    let roots: Vec<&[u8]> = roots.iter().map(Vec::as_slice).collect();
    timestamp::check(token, text.as_bytes(), &roots)
}

/// What of a checkpoint is stamped.
fn text(signed: &Signed) -> Result<String, CoreError> {
    Ok(Note::parse(signed.note.as_bytes()).map_err(crypto)?.unverified_text().to_owned())
}

impl Core {
    /// The newest time stamp; none where nothing was stamped.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_stamp(&self) -> Result<Option<LastStamp>, CoreError> {
        let entry = self.store.get(&keys::ledger_stamped(self.ledger.tree_key())).await?;
        entry.map(|entry| decode("last time stamp", &entry.value)).transpose()
    }

    /// The first stamped checkpoint that holds a position and whose stamp is believed under a version of the key manifest, with
    /// its token in base64. The manifest that a proof names is the one that its reader has: under a later one other authorities
    /// may have stamped, and theirs would refuse the proof.
    pub(crate) async fn stamped_holding(
        &self,
        ledger: &Ledger,
        index: u64,
        version: u32,
    ) -> Result<Option<(Signed, String)>, CoreError> {
        let at = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
        let manifests = self.manifests().await?;
        let named = manifests.get(at).ok_or(CoreError::NotFound("key manifest that the proof names"))?;
        let roots = roots(&manifest::read(named).map_err(crypto)?.predicate);
        if roots.is_empty() {
            return Ok(None);
        }
        let range = keys::ledger_stamps_from(ledger.tree_key(), index.saturating_add(1));
        for entry in self.store.range(&range, crate::state::page_size()).await?.entries {
            let Some(size) = keys::parse_ledger_stamp(ledger.tree_key(), &entry.key) else { continue };
            let signed = ledger.first_holding(size.saturating_sub(1)).await?;
            let Some(signed) = signed.filter(|signed| signed.size == size) else { continue };
            let Ok(token) = STANDARD.decode(&entry.value) else { continue };
            if believed(&token, &text(&signed)?, &roots).is_ok() {
                return Ok(Some((signed, STANDARD.encode(token))));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_left_alone_for_as_long_as_it_asks() {
        let later = |after: &str| asked_for(&Why::Later { status: 429, after: after.to_owned() });
        assert_eq!((later("90"), later("soon")), (Some(Duration::from_secs(90)), None));
        assert_eq!(asked_for(&Why::Status(503)), None);
        assert_eq!(None.max(later("90")).max(None), Some(Duration::from_secs(90)), "the longest counts");
    }

    #[test]
    fn an_address_that_cannot_be_asked_is_refused_before_anything_is_served() {
        let asked = |url: &str| Stamping::new(&LogConfig { timestamp: vec![url.to_owned()], ..LogConfig::default() });
        assert_eq!(asked("http://tsa.one.example/tsr").expect("an address").every, Duration::from_secs(3600));
        for url in ["tsa.one.example", "ftp://tsa.one.example/", ""] {
            let why = asked(url).err().map(|why| why.to_string()).unwrap_or_default();
            assert!(why.contains("not an address"), "{url}: {why}");
        }
    }
}
