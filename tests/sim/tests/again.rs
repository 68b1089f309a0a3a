//! The same seed plays the same year, to the byte: a failure that cannot be played again explains nothing.

mod common;

use common::run;

#[test]
fn the_same_seed_tells_the_same_story_twice() {
    let (first, second) = (run(3, 45, None).story, run(3, 45, None).story);
    if let Some(at) = first.iter().zip(&second).position(|(one, other)| one != other) {
        let around = at.saturating_sub(5)..at + 1;
        panic!("line {at}: {:#?} and {:#?}", first.get(around.clone()), second.get(around));
    }
    assert_eq!(first.len(), second.len());
    assert!(first.len() > 60, "a month and a half has a story");
}
