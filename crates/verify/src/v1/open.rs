//! Step 4: who signed each statement, and that the log has it. Nothing is parsed before its signature checked.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entry::Sealed;
use super::log::Log;
use super::register::Register;
use crate::envelope::Opened;
use crate::format::plan::Plan;
use crate::format::receipt::Receipt;
use crate::format::v1::file::{Entry, ProofFile};
use crate::format::v1::statement::{CopySet, EvidenceType, Notification, Proof, Request, Restore, Statement, Subject};
use crate::verdict::{Failure, Report};
use crate::word::{Hex64, Id, Name};

/// A statement whose signatures and place in the log are right.
pub(crate) struct At<P> {
    pub(crate) value: Statement<P>,
    pub(crate) digest: Hex64,
    /// Position in the log.
    pub(crate) index: u64,
    /// The exact bytes, to be searched for what must not be there.
    pub(crate) payload: Vec<u8>,
}

/// What an agent's statement says beside its predicate.
pub(crate) struct AgentAt {
    pub(crate) word: EvidenceType,
    pub(crate) subject: Vec<Subject>,
    /// Whose key signed.
    pub(crate) actor: Name,
    pub(crate) index: u64,
    pub(crate) payload: Vec<u8>,
}

/// Everything that was signed.
pub(crate) struct AllOpened {
    pub(crate) proof: At<Proof>,
    pub(crate) request: At<Request>,
    pub(crate) plan: At<Plan>,
    /// About the request's own jobs, in the file's order; beside each, what is not in its predicate.
    pub(crate) receipts: Vec<Opened<Receipt>>,
    pub(crate) agents: Vec<AgentAt>,
    /// Each with the agent whose key signed it.
    pub(crate) restores: Vec<(At<Restore>, Name)>,
    pub(crate) notifications: Vec<At<Notification>>,
    pub(crate) copy_sets: Vec<At<CopySet>>,
    /// Positions of what comes after the agents' statements, in the file's order.
    pub(crate) tail: Vec<u64>,
    /// An agent's statement about a job stands after one of those.
    pub(crate) mixed: bool,
}

impl AllOpened {
    /// The last position that the proof needs: its own, once links are checked.
    pub(crate) fn last_index(&self) -> u64 {
        self.proof.index
    }
}

struct Opening<'a> {
    log: &'a Log,
    register: &'a Register,
    request: Option<Id>,
}

impl Opening<'_> {
    /// What the issuer must have signed. `request` is read from it where it is not known yet.
    fn by_issuer<P: Serialize + DeserializeOwned>(
        &self,
        entry: &Entry,
        word: &str,
        request: impl Fn(&P) -> &Id,
    ) -> Result<At<P>, Failure> {
        let sealed = Sealed::read(&entry.envelope, word)?;
        self.register.by_issuer(&sealed, word, entry.index.get())?;
        let value = sealed.statement::<P>(word)?;
        let request = self.request.as_ref().unwrap_or_else(|| request(&value.predicate));
        sealed.included(word, Some(request), entry, &self.log.checkpoints)?;
        Ok(At { digest: sealed.digest()?, value, index: entry.index.get(), payload: sealed.payload })
    }

    fn by_agent<P: Serialize + DeserializeOwned>(&self, entry: &Entry, word: &str) -> Result<(At<P>, Name), Failure> {
        let sealed = Sealed::read(&entry.envelope, word)?;
        let actor = self.register.by_agent(&sealed, word, entry.index.get())?.clone();
        let value = sealed.statement::<P>(word)?;
        sealed.included(word, self.request.as_ref(), entry, &self.log.checkpoints)?;
        Ok((At { digest: sealed.digest()?, value, index: entry.index.get(), payload: sealed.payload }, actor))
    }

    /// Manifests and events: who signed them was seen before their places in the log could be.
    fn about_keys(&self, entries: &[Entry], word: &str) -> Result<(), Failure> {
        for entry in entries {
            Sealed::read(&entry.envelope, word)?.included(word, None, entry, &self.log.checkpoints)?;
        }
        Ok(())
    }
}

pub(crate) fn open(
    file: &ProofFile,
    log: &Log,
    register: &Register,
    report: &mut Report,
) -> Result<AllOpened, Failure> {
    let mut opening = Opening { log, register, request: None };
    opening.about_keys(&file.manifests, "key-manifest")?;
    opening.about_keys(&file.events, "key-event")?;
    let proof: At<Proof> = opening.by_issuer(&file.proof, "proof", |proof: &Proof| &proof.request)?;
    opening.request = Some(proof.value.predicate.request.clone());
    let request = opening.by_issuer(&file.request, "request", |request: &Request| &request.request)?;
    let plan = opening.by_issuer(&file.plan, "plan", |plan: &Plan| &plan.request)?;
    let mut all = AllOpened {
        proof,
        request,
        plan,
        receipts: Vec::new(),
        agents: Vec::new(),
        restores: Vec::new(),
        notifications: Vec::new(),
        copy_sets: Vec::new(),
        tail: Vec::new(),
        mixed: false,
    };
    let named: Vec<(EvidenceType, Hex64)> =
        all.proof.value.predicate.evidence.iter().map(|named| (named.statement, named.digest.clone())).collect();
    if named.len() != file.statements.len() {
        return Err(Failure::evidence("the statements in the file are not those that the proof names"));
    }
    let mut seen = BTreeSet::new();
    for (entry, (word, digest)) in file.statements.iter().zip(&named) {
        statement(&opening, &mut all, entry, *word, digest)?;
        if !seen.insert(digest) {
            return Err(Failure::evidence("a statement is in the file twice"));
        }
    }
    report.ok(format!(
        "4 statements: {} by the issuer with both algorithms, {} by {} agents, all in the log",
        3 + all.notifications.len() + all.copy_sets.len(),
        all.receipts.len() + all.restores.len(),
        all.agents
            .iter()
            .map(|at| &at.actor)
            .chain(all.restores.iter().map(|(_, actor)| actor))
            .collect::<BTreeSet<_>>()
            .len(),
    ));
    Ok(all)
}

/// One statement of the kind that the proof says it is.
fn statement(
    opening: &Opening<'_>,
    all: &mut AllOpened,
    entry: &Entry,
    word: EvidenceType,
    digest: &Hex64,
) -> Result<(), Failure> {
    let text = word.word();
    let found = match word {
        EvidenceType::Receipt | EvidenceType::Absence | EvidenceType::Recheck | EvidenceType::CopyExpiry => {
            let (at, actor) = opening.by_agent::<Receipt>(entry, text)?;
            all.mixed |= !all.tail.is_empty();
            let keyid = entry.envelope.signatures.first().map_or_else(String::new, |signature| signature.keyid.clone());
            let Statement { subject, predicate: value, .. } = at.value;
            all.receipts.push(Opened { value, digest: at.digest.clone(), keyid });
            all.agents.push(AgentAt { word, subject, actor, index: at.index, payload: at.payload });
            at.digest
        }
        EvidenceType::Restore => {
            let (at, actor) = opening.by_agent::<Restore>(entry, text)?;
            let found = at.digest.clone();
            all.tail.push(at.index);
            all.restores.push((at, actor));
            found
        }
        EvidenceType::Notification => {
            let at = opening.by_issuer(entry, text, |said: &Notification| &said.request)?;
            let found = at.digest.clone();
            all.tail.push(at.index);
            all.notifications.push(at);
            found
        }
        EvidenceType::CopySet => {
            let at = opening.by_issuer(entry, text, |said: &CopySet| &said.request)?;
            let found = at.digest.clone();
            all.tail.push(at.index);
            all.copy_sets.push(at);
            found
        }
    };
    if found == *digest {
        Ok(())
    } else {
        Err(Failure::evidence("the statements in the file are not those that the proof names"))
    }
}
