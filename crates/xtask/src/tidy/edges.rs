//! Which crate may depend on which (decision record 0001), read from the manifests. Development dependencies are free.

use toml::{Table, Value};

use crate::tree::Tree;

/// A crate, and the crates of ours that it may depend on. An edge that is missing here is forbidden.
const ALLOWED: &[(&str, &[&str])] = &[
    // pure ring
    ("model", &[]),
    ("policy", &["model"]),
    ("planner", &["model", "policy"]),
    ("flow", &["model", "planted"]),
    // What a test can break on purpose; nothing in what is shipped (0045).
    ("planted", &[]),
    ("proof", &["model", "planted"]),
    // The verifier does not use it: it reads the page of the log with code of its own (0024).
    ("log", &["model"]),
    ("verify", &[]),
    // Says what a verdict says, and reads no proof (0029).
    ("certificate", &["verify"]),
    // edges
    ("retry", &[]),
    ("wire", &["model", "proof"]),
    ("random", &[]),
    ("store", &["model", "random", "planted"]),
    // Its client is built with protoc, which nothing else here needs (0035).
    ("store-etcd", &["store", "retry"]),
    // Its ML-DSA key signs what `proof` makes, which is pure and computes no such signature.
    ("identity", &["model", "proof"]),
    // What checks a token is handed in, so that the coordinator is not built with the verifier.
    ("stamp", &[]),
    ("targets", &["model", "planted"]),
    ("tlog", &["log"]),
    ("crash", &[]),
    // Its spans say ids and words of the model, and nothing that is a text.
    ("telemetry", &["model"]),
    // binaries
    (
        "coordinator",
        &[
            "model",
            "policy",
            "planner",
            "flow",
            "proof",
            "log",
            "verify",
            "wire",
            "store",
            "store-etcd",
            "identity",
            "tlog",
            "stamp",
            // Authorities and witnesses that are away are asked again by the rules of all others (0043).
            "retry",
            "crash",
            "telemetry",
            "random",
            "planted",
        ],
    ),
    (
        "agent",
        &["model", "flow", "proof", "wire", "identity", "targets", "retry", "crash", "telemetry", "random", "planted"],
    ),
    // The demonstration's search opens sealed store values with the keys on disk, hence store; causes are signed here, hence
    // proof (0012). Root holders see the checkpoint that a log ends at, hence log (0034).
    (
        "cli",
        &[
            "model",
            "policy",
            "planner",
            "proof",
            "log",
            "verify",
            "certificate",
            "wire",
            "identity",
            "targets",
            "store",
        ],
    ),
    // workshop
    ("testkit", &["model", "cli", "wire", "identity", "store", "targets", "proof", "verify"]),
    // The binaries too, since each reads files of its own (0001).
    (
        "fuzzing",
        &[
            "model",
            "policy",
            "planner",
            "flow",
            "proof",
            "log",
            "verify",
            "wire",
            "store",
            "identity",
            "stamp",
            "targets",
            "tlog",
            "agent",
            "coordinator",
            "cli",
        ],
    ),
    ("xtask", &[]),
];

/// The pure ring.
pub(super) const PURE: [&str; 8] = ["model", "policy", "planner", "flow", "proof", "log", "verify", "certificate"];

/// What the pure ring may not be built with: beginnings of crate names.
const IMPURE: [&str; 15] = [
    "tokio",
    "tonic",
    "prost",
    "hyper",
    "redb",
    "rusqlite",
    "rustix",
    "nix",
    "libc",
    "aws-lc",
    "rand",
    "getrandom",
    "rustls",
    "tempfile",
    "tracing",
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let edges = tree.files().filter_map(|(path, text)| Some((path, crate_of(path)?, text))).flat_map(of_manifest);
    edges.chain(tree.files().filter(|(path, _)| path.ends_with("Cargo.toml")).flat_map(switched)).collect()
}

/// Crates that a test can take hold of, and the manifest whose development dependencies alone may ask for that (0045).
const SWITCHES: [&str; 2] = ["gallra-planted", "gallra-random"];
const MAY_SWITCH: &str = "tests/sim/Cargo.toml";

/// Nothing that is built to be shipped can have a bug planted or its randomness seeded: no manifest asks for those features but in the
/// simulator's development dependencies.
fn switched((path, text): (&str, &str)) -> Vec<String> {
    let Ok(manifest) = text.parse::<Table>() else { return Vec::new() };
    let workspace = manifest.get("workspace").and_then(Value::as_table);
    let asks = |table: Option<&Value>| {
        let wanted = |name: &&str| {
            let one = table.and_then(|table| table.get(name));
            one.and_then(|one| one.get("features")).is_some()
        };
        SWITCHES.iter().any(wanted)
    };
    let normal = ["dependencies", "build-dependencies"].iter().any(|kind| asks(manifest.get(*kind)));
    let for_all = workspace.is_some_and(|workspace| asks(workspace.get("dependencies")));
    let for_tests = path != MAY_SWITCH && asks(manifest.get("dev-dependencies"));
    let forwards = manifest.get("features").is_some_and(|features| {
        let text = features.to_string();
        SWITCHES.iter().any(|name| text.contains(&format!("{name}/")))
    });
    if normal || for_all || for_tests || forwards {
        return vec![format!(
            "{path}: asks for what only {MAY_SWITCH} may, and only for its tests; see docs/decisions/0045"
        )];
    }
    Vec::new()
}

fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")
}

fn of_manifest((path, name, text): (&str, &str, &str)) -> Vec<String> {
    let Ok(manifest) = text.parse::<Table>() else { return vec![format!("{path}: cannot be read as TOML")] };
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{path}: a new crate; give it a row in crates/xtask/src/tidy/edges.rs")];
    };
    let mut problems = Vec::new();
    for dependency in dependencies(&manifest) {
        if let Some(ours) = dependency.strip_prefix("gallra-")
            && !allowed.contains(&ours)
        {
            problems.push(format!("{path}: {name} may not depend on {ours}; see docs/decisions/0001"));
        }
        if PURE.contains(&name) && IMPURE.iter().any(|prefix| dependency.starts_with(prefix)) {
            problems.push(format!("{path}: the pure ring may not depend on {dependency}; see docs/decisions/0001"));
        }
    }
    if manifest.get("lints").and_then(|lints| lints.get("workspace")) != Some(&Value::Boolean(true)) {
        problems.push(format!("{path}: takes no part in the workspace's lints; add [lints] workspace = true"));
    }
    problems
}

/// Names under `[dependencies]` and `[build-dependencies]`, for every target.
fn dependencies(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values()).filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(tables)
        .flat_map(|table| ["dependencies", "build-dependencies"].into_iter().filter_map(|kind| table.get(kind)))
        .filter_map(Value::as_table)
        .flat_map(|table| table.keys().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn problems(name: &str, dependencies: &str) -> usize {
        let text = format!("[lints]\nworkspace = true\n{dependencies}");
        check(&tree(&[(&format!("crates/{name}/Cargo.toml"), &text)])).len()
    }

    #[test]
    fn edges_point_one_way() {
        assert_eq!(problems("policy", "[dependencies]\ngallra-model.workspace = true"), 0);
        assert_eq!(problems("model", "[dependencies]\ngallra-policy.workspace = true"), 1);
        assert_eq!(problems("verify", "[dependencies]\ngallra-model.workspace = true"), 1);
        assert_eq!(problems("cli", "[build-dependencies]\ngallra-coordinator.workspace = true"), 1);
        assert_eq!(problems("verify", "[target.'cfg(unix)'.dependencies]\ngallra-model = \"1\""), 1);
        assert_eq!(problems("verify", "[dev-dependencies]\ngallra-proof.workspace = true"), 0);
    }

    #[test]
    fn the_pure_ring_stays_pure_and_no_crate_goes_unlisted() {
        assert_eq!(problems("flow", "[dependencies]\ntokio.workspace = true"), 1);
        assert_eq!(problems("store", "[dependencies]\ntokio.workspace = true"), 0);
        assert_eq!(problems("common", ""), 1);
    }

    #[test]
    fn only_the_simulator_s_tests_take_hold_of_production_code() {
        let said = |path: &str, text: &str| check(&tree(&[(path, text)])).len();
        let asks = |table: &str| {
            format!(
                "[lints]\nworkspace = true\n[{table}]\ngallra-planted = {{ workspace = true, features = [\"switch\"] }}"
            )
        };
        assert_eq!(said("tests/sim/Cargo.toml", &asks("dev-dependencies")), 0);
        assert_eq!(said("tests/sim/Cargo.toml", &asks("dependencies")), 1);
        assert_eq!(said("tests/Cargo.toml", &asks("dev-dependencies")), 1);
        assert_eq!(said("Cargo.toml", &asks("workspace.dependencies")), 1);
        assert_eq!(said("tests/Cargo.toml", "[features]\nx = [\"gallra-random/seeded\"]"), 1);
        assert_eq!(problems("flow", "[dependencies]\ngallra-planted.workspace = true"), 0);
    }

    #[test]
    fn every_crate_keeps_the_lints() {
        assert_eq!(check(&tree(&[("crates/model/Cargo.toml", "[package]\nname = \"gallra-model\"\n")])).len(), 1);
    }
}
