//! `DoctorService`.

use gallra_wire::v1;
use tonic::{Request, Response, Status};

use super::Api;
use crate::doctor::{Finding, Severity};

#[tonic::async_trait]
impl v1::doctor_service_server::DoctorService for Api {
    async fn examine(&self, _: Request<v1::ExamineRequest>) -> Result<Response<v1::ExamineResponse>, Status> {
        let findings = self.core.examine().await.into_iter().map(to_wire).collect();
        Ok(Response::new(v1::ExamineResponse { findings }))
    }
}

fn to_wire(finding: Finding) -> v1::Finding {
    let severity = match finding.severity {
        Severity::Ok => v1::Severity::Ok,
        Severity::Warning => v1::Severity::Warning,
        Severity::Critical => v1::Severity::Critical,
    };
    v1::Finding {
        severity: severity.into(),
        part: finding.part.to_owned(),
        what: finding.what,
        r#where: finding.place,
        next: finding.next,
    }
}
