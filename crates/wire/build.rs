//! Compiles `proto/` with a compiler written in Rust, so that the default build needs no protoc.

use std::path::{Path, PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("gallra/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "proto"));
    files.sort();
    println!("cargo:rerun-if-changed={}", root.join("gallra").display());
    let descriptors = protox::compile(&files, [&root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("gallra.bin"), descriptors.encode_to_vec())?;
    let mut builder = tonic_prost_build::configure().type_attribute(".", "#[derive(serde::Serialize)]");
    // In JSON a state is a word, never a number.
    for (field, with) in WORDS {
        builder = builder.field_attribute(field, format!("#[serde(serialize_with = \"crate::words::{with}\")]"));
    }
    builder.compile_fds(descriptors)?;
    Ok(())
}

/// Enum fields, and the function that writes them as words.
const WORDS: &[(&str, &str)] = &[
    ("gallra.v1.Target.kind", "target_kind"),
    ("gallra.v1.Target.role", "data_role"),
    ("gallra.v1.Target.scope", "scope"),
    ("gallra.v1.Target.mode", "mode"),
    ("gallra.v1.Target.copy_life", "copy_life"),
    ("gallra.v1.Contract.state", "contract_state"),
    ("gallra.v1.Request.state", "request_state"),
    ("gallra.v1.Job.state", "job_state"),
    ("gallra.v1.Copy.state", "copy_state"),
    ("gallra.v1.Proof.stage", "stage"),
    ("gallra.v1.ClockReading.clock", "clock_kind"),
    ("gallra.v1.Finding.severity", "severity"),
];
