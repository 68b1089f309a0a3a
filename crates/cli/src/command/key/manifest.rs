//! `gallra key manifest …`: the ceremony, step by step, without a coordinator (`docs/keys.md`). What changes and who has signed goes
//! to stdout; files are never written over.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use gallra_identity::certificate_der;
use gallra_model::Digest;
use gallra_model::manifest::{KeyRole, LogName, Manifest, TimeAuthority, Witness};
use gallra_proof::manifest;
use serde::Serialize;

use crate::ceremony::{self, Published, changes, progress, seat, unseat};
use crate::command::Shown;
use crate::exit::{FAILED, Failure, OK, PRECONDITION, USAGE};
use crate::pair::{self, Pair};
use crate::{cause, output};

/// Manifests.
#[derive(Subcommand)]
pub enum ManifestCommand {
    /// Make the next manifest from the published key file, with these changes, and write what is to be signed.
    #[command(after_help = "Examples:\n  \
        gallra key manifest edit --keys keys.json --add-issuer issuer-2027.pub --drop KEYID --drop KEYID --out manifest-2.json\n  \
        gallra key manifest edit --keys keys.json --add-holder chair=chair.pub --drop-holder management --out manifest-2.json\n\n\
        Agents that have joined since are added, and those whose key ended are left out, by themselves.")]
    Edit(Box<EditArgs>),
    /// See what changes, and sign it with one root holder's two keys. Others sign the file that comes out.
    #[command(after_help = "Example:\n  \
        gallra key manifest sign manifest-2.json --keys keys.json --root /media/chair/chair --out manifest-2.chair.json")]
    Sign {
        /// What `edit` or another holder's `sign` wrote.
        file: PathBuf,
        /// The published key file, from where it is published: what changes is worked out against it.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        /// The holder's keys: PREFIX.key and PREFIX-ml-dsa.key.
        #[arg(long, value_name = "PREFIX")]
        root: PathBuf,
        /// The file with the signatures; must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// See what a manifest says or changes, and who has signed it.
    Show {
        /// A manifest, signed or not.
        file: PathBuf,
        /// The published key file: then only what changes is shown.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// What the next manifest changes.
#[derive(Args)]
pub struct EditArgs {
    /// The published key file.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// What is to be signed; must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// List these issuer keys; repeat.
    #[arg(long, value_name = "PUB")]
    add_issuer: Vec<PathBuf>,
    /// Leave a key out: an issuer's; repeat.
    #[arg(long, value_name = "KEYID")]
    drop: Vec<Digest>,
    /// Seat a root holder, in the place of one of the same name; repeat.
    #[arg(long, value_name = "NAME=PUB")]
    add_holder: Vec<String>,
    /// Have a root holder leave; repeat.
    #[arg(long, value_name = "NAME")]
    drop_holder: Vec<String>,
    /// How many holders a manifest needs.
    #[arg(long, value_name = "NUMBER")]
    threshold: Option<u32>,
    /// List a witness, in the place of one of the same name; repeat. `:outside` where another organisation holds the key.
    #[arg(long, value_name = "NAME=VKEY[:outside]")]
    witness: Vec<String>,
    /// Leave a witness out; repeat.
    #[arg(long, value_name = "NAME")]
    drop_witness: Vec<String>,
    /// List a time stamping authority by its root certificate, PEM; repeat.
    #[arg(long, value_name = "NAME=PEM")]
    authority: Vec<String>,
    /// Leave a time stamping authority out; repeat.
    #[arg(long, value_name = "NAME")]
    drop_authority: Vec<String>,
    /// Name another log and its key, in the place of one that cannot go on: goes with a log succession (`gallra log succession`).
    #[arg(long, value_name = "ORIGIN=PUB")]
    log: Option<String>,
    /// The provider's name.
    #[arg(long)]
    name: Option<String>,
    /// Its country, two capitals.
    #[arg(long)]
    country: Option<String>,
    /// A role address, nobody's own.
    #[arg(long)]
    contact: Option<String>,
    /// Who takes complaints.
    #[arg(long)]
    complaints: Option<String>,
    /// Its number, where that is no person's.
    #[arg(long)]
    organisation_number: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// What was made, signed or shown.
#[derive(Serialize)]
struct Told {
    version: u32,
    digest: String,
    changes: Vec<String>,
    signed: Vec<String>,
    enough: bool,
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub(super) fn run(command: ManifestCommand) -> Result<u8, Failure> {
    match command {
        ManifestCommand::Edit(args) => edit(&args),
        ManifestCommand::Sign { file, keys, root, out, shown } => sign(&file, &keys, &root, &out, shown),
        ManifestCommand::Show { file, keys, shown } => {
            let published = keys.as_deref().map(Published::read).transpose()?;
            tell(&ceremony::read_envelope(&file)?, published.as_ref(), shown)
        }
    }
}

fn edit(args: &EditArgs) -> Result<u8, Failure> {
    let published = Published::read(&args.keys)?;
    let mut next = published.next()?;
    change(&mut next, args)?;
    next.keys.sort_by_key(|key| key.keyid);
    (next.made, next.clock) = (cause::now(), gallra_model::Clock::Real);
    let mut bytes = manifest::bytes(&next).map_err(|error| Failure::new(FAILED, error.to_string()))?;
    let envelope = manifest::unsigned(&bytes);
    let newest = published.newest().ok_or_else(|| Failure::new(USAGE, "key file: no manifest"))?;
    manifest::follows(&envelope, newest).map_err(|error| Failure::new(USAGE, error.to_string()))?;
    bytes.push(b'\n');
    pair::write_new(&args.out, 0o644, &bytes)?;
    tell(&envelope, Some(&published), args.shown)
}

fn change(next: &mut Manifest, args: &EditArgs) -> Result<(), Failure> {
    let none =
        |what: &str, name: &str| Failure::new(USAGE, format!("{what} {name}: there is none in the newest manifest"));
    for name in &args.drop_holder {
        if !unseat(next, name) {
            return Err(none("--drop-holder", name));
        }
    }
    for (name, path) in args.add_holder.iter().map(|text| named(text)).collect::<Result<Vec<_>, _>>()? {
        seat(next, name, &pair::read_both(Path::new(path))?);
    }
    for path in &args.add_issuer {
        for public in pair::read_both(path)? {
            ceremony::add(next, &public, KeyRole::Issuer);
        }
    }
    for id in &args.drop {
        let of_issuer = |key: &gallra_model::manifest::ManifestKey| key.keyid == *id && key.role == KeyRole::Issuer;
        if !next.keys.iter().any(of_issuer) {
            let why =
                "no issuer's key. Root holders leave with --drop-holder, agents' keys end with `gallra key revoke`";
            return Err(Failure::new(USAGE, format!("--drop {id}: {why}")));
        }
        next.keys.retain(|key| key.keyid != *id);
    }
    next.threshold = args.threshold.unwrap_or(next.threshold);
    for name in &args.drop_witness {
        let before = next.witnesses.len();
        next.witnesses.retain(|witness| witness.name != *name);
        if next.witnesses.len() == before {
            return Err(none("--drop-witness", name));
        }
    }
    for (name, key) in args.witness.iter().map(|text| named(text)).collect::<Result<Vec<_>, _>>()? {
        let (key, outside) = key.strip_suffix(":outside").map_or((key, false), |key| (key, true));
        next.witnesses.retain(|witness| witness.name != name);
        next.witnesses.push(Witness { name: name.to_owned(), key: key.to_owned(), outside });
    }
    for name in &args.drop_authority {
        let before = next.authorities.len();
        next.authorities.retain(|authority| authority.name != *name);
        if next.authorities.len() == before {
            return Err(none("--drop-authority", name));
        }
    }
    for (name, path) in args.authority.iter().map(|text| named(text)).collect::<Result<Vec<_>, _>>()? {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::new(USAGE, format!("{path}: {error}")))?;
        let der = certificate_der(&text)
            .ok_or_else(|| Failure::new(USAGE, format!("{path}: expected one certificate, PEM")))?;
        next.authorities.retain(|authority| authority.name != name);
        next.authorities.push(TimeAuthority { name: name.to_owned(), certificate: STANDARD.encode(der) });
    }
    if let Some((origin, path)) = args.log.as_deref().map(named).transpose()? {
        let keys = pair::read_public(Path::new(path))?;
        let [key] = keys.as_slice() else {
            return Err(Failure::new(
                USAGE,
                format!("{path}: expected one Ed25519 key, as `gallra key create --for log` makes it"),
            ));
        };
        next.keys.retain(|key| key.role != KeyRole::Log);
        ceremony::add(next, key, KeyRole::Log);
        next.log = LogName { origin: origin.to_owned(), key: key.keyid };
    }
    let issuer = &mut next.issuer;
    for (field, value) in [
        (&mut issuer.name, &args.name),
        (&mut issuer.country, &args.country),
        (&mut issuer.contact, &args.contact),
        (&mut issuer.authority, &args.complaints),
    ] {
        if let Some(value) = value {
            field.clone_from(value);
        }
    }
    if let Some(number) = &args.organisation_number {
        next.issuer.organisation_number = Some(number.clone()).filter(|number| !number.is_empty());
    }
    Ok(())
}

fn named(text: &str) -> Result<(&str, &str), Failure> {
    let both = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    both.ok_or_else(|| Failure::new(USAGE, format!("{text}: expected NAME=VALUE")))
}

fn sign(file: &Path, keys: &Path, root: &Path, out: &Path, shown: Shown) -> Result<u8, Failure> {
    let published = Published::read(keys)?;
    let newest = published.newest().ok_or_else(|| Failure::new(USAGE, "key file: no manifest"))?;
    let envelope = ceremony::read_envelope(file)?;
    let opened = manifest::follows(&envelope, newest).map_err(|error| Failure::new(PRECONDITION, error.to_string()))?;
    let pair = Pair::read(root)?;
    let [ed25519, ml_dsa] = pair.signers().map(|signer| signer.keyid());
    let is = |holder: &&gallra_model::manifest::Holder| holder.ed25519 == ed25519 && holder.ml_dsa_65 == ml_dsa;
    let holders = newest.predicate.holders.iter().chain(&opened.predicate.holders);
    if holders.clone().find(is).is_none() {
        let why = "these keys are no root holder's, neither of the newest manifest nor of this one";
        return Err(Failure::new(USAGE, format!("{}: {why}", root.display())));
    }
    progress(&envelope, &opened.predicate, Some(&newest.predicate))?;
    let signed = manifest::sign(&envelope, &pair.signers()).map_err(|error| Failure::new(FAILED, error.to_string()))?;
    let mut bytes = serde_json::to_vec(&signed).map_err(|error| Failure::new(FAILED, error.to_string()))?;
    bytes.push(b'\n');
    pair::write_new(out, 0o644, &bytes)?;
    tell(&signed, Some(&published), shown)
}

/// Says what changes, or all of it, and who has signed.
fn tell(
    envelope: &gallra_model::envelope::Envelope,
    published: Option<&Published>,
    shown: Shown,
) -> Result<u8, Failure> {
    let opened = manifest::read(envelope).map_err(|error| Failure::new(USAGE, error.to_string()))?;
    // Of one that is published already: against the one before it.
    let before = published.and_then(|published| {
        let parent = opened.predicate.parent?;
        published.manifests.iter().map(|(other, _)| other).find(|other| other.digest == parent)
    });
    let before = before.map(|before| &before.predicate);
    if published.is_some() && before.is_none() && opened.predicate.version > 1 {
        let why = "the manifest does not follow from any in the key file: fetch the newest key file";
        return Err(Failure::new(PRECONDITION, why));
    }
    // Without the version before it is not known who else may sign: only its own holders are counted then.
    let progress = match before {
        None if opened.predicate.version > 1 => None,
        before => Some(progress(envelope, &opened.predicate, before)?),
    };
    let (signed, enough) = progress.map_or_else(
        || (vec!["give --keys to see who has signed".to_owned()], false),
        |progress| (progress.lines, progress.enough),
    );
    let (version, digest) = (opened.predicate.version, opened.digest.to_string());
    let told = Told { version, digest, changes: changes(before, &opened.predicate), signed, enough };
    let next = if enough { "an approver runs `gallra key submit FILE`" } else { "more holders sign" };
    let mut pairs = vec![("version", told.version.to_string()), ("digest", told.digest.clone())];
    pairs.extend(told.changes.iter().map(|line| ("change", line.clone())));
    pairs.extend(told.signed.iter().map(|line| ("signatures", line.clone())));
    pairs.push(("next", next.to_owned()));
    output::one(shown.output, &told, &pairs);
    Ok(OK)
}
