//! RFC 6962 as its recursive definitions say it, and notes as C2SP's specifications say them.

use std::cell::RefCell;
use std::collections::HashMap;

use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

use super::keys::{Key, ORIGIN, base64};

pub(crate) type Hash = [u8; 32];

pub(crate) fn leaf(entry: &str) -> Hash {
    Sha256::digest([&[0], entry.as_bytes()].concat()).into()
}

fn node(left: Hash, right: Hash) -> Hash {
    Sha256::digest([&[1][..], &left, &right].concat()).into()
}

/// The largest power of two below a number above 1.
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(root(left), root(right))
        }
    }
}

/// A tree each of whose roots is made once: for logs of thousands of entries.
pub(crate) struct Tree<'l> {
    leaves: &'l [Hash],
    roots: RefCell<HashMap<(usize, usize), Hash>>,
}

impl<'l> Tree<'l> {
    pub(crate) fn new(leaves: &'l [Hash]) -> Self {
        Self { leaves, roots: RefCell::default() }
    }

    /// MTH of the leaves from one to before another.
    pub(crate) fn root(&self, from: usize, to: usize) -> Hash {
        if to - from <= 1 {
            return root(&self.leaves[from..to]);
        }
        if let Some(known) = self.roots.borrow().get(&(from, to)) {
            return *known;
        }
        let middle = from + split(to - from);
        let made = node(self.root(from, middle), self.root(middle, to));
        self.roots.borrow_mut().insert((from, to), made);
        made
    }

    /// PATH(m, D[0:n]).
    pub(crate) fn path(&self, index: usize, size: usize) -> Vec<Hash> {
        let (mut from, mut to, mut path) = (0, size, Vec::new());
        while to - from > 1 {
            let middle = from + split(to - from);
            let left = index < middle;
            path.push(if left { self.root(middle, to) } else { self.root(from, middle) });
            (from, to) = if left { (from, middle) } else { (middle, to) };
        }
        path.reverse();
        path
    }
}

/// PROOF(m, D).
pub(crate) fn consistency(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    subproof(old, leaves, true)
}

fn subproof(old: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, beside) = if old <= left.len() {
        (subproof(old, left, known), root(right))
    } else {
        (subproof(old - left.len(), right, false), root(left))
    };
    proof.push(beside);
    proof
}

pub(crate) fn hashes(all: &[Hash]) -> String {
    base64(&all.concat())
}

fn id(name: &str, kind: u8, seed: u8) -> Vec<u8> {
    let raw = Key::ed(seed).verifying_key().to_bytes();
    Sha256::digest([name.as_bytes(), &[b'\n', kind], &raw].concat())[..4].to_vec()
}

fn witness_name(number: u8) -> String {
    format!("witness.auditor.example/w{number}")
}

/// C2SP's text of a witness's key. Witnesses have the seeds 31 and on.
pub(crate) fn witness_key(number: u8) -> String {
    let (name, seed) = (witness_name(number), 30 + number);
    let raw = Key::ed(seed).verifying_key().to_bytes();
    format!("{name}+{}+{}", hex::encode(id(&name, 4, seed)), base64(&[&[4][..], &raw].concat()))
}

/// A signed checkpoint of a size and a root, cosigned by these witnesses.
pub(crate) fn note(size: usize, root: Hash, seed: u8, witnesses: &[u8]) -> String {
    let text = format!("{ORIGIN}\n{size}\n{}\n", base64(&root));
    let signature = Key::ed(seed).sign(text.as_bytes()).to_bytes();
    let mut note = format!("{text}\n\u{2014} {ORIGIN} {}\n", base64(&[&id(ORIGIN, 1, seed), &signature[..]].concat()));
    for number in witnesses {
        let (name, seed, time) = (witness_name(*number), 30 + number, 1_787_565_600_u64);
        let message = format!("cosignature/v1\ntime {time}\n{text}");
        let signature = Key::ed(seed).sign(message.as_bytes()).to_bytes();
        let line = [&id(&name, 4, seed)[..], &time.to_be_bytes(), &signature].concat();
        note.push_str(&format!("\u{2014} {name} {}\n", base64(&line)));
    }
    note
}
