//! Words of billing's that were told before, otherwise or late: what is not taken is never answered as if it were, one contract's
//! signature backs no other, and a hold on who had a contract before covers what it stored then (I1, I6).

use gallra_coordinator::contracts::{End, Move};
use gallra_coordinator::error::CoreError;
use gallra_coordinator::guards;
use gallra_coordinator::holds::Why;
use gallra_model::Day;
use gallra_model::hold::Level;
use gallra_model::permit::Denial;

use crate::site::{ENDED, Site, id};

/// The last day under the earlier customer.
const ON: Day = Day::constant(2026, 1, 20);
const OTHER: Day = Day::constant(2026, 1, 28);

fn end(service: &str, ended: Day, version: u64) -> End {
    End { service: id(service), ended, version, cause: None }
}

fn refused<T>(answer: Result<T, CoreError>) -> bool {
    matches!(answer.err(), Some(CoreError::Precondition(_)))
}

#[tokio::test]
async fn another_day_without_a_version_is_refused_and_the_same_one_is_not() {
    let site = Site::new(&["www"]).await;
    site.sells("anna.example", "1001").await;
    site.core.end_contract(&end("anna.example", OTHER, 0)).await.expect("ended");
    assert!(refused(site.core.end_contract(&end("anna.example", ENDED, 0)).await), "nobody guesses that it is newer");
    site.core.end_contract(&end("anna.example", OTHER, 0)).await.expect("told again");
    let corrected = site.core.end_contract(&end("anna.example", ENDED, 7)).await.expect("corrected");
    assert_eq!((corrected.ended, corrected.version), (Some(ENDED), 7));
    site.core.settle_contract(&id("anna.example"), ENDED, 0).await.expect("settled");
    let later = Day::constant(2026, 2, 10);
    assert!(refused(site.core.settle_contract(&id("anna.example"), later, 0).await));
    let again = site.core.settle_contract(&id("anna.example"), ENDED, 0).await.expect("told again");
    assert_eq!(again.settled, Some(ENDED));
}

#[tokio::test]
async fn a_corrected_end_signs_for_no_other_contracts_data() {
    let site = Site::new(&["www"]).await;
    for service in ["one.example", "two.example"] {
        site.sells(service, "1001").await;
    }
    site.core.end_contract(&end("one.example", OTHER, 2)).await.expect("ended");
    site.core.settle_contract(&id("one.example"), ENDED, 3).await.expect("settled");
    // The last one: its request carries the customer's end, too.
    let both = site.core.end_contract(&end("two.example", ENDED, 2)).await.expect("ended").request.expect("a request");
    let cause = Some(site.cause("one.example", "1001"));
    let corrected = End { cause, ..end("one.example", ENDED, 4) };
    let own = site.core.end_contract(&corrected).await.expect("corrected").request.expect("a request");
    assert!(site.view(&own).await.request.approvals.service.is_some(), "its own is signed for");
    let approvals = site.view(&both).await.request.approvals;
    assert_eq!(
        (approvals.service, approvals.customer),
        (None, None),
        "nobody signed for the other, nor for another day"
    );
}

#[tokio::test]
async fn a_hold_on_who_had_the_contract_before_stops_what_it_stored_then() {
    let site = Site::new(&["www"]).await;
    site.sells("anna.example", "1001").await;
    let before = site.core.find_customer(&id("1001")).await.expect("reads").expect("known").1;
    let moved = Move { service: id("anna.example"), customer: id("1002"), on: ON, settled: Some(ON), version: 0 };
    site.core.move_contract(&moved).await.expect("moved");
    let leaving = site.ends("anna.example", "1002").await;
    let level = Level::Customer { customer: before.id };
    let why = Why { ground: "a dispute", on: None, until: None };
    let placed = site.core.place_hold(level, why, None, "ada").await.expect("placed");
    assert_eq!(site.ask(&leaving.erase.id()).await.err(), Some(Denial::Held));
    let view = site.view(&leaving.request).await;
    assert!(guards::is_held(&*site.core.store, &view).await.expect("reads"), "and the request shows it");
    site.core.release_hold(&placed.hold.id, "settled", "bertil").await.expect("released");
    site.ask(&leaving.erase.id()).await.expect("permitted");
}

#[tokio::test]
async fn another_settlement_of_the_time_before_a_move_is_refused() {
    let site = Site::new(&["www"]).await;
    site.sells("anna.example", "1001").await;
    let told = |settled, version| Move {
        service: id("anna.example"),
        customer: id("1002"),
        on: ON,
        settled: Some(settled),
        version,
    };
    site.core.move_contract(&told(OTHER, 5)).await.expect("moved");
    assert!(refused(site.core.move_contract(&told(ENDED, 6)).await), "what counts from it is early by the first");
    let again = site.core.move_contract(&told(OTHER, 5)).await.expect("told again");
    assert_eq!(again.part.expect("the time before").settled, Some(OTHER));
}
