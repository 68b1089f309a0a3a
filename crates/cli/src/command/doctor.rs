//! `gallra doctor`: what a person should know of the installation, and what to do about it.

use std::path::Path;

use clap::Args;
use gallra_wire::v1;
use gallra_wire::v1::doctor_service_client::DoctorServiceClient;
use gallra_wire::words::severity_word;

use super::Shown;
use crate::client::connect;
use crate::exit::{CRITICAL, Failure, OK};
use crate::output;

/// `gallra doctor`.
#[derive(Args)]
pub struct DoctorArgs {
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// Examines, and prints all findings, worst first.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, args: DoctorArgs) -> Result<u8, Failure> {
    let mut client = DoctorServiceClient::new(connect(profile).await?);
    let findings = client.examine(v1::ExamineRequest {}).await?.into_inner().findings;
    output::list(args.shown.output, &findings, ["severity", "part", "where", "what", "next"], |finding| {
        let v1::Finding { severity, part, what, r#where, next } = finding.clone();
        [severity_word(severity), part, r#where, what, next]
    });
    Ok(code_of(&findings))
}

/// Critical findings are a code of their own; one from a newer coordinator that is not known here counts as one.
fn code_of(findings: &[v1::Finding]) -> u8 {
    let fine = |finding: &v1::Finding| matches!(finding.severity(), v1::Severity::Ok | v1::Severity::Warning);
    if findings.iter().all(fine) { OK } else { CRITICAL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_critical_or_unknown_is_a_code() {
        let of = |severity: i32| v1::Finding { severity, ..Default::default() };
        let code = |severities: &[i32]| code_of(&severities.iter().map(|one| of(*one)).collect::<Vec<_>>());
        assert_eq!([code(&[]), code(&[1, 2, 1])], [OK, OK]);
        assert_eq!([code(&[1, 3]), code(&[99]), code(&[0])], [CRITICAL; 3]);
    }
}
