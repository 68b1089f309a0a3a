//! `gallra-agent join`: makes this host's keys, shows the token, and keeps what comes back. Private keys never leave the
//! host. Nothing is written before the coordinator has answered, and `agent.json` is written last: a host has joined when
//! it is there.

use anyhow::{Context as _, bail};
use gallra_identity::JoinToken;
use gallra_model::AgentName;
use gallra_proof::key::{SigningKey, VerifyingKey};
use gallra_wire::v1::enrolment_service_client::EnrolmentServiceClient;
use gallra_wire::v1::{EnrolRequest, EnrolResponse};

use crate::clock::random;
use crate::dir::{Dir, Joined, write_private};
use crate::session::{Address, Tls};

/// The keys made on this host.
struct Made {
    evidence: SigningKey,
    mtls_key: String,
}

/// Joins, and returns the agent's name.
///
/// # Errors
/// When the directory already belongs to an agent, the token does not count, or the coordinator cannot be reached.
pub async fn join(token: &JoinToken, dir: &Dir) -> anyhow::Result<AgentName> {
    dir.create()?;
    let _held = dir.lock()?;
    refuse_second(dir)?;
    let agent: AgentName = token.agent.parse().context("the token's agent name")?;
    let (mtls_key, csr_pem) = gallra_identity::new_csr(&token.agent)?;
    let made = Made { evidence: SigningKey::from_seed(&random()?), mtls_key };
    let request = EnrolRequest {
        secret: token.secret.to_hex(),
        agent: token.agent.clone(),
        csr_pem,
        evidence_key: made.evidence.verifying().to_hex(),
    };
    let tls = Tls { authority: token.authority_pem.clone(), identity: None };
    let channel = Address::new(&token.address, &tls)?.connect().await?;
    let answer = EnrolmentServiceClient::new(channel).enrol(request).await;
    let answer = answer.map_err(refusal)?.into_inner();
    if answer.authority_pem.trim() != token.authority_pem.trim() {
        bail!("the coordinator names another authority than the token: nothing was kept; ask for a new token");
    }
    keep(dir, &agent, &made, &answer)?;
    Ok(agent)
}

/// A key that is there belongs to receipts that were signed with it: it is never replaced.
fn refuse_second(dir: &Dir) -> anyhow::Result<()> {
    for path in [dir.joined(), dir.evidence_key(), dir.session_key()] {
        if path.exists() {
            bail!("{} is there already: this directory belongs to an agent; use another --dir", path.display());
        }
    }
    Ok(())
}

fn refusal(status: tonic::Status) -> anyhow::Error {
    if status.code() == tonic::Code::PermissionDenied {
        return anyhow::anyhow!(
            "the token does not count: it was used, replaced or expired; ask an operator for a new one with \
             `gallra agent invite`"
        );
    }
    anyhow::anyhow!("the coordinator refused ({:?}): {}", status.code(), status.message())
}

fn keep(dir: &Dir, agent: &AgentName, made: &Made, answer: &EnrolResponse) -> anyhow::Result<()> {
    VerifyingKey::from_hex(&answer.permit_key).context("the coordinator's permit key")?;
    let joined = Joined {
        agent: agent.clone(),
        session_address: answer.session_address.clone(),
        other_session_addresses: answer.other_session_addresses.clone(),
        permit_key: answer.permit_key.clone(),
    };
    write_private(&dir.evidence_key(), made.evidence.to_pem()?.as_bytes())?;
    write_private(&dir.session_key(), made.mtls_key.as_bytes())?;
    write_private(&dir.session_certificate(), answer.certificate_pem.as_bytes())?;
    write_private(&dir.authority(), answer.authority_pem.as_bytes())?;
    write_private(&dir.joined(), &serde_json::to_vec_pretty(&joined)?)?;
    Ok(())
}
