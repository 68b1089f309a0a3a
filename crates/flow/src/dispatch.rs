//! One agent's stream at the coordinator: which jobs are offered, within the credits that the agent granted. Owns nothing
//! durable: a new stream begins empty and the ready jobs in the store are offered again. Upholds I10.

use std::collections::BTreeMap;

use gallra_model::JobId;
use gallra_model::permit::Denial;

/// Most offers outstanding on one stream, whatever the agent grants.
pub const MAX_CREDITS: u32 = 1024;

/// Minutes after which an offer or a permit without an answer is taken for lost (the agent gave its asking up, say) and the
/// job is offered again. Counted anew whenever an act asks on, which it does every minute; and doing a job twice equals doing
/// it once (I6).
pub const ANSWER_WITHIN_MINUTES: u8 = 15;

/// Where an offer on this stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// Sent so many minutes ago, not asked for yet.
    Sent(u8),
    /// A permit went out on this stream so many minutes ago.
    Permitted(u8),
    /// Denied: not offered again until the store says that the job changed.
    Parked,
    /// Denied since its plan is not in the log yet: until the log moves.
    Unlogged,
}

/// One stream's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    credits: u32,
    offers: BTreeMap<JobId, Offer>,
}

/// What happens on a stream.
#[derive(Debug, Clone)]
pub enum Input {
    /// The agent said hello.
    Hello {
        /// Offers it takes at once.
        credits: u32,
    },
    /// The store's ready jobs for this agent, first due first.
    Ready(Vec<JobId>),
    /// A permit was signed, to begin or to go on.
    Permitted(JobId),
    /// An asking was denied.
    Denied(JobId, Denial),
    /// A receipt was stored: the job is over, or will be ready again later.
    Receipt(JobId),
    /// The simulated clock moved: what was parked may be tried again.
    ClockMoved,
    /// The log signed more, or may sign again: what waited for it may be tried again.
    LogMoved,
    /// A guard of this job moved: what was parked may be tried again.
    GuardMoved(JobId),
    /// A minute passed: what was parked may be tried again, and what was not answered for long is offered again.
    Minute,
}

/// Takes one input; returns the new state and the jobs to offer now.
pub fn step(stream: &Stream, input: &Input) -> (Stream, Vec<JobId>) {
    let mut next = stream.clone();
    let mut offers = Vec::new();
    match input {
        Input::Hello { credits } => next = Stream { credits: (*credits).min(MAX_CREDITS), offers: BTreeMap::new() },
        Input::Ready(ready) => {
            // What was sent stays counted until the agent has answered it, also when its plan was replaced: the agent
            // holds it against its credits.
            next.offers.retain(|job, offer| !offer.rests() || ready.contains(job));
            for job in ready {
                if next.outstanding() >= next.credits {
                    break;
                }
                if !next.offers.contains_key(job) {
                    next.offers.insert(*job, Offer::Sent(0));
                    offers.push(*job);
                }
            }
        }
        Input::Permitted(job) => {
            next.offers.insert(*job, Offer::Permitted(0));
        }
        Input::Denied(job, Denial::Raced | Denial::Stale) => {
            next.offers.remove(job);
        }
        Input::Denied(job, Denial::Begun) => {
            next.offers.entry(*job).or_insert(Offer::Parked);
        }
        Input::Denied(job, Denial::NotLogged) => {
            next.offers.insert(*job, Offer::Unlogged);
        }
        Input::Denied(job, _) => {
            next.offers.insert(*job, Offer::Parked);
        }
        Input::Receipt(job) => {
            next.offers.remove(job);
        }
        Input::LogMoved => next.offers.retain(|_, offer| *offer != Offer::Unlogged),
        Input::ClockMoved => next.offers.retain(|_, offer| *offer != Offer::Parked),
        Input::GuardMoved(job) => {
            if next.is_parked(*job) {
                next.offers.remove(job);
            }
        }
        Input::Minute => next.offers.retain(|_, offer| offer.grows_older()),
    }
    (next, offers)
}

impl Offer {
    /// Counts a minute; false when it is not worth waiting longer.
    fn grows_older(&mut self) -> bool {
        match self {
            Self::Sent(minutes) | Self::Permitted(minutes) => {
                *minutes += 1;
                *minutes < ANSWER_WITHIN_MINUTES
            }
            Self::Parked | Self::Unlogged => false,
        }
    }

    /// Whether the agent holds nothing of it.
    fn rests(&self) -> bool {
        matches!(self, Self::Parked | Self::Unlogged)
    }
}

impl Stream {
    fn outstanding(&self) -> u32 {
        let open = self.offers.values().filter(|offer| !offer.rests()).count();
        u32::try_from(open).unwrap_or(u32::MAX)
    }

    /// Whether this stream was given a permit for a job that no receipt has answered.
    pub fn was_permitted(&self, job: JobId) -> bool {
        matches!(self.offers.get(&job), Some(Offer::Permitted(_)))
    }

    /// Whether anything is known of a job on this stream.
    pub fn knows(&self, job: JobId) -> bool {
        self.offers.contains_key(&job)
    }

    /// Whether a job was denied since its plan is not in the log yet.
    pub fn waits_for_the_log(&self) -> bool {
        self.offers.values().any(|offer| *offer == Offer::Unlogged)
    }

    /// Whether a job is parked: denied, and waiting for something else than the agent.
    pub fn is_parked(&self, job: JobId) -> bool {
        self.offers.get(&job) == Some(&Offer::Parked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: u8) -> JobId {
        JobId::from_bytes([id; 16])
    }

    #[test]
    fn never_more_offers_than_credits_and_none_twice() {
        let (stream, _) = step(&Stream::default(), &Input::Hello { credits: 2 });
        let ready = Input::Ready(vec![job(1), job(2), job(3)]);
        let (stream, offers) = step(&stream, &ready);
        assert_eq!(offers, [job(1), job(2)]);
        let (stream, offers) = step(&stream, &ready);
        assert!(offers.is_empty());
        let (stream, _) = step(&stream, &Input::Receipt(job(1)));
        let (_, offers) = step(&stream, &Input::Ready(vec![job(2), job(3)]));
        assert_eq!(offers, [job(3)]);
    }

    #[test]
    fn an_offer_of_a_replaced_plan_keeps_its_credit_until_it_is_answered() {
        let (stream, _) = step(&Stream::default(), &Input::Hello { credits: 1 });
        let (stream, _) = step(&stream, &Input::Ready(vec![job(1)]));
        let (stream, offers) = step(&stream, &Input::Ready(vec![job(2)]));
        assert!(offers.is_empty());
        let (stream, _) = step(&stream, &Input::Denied(job(1), Denial::Stale));
        assert_eq!(step(&stream, &Input::Ready(vec![job(2)])).1, [job(2)]);
    }

    #[test]
    fn a_denied_job_waits_for_time_and_a_raced_one_does_not() {
        let (stream, _) = step(&Stream::default(), &Input::Hello { credits: 1 });
        let ready = Input::Ready(vec![job(1)]);
        let (stream, _) = step(&stream, &ready);
        let (parked, _) = step(&stream, &Input::Denied(job(1), Denial::Held));
        assert!(step(&parked, &ready).1.is_empty());
        let (moved, _) = step(&parked, &Input::ClockMoved);
        assert_eq!(step(&moved, &ready).1, [job(1)]);
        let (released, _) = step(&parked, &Input::GuardMoved(job(1)));
        assert_eq!(step(&released, &ready).1, [job(1)], "its hold was released");
        let (sent, _) = step(&stream, &Input::GuardMoved(job(1)));
        assert!(step(&sent, &ready).1.is_empty(), "an offer that is out is not made twice");
        let (unlogged, _) = step(&stream, &Input::Denied(job(1), Denial::NotLogged));
        let (moved, _) = step(&unlogged, &Input::ClockMoved);
        assert!(step(&moved, &ready).1.is_empty(), "time enters nothing in a log");
        let (logged, _) = step(&unlogged, &Input::LogMoved);
        assert_eq!(step(&logged, &ready).1, [job(1)]);
        assert!(step(&step(&parked, &Input::LogMoved).0, &ready).1.is_empty(), "and a hold stays");
        let (raced, _) = step(&stream, &Input::Denied(job(1), Denial::Raced));
        assert_eq!(step(&raced, &ready).1, [job(1)]);
    }

    #[test]
    fn what_is_never_answered_is_offered_again() {
        let (stream, _) = step(&Stream::default(), &Input::Hello { credits: 1 });
        let ready = Input::Ready(vec![job(1)]);
        let (stream, _) = step(&stream, &ready);
        let (mut stream, _) = step(&stream, &Input::Permitted(job(1)));
        for _ in 1..ANSWER_WITHIN_MINUTES {
            stream = step(&stream, &Input::Minute).0;
            assert!(step(&stream, &ready).1.is_empty());
        }
        let (stream, _) = step(&stream, &Input::Minute);
        assert_eq!(step(&stream, &ready).1, [job(1)]);
    }

    #[test]
    fn an_act_that_asks_on_is_never_offered_in_its_middle() {
        let (stream, _) = step(&Stream::default(), &Input::Hello { credits: 1 });
        let ready = Input::Ready(vec![job(1)]);
        let (stream, _) = step(&stream, &ready);
        let (mut stream, _) = step(&stream, &Input::Permitted(job(1)));
        for _ in 0..4 {
            for _ in 1..ANSWER_WITHIN_MINUTES {
                stream = step(&stream, &Input::Minute).0;
                assert!(step(&stream, &ready).1.is_empty());
            }
            stream = step(&stream, &Input::Permitted(job(1))).0;
        }
        assert!(stream.was_permitted(job(1)));
        // On a new stream the act may ask before anything was offered there.
        let (stream, _) = step(&stream, &Input::Hello { credits: 1 });
        let (stream, _) = step(&stream, &Input::Permitted(job(1)));
        assert!(step(&stream, &ready).1.is_empty() && stream.was_permitted(job(1)));
    }

    #[test]
    fn a_permit_on_the_stream_is_remembered_until_its_receipt() {
        let (stream, _) = step(&Stream::default(), &Input::Hello { credits: 1 });
        let (stream, _) = step(&stream, &Input::Ready(vec![job(1)]));
        let (stream, _) = step(&stream, &Input::Permitted(job(1)));
        assert!(stream.was_permitted(job(1)));
        let (denied, _) = step(&stream, &Input::Denied(job(1), Denial::Begun));
        assert!(denied.was_permitted(job(1)));
        let (stream, _) = step(&stream, &Input::Receipt(job(1)));
        assert!(!stream.was_permitted(job(1)));
    }
}
