//! `gallra-coordinator log succeed`: a log that cannot go on ends, and another goes on where it ended (`docs/log.md`, section 4).
//!
//! Root holders say so, offline; here it is seen that they may, and that what they say fits this store. Then, each step whole or
//! not at all, and each again without harm: what was published of the old log is written out; a mark beside the store says that
//! it ended; the new tree is begun; and one commit puts it in force. Upholds that no size of the old log is signed again.

mod foretold;

use std::fmt::Write as _;

use anyhow::Context as _;
use gallra_crash::point;
use gallra_identity::ml_dsa_verifies;
use gallra_log::checkpoint::{Checkpoint, Origin};
use gallra_log::entry::Entry;
use gallra_model::Digest;
use gallra_model::envelope::Envelope;
use gallra_model::manifest::{Manifest, Succession};
use gallra_model::statement::Type;
use gallra_proof::manifest::ManifestError;
use gallra_proof::payload::Opened;
use gallra_proof::{manifest, succession};
use gallra_store::keys::Tree;
use gallra_store::{Expect, Txn, keys};

pub use foretold::Foretold;

use crate::core::Core;
use crate::entered::entry_of;
use crate::error::{CoreError, encode};
use crate::layout::Layout;
use crate::ledger::{self, Agrees, Ledger, Opening};
use crate::logs::{StoredSuccession, successions};
use crate::signing::submit::{reads_others, refused};

/// What root holders signed.
#[derive(Debug, Clone)]
pub struct Words {
    /// That another log goes on.
    pub succession: Envelope,
    /// The manifest that names it.
    pub manifest: Envelope,
}

/// Words that were checked.
struct Checked {
    said: Opened<Succession>,
    next: Opened<Manifest>,
    origin: Origin,
    last: Checkpoint,
    agrees: Agrees,
    /// The seed of the new log's key.
    seed: [u8; 32],
    /// What the new log begins with.
    entries: Vec<Entry>,
}

impl Checked {
    /// What its tree is called: after its first entries, so that what an interrupted run began is found or left alone.
    fn tree(&self) -> Digest {
        let leaves: Vec<_> = self.entries.iter().map(Entry::leaf).collect();
        let parts: Vec<&[u8]> = leaves.iter().map(|leaf| leaf.as_bytes().as_slice()).collect();
        Digest::of_parts(&[&[b"gallra-log-tree".as_slice()], parts.as_slice()].concat())
    }
}

fn unfit(error: &succession::SuccessionError) -> CoreError {
    match error {
        succession::SuccessionError::Payload(_) => CoreError::Invalid(error.to_string()),
        succession::SuccessionError::Fit(_) => CoreError::Precondition(error.to_string()),
        succession::SuccessionError::Signed(ManifestError::Few { .. }) => CoreError::Precondition(error.to_string()),
        succession::SuccessionError::Signed(_) => CoreError::Invalid(error.to_string()),
    }
}

impl Core {
    /// What would be, changing nothing. Of a coordinator that was opened to read.
    ///
    /// # Errors
    /// As [`Core::succeed_log`].
    pub async fn foretell(&self, layout: &Layout, words: &Words) -> Result<Foretold, CoreError> {
        if self.is_done(words).await? {
            return Ok(Foretold::done(self.ledger.origin().as_str()));
        }
        let checked = self.check_words(layout, words).await?;
        self.foretold(&checked).await
    }

    /// Ends the log and has the other one go on. The same words again change nothing.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for what is no succession or manifest, or wrongly signed; [`CoreError::Precondition`] for words that do
    /// not fit this store: of another log, used before, too few holders, a checkpoint of another history, a key that is not here.
    /// Nothing has changed then. An error after that leaves a log that signs nothing until this is run again.
    pub async fn succeed_log(&self, layout: &Layout, words: &Words) -> Result<Foretold, CoreError> {
        if self.is_done(words).await? {
            return Ok(Foretold::done(self.ledger.origin().as_str()));
        }
        let checked = self.check_words(layout, words).await?;
        let foretold = self.foretold(&checked).await?;
        self.write_out(layout, words).await?;
        let folder = layout.path(ledger::FOLDER);
        ledger::mark_ended(&folder, &checked.said.predicate.ended).await?;
        point("log_ended");
        let tree = checked.tree();
        let number = u32::try_from(self.ended.len() + 1).unwrap_or(u32::MAX);
        let opening = Opening {
            store: std::sync::Arc::clone(&self.store),
            folder: &folder,
            origin: checked.origin.clone(),
            seed: checked.seed,
            generation: self.generation,
            hear_agents: 0,
            tree: Tree::After(tree),
            before: Vec::new(),
        };
        Ledger::open(opening).await?.begin_with(&checked.entries, self.time.now()).await?;
        point("log_begun");
        let stored = StoredSuccession { envelope: words.succession.clone(), tree };
        let version = checked.next.predicate.version;
        let txn = Txn::new()
            .expect(keys::key_manifest(version + 1), Expect::Absent)
            .create(keys::ledger_succession(number), encode(&stored)?)
            .create(keys::key_manifest(version), encode(&words.manifest)?);
        self.store.commit(txn).await?;
        point("log_succeeded");
        Ok(foretold)
    }

    /// Whether these words put the log in force that is in force.
    async fn is_done(&self, words: &Words) -> Result<bool, CoreError> {
        let said = succession::read(&words.succession).map_err(|error| unfit(&error))?;
        let all = successions(&*self.store).await?;
        let Some(number) = all.iter().position(|(_, one)| one.digest == said.digest) else { return Ok(false) };
        if number + 1 == all.len() {
            return Ok(true);
        }
        Err(CoreError::Precondition(format!(
            "the log succession was taken before, and the log {} has ended since",
            said.predicate.origin
        )))
    }

    async fn check_words(&self, layout: &Layout, words: &Words) -> Result<Checked, CoreError> {
        let said = succession::read(&words.succession).map_err(|error| unfit(&error))?;
        let manifests = self.manifests().await?;
        let newest = manifests.last().ok_or(CoreError::NotFound("key manifest"))?;
        let before = manifest::read(newest).map_err(|error| refused(&error))?;
        let next = manifest::follows(&words.manifest, &before).map_err(|error| refused(&error))?;
        manifest::signed(&words.manifest, &next.predicate, Some(&before.predicate), ml_dsa_verifies)
            .map_err(|error| refused(&error))?;
        succession::signed(&words.succession, &before.predicate, ml_dsa_verifies).map_err(|error| unfit(&error))?;
        succession::leads(&said.predicate, &before.predicate, &next.predicate).map_err(|error| unfit(&error))?;
        reads_others(&next.predicate)?;
        self.keeps_who_signs(&next.predicate).await?;
        self.keeps_the_issuer(&next.predicate)?;
        let origin = self.new_name(&said.predicate).await?;
        let last = self.ledger.opened(&said.predicate.checkpoint)?;
        let agrees = self.ledger.agrees(&last).await?;
        let seed = ledger::read_listed(layout, &said.predicate.key);
        let seed = seed.map_err(|error| CoreError::Precondition(format!("{error:#}")))?;
        let entries = self.beginning(words).await?;
        Ok(Checked { said, next, origin, last, agrees, seed, entries })
    }

    /// What waits for the log was signed by the issuer's keys of now, and comes after the manifest.
    fn keeps_the_issuer(&self, next: &Manifest) -> Result<(), CoreError> {
        if self.issuer.under(next)?.signers().map(|signer| signer.keyid()) == self.issuer.keyids() {
            return Ok(());
        }
        Err(CoreError::Precondition(
            "the manifest changes the issuer's keys, too: let the log go on first, and change them by a manifest of its own".into(),
        ))
    }

    /// No name and no key of a log is used twice.
    async fn new_name(&self, said: &Succession) -> Result<Origin, CoreError> {
        let invalid = || {
            CoreError::Invalid(
                "the new log's origin: expected 1 to 255 bytes without space, plus sign or control character".into(),
            )
        };
        let origin: Origin = said.origin.parse().map_err(|_| invalid())?;
        if !origin.is_key_name() {
            return Err(invalid());
        }
        if self.ended.iter().any(|ended| ended.origin() == &origin) {
            return Err(CoreError::Precondition(format!("the log {origin} ended before: take another origin")));
        }
        if self.known_keys().await?.contains_key(&said.key) {
            return Err(CoreError::Precondition("the new log's key was listed before: make another".into()));
        }
        Ok(origin)
    }

    /// The entries that the new log begins with: the succession, all that was said of keys before in its order, and the manifest.
    async fn beginning(&self, words: &Words) -> Result<Vec<Entry>, CoreError> {
        let mut said = Vec::new();
        let manifests = self.manifests().await?.into_iter().map(|one| (one, Type::KeyManifest));
        let events = self.key_events().await?.into_iter().map(|one| (one, Type::KeyEvent));
        for (turn, (envelope, kind)) in manifests.chain(events).enumerate() {
            let place = self.position_of(&envelope, kind).await?;
            said.push((place.unwrap_or(u64::MAX), turn, entry_of(&envelope, kind, None, None)?));
        }
        said.sort_by_key(|(place, turn, _)| (*place, *turn));
        let mut entries = vec![entry_of(&words.succession, Type::LogSuccession, None, None)?];
        entries.extend(said.into_iter().map(|(_, _, entry)| entry));
        entries.push(entry_of(&words.manifest, Type::KeyManifest, None, None)?);
        Ok(entries)
    }

    /// Writes out what was published of the log in force, with the key file that its proofs are read with: any server of files
    /// serves it on.
    async fn write_out(&self, layout: &Layout, words: &Words) -> Result<(), CoreError> {
        let folder = layout.path(ledger::FOLDER).join(format!("ended-{}", self.ended.len() + 1));
        let mut files = ledger::files(&self.ledger).await?;
        files.push(("log.vkey".to_owned(), format!("{}\n", self.ledger.public()).into_bytes()));
        files.push(("keys.json".to_owned(), self.key_file_of(&self.ledger).await?));
        files.push(("succession.json".to_owned(), encode(&words.succession)?));
        let write = || -> anyhow::Result<()> {
            for (path, bytes) in files {
                let path = folder.join(path);
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
                }
                std::fs::write(&path, bytes).with_context(|| format!("{}", path.display()))?;
            }
            Ok(())
        };
        write().map_err(|error| CoreError::Precondition(format!("the ended log cannot be written out: {error:#}")))
    }
}

/// `gallra-coordinator log succeed`, of a stopped coordinator: says what will be, and does it unless it is only to be said.
///
/// # Errors
/// Says what does not fit; nothing has changed then.
pub async fn run(core: &Core, layout: &Layout, words: &Words, dry: bool) -> anyhow::Result<String> {
    let foretold = if dry { core.foretell(layout, words).await? } else { core.succeed_log(layout, words).await? };
    let mut text = String::new();
    for line in foretold.lines(outcome(dry)) {
        writeln!(text, "{line}").context("a line")?;
    }
    Ok(text)
}

fn outcome(dry: bool) -> &'static str {
    if dry { "nothing was changed; without --dry-run it is done" } else { "done" }
}
