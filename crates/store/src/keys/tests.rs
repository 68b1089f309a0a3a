//! What the schema promises: order, no overlap, exact prefixes, and that keys read back.

use std::collections::BTreeSet;

use gallra_model::{
    AgentName, ContractId, CopyId, CustomerId, Digest, HoldId, Instant, JobId, ObligationId, RequestId, SubjectId,
};
use proptest::prelude::*;

use super::*;
use crate::key::Key;
use crate::keyring::Epoch;

fn agent_named(name: &str) -> AgentName {
    name.parse().expect("a name")
}

fn id(byte: u8) -> [u8; 16] {
    [byte; 16]
}

/// At least one key of every family, as the builders make them.
fn one_of_each() -> Vec<(Family, Key)> {
    let (customer_id, contract_id) = (CustomerId::from_bytes(id(1)), ContractId::from_bytes(id(2)));
    let (request_id, job_id, subject) =
        (RequestId::from_bytes(id(3)), JobId::from_bytes(id(4)), SubjectId::from_bytes(id(5)));
    let (web, digest, now) = (agent_named("web1"), Digest::of(b"x"), Instant::UNIX_EPOCH);
    let epoch = Epoch::FIRST;
    vec![
        (Family::Meta, meta_schema()),
        (Family::Meta, meta_generation()),
        (Family::Meta, meta_leader()),
        (Family::Meta, meta_epoch()),
        (Family::Meta, meta_closed_epoch(epoch)),
        (Family::Meta, meta_policy()),
        (Family::Meta, meta_clock()),
        (Family::Meta, meta_moved()),
        (Family::Guard, guard_global()),
        (Family::Guard, guard_category(&"mail".parse().expect("a word"))),
        (Family::Guard, guard_target(&web, &"sites".parse().expect("a name"))),
        (Family::Guard, guard_customer(&customer_id)),
        (Family::Guard, guard_contract(&contract_id)),
        (Family::Guard, guard_request(&request_id)),
        (Family::Guard, guard_any_hold()),
        (Family::Hold, hold(&HoldId::from_bytes(id(11)))),
        (Family::HoldExpiry, hold_expiry(now, &HoldId::from_bytes(id(11)))),
        (Family::HoldChange, hold_change(&HoldId::from_bytes(id(11)))),
        (Family::Meta, meta_ends()),
        (Family::Policy, policy(&digest)),
        (Family::PolicyTurn, policy_turn(1)),
        (Family::Instruction, instructed(&customer_id)),
        (Family::Customer, customer(&customer_id)),
        (Family::Contract, contract(&contract_id)),
        (Family::Event, event(&contract_id, 7)),
        (Family::Closed, closed(&id(6))),
        (Family::Request, request(&request_id)),
        (Family::Plan, plan(&request_id, 1)),
        (Family::Job, job(&request_id, &job_id)),
        (Family::JobRequest, job_request(&job_id)),
        (Family::JobAgent, job_of_agent(&web, &job_id)),
        (Family::Ready, ready(&web, now, &job_id)),
        (Family::Timer, timer(now, &request_id)),
        (Family::Receipt, receipt(&request_id, &digest)),
        (Family::Restore, restore(&request_id, &digest)),
        (Family::Copy, copy(&request_id, &CopyId::from_bytes(id(7)))),
        (Family::Obligation, obligation(&request_id, &ObligationId::from_bytes(id(8)))),
        (Family::Proof, proof(&request_id, 1)),
        (Family::Asked, asked(&request_id)),
        (Family::Statement, statement(&request_id, &digest)),
        (Family::Archived, archived(&request_id)),
        (Family::Meta, meta_archive()),
        (Family::KeyManifest, key_manifest(1)),
        (Family::KeyEvent, key_event(now, &digest)),
        (Family::KeyEnded, key_ended(&digest)),
        (Family::Replica, replica_alive("0123456789abcdef")),
        (Family::Replica, replica_of_agent(&web)),
        (Family::Log, ledger_heard(&web)),
        (Family::Log, ledger_contrary(&digest)),
        (Family::Pickup, pickup("0123456789abcdef0123456789abcdef")),
        (Family::ClaimDue, claim_due(now, &request_id)),
        (Family::Leak, leak_of_statement(&request_id, "proof")),
        (Family::Leak, leak_of_receipt(&request_id, &digest)),
        (Family::Agent, agent(&web)),
        (Family::Inventory, inventory(&web)),
        (Family::AgentJournal, agent_journal(&web)),
        (Family::Invite, invite(&id(9))),
        (Family::CauseKey, cause_key(&digest)),
        (Family::Suppression, suppression(&web, 1)),
        (Family::SuppressionHead, suppression_head(&web)),
        (Family::SuppressionEntry, suppression_entry(&digest)),
        (Family::Meta, meta_unsettled()),
        (Family::Unsettled, unsettled_page(gallra_model::Day::constant(2026, 3, 30), 1)),
        (Family::Log, ledger_head(&Tree::First)),
        (Family::Log, ledger_newest(&Tree::First)),
        (Family::Log, ledger_waits(now, &[1; 32])),
        (Family::Log, ledger_at(&Tree::First, &[1; 32])),
        (Family::Log, ledger_tile(&Tree::First, 1, 2)),
        (Family::Log, ledger_bundle(&Tree::First, 2)),
        (Family::Log, ledger_note(&Tree::First, 2)),
        (Family::Log, ledger_stamp(&Tree::First, 2)),
        (Family::Log, ledger_stamped(&Tree::First)),
        (Family::Log, ledger_succession(1)),
        (Family::Log, ledger_head(&Tree::After(digest))),
        (Family::Log, ledger_at(&Tree::After(digest), &[1; 32])),
        (Family::Log, ledger_note(&Tree::After(digest), 2)),
        (Family::Index, index(epoch, IndexKind::Address, &id(10))),
        (Family::Sealed, sealed(&subject, What::Customer(customer_id))),
        (Family::Sealed, sealed(&subject, What::Job(job_id))),
        (Family::Sealed, sealed(&subject, What::Receipt(digest))),
        (Family::Sealed, sealed(&subject, What::Instructions(customer_id))),
        (Family::SubjectKey, subject_key(epoch, &subject)),
    ]
}

#[test]
fn every_key_is_of_exactly_its_family() {
    let keys = one_of_each();
    let met: BTreeSet<Family> = keys.iter().map(|(family, _)| *family).collect();
    assert_eq!(met.len(), Family::ALL.len(), "a family has no key here");
    for (family, key) in &keys {
        assert_eq!(Family::of(key), Some(*family), "{key}");
        let covering: Vec<_> = Family::ALL.iter().filter(|other| other.prefix().covers(key)).collect();
        assert_eq!(covering, [family], "{key}");
        assert_eq!(Key::parse(key.as_str()).as_ref(), Ok(key));
    }
    let different: BTreeSet<&Key> = keys.iter().map(|(_, key)| key).collect();
    assert_eq!(different.len(), keys.len());
}

#[test]
fn the_table_of_this_module_names_every_family() {
    let page = include_str!("mod.rs");
    for family in Family::ALL {
        assert!(page.contains(&format!("//! | {} | `{}/", family.word(), family.word())), "{family:?}");
    }
}

#[test]
fn an_agent_s_entries_are_not_its_namesake_s() {
    let job = JobId::from_bytes(id(1));
    let (one, ten) = (agent_named("web1"), agent_named("web10"));
    assert!(ready_of(&one).covers(&ready(&one, Instant::UNIX_EPOCH, &job)));
    assert!(!ready_of(&one).covers(&ready(&ten, Instant::UNIX_EPOCH, &job)));
    assert!(!jobs_of_agent(&one).covers(&job_of_agent(&ten, &job)));
    assert!(!ready_due(&one, Instant::MAX).contains(&ready(&ten, Instant::UNIX_EPOCH, &job)));
}

#[test]
fn a_request_s_parts_lie_in_its_own_ranges() {
    let (mine, other) = (RequestId::from_bytes(id(1)), RequestId::from_bytes(id(2)));
    let parts =
        [(plans_of(&mine), plan(&mine, 1), plan(&other, 1)), (proofs_of(&mine), proof(&mine, 1), proof(&other, 1))];
    for (of_mine, in_it, beside) in parts {
        assert!(of_mine.range().contains(&in_it) && !of_mine.range().contains(&beside));
    }
}

#[test]
fn a_timer_is_never_due_before_its_instant() {
    let request = RequestId::from_bytes(id(1));
    let at: Instant = "2026-01-31T12:00:00.0005Z".parse().expect("a literal");
    let before: Instant = "2026-01-31T12:00:00.0004Z".parse().expect("a literal");
    let after: Instant = "2026-01-31T12:00:00.001Z".parse().expect("a literal");
    assert!(!timers_due(before).contains(&timer(at, &request)));
    assert!(timers_due(after).contains(&timer(at, &request)));
}

proptest! {
    #[test]
    fn order_of_keys_is_order_of_numbers(a in any::<u64>(), b in any::<u64>(), c in any::<u32>(), d in any::<u32>()) {
        let (contract, request) = (ContractId::from_bytes(id(1)), RequestId::from_bytes(id(1)));
        prop_assert_eq!(event(&contract, a).cmp(&event(&contract, b)), a.cmp(&b));
        prop_assert_eq!(plan(&request, c).cmp(&plan(&request, d)), c.cmp(&d));
        prop_assert_eq!(proof(&request, c).cmp(&proof(&request, d)), c.cmp(&d));
        prop_assert_eq!(policy_turn(a).cmp(&policy_turn(b)), a.cmp(&b));
        let (first, later) = (Tree::First, Tree::After(Digest::of(b"a log that goes on")));
        prop_assert!(!ledger_notes(&first).covers(&ledger_note(&later, a)) && !ledger_notes(&later).covers(&ledger_note(&first, a)));
        for tree in [first, later] {
            prop_assert_eq!(ledger_note(&tree, a).cmp(&ledger_note(&tree, b)), a.cmp(&b));
            prop_assert_eq!(parse_ledger_stamp(&tree, &ledger_stamp(&tree, a)), Some(a));
            prop_assert_eq!(ledger_notes_from(&tree, a).contains(&ledger_note(&tree, b)), a <= b);
        }
    }

    #[test]
    fn due_is_what_the_time_says(at in -1_000i64..4_102_444_800_000, now in -1_000i64..4_102_444_800_000, byte in any::<u8>()) {
        let (at, now) = (Instant::from_millisecond(at).expect("in range"), Instant::from_millisecond(now).expect("in range"));
        let (request, job, web) = (RequestId::from_bytes(id(byte)), JobId::from_bytes(id(byte)), agent_named("web1"));
        let due = at.max(Instant::UNIX_EPOCH) <= now.max(Instant::UNIX_EPOCH);
        prop_assert_eq!(timers_due(now).contains(&timer(at, &request)), due);
        prop_assert_eq!(ready_due(&web, now).contains(&ready(&web, at, &job)), due);
        let read = at.max(Instant::UNIX_EPOCH);
        prop_assert_eq!(parse_timer(&timer(at, &request)), Some((read, request)));
        prop_assert_eq!(parse_ready(&ready(&web, at, &job)), Some((web, read, job)));
        let hold = HoldId::from_bytes(id(byte));
        prop_assert_eq!(holds_expired(now).contains(&hold_expiry(at, &hold)), due);
        prop_assert_eq!(parse_hold_expiry(&hold_expiry(at, &hold)), Some((read, hold)));
        prop_assert_eq!(parse_hold_change(&hold_change(&hold)), Some(hold));
    }

    #[test]
    fn reading_a_key_never_panics_and_takes_its_own_family_only(text in "[!-~]{1,80}|v1/(timer|ready|job|key|hold-expiry|hold-change)/[0-9a-f/]{1,80}") {
        let key = Key::parse(&text).expect("of key characters");
        let read = [
            (Family::Timer, parse_timer(&key).is_some()),
            (Family::Ready, parse_ready(&key).is_some()),
            (Family::Job, parse_job(&key).is_some()),
            (Family::SubjectKey, parse_subject_key(&key).is_some()),
            (Family::HoldExpiry, parse_hold_expiry(&key).is_some()),
            (Family::HoldChange, parse_hold_change(&key).is_some()),
        ];
        for (family, read) in read {
            prop_assert!(!read || Family::of(&key) == Some(family));
        }
    }
}

#[test]
fn whose_instructions_a_key_is_about_reads_back() {
    let customer = CustomerId::from_bytes(id(1));
    assert_eq!(parse_instructed(&instructed(&customer)), Some(customer));
    assert_eq!(parse_instructed(&super::customer(&customer)), None);
}

#[test]
fn whose_a_sealed_value_is_reads_back() {
    let subject = SubjectId::from_bytes(id(5));
    for what in [
        What::Customer(CustomerId::from_bytes(id(1))),
        What::Contract(ContractId::from_bytes(id(2))),
        What::Request(RequestId::from_bytes(id(3))),
        What::Job(JobId::from_bytes(id(4))),
        What::Instructions(CustomerId::from_bytes(id(1))),
    ] {
        assert_eq!(parse_sealed(&sealed(&subject, what)), Some((subject, what)));
    }
    assert_eq!(parse_sealed(&subject_key(Epoch::FIRST, &subject)), None);
}

#[test]
fn what_leaves_with_a_request_is_told_by_its_key_and_nothing_else_is() {
    let mine = RequestId::from_bytes(id(3));
    for (family, key) in one_of_each() {
        let leaves = LEAVING.contains(&family);
        assert_eq!(leaving(key.as_str()), leaves.then_some(mine), "{key}");
        assert_eq!(leaving(family.prefix().as_str()), None, "{family:?}: a whole family is nobody's");
    }
    assert_eq!(leaving(receipts_of(&mine).as_str()), Some(mine));
    assert_eq!(leaving(&receipt(&mine, &Digest::of(b"x")).as_str().replace("v1", "v2")), None);
    assert_eq!(parse_archived(&archived(&mine)), Some(mine));
    assert_eq!(parse_archived(&request(&mine)), None);
}
