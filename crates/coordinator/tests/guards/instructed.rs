//! A customer's instruction raced against the permit for its erasure: one of the two wins, and both are told.

use std::sync::Arc;

use gallra_model::job::Action;
use gallra_model::permit::Denial;
use gallra_model::receipt::{Code, Verdict};
use gallra_model::request::{JobRecord, JobState};

use crate::FEW;
use crate::instructions::data;
use crate::purge::{offer, signed, the_purge};
use crate::race::{Offsets, Tally, race};
use crate::site::{Leaving, Site, id};

/// Rounds on one store.
const ROUNDS: u32 = 60;

/// The erasure of the current plan, inspected before.
async fn erasure(site: &Site, leaving: &Leaving) -> JobRecord {
    let inspects = site.jobs(&leaving.request, Action::Inspect).await;
    if inspects.iter().any(|job| job.state != JobState::Succeeded) {
        site.inspects(&leaving.request).await;
    }
    site.jobs(&leaving.request, Action::Erase).await.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_instruction_and_a_permit_one_wins() {
    let (mut offsets, mut tally) = (Offsets::new(600), Tally::default());
    // Each round makes plans, and their dropped jobs stay with the request.
    for _ in 0..FEW / ROUNDS {
        let site = Arc::new(Site::new(&["www"]).await);
        let leaving = site.leaves("anna.example", "1001").await;
        for _ in 0..ROUNDS {
            one_set(&site, &leaving, &mut offsets, &mut tally).await;
        }
    }
    tally.assert_both_orders(FEW);
}

async fn one_set(site: &Arc<Site>, leaving: &Leaving, offsets: &mut Offsets, tally: &mut Tally) {
    let (number, longer) = (id("1001"), data("longer", "2026-02-01", "45 days"));
    let erase = erasure(site, leaving).await;
    let (job, asking) = (erase.id(), site.asking(&erase.id()).await);
    let set = site.core.set_instruction(&number, &longer, "anna");
    let (answer, set) = race(site, asking, offsets, tally, set).await;
    let set = set.expect("an instruction in order is always taken");
    assert_eq!(set.begun, usize::from(answer.is_ok()), "told to both");
    let after = site.stored(&leaving.request, &job).await;
    assert_eq!(after.state == JobState::Begun, answer.is_ok());
    if let Err(denial) = answer {
        assert!(matches!(denial, Denial::Stale | Denial::Raced), "{denial:?}");
    }
    // Whoever was first, from here on nothing goes on by the rules before.
    assert_eq!(site.core.stopped(&job).await.expect("reads"), Some(Denial::Stale));
    if after.state == JobState::Begun {
        site.report(&leaving.request, &job, Verdict::Failed, Some(Code::Stopped)).await;
    }
    site.core.remove_instruction(&number, "longer", "anna").await.expect("removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_that_needs_an_approver_and_a_permit_one_wins() {
    let site = Arc::new(Site::new(&["www"]).await);
    let leaving = site.leaves("anna.example", "1001").await;
    let (job, asking) = (leaving.erase.id(), site.asking(&leaving.erase.id()).await);
    let (mut offsets, mut tally) = (Offsets::new(700), Tally::default());
    let far = data("later", "2026-09-01", "1 year");
    for _ in 0..FEW {
        let number = id("1001");
        let set = site.core.set_instruction(&number, &far, "anna");
        let (answer, set) = race(&site, asking.clone(), &mut offsets, &mut tally, set).await;
        assert_eq!(set.expect("taken").begun, usize::from(answer.is_ok()));
        if let Err(denial) = answer {
            assert!(matches!(denial, Denial::NotApproved | Denial::Raced), "{denial:?}");
        }
        assert_eq!(site.core.stopped(&job).await.expect("reads"), Some(Denial::NotApproved));
        if site.job(&leaving).await.state == JobState::Begun {
            site.stopped(&leaving).await;
        }
        site.core.remove_instruction(&number, "later", "anna").await.expect("removed");
        assert_eq!(site.core.stopped(&job).await.expect("reads"), None);
    }
    tally.assert_both_orders(FEW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_instruction_that_keeps_somebodys_lines_and_a_purges_permit_one_wins() {
    let (mut offsets, mut tally) = (Offsets::new(800), Tally::default());
    let longer = "id = \"logs\"\ngiven_by = \"the board\"\ngiven_on = \"2026-01-01\"\nfrom = \"2026-02-01\"\n[[replace]]\n\
                  rule = \"webone/access-logs\"\ncount = [{ from = \"customer_settled\", period = \"6 months\" }, \
                  { from = \"record\", period = \"7 months\" }]\n";
    for _ in 0..FEW / ROUNDS {
        let site = Arc::new(signed().await);
        let (request, job) = the_purge(&site).await;
        for _ in 0..ROUNDS {
            let asking = site.asking(&job.id()).await;
            let number = id("1001");
            let set = site.core.set_instruction(&number, longer, "anna");
            let (answer, set) = race(&site, asking, &mut offsets, &mut tally, set).await;
            assert_eq!(set.expect("taken").begun, usize::from(answer.is_ok()), "told to both");
            if let Err(denial) = answer {
                assert!(matches!(denial, Denial::Stale | Denial::Raced), "{denial:?}");
            }
            assert_eq!(offer(&site, &job).await.purge.expect("a purge").preserve.len(), 1, "named from here on");
            site.core.remove_instruction(&number, "logs", "anna").await.expect("removed");
            if site.stored(&request, &job.id()).await.state == JobState::Begun {
                site.report(&request, &job.id(), Verdict::Failed, Some(Code::Stopped)).await;
            }
        }
    }
    tally.assert_both_orders(FEW);
}
