//! The rolling purge: lines older than an instant go, whoever's they are, but those of held subjects. Upholds I1's
//! sibling for ages: the host's own floor (`youngest_purge_age`) binds whatever the coordinator asks for.

use gallra_model::Instant;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Code, Tally};

use crate::age;
use crate::driver::{Boundary, Failure, PurgeOrder, Purged};

use super::place::Place;
use super::raw::{Rule, Wanted};
use super::subject::{Aged, Who};
use super::{AccessLog, act, second};

pub(super) fn purge(
    log: &AccessLog,
    order: &PurgeOrder,
    now: Instant,
    boundary: &mut dyn Boundary,
) -> Result<Purged, Failure> {
    let config = &log.config;
    age::allowed(config.youngest(), order.before, now)?;
    let place = Place::open(config)?;
    let held = |_: ()| order.preserve.iter().map(|selector| Who::of(config, selector)).collect::<Result<Vec<_>, _>>();
    let judge = Aged { before: order.before, held: held(())?, format: config.format.clone() };
    let held = held(())?;
    let rule = Rule { format: &config.format, wanted: Wanted::Older(order.before, &held) };
    let looked = log.look(&place, &judge)?;
    let before = Tally { items: looked.sum.mine, bytes: looked.sum.bytes, others: looked.others };
    let first = second::look(config, &rule, &looked.marks, true)?;
    if first.found != before.items {
        return Err(Failure::new(
            Code::CheckBlind,
            format!(
                "the independent check found {} of {} old lines: it cannot be trusted afterwards; nothing was erased",
                first.found, before.items
            ),
        ));
    }
    let came = act::act(&place, config, &judge, &rule, true, boundary)?;
    let last = second::look(config, &rule, &looked.marks, true)?;
    let after = Tally { items: last.found, bytes: 0, others: last.others };
    if last.found > 0 || last.checks.iter().any(|check| !check.ok) {
        return Err(Failure::new(Code::StillThere, format!("{} old lines are still there", last.found)));
    }
    if last.others < before.others {
        return Err(Failure::new(Code::OthersChanged, "younger or held lines are fewer than before: stop and look"));
    }
    let counts = Counts { erased: came.sum.mine, retained: looked.sum.held, ..Counts::default() };
    Ok(Purged {
        counts,
        before,
        after,
        unread: looked.sum.unread,
        undone: None,
        removed_files: came.removed,
        checks: last.checks,
    })
}
