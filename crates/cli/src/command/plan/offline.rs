//! A preview without a coordinator: a pack, perhaps instructions, a list of targets and dates, all from files and flags. Owns
//! the reading of these; the plan and the doubt are `gallra-planner`'s. Reads no clock.

use std::path::Path;

use gallra_model::plan::Anchors;
use gallra_model::time::start_of;
use gallra_model::{Clock, Day, Digest, Instant, RequestId};
use gallra_planner::{Facts, check, plan};
use gallra_policy::Policy;
use gallra_policy::calendar::parse_day;
use gallra_wire::v1;

use super::{PreviewArgs, listed, wrong};
use crate::command::policy::{instructed, read, read_pack};
use crate::exit::{FAILED, Failure, PRECONDITION};

/// Makes the plan and doubts it.
///
/// # Errors
/// A refusal of a file or a flag, or the planner's.
pub(super) fn preview(args: &PreviewArgs, pack: &Path) -> Result<v1::GetPlanResponse, Failure> {
    let policy = policy(args, pack)?;
    let targets = args.inventory.as_deref().ok_or_else(|| wrong("--inventory: give a list of targets"))?;
    let inventories = read(targets)
        .and_then(|text| listed::inventories(&text).map_err(|reason| format!("{}: {reason}", targets.display())))
        .map_err(wrong)?;
    let anchors = anchors(args)?;
    let facts = Facts {
        request: RequestId::from_bytes([0; 16]),
        number: 1,
        parent: None,
        now: now(args, &anchors)?,
        clock: Clock::Real,
        anchors,
        policy: &policy,
        inventories: &inventories,
        holds: &[],
        before: None,
    };
    let plan = plan(&facts).map_err(|error| Failure::new(PRECONDITION, error.to_string()))?;
    let problems = check(&plan, &facts).iter().map(ToString::to_string).collect();
    let plan = serde_json::to_string(&plan)
        .map_err(|error| Failure::new(FAILED, format!("the plan cannot be written: {error}")))?;
    let digest = Digest::of(plan.as_bytes()).to_string();
    Ok(v1::GetPlanResponse { plan, digest, problems })
}

fn policy(args: &PreviewArgs, pack: &Path) -> Result<Policy, Failure> {
    let mut policy = read_pack(pack).map_err(wrong)?;
    for file in &args.instruction {
        policy = instructed(&policy, file).map_err(wrong)?;
    }
    Ok(policy)
}

fn day(flag: &str, word: Option<&String>) -> Result<Option<Day>, Failure> {
    word.map(|word| parse_day(word).map_err(|error| wrong(format!("{flag}: {error}")))).transpose()
}

fn anchors(args: &PreviewArgs) -> Result<Anchors, Failure> {
    let contract_ended = day("--ended", args.ended.as_ref())?;
    let contract_settled = day("--settled", args.settled.as_ref())?;
    let (customer_ended, customer_settled) = if args.customer_stays {
        (None, None)
    } else {
        (
            day("--customer-ended", args.customer_ended.as_ref())?.or(contract_ended),
            // Where the customer ends on a day of its own, so it is settled on one of its own.
            day("--customer-settled", args.customer_settled.as_ref())?
                .or(contract_settled.filter(|_| args.customer_ended.is_none())),
        )
    };
    Ok(Anchors { contract_ended, contract_settled, customer_ended, customer_settled })
}

fn now(args: &PreviewArgs, anchors: &Anchors) -> Result<Instant, Failure> {
    if let Some(word) = &args.now {
        return word
            .parse()
            .map_err(|_| wrong("--now: not an instant: write it with its offset, for example 2026-01-31T10:00:00Z"));
    }
    let first = anchors.contract_ended.into_iter().chain(anchors.customer_ended).min();
    let first = first.ok_or_else(|| wrong("--ended: give a day"))?;
    start_of(first).map_err(|_| wrong("--ended: the day lies outside of what an instant can be"))
}
