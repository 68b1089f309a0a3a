//! One stop against one asking, again and again, on tiny offsets that lean towards whoever lost last.

use std::sync::Arc;

use gallra_flow::permit::Asking;
use gallra_model::envelope::Envelope;
use gallra_model::permit::Denial;

use crate::site::Site;

/// How the rounds went.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) permits: u32,
    pub(crate) stops: u32,
    /// Of the stops: those that came between the reading of the guards and the permit's commit.
    pub(crate) raced: u32,
}

impl Tally {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { permits: self.permits + other.permits, stops: self.stops + other.stops, raced: self.raced + other.raced }
    }

    /// Both orders occurred in at least a tenth of the rounds, and each round had a winner.
    pub(crate) fn assert_both_orders(&self, rounds: u32) {
        assert_eq!(self.permits + self.stops, rounds);
        let tenth = rounds.div_ceil(10);
        assert!(self.permits >= tenth && self.stops >= tenth, "too one-sided to be a race: {self:?}");
    }
}

/// Offsets in scheduler turns: seeded, and leaning so that neither side wins for long.
pub(crate) struct Offsets {
    seed: u64,
    lead: i64,
}

/// Most turns by which the lean changes at once.
const STEP: u64 = 64;

impl Offsets {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, lead: 0 }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn learn(&mut self, permit_won: bool) {
        let step = i64::try_from(self.random() % STEP + 1).expect("small");
        self.lead += if permit_won { -step } else { step };
    }
}

async fn turns(count: i64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// Lets an asking and a stop loose at each other.
pub(crate) async fn race<S>(
    site: &Arc<Site>,
    asking: Asking,
    offsets: &mut Offsets,
    tally: &mut Tally,
    stop: impl Future<Output = S>,
) -> (Result<Envelope, Denial>, S) {
    let jitter = i64::try_from(offsets.random() % STEP).expect("small") - i64::try_from(STEP / 2).expect("small");
    let lead = offsets.lead + jitter;
    let core = Arc::clone(&site.core);
    let asked = tokio::spawn(async move {
        turns(-lead).await;
        core.ask(&asking).await.expect("an answer")
    });
    let (asked, stopped) = tokio::join!(asked, async {
        turns(lead).await;
        stop.await
    });
    let answer = asked.expect("the asking's task ends");
    offsets.learn(answer.is_ok());
    match &answer {
        Ok(_) => tally.permits += 1,
        Err(Denial::Raced) => {
            tally.stops += 1;
            tally.raced += 1;
        }
        Err(_) => tally.stops += 1,
    }
    (answer, stopped)
}
