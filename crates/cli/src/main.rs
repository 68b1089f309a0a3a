//! `gallra`: parses, runs one command, and turns its failure into a text on stderr and an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use gallra_cli::command::{Arguments, run};
use gallra_cli::output::note;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            note(&format!("error: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            note(&format!("error: {}", failure.text));
            ExitCode::from(failure.code)
        }
    }
}
