//! Somebody else's reading of what it cosigned: Cloudflare's `signed_note` reads the note and knows the witness's line for a
//! signature of its key's name and id; OpenSSL verifies the signature over the message of the specification. `signed_note` itself verifies no
//! cosignature.

use std::process::Command;

use gallra_tlog::Answer;
use signed_note::{Note as TheirNote, Signature as TheirSignature};

use crate::process::{NAME, Witness};
use crate::tree::{Log, key};

#[tokio::test]
async fn others_read_the_cosignature_and_openssl_verifies_it() {
    let witness = Witness::started();
    let log = Log::of(9);
    let Answer::Lines(body) = witness.ask(&log.request(0, 9)).await.unwrap() else { panic!("not cosigned") };
    let note = log.signed_by(9, &key());
    let whole = format!("{note}{}", std::str::from_utf8(&body).unwrap());
    let read = TheirNote::from_bytes(whole.as_bytes()).unwrap();
    assert_eq!(read.to_bytes(), whole.as_bytes());
    let theirs = TheirSignature::from_bytes(body.trim_ascii_end()).unwrap();
    assert_eq!((theirs.name(), theirs.id()), (NAME, u32::from_be_bytes(witness.key.id())));

    let bytes = theirs.signature();
    assert_eq!(bytes.len(), 72, "eight bytes of time and a signature of Ed25519");
    let time = u64::from_be_bytes(bytes[..8].try_into().unwrap());
    let at = |name: &str| witness.dir().join(name);
    std::fs::write(at("message"), format!("cosignature/v1\ntime {time}\n{}", note.unverified_text())).unwrap();
    std::fs::write(at("signature"), &bytes[8..]).unwrap();
    let verify = || {
        let mut command = Command::new("openssl");
        command.args(["pkeyutl", "-verify", "-rawin", "-inkey"]).arg(at("witness.key"));
        command.arg("-in").arg(at("message")).arg("-sigfile").arg(at("signature"));
        command.output().unwrap()
    };
    let said = verify();
    assert!(said.status.success(), "{said:?}");
    std::fs::write(at("message"), format!("cosignature/v1\ntime {}\n{}", time + 1, note.unverified_text())).unwrap();
    assert!(!verify().status.success(), "another second is another message");
}
