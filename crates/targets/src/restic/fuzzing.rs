//! Ways in for `gallra-fuzzing` to what reads restic's words. No part of the product calls them.

use gallra_model::Instant;
use gallra_model::selector::Selector;
use gallra_model::target::CopyLife;
use zeroize::Zeroizing;

use super::expect::Routine;
use super::keep::Rules;
use super::pack::PackSearch;
use super::snapshot::{GroupBy, Wanted, expectations};
use super::{RepositoryConfig, holds, pack, place, reclaim, snapshot};

/// What an answer of restic's was understood as.
#[derive(Debug)]
pub enum Answered {
    /// A list of snapshots, oldest first.
    Snapshots {
        /// Their ids.
        ids: Vec<String>,
        /// When each began.
        times: Vec<Instant>,
        /// For how many of them the routine was played into the future.
        expected: usize,
    },
    /// Anything else.
    Other,
}

/// Reads an answer to the question of this number.
pub fn restic_answer(question: u8, said: &[u8]) -> Option<Answered> {
    let other = |read: bool| read.then_some(Answered::Other);
    match question % 6 {
        0 => snapshots(said),
        1 => other(holds::hits(said).is_some()),
        2 => other(holds::nodes(said, &["/srv/www/anna".to_owned()]).is_some()),
        3 => other(serde_json::from_slice::<reclaim::IndexFile>(said).is_ok()),
        4 => other(serde_json::from_slice::<reclaim::Stats>(said).is_ok()),
        _ => other(serde_json::from_slice::<RepositoryConfig>(said).is_ok_and(|config| place::is_id(&config.id))),
    }
}

fn snapshots(said: &[u8]) -> Option<Answered> {
    let listed = snapshot::parse(said)?;
    let selector: Selector = serde_json::from_str(r#"{"service":"anna.example"}"#).ok()?;
    let wanted = Wanted::fill(&["/srv/www/{service}".to_owned(), "/srv/register.db".to_owned()], &selector).ok()?;
    for snapshot in &listed {
        let _ = wanted.held_by(snapshot);
    }
    let rules = Rules { within: "5m".parse().ok(), last: 3, daily: 7, ..Rules::default() };
    let routine = Routine { rules, every_days: 7, prune_every_days: 7, own_group: false };
    let times: Vec<Instant> = listed.iter().map(|snapshot| snapshot.moment.instant()).collect();
    let now = times.last().copied().unwrap_or(Instant::UNIX_EPOCH);
    let expected = expectations(&listed, &[GroupBy::Host, GroupBy::Paths], &routine, now, false).len();
    Some(Answered::Snapshots { ids: listed.into_iter().map(|snapshot| snapshot.id).collect(), times, expected })
}

/// Days that copies live under these rules; none where no rule says.
pub fn days_kept(rules: &Rules, every_days: u32) -> Option<u32> {
    let routine = Routine { rules: rules.clone(), every_days, prune_every_days: every_days, own_group: false };
    match routine.life() {
        CopyLife::AtMost { days } => Some(days),
        CopyLife::Never | CopyLife::Unknown => None,
    }
}

/// Searches one pack file's bytes, under a key of zeros.
pub fn search_pack(bytes: &[u8], needles: &[Vec<u8>]) -> PackSearch {
    let mut found = PackSearch { packs: 1, ..PackSearch::default() };
    pack::search_pack(bytes, &Zeroizing::new([0; 32]), needles, &mut found);
    found
}
