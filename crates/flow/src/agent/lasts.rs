//! The last statement about each job that is not over, which the next one names (`docs/formats/proof-v1.md`, section 3): leaving one
//! out of a proof shows. Owns what is remembered and what is forgotten first; bounded (I10).

use std::collections::BTreeMap;

use gallra_model::{Digest, JobId};

/// Kept at most. Beyond them the job that was not spoken of for the longest time is forgotten: mostly one that is over, since
/// nobody tells an agent when a backup store need not be looked at any more. Where it was not, a proof stays interim over it.
pub const MAX_LASTS: usize = 65_536;

/// What was said last, by job.
#[derive(Debug, Clone, Default)]
pub struct Lasts {
    said: BTreeMap<JobId, (u64, Digest)>,
    /// By when it was said, counted.
    order: BTreeMap<u64, JobId>,
    next: u64,
}

/// Two memories are the same that name the same; what is forgotten first is no part of what they say.
impl PartialEq for Lasts {
    fn eq(&self, other: &Self) -> bool {
        let named = |lasts: &Self| lasts.said.iter().map(|(job, (_, receipt))| (*job, *receipt)).collect::<Vec<_>>();
        named(self) == named(other)
    }
}

impl Eq for Lasts {}

impl Lasts {
    /// Remembers a statement about a job; `over`: the next one, if any, names none.
    pub fn remember(&mut self, job: JobId, receipt: Digest, over: bool) {
        if let Some((before, _)) = self.said.remove(&job) {
            self.order.remove(&before);
        }
        if over {
            return;
        }
        self.said.insert(job, (self.next, receipt));
        self.order.insert(self.next, job);
        self.next += 1;
        if self.said.len() > MAX_LASTS
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.said.remove(&oldest);
        }
    }

    /// What the next statement about a job names.
    pub fn of(&self, job: &JobId) -> Option<Digest> {
        self.said.get(job).map(|(_, receipt)| *receipt)
    }

    /// All of them, the longest ago first.
    pub fn iter(&self) -> impl Iterator<Item = (JobId, Digest)> + '_ {
        self.order.values().filter_map(|job| Some((*job, self.of(job)?)))
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u32) -> JobId {
        JobId::from_bytes(u128::from(number).to_be_bytes())
    }

    #[test]
    fn the_newest_word_about_a_job_is_kept_and_of_too_many_the_oldest_goes() {
        let mut lasts = Lasts::default();
        lasts.remember(job(0), Digest::of(b"first"), false);
        lasts.remember(job(1), Digest::of(b"other"), false);
        lasts.remember(job(0), Digest::of(b"second"), false);
        assert_eq!(lasts.of(&job(0)), Some(Digest::of(b"second")));
        assert_eq!(lasts.iter().map(|(job, _)| job).collect::<Vec<_>>(), [job(1), job(0)]);
        lasts.remember(job(1), Digest::of(b"done"), true);
        assert_eq!(lasts.of(&job(1)), None);
        for number in 2..=u32::try_from(MAX_LASTS).expect("fits") {
            lasts.remember(job(number), Digest::of(b"more"), false);
        }
        assert_eq!(lasts.iter().count(), MAX_LASTS);
        lasts.remember(job(9_999_999), Digest::of(b"one more"), false);
        assert_eq!((lasts.iter().count(), lasts.of(&job(0))), (MAX_LASTS, None), "not spoken of for the longest time");
    }
}
