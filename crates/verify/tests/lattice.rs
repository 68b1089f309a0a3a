//! ML-DSA-65 by another implementation (AWS-LC's), under the key spelling of RFC 9881: what it makes the verifier takes, so
//! that no issuer is bound to a library.

#![allow(clippy::unwrap_used, reason = "a missing part should fail the test at once")]

mod issuer;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{KeyPair as _, ML_DSA_65_SIGNING, PqdsaKeyPair};
use issuer::expect;
use issuer::keys::{ISSUER, Key};
use issuer::story::Story;

#[test]
fn another_implementation_spells_the_same_key() {
    let other = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &[1; 32]).unwrap();
    assert_eq!(other.public_key().as_der().unwrap().as_ref(), Key::Ml(1).spki());
}

#[test]
fn a_proof_that_another_implementation_signed_is_valid() {
    let signed_by = |seed| {
        let mut story = Story::complete();
        for item in story.items.iter_mut().filter(|item| item.signers == ISSUER) {
            item.signers = vec![ISSUER[0], Key::OtherMl(seed)];
        }
        story.built()
    };
    expect("under the same key", &signed_by(1), 0);
    expect("under another one", &signed_by(2), 25);
}
