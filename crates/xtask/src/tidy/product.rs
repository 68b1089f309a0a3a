//! What product code may not say: clocks, disks and randomness in the pure ring, and unfinished work anywhere.
//! clippy.toml bans the same calls where they are resolved; this finds them in every crate's text, macros included.

use super::edges::PURE;
use crate::tree::Tree;

/// Not in the pure ring's product code.
const IMPURE: [&str; 14] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "thread_rng",
    "OsRng",
    "getrandom",
    "tokio::",
    "TimeZone::system",
];

/// Nowhere in Rust files, tests included. Put together, so that this file does not contain them.
const UNFINISHED: [&str; 4] =
    [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[ign", "ore"), concat!("FIX", "ME")];

/// Not in tests: they wait for what they wait for.
const SLEEPS: [&str; 2] = [concat!("thread::", "sleep("), concat!("time::", "sleep(")];

/// Where tests may sleep: the one bounded wait that all others use, and the simulator, whose time passes when everybody waits.
const MAY_SLEEP: [&str; 2] = ["crates/testkit/", "tests/sim/src/"];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.rust().flat_map(|(path, text)| of_file(tree, path, text)).collect()
}

fn of_file(tree: &Tree, path: &str, text: &str) -> Vec<String> {
    let product = tree.product(path, text);
    let tests = text.get(product.len()..).unwrap_or_default();
    let pure = PURE.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
    let mut problems = found(path, 0, text, &UNFINISHED, "unfinished work is not kept in the tree");
    if pure {
        problems.extend(found(
            path,
            0,
            product,
            &IMPURE,
            "the pure ring is given time, bytes and randomness as values",
        ));
    }
    if !MAY_SLEEP.iter().any(|place| path.starts_with(place)) {
        let before = product.lines().count();
        problems.extend(found(path, before, tests, &SLEEPS, "a test waits for the event itself, with a bound"));
    }
    problems
}

/// Lines of code, not of comment, that contain one of `words`. `before` lines come before `text` in the file.
fn found(path: &str, before: usize, text: &str, words: &[&str], why: &str) -> Vec<String> {
    let code = |line: &str| !line.trim_start().starts_with("//");
    let lines = text.lines().enumerate().filter(|(_, line)| code(line));
    lines
        .flat_map(|(number, line)| {
            words.iter().filter(|word| line.contains(**word)).map(move |word| (before + number + 1, word))
        })
        .map(|(number, word)| format!("{path}:{number}: `{word}`: {why}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn problems(path: &str, text: &str) -> Vec<String> {
        check(&tree(&[(path, text)]))
    }

    #[test]
    fn the_pure_ring_reads_no_clock_and_no_disk() {
        let text = "//! Head: no std::fs here.\nfn f() { std::fs::read(\"x\"); }\n";
        assert_eq!(problems("crates/flow/src/lib.rs", text).len(), 1);
        assert!(problems("crates/flow/src/lib.rs", text)[0].starts_with("crates/flow/src/lib.rs:2:"));
        assert!(problems("crates/agent/src/lib.rs", text).is_empty());
        let in_test = "//! Head.\n#[cfg(test)]\nmod tests {\n    fn f() { std::fs::read(\"x\"); }\n}\n";
        assert!(problems("crates/flow/src/lib.rs", in_test).is_empty());
    }

    #[test]
    fn unfinished_work_is_found_in_tests_too() {
        let text =
            format!("#[cfg(test)]\nmod tests {{\n    {})]\n    fn f() {{ {}) }}\n}}\n", UNFINISHED[2], UNFINISHED[0]);
        assert_eq!(problems("crates/agent/src/lib.rs", &text).len(), 2);
    }

    #[test]
    fn tests_do_not_sleep() {
        let sleep = format!("fn f() {{ std::{}second); }}\n", SLEEPS[0]);
        let in_test = format!("#[cfg(test)]\nmod tests {{\n{sleep}}}\n");
        assert!(problems("crates/agent/src/lib.rs", &sleep).is_empty());
        assert_eq!(problems("crates/agent/src/lib.rs", &in_test).len(), 1);
        assert!(problems("crates/agent/src/lib.rs", &in_test)[0].starts_with("crates/agent/src/lib.rs:3:"));
        assert_eq!(problems("tests/src/restart.rs", &sleep).len(), 1);
        assert!(problems("crates/testkit/src/wait.rs", &sleep).is_empty());
    }
}
