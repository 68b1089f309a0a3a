//! Reads that are asked for at about the same time, as one transaction: over a network, and on a small machine, what a read costs is
//! the call. Owns the queue and how many calls are under way. Upholds that a read is answered by a call that began after it was asked
//! for, so it is as linearizable as alone, and that the queue is bounded (I10).

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{GetOptions, GetResponse, Txn, TxnOp, TxnOpResponse};
use gallra_store::txn::Revision;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::Shared;
use crate::fault::{Fault, Kind};
use crate::members::{MAX_ANSWER_BYTES, Twice};
use crate::read;

/// Reads that may wait; whoever comes later waits with its own.
const QUEUE: usize = 1_024;
/// Most reads of one call: half of what etcd allows, since an answer has a bound in bytes too.
const MOST: usize = 64;
/// Calls under way at once. While so many are, reads wait and go together; a reader that is alone waits for nobody.
const CALLS: usize = 3;

/// How long a call counts among those.
const SLOW: Duration = Duration::from_millis(100);

type Answer = Result<(GetResponse, Revision), Fault>;

/// A read, and who waits for it.
pub(crate) struct Asked {
    key: Vec<u8>,
    options: GetOptions,
    reply: oneshot::Sender<Answer>,
}

/// Where reads are asked for.
pub(crate) struct Reads(mpsc::Sender<Asked>);

impl Reads {
    /// The place to ask, and what [`run`] takes.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (asked, queue) = mpsc::channel(QUEUE);
        (Self(asked), queue)
    }

    /// Reads one key, or the first of a range. Never for a moment that is over: all reads of a call are of the same one.
    pub(crate) async fn ask(&self, key: Vec<u8>, options: GetOptions) -> Answer {
        let (reply, answer) = oneshot::channel();
        let ended = || Fault::new(Kind::NotSent, "the store was closed");
        self.0.send(Asked { key, options, reply }).await.map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// Sends what is asked for, until nobody asks.
pub(crate) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Asked>) {
    let calls = Arc::new(Semaphore::new(CALLS));
    let mut under_way = tokio::task::JoinSet::new();
    loop {
        // First the place: what is asked for while there is none goes together.
        let Ok(place) = Arc::clone(&calls).acquire_owned().await else { return };
        let mut asked = Vec::with_capacity(MOST);
        if queue.recv_many(&mut asked, MOST).await == 0 {
            return;
        }
        // Whoever asks for several at once has asked for the first so far.
        tokio::task::yield_now().await;
        while asked.len() < MOST
            && let Ok(one) = queue.try_recv()
        {
            asked.push(one);
        }
        while under_way.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        under_way.spawn(async move {
            let mut answering = std::pin::pin!(answer(&shared, asked));
            // One that hangs holds no other up: where a connection broke, the next one may do.
            if tokio::time::timeout(SLOW, &mut answering).await.is_err() {
                drop(place);
                answering.await;
            }
        });
    }
}

async fn answer(shared: &Shared, mut asked: Vec<Asked>) {
    asked.retain(|one| !one.reply.is_closed());
    if let [_, _, ..] = asked.as_slice() {
        match together(shared, &asked).await {
            Ok((answers, revision)) => {
                for (one, answer) in asked.into_iter().zip(answers) {
                    // Who went away meanwhile needs nothing.
                    let _ = one.reply.send(Ok((answer, revision)));
                }
                return;
            }
            // Together they weigh too much: each alone.
            Err(fault) if fault.kind == Kind::TooLong => {}
            Err(fault) => {
                for one in asked {
                    let _ = one.reply.send(Err(fault.clone()));
                }
                return;
            }
        }
    }
    for one in asked {
        let alone = read::ask(shared, one.key, one.options).await;
        let _ = one.reply.send(alone);
    }
}

async fn together(shared: &Shared, asked: &[Asked]) -> Result<(Vec<GetResponse>, Revision), Fault> {
    let reads: Vec<TxnOp> = asked.iter().map(|one| TxnOp::get(one.key.clone(), Some(one.options.clone()))).collect();
    let before = shared.newest();
    let answer = shared
        .members
        .ask(Twice::Harmless, |client| {
            let reads = Txn::new().and_then(reads.clone());
            let mut kv = client.kv_client().max_decoding_message_size(MAX_ANSWER_BYTES);
            async move { kv.txn(reads).await }
        })
        .await?;
    let revision = shared.seen(answer.header(), before)?;
    let answers: Option<Vec<GetResponse>> = answer
        .op_responses()
        .into_iter()
        .map(|one| match one {
            TxnOpResponse::Get(found) => Some(found),
            TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
        })
        .collect();
    match answers.filter(|answers| answers.len() == asked.len()) {
        Some(answers) => Ok((answers, revision)),
        None => Err(Fault::new(Kind::Unknown, "an answer to other questions than were asked")),
    }
}
