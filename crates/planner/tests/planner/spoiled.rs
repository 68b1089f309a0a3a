//! What a plan says beside its steps, tampered with: holds, locks, approvals, instructions, terms, changes, hours, strategies.
//! The checker catches each.

use std::sync::Arc;

use gallra_model::job::Action;
use gallra_model::plan::{Change, Plan, Step, Term};
use gallra_planner::{check, plan};
use jiff::ToSpan;

use crate::script::{World, pack};

/// Plan two of a customer of whom something is held, locked, kept, agreed otherwise, and changed.
const WHOLE: &str = "\
pack connect2ip
contract 2026-01-31 -
customer 2026-01-31 -
row connect2ip/data customer-data at contract_settled 1 month
agent web1
files files customer-data processor contract act
mail maildir customer-data processor contract act
old files customer-data processor contract act
register sql register controller customer act
ledger sql bookkeeping controller customer act
ips files ip controller customer act
stats files traffic controller customer act
offers files marketing controller customer act
nightly restic backup controller contract act covers ips,files life 30
hold 3 global review 2026-06-01
then
now 2026-02-10T10:00:00Z
contract 2026-01-31 2026-02-10
customer 2026-01-31 2026-02-10
gone web1/old
unhold 3
hold 1 target web1/mail expires 2026-05-15 review 2026-03-01
hold 2 category customer-data review 2026-04-01
hold 4 category customer-data expires 2026-02-01
hold 5 global expires 2028-01-01 released yes
hold 6 category chat
instruct connect2ip/data at contract_settled 3 months
instruct connect2ip/traffic by customer_settled 2 years
agent web1
fresh maildir customer-data processor contract act
";

fn world() -> World {
    World::read(WHOLE)
}

fn codes(tamper: impl Fn(&mut Plan)) -> Vec<&'static str> {
    let world = world();
    let facts = world.facts();
    let mut plan = plan(&facts).unwrap();
    assert_eq!(check(&plan, &facts), [], "sound before");
    let before = plan.clone();
    tamper(&mut plan);
    assert_ne!(before, plan, "it is tampered with");
    check(&plan, &facts).into_iter().map(|problem| problem.code).collect()
}

fn caught(code: &str, tamper: impl Fn(&mut Plan)) {
    let codes = codes(tamper);
    assert!(codes.contains(&code), "expected {code}, got {codes:?}");
}

fn erase<'a>(plan: &'a mut Plan, target: &str) -> &'a mut Step {
    plan.steps.iter_mut().find(|step| step.action == Action::Erase && step.target.as_str() == target).unwrap()
}

#[test]
fn an_erasure_before_a_hold_is_over_is_caught() {
    caught("too-early", |plan| erase(plan, "mail").due = "2026-05-15T20:00:00Z".parse().unwrap());
    caught("bounds", |plan| erase(plan, "mail").earliest = None);
    caught("bounds", |plan| erase(plan, "mail").latest = Some("2026-05-10".parse().unwrap()));
}

#[test]
fn dropping_or_bending_what_it_says_of_holds_is_caught() {
    let count = plan(&world().facts()).unwrap().holds.len();
    assert_eq!(count, 3, "one is released, and one lies elsewhere");
    let grounds: Vec<_> = world().holds.iter().map(|hold| hold.ground.clone()).collect();
    let text = serde_json::to_string(&plan(&world().facts()).unwrap()).unwrap();
    assert!(
        grounds.iter().all(|ground| !ground.is_empty() && !text.contains(ground)),
        "why they lie is nobody's to read"
    );
    for at in 0..count {
        caught("holds", |plan| drop(plan.holds.remove(at)));
        caught("holds", |plan| plan.holds[at].review = Some("2030-01-01".parse().unwrap()));
        caught("holds", |plan| plan.holds[at].expires = Some("2030-01-01".parse().unwrap()));
        caught("holds", |plan| drop(plan.holds[at].targets.pop()));
        caught("holds", |plan| plan.holds.push(plan.holds[at].clone()));
    }
}

#[test]
fn dropping_any_note_is_caught() {
    let whole = plan(&world().facts()).unwrap();
    for code in [
        "held",
        "promise-not-met",
        "restrict-by-hand",
        "instruction",
        "copies-outlive-rule",
        "needs-a-period",
        "by-age",
    ] {
        assert!(whole.notes.iter().any(|note| note.code == code), "{code}: {:?}", whole.notes);
    }
    for at in 0..whole.notes.len() {
        let found = codes(|plan| drop(plan.notes.remove(at)));
        let seen = found.iter().any(|code| ["unsaid", "too-late"].contains(code));
        assert!(seen, "{:?} is dropped unseen", whole.notes[at]);
    }
}

#[test]
fn a_broken_promise_names_the_hold_and_the_promise() {
    let bent = |from: &'static str, to: &'static str| {
        caught("unsaid", move |plan| {
            let note = plan.notes.iter_mut().find(|note| note.code == "promise-not-met" && note.target == "web1/mail");
            let note = note.unwrap();
            note.text = note.text.replace(from, to);
        });
    };
    bent("0101", "0202");
    bent("2026-05-10", "2026-05-11");
}

#[test]
fn a_finding_that_is_none_is_caught() {
    caught("unsaid", |plan| plan.notes[0].code = "unexpected".to_owned());
    caught("unsaid", |plan| {
        let mut note = plan.notes.iter().find(|note| note.code == "copies-outlive-rule").unwrap().clone();
        note.text = "another rule".to_owned();
        plan.notes.push(note);
    });
    caught("unsaid", |plan| {
        let note = plan.notes.iter().find(|note| note.code == "instruction").unwrap().clone();
        plan.notes.push(note);
    });
}

#[test]
fn dropping_or_bending_a_restriction_is_caught() {
    let count = plan(&world().facts()).unwrap().restrictions.len();
    assert_eq!(count, 2, "the register's lock, and the mail that a hold keeps beyond its promise");
    for at in 0..count {
        caught("restrictions", |plan| drop(plan.restrictions.remove(at)));
        caught("restrictions", |plan| plan.restrictions[at].rule = "connect2ip/ip".to_owned());
        caught("restrictions", |plan| plan.restrictions[at].from = "2026-01-01".parse().unwrap());
        caught("restrictions", |plan| plan.restrictions[at].until = None);
        caught("restrictions", |plan| plan.restrictions.push(plan.restrictions[at].clone()));
    }
}

#[test]
fn asking_for_less_or_more_than_must_be_signed_is_caught() {
    let count = plan(&world().facts()).unwrap().approvals.len();
    assert_eq!(count, 3, "two causes, and one large deviation");
    for at in 0..count {
        caught("approvals", |plan| drop(plan.approvals.remove(at)));
        caught("approvals", |plan| plan.approvals.push(plan.approvals[at].clone()));
        caught("approvals", |plan| plan.approvals[at].rule = Some("connect2ip/ip".to_owned()));
    }
}

#[test]
fn dropping_adding_or_bending_a_term_is_caught() {
    let world = world();
    let whole = plan(&world.facts()).unwrap();
    assert!(whole.terms.len() >= 15, "the provider's rows and the law's: {:?}", whole.terms);
    assert!(whole.terms.iter().any(|term| term.category.is_some() && term.kind != "recipients"), "{:?}", whole.terms);
    let caught = |tamper: &dyn Fn(&mut Vec<Arc<Term>>)| {
        let mut plan = whole.clone();
        tamper(&mut plan.terms);
        let problems = check(&plan, &world.facts());
        assert!(problems.iter().any(|problem| problem.code == "terms"), "{:?}", plan.terms);
    };
    for at in 0..whole.terms.len() {
        caught(&|terms| drop(terms.remove(at)));
        caught(&|terms| terms.insert(at, terms[at].clone()));
        caught(&|terms| Arc::make_mut(&mut terms[at]).text.push('.'));
        caught(&|terms| Arc::make_mut(&mut terms[at]).kind = "other".to_owned());
        caught(&|terms| Arc::make_mut(&mut terms[at]).category = Some("chat".parse().unwrap()));
        caught(&|terms| Arc::make_mut(&mut terms[at]).rule.push_str("-two"));
    }
    caught(&|terms| terms.swap(0, 1));
    caught(&Vec::clear);
    // Another provider's row, and one that an instruction gave a period.
    let of = |name: &str, rule: &str| pack(name).terms().iter().find(|term| term.rule == rule).unwrap().clone();
    for strange in [of("host001", "host001/identify"), of("connect2ip", "connect2ip/traffic")] {
        caught(&|terms| terms.insert(terms.partition_point(|term| term.rule < strange.rule), strange.clone()));
    }
}

#[test]
fn dropping_or_bending_a_change_is_caught() {
    let whole = plan(&world().facts()).unwrap();
    for what in ["contract-settled", "customer-settled", "policy", "instruction", "hold", "reported", "fate", "copies"]
    {
        assert!(whole.changes.iter().any(|change| change.what == what), "{what}: {:?}", whole.changes);
    }
    for at in 0..whole.changes.len() {
        caught("changes", |plan| drop(plan.changes.remove(at)));
        caught("changes", |plan| plan.changes.push(plan.changes[at].clone()));
        caught("changes", |plan| plan.changes[at].after = Some("otherwise".to_owned()));
        caught("changes", |plan| plan.changes[at].before = Some("otherwise".to_owned()));
    }
    let invented = || Change { before: Some("wait".to_owned()), ..whole.changes[0].clone() };
    caught("changes", |plan| plan.changes.push(invented()));
    let first = World::read("contract 2026-01-31 2026-01-31\nagent a\nf files customer-data processor contract act\n");
    let mut plan = plan(&first.facts()).unwrap();
    plan.changes.push(invented());
    assert!(check(&plan, &first.facts()).iter().any(|problem| problem.code == "changes"), "it succeeds none");
}

#[test]
fn hours_that_are_not_the_windows_are_caught() {
    for target in ["files", "mail"] {
        caught("bounds", |plan| erase(plan, target).until = None);
        caught("bounds", |plan| {
            let step = erase(plan, target);
            step.until = step.until.map(|until| until + 1.second());
        });
    }
    caught("bounds", |plan| plan.backups[0].strategy = None);
}

#[test]
fn a_job_that_should_be_an_obligation_is_caught() {
    caught("too-late", |plan| {
        let preserve = plan.steps.iter_mut().find(|step| step.action == Action::Preserve).unwrap();
        preserve.action = Action::Erase;
        preserve.due = "2034-01-01T02:00:00Z".parse().unwrap();
    });
}
