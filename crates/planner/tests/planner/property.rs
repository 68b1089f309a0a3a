//! Generated facts: planning twice is planning once, the order of reports leaves no trace, and the checker agrees.

use gallra_model::job::Action;
use gallra_model::time::day_of;
use gallra_planner::{check, plan, render};
use gallra_policy::CATEGORIES;
use proptest::prelude::*;

use crate::script::World;

mod order;

fn day() -> impl Strategy<Value = String> {
    (2024u16..=2028, 1u8..=12, 1u8..=28).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}"))
}

/// Ended and settled: settled may be missing, and never lies before the end.
fn dates() -> impl Strategy<Value = String> {
    (day(), prop::option::of(day())).prop_map(|(a, b)| match b {
        Some(b) if b >= a => format!("{a} {b}"),
        Some(b) => format!("{b} {a}"),
        None => format!("{a} -"),
    })
}

fn live(name: usize) -> impl Strategy<Value = String> {
    let words = (
        prop::sample::select(vec!["files", "maildir", "sql"]),
        prop_oneof![
            3 => prop::sample::select(vec!["customer-data", "contact", "bookkeeping", "chat", "tickets", "mail", "notes"]),
            1 => prop::sample::select(CATEGORIES.to_vec()),
        ],
        prop::sample::select(vec!["processor contract", "controller customer", "controller contract"]),
        prop::sample::select(vec!["act", "observe"]),
    );
    words.prop_map(move |(kind, category, scope, mode)| format!("t{name} {kind} {category} {scope} {mode}"))
}

fn agent(name: usize) -> impl Strategy<Value = String> {
    let life = prop_oneof![(0u32..800).prop_map(|days| days.to_string()), Just("never".into()), Just("unknown".into())];
    let targets = (live(0), live(1), live(2), live(3), 1usize..=4);
    (targets, prop::collection::vec((prop::sample::subsequence(vec!["t0", "t1", "t2", "t3"], 1..=4), life), 0..3))
        .prop_map(move |((a, b, c, d, count), backups)| {
            let mut lines = vec![format!("agent a{name}")];
            lines.extend([a, b, c, d].into_iter().take(count));
            for (number, (covers, life)) in backups.into_iter().enumerate() {
                let covers: Vec<_> =
                    covers.into_iter().filter(|name| name[1..].parse::<usize>().unwrap() < count).collect();
                if !covers.is_empty() {
                    lines.push(format!(
                        "r{number} restic backup controller contract act covers {} life {life}",
                        covers.join(",")
                    ));
                }
            }
            lines.join("\n")
        })
}

/// What may be placed on a request, each by a line.
pub(crate) fn hold() -> impl Strategy<Value = String> {
    let words = (
        1u8..=5,
        prop::sample::select(vec![
            "global",
            "customer",
            "request",
            "contract",
            "category customer-data",
            "category chat",
            "category contact",
            "category bookkeeping",
            "target a1/t0",
            "target a0/t1",
            "target a1/r0",
        ]),
        prop::option::weighted(0.7, day()),
        prop::option::of(day()),
        prop::bool::weighted(0.1),
    );
    words.prop_map(|(number, level, expires, review, released)| {
        let mut line = format!("hold {number} {level}");
        line.push_str(&expires.map_or(String::new(), |day| format!(" expires {day}")));
        line.push_str(&review.map_or(String::new(), |day| format!(" review {day}")));
        line + if released { " released yes" } else { "" }
    })
}

/// What a customer of a provider may say instead of its text: the rule, or the category that has no row.
fn instructions(pack: &str) -> Vec<&'static str> {
    match pack {
        "webone" | "strict" => vec![
            "webone/customer-data at contract_settled",
            "webone/customer-data by contract_ended",
            "webone/chat by customer_settled",
            "webone/backup by left_active",
            "category=tickets by customer_ended",
        ],
        "netip" => vec!["netip/hosted-logs by contract_ended", "netip/tickets at customer_settled"],
        "connect2ip" => vec!["connect2ip/ip by record", "category=customer-data at contract_settled"],
        "reseller003" => vec!["reseller003/mail by customer_ended", "category=customer-data by contract_ended"],
        "host001" | "data-act" => vec!["host001/processor at contract_settled", "host001/contact by customer_ended"],
        _ => vec!["host/chat at contract_ended", "host/tickets by contract_settled"],
    }
}

fn overlay(pack: &'static str) -> impl Strategy<Value = String> {
    let one = (prop::sample::select(instructions(pack)), 1u8..20, prop::sample::select(vec!["weeks", "months"]));
    prop::option::of(one)
        .prop_map(|one| one.map_or(String::new(), |(of, count, unit)| format!("instruct {of} {count} {unit}\n")))
}

/// A row more, of every bound and anchor, where the pack takes it; about a category that has rows, and one that may have none.
fn rows(pack: &'static str) -> impl Strategy<Value = String> {
    let prefix = match pack {
        "strict" => "webone",
        "data-act" => "host001",
        other => other,
    };
    let one = (
        prop::sample::select(vec!["contact", "chat", "mail", "notes"]),
        prop::sample::select(vec!["by", "by", "at", "keep"]),
        prop::sample::select(vec![
            "record",
            "record",
            "contract_ended",
            "customer_ended",
            "contract_settled",
            "change_known",
        ]),
        0u16..400,
    );
    prop::collection::vec(one, 0..3).prop_map(move |all| {
        let line = |(number, (category, bound, from, days)): (usize, (&str, &str, &str, u16))| {
            let period = if days == 0 { "at once".to_owned() } else { format!("{days} days") };
            let letter = if number == 0 { "a" } else { "b" };
            format!("try-row {prefix}/more-{letter} {category} {bound} {from} {period}\n")
        };
        all.into_iter().enumerate().map(line).collect()
    })
}

fn world() -> impl Strategy<Value = World> {
    let packs = vec!["webone", "strict", "host", "netip", "host001", "connect2ip", "reseller003", "data-act"];
    let pack = prop::sample::select(packs).prop_flat_map(|pack| (Just(pack), rows(pack), overlay(pack)));
    let holds = prop::collection::btree_map(1u8..=5, hold(), 0..3);
    let now = (day(), 0u8..24).prop_map(|(day, hour)| format!("{day}T{hour:02}:30:00Z"));
    let anchors = (prop::option::of(dates()), prop::option::of(dates()));
    (now, pack, anchors, agent(1), agent(0), any::<bool>(), holds).prop_map(
        |(now, (pack, rows, overlay), (contract, customer), one, other, two, holds)| {
            let mut script = format!("now {now}\npack {pack}\n{rows}{overlay}");
            for (number, (_, rest)) in holds.iter().map(|(n, line)| (n, line.split_at(6))) {
                script.push_str(&format!("hold {number}{rest}\n"));
            }
            script.push_str(&contract.map_or(String::new(), |dates| format!("contract {dates}\n")));
            script.push_str(&customer.map_or(String::new(), |dates| format!("customer {dates}\n")));
            script.push_str(&format!("{one}\n{}\n", if two { other } else { String::new() }));
            World::read(&script)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_checker_agrees_with_every_plan(world in world()) {
        let facts = world.facts();
        if let Ok(plan) = plan(&facts) {
            prop_assert_eq!(check(&plan, &facts), [], "{}", render(&plan));
        }
    }

    #[test]
    fn planning_twice_is_planning_once_whatever_the_order_of_reports(world in world()) {
        let first = plan(&world.facts());
        let mut turned = world.clone();
        turned.inventories.reverse();
        turned.holds.reverse();
        prop_assert_eq!(&plan(&turned.facts()), &first);
        if let Ok(first) = first {
            prop_assert_eq!(serde_json::to_vec(&first).unwrap(), serde_json::to_vec(&plan(&world.facts()).unwrap()).unwrap());
        }
    }

    #[test]
    fn an_erasure_moved_before_its_earliest_day_is_caught(world in world(), pick in any::<prop::sample::Index>()) {
        let facts = world.facts();
        let Ok(mut plan) = plan(&facts) else { return Ok(()) };
        let bound: Vec<_> = plan.steps.iter_mut().filter(|s| s.action == Action::Erase && s.earliest.is_some()).collect();
        if bound.is_empty() {
            return Ok(());
        }
        let count = bound.len();
        let step = bound.into_iter().nth(pick.index(count)).unwrap();
        while Some(day_of(step.due)) >= step.earliest {
            step.due -= jiff::ToSpan::hours(24);
        }
        prop_assert!(check(&plan, &facts).iter().any(|problem| problem.code == "too-early"));
    }

    #[test]
    fn every_plan_can_be_shown(world in world()) {
        if let Ok(plan) = plan(&world.facts()) {
            let text = render(&plan);
            for step in &plan.steps {
                let place = format!("{}/{}", step.agent, step.target);
                prop_assert!(text.contains(&place));
            }
        }
    }
}
