//! The holds under which a plan was made, as facts to plan from: what other rules would do is compared with what the plan does,
//! and not with what a hold does that came or went since. Owns no guard; what is permitted is not asked here (I1).

use gallra_model::HoldId;
use gallra_model::hold::{Hold, Level};
use gallra_model::plan::{Held, Plan};

/// Holds with the days of those in the plan, on what they covered then. Their references are nobody's.
pub(crate) fn holds_of(plan: &Plan) -> Vec<Hold> {
    let levels = plan.holds.iter().flat_map(|held| levels(plan, held).into_iter().map(move |level| (held, level)));
    levels
        .zip(0_u128..)
        .map(|((held, level), number)| Hold {
            id: HoldId::from_bytes(number.to_be_bytes()),
            level,
            ground: String::new(),
            on: None,
            placed_by: String::new(),
            placed: plan.made,
            review: held.review,
            expires: held.expires,
            reviews: Vec::new(),
            earlier_reviews: 0,
            released: None,
        })
        .collect()
}

fn levels(plan: &Plan, held: &Held) -> Vec<Level> {
    if held.targets.is_empty() {
        return vec![Level::Request { request: plan.request }];
    }
    let places = held.targets.iter().filter_map(|place| place.split_once('/'));
    let level = |(agent, target): (&str, &str)| {
        Some(Level::Target { agent: agent.parse().ok()?, target: target.parse().ok()? })
    };
    places.filter_map(level).collect()
}
