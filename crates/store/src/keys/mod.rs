//! The schema: every family of keys in the store, what it holds and in which order. This page and [`Family`] are the
//! one list; every key is made by a function here. Knows nothing of what the values mean to anyone.
//!
//! All keys begin with `v1/`. Ids are 32 hex characters, digests 64, numbers hexadecimal and of fixed width, so that
//! the order of keys is the order of numbers. **No key holds an identifier** (decision 12: a removed key lingers in
//! pages, history and snapshots): ids are random references, `<hash>` is keyed, and agents, targets and categories
//! are words of the operator's.
//!
//! | family | key after `v1/` | holds | order |
//! | --- | --- | --- | --- |
//! | meta | `meta/{schema,generation,epoch,policy}` | schema version ([`crate::schema`]), coordinator's generation, current key epoch and its turning, the policy in force and those that wait | |
//! | | `meta/leader` | the name of the replica that leads, where several may; goes with its lease, and is in no copy | |
//! | | `meta/moved` | the generation that this store had, once it was moved into another one | |
//! | | `meta/ends` | contracts ended on one local day: what the brake counts | |
//! | | `meta/clock` | the last instant at which the machine's clock was believed | |
//! | | `meta/purge` | local day and request of the newest rolling purge | |
//! | | `meta/unsettled` | day, size and pages of the newest list of ended contracts that nobody settles | |
//! | | `meta/archive` | which folder is this store's archive: what its file `store` says | |
//! | | `meta/closed-epoch/<epoch>` | nothing: no more is written under this key epoch | epoch |
//! | guard | `guard/global`, `…/category/<word>`, `…/target/<agent>/<target>`, `…/customer/<id>`, `…/contract/<id>`, `…/request/<id>` | `Guard`: a counter, raised by all that may stop an act (decision 3), and the holds that lie there | |
//! | | `guard/any-hold` | the newest hold's id: a final proof expects that none came since it was made | |
//! | hold | `hold/<id>` | `Hold`, released ones included | placed |
//! | hold-expiry | `hold-expiry/<due>/<hold>` | nothing: which hold ends by itself when. An index, not the truth | due |
//! | hold-change | `hold-change/<hold>` | how far the requests that the hold concerns were looked at since it was placed or ended | placed |
//! | policy | `policy/<digest>` | a policy version, exact bytes | |
//! | policy-turn | `policy-turn/<number>` | which version came into force as which, from which day, and who said so | number |
//! | instruction | `instruction/<customer>` | which of a customer's instructions hold until when, by digest; their texts are sealed | customer made |
//! | customer | `customer/<id>` | `Customer`: references only | made |
//! | contract | `contract/<id>` | `Contract`: references and dates | made |
//! | event | `event/<contract>/<version>` | a billing event that was taken in | version |
//! | closed | `closed/<hash>` | last version of a contract that is erased, until billing no longer lists it | |
//! | request | `request/<id>` | `Request` | made |
//! | plan | `plan/<request>/<number>` | a signed plan | number |
//! | job | `job/<request>/<job>` | `JobRecord` | request made |
//! | job-request | `job-request/<job>` | the job's request, so that a receipt finds it; there while the job is open | |
//! | job-agent | `job-agent/<agent>/<job>` | the job's request: what an agent has open | |
//! | ready | `ready/<agent>/<due>/<job>` | the job's request: what may be offered from when on | due |
//! | timer | `timer/<due>/<request>` | nothing: whom to look at when. An index, not the truth (decision 6) | due |
//! | receipt | `receipt/<request>/<digest>` | a receipt's envelope, exact bytes | request made |
//! | restore | `restore/<request>/<digest>` | a restore's envelope, exact bytes, and its turn in the log | request made |
//! | copy | `copy/<request>/<copy>` | `CopyRecord` | request made |
//! | obligation | `obligation/<request>/<handle>` | `Obligation` | request made |
//! | proof | `proof/<request>/<sequence>` | a proof's signed statement, and what it says in short | sequence |
//! | asked | `asked/<request>` | commitments of a request's subjects, and the signed statement of what was asked | request made |
//! | statement | `statement/<request>/<digest>` | another signed statement that a proof stands on, exact bytes | request made |
//! | | `statement/<request>/copy-set` | what the newest copy set says, and its digest | |
//! | archived | `archived/<request>` | in which file its plans, jobs, receipts, restores, copies, proofs, statements and what was asked are; while it is there nobody writes them | request made |
//! | pickup | `pickup/<reference>` | the request that a claim code fetches the proof of | |
//! | claim-due | `claim-due/<due>/<request>` | nothing: whose claim code is destroyed when. An index, not the truth | due |
//! | leak | `leak/<request>/<statement>`, `…/receipt/<digest>` | which field of what would show an identifier of which kind; not the identifier | request made |
//! | key-manifest | `key-manifest/<version>` | a signed key manifest, exact bytes | version |
//! | key-event | `key-event/<at>/<keyid>` | a signed key event, exact bytes | said |
//! | key-ended | `key-ended/<keyid>` | why the key signs nothing more | |
//! | agent | `agent/<name>` | an enrolled agent, its keys | |
//! | inventory | `inventory/<agent>` | what it last reported | |
//! | agent-journal | `agent-journal/<agent>` | where its journal stands, and whether it is quarantined | |
//! | invite | `invite/<hash>` | an open invitation; the token itself is nowhere | |
//! | cause-key | `cause-key/<keyid>` | a public key whose causes are taken, and who registered it | |
//! | suppression | `suppression/<agent>/<sequence>` | a line of the agent's suppression list, and what it follows from | sequence |
//! | suppression-head | `suppression-head/<agent>` | the sequence that was last given | |
//! | suppression-entry | `suppression-entry/<digest>` | whose erasure an entry was, also when both sides have forgotten the entry | |
//! | unsettled | `unsettled/<day>/<page>` | references and dates of ended contracts that nobody settles | page |
//! | log | `log/{head,newest}` | size and right edge of the transparency log's tree; the newest size that was signed | |
//! | | `log/waits/<since>/<leaf>` | an entry that has no place yet | since when |
//! | | `log/at/<leaf>` | the index of a leaf | |
//! | | `log/tile/<level>/<index>`, `log/entries/<index>` | hashes, entries: as log-v1.md has them, as wide as they are | index |
//! | | `log/stamp/<size>` | a time stamp on that checkpoint | size |
//! | | `log/heard/<agent>`, `log/contrary/<digest>` | several coordinators: that one heard the agent, and what spoke against the log | |
//! | | `log/note/<size>` | the signed note of the tree of a size, and when it was signed | size |
//! | | `log/of/<tree>/…` | the same of a log that goes on where another ended, but what waits | |
//! | | `log/succession/<number>` | the signed word that it does, and its tree: the last one is in force | number |
//! | replica | `replica/alive/<replica>` | a coordinator that is there | |
//! | | `replica/agent/<agent>/stream` | several coordinators: which of them has the agent's stream, and what that was told | |
//! | index | `index/<epoch>/<kind>/<hash>` | the id that an identifier belongs to (blind index) | |
//! | sealed | `sealed/<subject>/<what>/<id>` | a value sealed under the subject's key | |
//! | key | `key/<epoch>/<subject>` | the subject's key, wrapped under the epoch's | |
//!
//! `<due>` and `<since>` are milliseconds since 1970 UTC. Large families (ready, timer, request and what hangs on it) begin with a
//! time, so that writes fall together: the engine needs it for speed. `job-request` and `job-agent` cannot, since a
//! job's id must not tell when or with what it was made (decision 13): write them when the job is first offered rather
//! than when it is planned, and remove them when it is settled, so that they hold what is open, not what waits.

mod family;
mod fleet;
mod hold;
mod ledger;
mod people;
mod replica;
mod request;
mod rules;
mod signing;
mod suppression;
mod time;

pub use family::Family;
pub use fleet::{agent, agent_journal, agents, cause_key, cause_keys, inventories, inventory, invite, invites};
pub use hold::{
    guard_any_hold, guards, guards_of_categories, guards_of_targets, hold, hold_change, hold_changes, hold_expiry,
    holds, holds_expired, meta_ends, parse_hold_change, parse_hold_expiry, ready_all,
};
pub use ledger::{
    Tree, ledger_at, ledger_bundle, ledger_contraries, ledger_contrary, ledger_head, ledger_heard, ledger_heard_all,
    ledger_newest, ledger_note, ledger_notes, ledger_notes_from, ledger_stamp, ledger_stamped, ledger_stamps_from,
    ledger_succession, ledger_successions, ledger_tile, ledger_waiting, ledger_waits, parse_ledger_heard,
    parse_ledger_stamp,
};
pub use people::{
    IndexKind, What, closed, contract, contracts, customer, customers, event, events, index, indexes_of, parse_sealed,
    parse_subject_key, sealed, sealed_of, subject_key, subject_keys_of,
};
pub use replica::{
    parse_replica_of_agent, replica_alive, replica_of_agent, replicas_alive, replicas_of_agent, replicas_of_agents,
};
pub use request::{
    LEAVING, archived, archived_all, asked, copies_of, copy, copy_set, job, job_of_agent, job_request, jobs_of,
    jobs_of_agent, leaving, obligation, obligations_of, parse_archived, parse_job, parse_request, plan, plans_of,
    proof, proofs_of, receipt, receipts_of, request, requests, restore, restores_of, statement, statements_of,
};
pub use rules::{
    all_instructed, guard_category, guard_contract, guard_customer, guard_global, guard_request, guard_target,
    instructed, meta_archive, meta_clock, meta_closed_epoch, meta_epoch, meta_generation, meta_leader, meta_moved,
    meta_policy, meta_purge, meta_schema, meta_unsettled, parse_instructed, policies, policy, policy_turn,
    policy_turns, unsettled, unsettled_of, unsettled_page,
};
pub use signing::{
    claim_due, claims_due, key_ended, key_event, key_events, key_manifest, key_manifests, keys_ended, leak_of_receipt,
    leak_of_statement, leaks_of, parse_claim_due, pickup,
};
pub use suppression::{
    parse_suppression, suppression, suppression_entry, suppression_head, suppressions, suppressions_after,
    suppressions_of,
};
pub use time::{parse_ready, parse_timer, ready, ready_due, ready_of, timer, timers, timers_due};

#[cfg(test)]
mod tests;
