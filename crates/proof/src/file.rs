//! The proof file as bytes (`docs/formats/proof-v1.md`, section 1). Writes only; reading it is the verifier's.

use gallra_model::proof::ProofFile;

/// The file could not be written as JSON; never in practice.
#[derive(Debug, thiserror::Error)]
#[error("the proof cannot be written as json")]
pub struct FileError(#[from] serde_json::Error);

/// The canonical bytes: one line of compact JSON and a newline.
///
/// # Errors
/// [`FileError`].
pub fn write(file: &ProofFile) -> Result<Vec<u8>, FileError> {
    let mut bytes = serde_json::to_vec(file)?;
    bytes.push(b'\n');
    Ok(bytes)
}
