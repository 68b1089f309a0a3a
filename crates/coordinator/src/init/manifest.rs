//! The first key manifest of a new coordinator (`docs/formats/keys-v1.md`): issuer keys, log key, and one root holder's keys, which
//! are written to a folder of their own, to be carried away. Real time: whoever runs `init` is a person.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_identity::MlDsaKey;
use gallra_model::manifest::{Algorithm, IssuerName, KeyRole, TimeAuthority};
use gallra_model::{Clock, Digest};
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_store::Txn;

use super::Init;
use crate::clock::real_now;
use crate::core::random;
use crate::layout::{Layout, make_private_dir, write_new};
use crate::signing::{First, RootHolder, first, public};

/// Where the first root holder's keys are, until they are carried away.
pub(super) const ROOTS: &str = "roots";

/// Writes a pair of keys, one of each algorithm, and gives it.
fn write_pair(layout: &Layout, at: &str) -> anyhow::Result<(SigningKey, MlDsaKey)> {
    let ed25519 = SigningKey::from_seed(&random()?);
    let ml_dsa = MlDsaKey::from_seed(&random()?)?;
    write_new(&layout.path(&format!("{at}.key")), 0o600, ed25519.to_pem()?.as_bytes())?;
    write_new(&layout.path(&format!("{at}-ml-dsa.key")), 0o600, ml_dsa.to_pem()?.as_bytes())?;
    let both = format!("{}{}", ed25519.verifying().to_pem(), ml_dsa.public_pem());
    write_new(&layout.path(&format!("{at}.pub")), 0o644, both.as_bytes())?;
    Ok((ed25519, ml_dsa))
}

/// `NAME=FILE` as the manifest lists it.
fn authority(text: &str) -> anyhow::Result<TimeAuthority> {
    let (name, file) = text.split_once('=').context("--time-authority: expected NAME=FILE")?;
    let pem = std::fs::read_to_string(file).with_context(|| format!("--time-authority: {file} cannot be read"))?;
    let der = gallra_identity::certificate_der(&pem)
        .with_context(|| format!("--time-authority: {file} is not one certificate in PEM"))?;
    anyhow::ensure!(
        gallra_verify::timestamp::is_root(&der),
        "--time-authority: {file} is no certificate that readers of proofs can check time stamps with: one of X.509 version 3 in DER"
    );
    Ok(TimeAuthority { name: name.to_owned(), certificate: STANDARD.encode(der) })
}

/// The time stamping authorities that the manifest will name; read before anything is written.
pub(super) fn authorities(init: &Init) -> anyhow::Result<Vec<TimeAuthority>> {
    let all = init.time_authorities.iter().map(|text| authority(text)).collect::<anyhow::Result<Vec<_>>>()?;
    for (number, one) in all.iter().enumerate() {
        let twice = all.iter().skip(number + 1).any(|other| other.name == one.name);
        anyhow::ensure!(!twice, "--time-authority: {} stands there twice", one.name);
    }
    Ok(all)
}

/// Makes issuer keys, the first root holder's keys and the manifest that lists them; adds it to what the store begins with.
pub(super) fn write(
    layout: &Layout,
    init: &Init,
    (origin, log): (&str, &VerifyingKey),
    txn: Txn,
) -> anyhow::Result<Txn> {
    make_private_dir(&layout.path(ROOTS))?;
    let (ed25519, ml_dsa) = write_pair(layout, "issuer")?;
    let (root, root_ml_dsa) = write_pair(layout, &format!("{ROOTS}/{}", init.root_holder))?;
    let said = First {
        issuer: IssuerName {
            name: init.provider.clone().unwrap_or_else(|| init.installation.clone()),
            country: init.country.clone(),
            contact: init.contact.clone(),
            authority: init.authority.clone(),
            organisation_number: None,
        },
        origin: origin.to_owned(),
        log: public(&log.to_spki(), Algorithm::Ed25519, KeyRole::Log),
        signers: [&ed25519, &ml_dsa],
        holders: vec![RootHolder { name: init.root_holder.clone(), ed25519: &root, ml_dsa: &root_ml_dsa }],
        authorities: authorities(init)?,
        made: (real_now(), Clock::Real),
    };
    let (envelope, txn) = first(&said, txn)?;
    let anchor: Digest = gallra_proof::dsse::payload_digest(&envelope)?;
    write_new(&layout.path("anchor"), 0o644, format!("sha256:{anchor}\n").as_bytes())?;
    Ok(txn)
}
