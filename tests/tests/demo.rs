//! The demonstration itself, as a newcomer runs it.

use std::process::Command;

use gallra_cli::demo::site::programs;

#[test]
fn it_ends_with_a_valid_final_proof_and_leaves_what_it_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("demo");
    let output = Command::new(programs().expect("the programs").join("gallra"))
        .args(["demo", "--keep", "--dir"])
        .arg(&dir)
        .output()
        .expect("the demonstration runs");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{errors}");
    let last = out.lines().last().unwrap_or_default();
    assert!(last.starts_with("VALID final, KEPT:"), "{out}");
    for name in
        ["proof.json", "keys.json", "issuer.pub", "certificate.sv.html", "certificate.en.html", "timeline.txt", "site"]
    {
        assert!(dir.join(name).exists(), "{name} is missing");
    }
    assert!(std::fs::read_dir(dir.join("interim")).expect("interim/").count() > 2, "{out}");
}
