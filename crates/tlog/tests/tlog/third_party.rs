//! Somebody else's reader over HTTP: Cloudflare's `tlog_tiles` and `signed_note` open the served checkpoint and prove entries out
//! of the served tiles; nothing is trusted but the log's public key.

use std::net::SocketAddr;

use gallra_tlog::Tiles;
use signed_note::{Note as TheirNote, StandardVerifier, VerifierList};
use tlog_tiles::{Checkpoint as TheirCheckpoint, Tile as TheirTile, TileHashReader, TileReader};

use crate::log::{Log, ORIGIN};
use crate::{Served, ask};

struct Mirror(SocketAddr);

impl TileReader for Mirror {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[TheirTile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        // Their paths have the height, which C2SP leaves out.
        let path = |tile: &TheirTile| tile.path().replace("tile/8/", "/tile/");
        Ok(tiles
            .iter()
            .map(|tile| match ask(self.0, "GET", &path(tile), b"") {
                (200, _, body) => body,
                (status, ..) => panic!("{}: {status}", path(tile)),
            })
            .collect())
    }

    fn save_tiles(&self, _: &[TheirTile], _: &[Vec<u8>]) {}
}

#[tokio::test]
async fn a_third_party_checks_an_entry_over_http() {
    const SIZE: u64 = 600;
    let log = Log::of(SIZE);
    let vkey = log.key.public().to_string();
    let entries: Vec<Vec<u8>> = (0..600).map(|at| log.entry(at).to_vec()).collect();
    let served = Served::new(Tiles(log)).await;
    let at = served.at;
    let checked = tokio::task::spawn_blocking(move || {
        let (_, _, body) = ask(at, "GET", "/checkpoint", b"");
        let note = TheirNote::from_bytes(&body).unwrap();
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
        assert_eq!(note.verify(&known).unwrap().0.len(), 1);
        let checkpoint = TheirCheckpoint::from_bytes(note.text()).unwrap();
        assert_eq!((checkpoint.origin(), checkpoint.size()), (ORIGIN, SIZE));
        let (root, mirror) = (*checkpoint.hash(), Mirror(at));
        let reader = TileHashReader::new(SIZE, root, &mirror);
        let mut checked = 0;
        for index in [0, 255, 256, 511, 512, 599_u64] {
            // The entry itself, out of the served bundle.
            let bundle = if index < 512 { format!("{:03}", index / 256) } else { "002.p/88".to_owned() };
            let (status, _, bytes) = ask(at, "GET", &format!("/tile/entries/{bundle}"), b"");
            assert_eq!(status, 200);
            let mut rest = bytes.as_slice();
            let mut entry: &[u8] = &[];
            for _ in 0..=index % 256 {
                let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                (entry, rest) = rest[2..].split_at(length);
            }
            assert_eq!(entry, entries[usize::try_from(index).unwrap()]);
            let path = tlog_tiles::prove_record(SIZE, index, &reader).unwrap();
            tlog_tiles::check_record(&path, SIZE, root, index, tlog_tiles::record_hash(entry)).unwrap();
            checked += 1;
        }
        checked
    });
    assert_eq!(checked.await.unwrap(), 6);
}
