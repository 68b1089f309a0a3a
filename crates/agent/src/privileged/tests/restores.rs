//! What came of restores is told on every stream until it is answered, beside everything else.

use super::*;

impl Rig<'_> {
    /// The next thing that it says, which must be a restore: its digest.
    fn restore(&mut self) -> Digest {
        match self.hear() {
            ToSession::Say(ToCoordinator::Restore { envelope }) => {
                gallra_proof::dsse::payload_digest(&envelope).expect("a payload")
            }
            other => panic!("expected a restore, heard {other:?}"),
        }
    }

    /// The stream broke, and another one was opened.
    fn reconnect(&mut self) {
        let now = "2026-03-01T03:00:00Z".parse().expect("a literal");
        self.tell(ToPrivileged::Connected { generation: 1, clock: Clock::Real, now });
    }

    /// Answers a restore.
    fn answer(&mut self, statement: Digest, refused: Option<&str>) {
        self.tell(ToPrivileged::RestoreHeard { statement, refused: refused.map(str::to_owned) });
    }
}

/// Keeps so many restores' statements, and gives their digests.
fn kept(disk: &Disk, count: u8) -> Vec<Digest> {
    let statement =
        |number: u8| gallra_proof::dsse::sign("application/x-test", &[number; 8], &SigningKey::from_seed(&[2; 32]));
    (0..count)
        .map(|number| {
            disk.outbox().keep(&statement(number)).expect("keeps");
            Digest::of(&[number; 8])
        })
        .collect()
}

#[test]
fn what_came_of_restores_is_told_on_every_stream_until_it_is_answered() {
    let disk = Disk::new();
    let told = kept(&disk, 3);
    let mut rig = Rig::start(&disk);
    assert_eq!([rig.restore(), rig.restore(), rig.restore()], [told[0], told[1], told[2]]);
    rig.answer(told[1], None);
    rig.answer(told[0], Some("it names no entry"));
    rig.reconnect();
    assert_eq!(rig.restore(), told[2], "what was answered is told no more");
    rig.stop().expect("ends");
    // Neither a crash nor a stop loses what was not answered.
    let mut rig = Rig::start(&disk);
    assert_eq!(rig.restore(), told[2]);
    rig.answer(told[2], None);
    // An act's answers come through in between.
    let (_, nonce) = asked(&mut rig);
    assert_ne!(nonce, Nonce::from_bytes([0; 16]));
    rig.stop().expect("ends");
    assert_eq!(disk.outbox().begin().expect("reads"), []);
    let aside = std::fs::read_dir(disk.privileged().join("restores/refused")).expect("lists");
    assert_eq!(aside.count(), 1, "what is refused is put aside, and not lost");
}
