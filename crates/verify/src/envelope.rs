//! DSSE signatures over exact bytes (`docs/formats/envelope.md`). Upholds that nothing is parsed before the signature of
//! the key that was chosen for it checks, and that an agent's key is believed only where a signed plan names it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::form::canonical;
use crate::format::plan::Plan;
use crate::format::receipt::Receipt;
use crate::format::statement::{Envelope, Signature};
use crate::key::IssuerKey;
use crate::verdict::{Failure, Kind};
use crate::word::{Hex64, Name};

/// What was signed, once the signature checked.
pub(crate) struct Opened<T> {
    pub(crate) value: T,
    /// SHA-256 of the signed bytes.
    pub(crate) digest: Hex64,
    pub(crate) keyid: String,
}

/// The bytes that are signed.
fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// The one signature of an envelope.
fn signature<'a>(envelope: &'a Envelope, noun: &str) -> Result<&'a Signature, Failure> {
    match envelope.signatures.as_slice() {
        [one] => Ok(one),
        _ => Err(Failure::malformed(&format!("the {noun} does not carry exactly one signature"))),
    }
}

fn open<T: Serialize + DeserializeOwned>(
    envelope: &Envelope,
    payload_type: &str,
    noun: &str,
    key: &IssuerKey,
) -> Result<Opened<T>, Failure> {
    if envelope.payload_type != payload_type {
        return Err(Failure::malformed(&format!("the {noun} is of another payload type")));
    }
    let not_base64 = |_| Failure::malformed(&format!("the {noun} is not canonical base64"));
    let payload = STANDARD.decode(&envelope.payload).map_err(not_base64)?;
    let sig = STANDARD.decode(&signature(envelope, noun)?.sig).map_err(not_base64)?;
    if !key.verifies(&pae(payload_type, &payload), &sig) {
        return Err(Failure::new(Kind::Signature, &format!("the {noun}'s signature does not verify")));
    }
    let digest = Hex64::try_from(hex::encode(Sha256::digest(&payload))).map_err(Failure::malformed)?;
    Ok(Opened { value: canonical(&payload, noun)?, digest, keyid: key.keyid().to_owned() })
}

/// Opens what the issuer must have signed, with one of the trusted keys.
pub(crate) fn open_by_issuer<T: Serialize + DeserializeOwned>(
    envelope: &Envelope,
    payload_type: &str,
    noun: &str,
    keys: &[IssuerKey],
) -> Result<Opened<T>, Failure> {
    let named = &signature(envelope, noun)?.keyid;
    let key = keys.iter().find(|key| key.keyid() == named).ok_or_else(|| {
        let why = if keys.is_empty() { "no trusted key was given".to_owned() } else { no_trusted(noun) };
        Failure::new(Kind::NoTrustedKey, &why)
    })?;
    open(envelope, payload_type, noun, key)
}

fn no_trusted(noun: &str) -> String {
    format!("the {noun} is signed by a key that is not among the trusted ones")
}

/// The evidence keys that a signed plan vouches for, by agent.
pub(crate) fn evidence_keys<'a>(
    plan: &'a Plan,
    issuers: &[IssuerKey],
) -> Result<BTreeMap<&'a Name, IssuerKey>, Failure> {
    let mut keys = BTreeMap::new();
    for named in &plan.agents {
        let key = IssuerKey::from_hex(named.key.as_str())
            .ok_or_else(|| Failure::evidence(&format!("the evidence key of agent {} is no usable key", named.agent)))?;
        if issuers.iter().any(|issuer| issuer.keyid() == key.keyid()) {
            return Err(Failure::evidence(&format!("agent {} signs with the issuer's own key", named.agent)));
        }
        if keys.insert(&named.agent, key).is_some() {
            return Err(Failure::evidence(&format!("the plan names agent {} twice", named.agent)));
        }
    }
    Ok(keys)
}

/// Opens a receipt with the key that its signature names, and sees that this is the key of the agent it speaks for.
pub(crate) fn open_by_agent(
    envelope: &Envelope,
    payload_type: &str,
    agents: &BTreeMap<&Name, IssuerKey>,
) -> Result<Opened<Receipt>, Failure> {
    let named = &signature(envelope, "receipt")?.keyid;
    let key = agents
        .values()
        .find(|key| key.keyid() == named)
        .ok_or_else(|| Failure::new(Kind::Signature, "a receipt is signed by a key that the plan does not name"))?;
    let opened: Opened<Receipt> = open(envelope, payload_type, "receipt", key)?;
    let agent = &opened.value.agent;
    if agents.get(agent).is_some_and(|key| key.keyid() == opened.keyid) {
        Ok(opened)
    } else {
        Err(Failure::new(Kind::Signature, &format!("a receipt of agent {agent} is signed by another agent's key")))
    }
}
