//! `gallra demo`: one provider's seven months in about a minute, with real processes, files, mail, a database and a backup
//! repository, under a simulated clock. Owns the story and what it leaves behind; what happens in it is the product's.

mod checks;
mod host;
pub mod people;
pub mod places;
pub mod provider;
pub mod routine;
pub mod site;
mod story;
mod tale;

use std::path::{Path, PathBuf};

use crate::exit::{Failure, USAGE};

/// Arguments of the demonstration.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example:\n  gallra demo --dir /tmp/gallra-demo --keep\n  gallra verify /tmp/gallra-demo/proof.json --key /tmp/gallra-demo/keys.json"
)]
pub struct DemoArgs {
    /// Where to play it; made if missing. An earlier demonstration's folder is played anew.
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
    /// Leave the provider's data, backups, store and logs too, in D/site.
    #[arg(long)]
    keep: bool,
}

/// What marks a folder as a demonstration's, and so as one that may be emptied.
const LEFT: [&str; 6] =
    ["proof.json", "keys.json", "issuer.pub", "certificate.sv.html", "certificate.en.html", "timeline.txt"];

const MARK: &str = ".gallra-demo";

/// Plays it. Returns the exit code of the final verification.
///
/// # Errors
/// What went wrong, and where the logs are.
pub async fn run(args: DemoArgs) -> Result<u8, Failure> {
    let dir = args.dir.unwrap_or_else(|| std::env::temp_dir().join(format!("gallra-demo-{}", std::process::id())));
    let dir = prepare(&dir)?;
    let played = tale::play(&dir).await;
    match played {
        Ok(code) => {
            if !args.keep {
                clear(&dir.join("site"))?;
            }
            Ok(code)
        }
        Err(error) => Err(Failure::new(
            crate::exit::FAILED,
            format!("{error:#}\nhint: the logs are in {}", dir.join("site/logs").display()),
        )),
    }
}

/// Makes the folder, or empties an earlier demonstration's. Never touches a folder that something else lies in.
fn prepare(dir: &Path) -> Result<PathBuf, Failure> {
    let wrong = |error: std::io::Error| Failure::new(USAGE, format!("{}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(wrong)?;
    let dir = dir.canonicalize().map_err(wrong)?;
    let empty = std::fs::read_dir(&dir).map_err(wrong)?.next().is_none();
    if !empty && !dir.join(MARK).exists() {
        let text = format!("{} is not empty and no demonstration's folder: name another", dir.display());
        return Err(Failure::new(USAGE, text));
    }
    for name in ["site", "interim"] {
        clear(&dir.join(name))?;
    }
    for name in LEFT {
        match std::fs::remove_file(dir.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrong(error)),
            _ => {}
        }
    }
    std::fs::write(dir.join(MARK), "This folder was made by `gallra demo`, which may empty it.\n").map_err(wrong)?;
    std::fs::create_dir(dir.join("interim")).map_err(wrong)?;
    Ok(dir)
}

#[allow(clippy::disallowed_methods, reason = "the demonstration's own folder, which nobody else can write to")]
fn clear(dir: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(crate::exit::FAILED, format!("{}: {error}", dir.display())))
        }
        _ => Ok(()),
    }
}
