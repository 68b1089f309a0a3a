//! The canary: what was sealed for a person is found before, wherever it lies, and 31 days after the end of it nowhere, with
//! all files and all keys that are left.

use super::*;

const ADA: u32 = 1;
const BO: u32 = 2;
/// Why a file was searched, when it matters which.
const STORE: &str = "store/store.redb";

fn hits(found: &[(String, FileFound)]) -> Vec<&str> {
    found.iter().filter(|(_, found)| found.is_hit()).map(|(path, _)| path.as_str()).collect()
}

/// A site with two persons and every kind of old copy: our backup, one that was carried away, the store's file as it lay.
async fn with_copies() -> Site {
    let site = Site::new();
    let open = site.open();
    open.turn(start()).await;
    open.store.commit(person(&open.keyring, person(&open.keyring, Txn::new(), ADA), BO)).await.expect("commits");
    let (backup, _) = open.effects.back_up_now(&open.keyring, after_days(5)).await.expect("backs up");
    std::fs::copy(backup, site.path("elsewhere/carried.redb")).expect("copies");
    drop(open);
    std::fs::copy(site.path(STORE), site.path("elsewhere/as-it-lay.redb")).expect("copies");
    site
}

#[tokio::test]
async fn thirty_one_days_after_the_end_nothing_can_be_read_from_any_file() {
    let site = with_copies().await;
    let closed = site.open().keyring.closed_reference("anna.example");
    let (ada, bo) = (number(ADA), number(BO));
    let backup = "backups/store-00000001-2026-01-06T000000Z.redb";
    assert_eq!(hits(&site.search(&[&ada])), [backup, "elsewhere/as-it-lay.redb", "elsewhere/carried.redb", STORE]);

    // The request ends on the 29th day. Deleted is not gone: copies still tell, and so do old pages, here on a disk image.
    let open = site.open();
    forget(&*open.store, &open.keyring, ADA).await.expect("forgets");
    assert!(!open.readable(ADA).await);
    std::fs::copy(site.path(STORE), site.path("elsewhere/image.redb")).expect("copies");
    drop(open);
    let copies = [backup, "elsewhere/as-it-lay.redb", "elsewhere/carried.redb", "elsewhere/image.redb"];
    assert_eq!(hits(&site.search(&[&ada])).iter().filter(|hit| **hit != STORE).copied().collect::<Vec<_>>(), copies);

    let open = site.open();
    let progress = open.turn(after_days(30)).await;
    assert_eq!(progress, Progress::Turned { epoch: Epoch::FIRST.next() });
    assert_eq!(open.keyring.closed_reference("anna.example"), closed, "a late event still meets its reference");
    drop(open);

    let after = site.search(&[&ada]);
    assert_eq!(hits(&after), [""; 0]);
    let of = |path: &str| after.iter().find(|(name, _)| name == path).map(|(_, found)| *found).expect("searched");
    for carried in copies.iter().skip(1) {
        assert!(of(carried).sealed_unreadable >= 1, "her value is there, and nothing opens it: {carried}");
    }
    assert_eq!(of(STORE).sealed_unreadable, 0, "no old page is left in the store's own file");
    assert!(!after.iter().any(|(path, _)| path == backup), "our own old backup is gone");

    // Who did not end is where they were.
    let new = "backups/store-00000002-2026-01-31T000000Z.redb";
    let of_bo = site.search(&[&bo]);
    assert!([new, STORE].iter().all(|path| hits(&of_bo).contains(path)));
    assert!(site.open().readable(BO).await);
}

#[tokio::test]
async fn what_ends_while_an_epoch_turns_is_gone_with_the_next() {
    let site = with_copies().await;
    let open = site.open();
    // Up to the backup under the new epoch, which has her still.
    while site.names("backups").len() < 2 {
        open.turning().turn(after_days(30), 1).await.expect("turns");
    }
    forget(&*open.store, &open.keyring, ADA).await.expect("forgets");
    assert!(matches!(open.turn(after_days(30)).await, Progress::Turned { .. }));
    drop(open);
    // One copy under the new epoch has her key; with it, every older copy tells, too.
    let backup = "backups/store-00000002-2026-01-31T000000Z.redb";
    assert_eq!(hits(&site.search(&[&number(ADA)])), [backup, "elsewhere/as-it-lay.redb", "elsewhere/carried.redb"]);
    // That epoch began as she ended: 30 days and the time it takes to turn.
    let open = site.open();
    assert!(matches!(open.turn(after_days(60)).await, Progress::Turned { .. }));
    drop(open);
    assert_eq!(hits(&site.search(&[&number(ADA)])), [""; 0]);
    assert_eq!(site.names("backups"), ["store-00000003-2026-03-02T000000Z.redb"]);
}

#[tokio::test]
async fn a_backup_becomes_a_store_again() {
    let site = with_copies().await;
    std::fs::create_dir(site.path("again")).expect("makes");
    std::fs::rename(site.path("elsewhere/carried.redb"), site.path("again/store.redb")).expect("moves");
    let store = Embedded::open(&site.path("again")).expect("opens");
    let keyring = Keyring::open(&site.path("keys")).expect("opens");
    assert!(readable(&store, &keyring, ADA).await && readable(&store, &keyring, BO).await);
    store.commit(person(&keyring, Txn::new(), 3)).await.expect("goes on");
}
