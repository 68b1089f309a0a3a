//! Offers, askings and receipts of one agent: builds offers from the seal, answers askings in one guarded transaction
//! (decision 3), and takes receipts whose signature and place are right.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use gallra_flow::clock::Standing;
use gallra_flow::job::{Offering, spec};
use gallra_flow::permit::{Around, Asking, decide, stands};
use gallra_flow::request::Input;
use gallra_flow::view::View;
use gallra_flow::{copy, request};
use gallra_model::envelope::Envelope;
use gallra_model::job::{Action, JobSpec, Question};
use gallra_model::message::MAX_MESSAGE_BYTES;
use gallra_model::permit::{Denial, Permit};
use gallra_model::plan::After;
use gallra_model::receipt::{Receipt, statement_of};
use gallra_model::request::{About, JobRecord, JobState, Request};
use gallra_model::selector::Selector;
use gallra_model::statement::{Commitment, Type};
use gallra_model::trace::TraceRef;
use gallra_model::{AgentName, Digest, JobId, Nonce, RequestId, SubjectId};
use gallra_planted::Bug;
use gallra_store::keys::{self, What};
use gallra_store::{Key, StoreError, Txn};
use gallra_telemetry::{Attribute, Step, attach};

use crate::asked::crypto;
use crate::core::{Along, Core, MAX_TRIES};
use crate::entered::{Turn, due_of, enter, entry_of};
use crate::error::{CoreError, decode, encode};
use crate::guards;
use crate::handed::tree_of;
use crate::ledger::Ledger;
use crate::state::{self, StoredReceipt};

/// Longest offer, in bytes: well below what a message takes, since an agent that cannot read one ends its stream and would be
/// offered the same again, and none of its other jobs would ever be done.
pub(crate) const MAX_OFFER_BYTES: usize = MAX_MESSAGE_BYTES / 4 * 3;

/// Most ready jobs looked at for one stream at once.
const READY_PAGE: usize = 1_000;

/// One agent as it is registered.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentRecord {
    /// Its name.
    pub name: AgentName,
    /// Its evidence key: Ed25519, 32 bytes, lowercase hex.
    pub evidence_key: String,
    /// SHA-256 of its certificate, lowercase hex.
    pub certificate: String,
    /// When it joined.
    pub joined: gallra_model::Instant,
}

/// What is offered now.
struct Offer {
    spec: JobSpec,
    /// The exact bytes.
    bytes: Vec<u8>,
    /// Whether the target is searched by addresses and this has none.
    lacks_address: bool,
}

impl Core {
    /// A registered agent.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], or the store's.
    pub async fn agent(&self, name: &AgentName) -> Result<AgentRecord, CoreError> {
        let entry = self.store.get(&keys::agent(name)).await?.ok_or(CoreError::NotFound("agent"))?;
        decode("agent", &entry.value)
    }

    /// The jobs that an agent can be offered, first due first.
    ///
    /// # Errors
    /// The store's.
    pub async fn ready_jobs(&self, agent: &AgentName) -> Result<Vec<JobId>, CoreError> {
        let page = self.store.range(&keys::ready_of(agent).range(), READY_PAGE).await?;
        Ok(page.entries.iter().filter_map(|entry| keys::parse_ready(&entry.key)).map(|(_, _, job)| job).collect())
    }

    /// The exact bytes of a job's offer, as of now. `None` when it is nobody's to offer any more.
    ///
    /// # Errors
    /// The store's.
    pub async fn offer(&self, job: &JobId) -> Result<Option<String>, CoreError> {
        Ok(self.offer_and_trace(job).await?.map(|(spec, _)| spec))
    }

    /// The same, with what the agent's spans about it hang from.
    ///
    /// # Errors
    /// As [`Core::offer`].
    pub async fn offer_and_trace(&self, job: &JobId) -> Result<Option<(String, Option<TraceRef>)>, CoreError> {
        let id = match state::request_of(&*self.store, job).await {
            Err(CoreError::NotFound(_)) => return Ok(None),
            other => other?,
        };
        let loaded = state::load(&*self.store, &id).await?;
        let Some(record) = loaded.view.job(*job) else { return Ok(None) };
        if loaded.view.request.done.is_some() {
            return Ok(None);
        }
        let bytes = match self.spec_of(&loaded.view, record).await {
            Ok(offer) => offer.bytes,
            // The agent no longer reports the target, a stored value is damaged, or it is more than an offer takes: this job
            // waits, the others go on.
            Err(error @ (CoreError::NotFound(_) | CoreError::Unreadable { .. } | CoreError::Precondition(_))) => {
                tracing::warn!(%job, %error, "a job cannot be offered");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let spec = String::from_utf8(bytes).map_err(|_| CoreError::Crypto("an offer is no text".into()))?;
        self.metrics.offered();
        Ok(Some((spec, self.offering(&id, &record.step))))
    }

    async fn spec_of(&self, view: &View, job: &JobRecord) -> Result<Offer, CoreError> {
        let step = &job.step;
        let info = self.target(&step.agent, &step.target).await?;
        let mut lacks_address = false;
        let (selector, secret, purge) = match &view.request.about {
            About::End(_) => {
                let (mut selector, secret) = self.selector(view, info.scope).await?;
                if info.by_address {
                    selector.addresses = self.addresses(view, info.scope).await?;
                    lacks_address = selector.addresses.is_empty();
                }
                (selector, secret, None)
            }
            About::Purge { seal, .. } => {
                let secret = self.open(seal, What::Request(view.request.id)).await?;
                (Selector::default(), secret, self.purge_of(view, step, &info).await?)
            }
        };
        let salt = Digest::of_parts(&[b"gallra-job-salt", secret.as_bytes(), step.job.as_bytes()]);
        let offering = Offering {
            selector,
            salt: Nonce::from_digest(&salt),
            pseudonym: self.pseudonym(&step.agent, &pseudonymous(&view.request.about)),
            generation: self.generation,
            clock: self.time.kind(),
            instance: view.inspected(&step.agent, &step.target).flatten(),
            purge,
            question: step.kind.is_backup().then(|| question(view, job)),
            cause: if step.action.is_irreversible() { self.backing(view, info.scope).await? } else { None },
        };
        let spec = spec(job, offering);
        let bytes = encode(&spec)?;
        if bytes.len() > MAX_OFFER_BYTES {
            return Err(CoreError::Precondition("more to say than an offer takes".into()));
        }
        Ok(Offer { spec, bytes, lacks_address })
    }

    /// Answers one asking. The permit, the attempt and the comparison of the six guards are one transaction.
    ///
    /// # Errors
    /// The store's; a denial is an answer, not an error.
    pub async fn ask(&self, asking: &Asking) -> Result<Result<Envelope, Denial>, CoreError> {
        let id = match state::request_of(&*self.store, &asking.job).await {
            Err(CoreError::NotFound(_)) => return Ok(Err(Denial::Foreign)),
            other => other?,
        };
        let span = self.hearing(Step::Permit, &id, &asking.agent, asking.job);
        let answer = self.answer(&id, asking).await?;
        self.metrics.asked(answer.as_ref().map_or_else(|denial| denial.as_str(), |_| "permitted"));
        attach(&span, Attribute::Permitted(answer.is_ok()));
        if let Err(denial) = &answer {
            attach(&span, Attribute::Denied(*denial));
        }
        Ok(answer)
    }

    async fn answer(&self, id: &RequestId, asking: &Asking) -> Result<Result<Envelope, Denial>, CoreError> {
        for _ in 0..MAX_TRIES {
            match self.try_permit(id, asking).await {
                Ok(Ok(permit)) => {
                    let checkpoint = self.ledger.checkpoint().map(|signed| signed.note);
                    let permit = Permit { checkpoint, ..permit };
                    let signed = gallra_proof::permit::sign(&permit, &self.permits);
                    return signed.map(Ok).map_err(|error| CoreError::Crypto(error.to_string()));
                }
                Ok(Err(denial)) => return Ok(Err(denial)),
                // What goes on is asked again by nobody: it is looked at anew, with whatever raised the guard.
                Err(CoreError::Store(StoreError::Conflict { key }))
                    if key == keys::request(id) || asking.going_on.is_some() => {}
                Err(CoreError::Store(StoreError::Conflict { .. })) => return Ok(Err(Denial::Raced)),
                Err(error) => return Err(error),
            }
        }
        Ok(Err(Denial::Raced))
    }

    async fn try_permit(&self, id: &RequestId, asking: &Asking) -> Result<Result<Permit, Denial>, CoreError> {
        let Some((request, record)) = self.request_and_job(id, &asking.job).await? else {
            return Ok(Err(Denial::Foreign));
        };
        // Guards before facts: whatever changes between the two reads makes the transaction fail.
        let guards = guards::read(&*self.store, &request, &record.step).await?;
        let loaded = state::load(&*self.store, id).await?;
        let Some(record) = loaded.view.job(asking.job) else { return Ok(Err(Denial::Foreign)) };
        if record.step.agent != asking.agent {
            return Ok(Err(Denial::Foreign));
        }
        if loaded.view.request.done.is_some() {
            return Ok(Err(Denial::Begun));
        }
        let (now, standing) = self.time.look();
        let clock_is_doubted = standing != Standing::Trusted;
        let around = Around {
            commitment: self.commitment_of(loaded.plan.as_ref(), &loaded.view).await?,
            restraint: guards.restraint(),
            rules: self.under_now(&loaded.view.request, &guards).await?,
            clock_is_doubted,
            lacks_address: false,
        };
        // Before the offer is built anew: what was taken back has nothing left to build it from.
        if let Err(denial) = stands(&loaded.view, record, around) {
            return Ok(Err(denial));
        }
        let Offer { spec, bytes, lacks_address } = match self.spec_of(&loaded.view, record).await {
            Ok(offer) => offer,
            Err(CoreError::NotFound(_) | CoreError::Unreadable { .. } | CoreError::Precondition(_)) => {
                return Ok(Err(Denial::Stale));
            }
            Err(error) => return Err(error),
        };
        let around = Around { lacks_address, ..around };
        let permit = match decide(&loaded.view, asking, around, &spec, Digest::of(&bytes), now) {
            Ok(permit) => permit,
            Err(denial) => return Ok(Err(denial)),
        };
        let input = match asking.going_on {
            None => Input::Permitted(asking.job),
            Some(_) => Input::Renewed(asking.job),
        };
        let (next, _) = request::step(&loaded.view, &input, now)?;
        let txn = guards.expect(state::save(&*self.store, &loaded, &next).await?);
        self.store.commit(txn).await?;
        if permit.action.is_irreversible() {
            gallra_crash::point("after_permit");
        }
        Ok(Ok(permit))
    }

    /// The tree that first held a request's plan; none while it is in none, or the log signs nothing any more.
    async fn commitment_of(&self, plan: Option<&Envelope>, view: &View) -> Result<Option<Commitment>, CoreError> {
        let (None, Some(index)) = (self.ledger.is_stopped(), self.index_of_plan(plan, view).await?) else {
            return Ok(None);
        };
        self.ledger.first_holding(index).await?.map(|signed| tree_of(&signed)).transpose()
    }

    /// Where a request's plan is in the log in force: what stands in one that ended commits nobody any more.
    async fn index_of_plan(&self, plan: Option<&Envelope>, view: &View) -> Result<Option<u64>, CoreError> {
        let place = self.place_of_plan(plan, view).await?;
        Ok(place.filter(|(ledger, _)| ledger.origin() == self.ledger.origin()).map(|(_, index)| index))
    }

    /// In which log a request's plan is, and where.
    async fn place_of_plan(&self, plan: Option<&Envelope>, view: &View) -> Result<Option<(&Ledger, u64)>, CoreError> {
        let (Some(envelope), Some(plan)) = (plan, &view.plan) else { return Ok(None) };
        self.place_of(&entry_of(envelope, Type::Plan, Some(plan.request), due_of(plan))?.leaf()).await
    }

    /// What stops a job now, if it changes data and anything does.
    ///
    /// # Errors
    /// The store's.
    pub async fn stopped(&self, job: &JobId) -> Result<Option<Denial>, CoreError> {
        let id = match state::request_of(&*self.store, job).await {
            Err(CoreError::NotFound(_)) => return Ok(None),
            other => other?,
        };
        let view = state::load(&*self.store, &id).await?.view;
        match view.job(*job) {
            Some(record) => self.what_stops(&view, record).await,
            None => Ok(None),
        }
    }

    async fn what_stops(&self, view: &View, job: &JobRecord) -> Result<Option<Denial>, CoreError> {
        let guards = guards::read(&*self.store, &view.request, &job.step).await?;
        let rules = self.under_now(&view.request, &guards).await?;
        let around = Around {
            restraint: guards.restraint(),
            rules,
            clock_is_doubted: false,
            lacks_address: false,
            commitment: None,
        };
        Ok(stands(view, job, around).err())
    }

    /// An agent's jobs that have a permit and that no receipt has answered, and whether something stops each now.
    ///
    /// # Errors
    /// The store's.
    pub async fn begun_acts(&self, agent: &AgentName) -> Result<Vec<(JobId, bool)>, CoreError> {
        let requests: BTreeSet<RequestId> =
            state::all(&*self.store, &keys::ready_of(agent), "dispatch entry").await?.into_iter().collect();
        let mut acts = Vec::new();
        for id in requests {
            let view = state::load(&*self.store, &id).await?.view;
            let begun = |job: &&JobRecord| job.state == JobState::Begun && job.step.agent == *agent;
            for job in view.jobs.iter().filter(begun) {
                // Whose items a purge has to leave may have changed meanwhile: it asks anew.
                let stopped = job.step.action == Action::Purge || self.what_stops(&view, job).await?.is_some();
                acts.push((job.id(), stopped));
            }
        }
        Ok(acts)
    }

    /// Where the guards of a job lie; none when nobody here knows it.
    ///
    /// # Errors
    /// The store's.
    pub async fn guards_of(&self, job: &JobId) -> Result<Option<Vec<Key>>, CoreError> {
        let id = match state::request_of(&*self.store, job).await {
            Err(CoreError::NotFound(_)) => return Ok(None),
            other => other?,
        };
        match self.request_and_job(&id, job).await? {
            Some((request, job)) => guards::watched(&*self.store, &request, &job.step).await.map(Some),
            None => Ok(None),
        }
    }

    /// A request's record and one job's, without all else that hangs on it.
    async fn request_and_job(&self, id: &RequestId, job: &JobId) -> Result<Option<(Request, JobRecord)>, CoreError> {
        let (request, job) = (keys::request(id), keys::job(id, job));
        let (request, job) = tokio::try_join!(self.store.get(&request), self.store.get(&job))?;
        let (Some(request), Some(job)) = (request, job) else { return Ok(None) };
        Ok(Some((decode("request", &request.value)?, decode("job", &job.value)?)))
    }

    /// Takes a receipt. Returns its digest once it is durable, also when it was stored before or settles nothing.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] when the signature, the agent or the job is wrong.
    pub async fn take_receipt(&self, agent: &AgentName, envelope: &Envelope) -> Result<(JobId, Digest), CoreError> {
        self.check_key_of(agent).await?;
        let key = self.agent(agent).await?.evidence_key;
        let key =
            gallra_proof::key::VerifyingKey::from_hex(&key).map_err(|error| CoreError::Crypto(error.to_string()))?;
        let wrong = |why: String| CoreError::Invalid(format!("receipt: {why}"));
        let (receipt, digest) =
            gallra_proof::receipt::open(envelope, &key).map_err(|error| wrong(error.to_string()))?;
        if receipt.agent != *agent {
            return Err(wrong("it names another agent".into()));
        }
        let job = receipt.job;
        let id = match state::request_of(&*self.store, &job).await {
            // Nobody here waits for it (a store restored from a backup, say). The agent must not hold it for ever.
            Err(CoreError::NotFound(_)) => {
                tracing::warn!(%job, %agent, "a receipt for a job that is not known here: let go");
                return Ok((job, digest));
            }
            other => other?,
        };
        let span = self.hearing(Step::Receipt, &id, agent, job);
        for said in
            [Attribute::Kind(receipt.kind), Attribute::Action(receipt.action), Attribute::Verdict(receipt.verdict)]
        {
            attach(&span, said);
        }
        let at = keys::receipt(&id, &digest);
        let follows = self.replica.is_some() && !self.leads.load(Ordering::Relaxed);
        let dropped = gallra_planted::is(Bug::ReceiptDroppedAtFailOver) && follows;
        if dropped || self.store.get(&at).await?.is_some() {
            return Ok((job, digest));
        }
        let kind = gallra_proof::receipt::read(envelope).map_err(|error| wrong(error.to_string()))?.kind;
        if self.shows_somebody(&id, (envelope, digest), kind).await? {
            return Ok((job, digest));
        }
        let before = state::receipts(&*self.store, &id).await?;
        let doubt = self.doubt(&id, &receipt, key.keyid(), &before).await?;
        let number = u32::try_from(before.len()).unwrap_or(u32::MAX);
        let stored = StoredReceipt { stored: self.time.now(), digest, number, taken: true, envelope: envelope.clone() };
        let entered = enter(Txn::new(), envelope, kind, Some(id), Turn::after(stored.stored, 2))?;
        let write = entered.clone().put(at.clone(), encode(&stored)?);
        let _turn = crate::suppression::turn(&receipt).await;
        let write = self.with_suppression(&id, &receipt, write).await?;
        let input = Input::Receipt { receipt: Box::new(receipt.clone()), digest };
        let taken = self
            .apply(&id, &input, |before| {
                let step = before.job(job).map(|record| &record.step).ok_or(CoreError::NotFound("job"))?;
                if let Some(why) = doubt {
                    return Err(CoreError::Precondition(why.to_owned()));
                }
                let again = step.after.contains(&After::CopiesGone);
                let fits = step.agent == receipt.agent
                    && kind == statement_of(step.action, again)
                    && step.target == receipt.target
                    && step.action == receipt.action
                    && step.kind == receipt.kind
                    && step.older_than == receipt.older_than;
                if !fits {
                    return Err(CoreError::Precondition("it does not fit the job that it names".into()));
                }
                Ok(Along { txn: write.clone(), receipt: Some(stored.clone()), restore: None })
            })
            .await;
        match taken {
            Ok(_) => {
                self.metrics.receipt(receipt.verdict.as_str());
                if receipt.action.is_irreversible() {
                    gallra_crash::point("after_receipt");
                }
                Ok((job, digest))
            }
            // It changes nothing, and is kept all the same: what an agent signed is evidence.
            Err(CoreError::Precondition(why)) => {
                tracing::warn!(%job, %agent, why, "a receipt settles nothing");
                let untaken = StoredReceipt { taken: false, ..stored };
                self.store.commit(entered.put(at, encode(&untaken)?)).await?;
                Ok((job, digest))
            }
            Err(error) => Err(error),
        }
    }
}

impl Core {
    /// Why a statement must not be in a proof, though its signature and its job are right: it would make the whole file invalid.
    async fn doubt(
        &self,
        id: &RequestId,
        receipt: &Receipt,
        keyid: String,
        before: &[StoredReceipt],
    ) -> Result<Option<&'static str>, CoreError> {
        let mut named = None;
        // The last of them counts, and is mostly the last of all.
        for stored in before.iter().rev() {
            let opened = gallra_proof::receipt::read(&stored.envelope).map_err(crypto)?;
            if opened.predicate.job == receipt.job && opened.keyid == keyid {
                named = gallra_proof::statement::previous(&opened.predicate, opened.digest);
                break;
            }
        }
        if receipt.previous != named {
            // One that shows somebody is kept elsewhere, and is followed all the same.
            let leaked = match receipt.previous {
                Some(previous) => self.store.get(&keys::leak_of_receipt(id, &previous)).await?.is_some(),
                None => false,
            };
            if !leaked {
                return Ok(Some("it does not follow the agent's last statement about the job"));
            }
        }
        let Some(quoted) = receipt.commitment else { return Ok(None) };
        let loaded = state::load(&*self.store, id).await?;
        // From the store, and whether or not the log goes on: after a start, or a stop, what was permitted before it was permitted.
        let signed = match self.place_of_plan(loaded.plan.as_ref(), &loaded.view).await? {
            Some((ledger, index)) => ledger.first_stored(index).await?,
            None => None,
        };
        let first = signed.map(|signed| tree_of(&signed)).transpose()?;
        Ok((first != Some(quoted)).then_some("it quotes another tree of the log than its permit"))
    }
}

/// Whom an agent's pseudonym stands for; for a purge, nobody.
fn pseudonymous(about: &About) -> SubjectId {
    match about {
        About::End(parties) => parties.subject,
        About::Purge { seal, .. } => *seal,
    }
}

/// What a backup target is asked: the copies that are waited for, and from when on copies do not count.
fn question(view: &View, job: &JobRecord) -> Question {
    if job.step.action != Action::Observe {
        return Question::default();
    }
    let ours = |copy: &&gallra_model::copy::CopyRecord| copy.agent == job.step.agent && copy.target == job.step.target;
    Question {
        cutoff: view.request.live_confirmed.map(copy::cutoff),
        known: view.copies_left().filter(ours).map(|copy| copy.copy).collect(),
    }
}
