//! Who may call what: one table, and nothing that is not in it (I9). The server asks before it decodes a message, so a
//! refused caller learns nothing of what was asked for.
//!
//! `EnrolmentService` is not here: it has a listener of its own, without client certificates, where the join token is
//! the credential. The session listener does not serve it.

use CallerRole::{Agent, Approver, Auditor, Billing, Operator, Witness};

use crate::role::CallerRole;

/// Those who look after the installation and see its records, which name nobody.
const READERS: &[CallerRole] = &[Operator, Approver, Auditor];

/// Those who see the log, which names nobody either: also whoever vouches for it.
const LOG_READERS: &[CallerRole] = &[Operator, Approver, Auditor, Witness];

/// Those who may stop things in a bad hour.
const IN_CHARGE: &[CallerRole] = &[Operator, Approver];

/// Those who report what became of a contract.
const REPORTERS: &[CallerRole] = &[Operator, Billing];

/// Every call that needs a certificate: its path, as gRPC spells it, and the roles that may make it.
/// The `Caller:` lines of the protos say the same, and a test compares them.
pub const TABLE: &[(&str, &[CallerRole])] = &[
    ("/gallra.v1.ContractService/StartContract", REPORTERS),
    ("/gallra.v1.ContractService/EndContract", REPORTERS),
    ("/gallra.v1.ContractService/SettleContract", REPORTERS),
    ("/gallra.v1.ContractService/ResumeContract", REPORTERS),
    ("/gallra.v1.ContractService/MoveContract", REPORTERS),
    ("/gallra.v1.ContractService/RecordAddress", REPORTERS),
    ("/gallra.v1.ContractService/RecordIdentifiers", REPORTERS),
    ("/gallra.v1.ContractService/GetContract", &[Operator, Billing, Approver, Auditor]),
    ("/gallra.v1.CustomerService/MergeCustomers", REPORTERS),
    ("/gallra.v1.CustomerService/GetCustomer", &[Operator, Billing, Approver, Auditor]),
    ("/gallra.v1.RequestService/GetRequest", READERS),
    ("/gallra.v1.RequestService/ListRequests", READERS),
    ("/gallra.v1.RequestService/ListUnsettled", READERS),
    ("/gallra.v1.RequestService/WatchRequest", READERS),
    ("/gallra.v1.RequestService/ApproveRequest", &[Approver]),
    ("/gallra.v1.RequestService/ShowClaimCode", &[Operator]),
    ("/gallra.v1.RequestService/ConfirmDelivery", &[Operator]),
    ("/gallra.v1.KeyService/RegisterCauseKey", &[Approver]),
    ("/gallra.v1.KeyService/ListCauseKeys", READERS),
    ("/gallra.v1.KeyService/GetKeyFile", &[Operator, Approver, Billing, Auditor, Witness]),
    ("/gallra.v1.KeyService/SubmitManifest", &[Approver]),
    ("/gallra.v1.KeyService/RevokeKey", &[Approver]),
    ("/gallra.v1.KeyService/ListKeys", READERS),
    ("/gallra.v1.HoldService/PlaceHold", IN_CHARGE),
    ("/gallra.v1.HoldService/ReleaseHold", &[Approver]),
    ("/gallra.v1.HoldService/ReviewHold", IN_CHARGE),
    ("/gallra.v1.HoldService/ListHolds", READERS),
    ("/gallra.v1.HaltService/Stop", IN_CHARGE),
    ("/gallra.v1.HaltService/Start", IN_CHARGE),
    ("/gallra.v1.HaltService/GetHalt", READERS),
    ("/gallra.v1.PolicyService/ApplyPolicy", &[Approver]),
    ("/gallra.v1.PolicyService/PreviewPolicy", READERS),
    ("/gallra.v1.PolicyService/ListPolicies", READERS),
    ("/gallra.v1.PolicyService/WithdrawPolicy", &[Approver]),
    ("/gallra.v1.InstructionService/SetInstruction", &[Operator]),
    ("/gallra.v1.InstructionService/RemoveInstruction", IN_CHARGE),
    ("/gallra.v1.InstructionService/AcceptInstruction", &[Approver]),
    ("/gallra.v1.InstructionService/ListInstructions", READERS),
    ("/gallra.v1.PlanService/GetPlan", READERS),
    ("/gallra.v1.PlanService/PreviewPlan", READERS),
    ("/gallra.v1.JobService/ListJobs", READERS),
    ("/gallra.v1.JobService/GetJob", READERS),
    ("/gallra.v1.JobService/RetryJob", &[Operator]),
    ("/gallra.v1.ReceiptService/ListReceipts", READERS),
    ("/gallra.v1.ReceiptService/GetReceipt", READERS),
    ("/gallra.v1.BackupService/ListCopies", READERS),
    ("/gallra.v1.ProofService/ListProofs", READERS),
    ("/gallra.v1.ProofService/GetProof", READERS),
    ("/gallra.v1.ProofService/PickUpProof", READERS),
    ("/gallra.v1.ProofService/GetIssuerKey", &[Operator, Approver, Billing, Auditor, Witness]),
    ("/gallra.v1.LogService/GetLog", LOG_READERS),
    ("/gallra.v1.LogService/GetTile", LOG_READERS),
    ("/gallra.v1.LogService/GetLogEntry", LOG_READERS),
    ("/gallra.v1.LogService/HearCheckpoint", READERS),
    ("/gallra.v1.AgentRegistryService/InviteAgent", &[Operator]),
    ("/gallra.v1.AgentRegistryService/ListAgents", READERS),
    ("/gallra.v1.AgentRegistryService/GetAgent", READERS),
    ("/gallra.v1.AgentRegistryService/ApproveAgent", &[Approver]),
    ("/gallra.v1.TargetService/ListTargets", READERS),
    ("/gallra.v1.SuppressionService/ListSuppressions", READERS),
    ("/gallra.v1.SuppressionService/LiftSuppression", &[Approver]),
    ("/gallra.v1.AgentService/Session", &[Agent]),
    ("/gallra.v1.DoctorService/Examine", READERS),
    ("/gallra.v1.ClockService/GetClock", &[Operator, Approver, Billing, Auditor]),
    ("/gallra.v1.ClockService/AdvanceClock", &[Operator]),
    ("/gallra.v1.ClockService/ConfirmClock", IN_CHARGE),
    // gRPC's own: whether it serves, for whoever has a certificate; what there is to call, for who types calls by hand.
    ("/grpc.health.v1.Health/Check", &CallerRole::ALL),
    ("/grpc.health.v1.Health/Watch", &CallerRole::ALL),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[Operator]),
];

/// Whether a role may make a call. A path that is not in [`TABLE`] is refused to everyone.
pub fn allowed(method: &str, role: CallerRole) -> bool {
    TABLE.iter().any(|(path, roles)| *path == method && roles.contains(&role))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    type Rows = BTreeMap<String, BTreeSet<CallerRole>>;

    /// The service whose caller is whoever holds a token, and which therefore is not in the table.
    const TOKEN_ONLY: &str = "EnrolmentService";

    /// Roles in a `Caller:` line: words up to the full stop. `agent, whose certificate names it` is one word and prose.
    fn roles_of(comment: &str) -> BTreeSet<CallerRole> {
        let line = comment.split("Caller:").nth(1).expect("a Caller line");
        let words = line.split(". ").next().unwrap_or(line).trim_end_matches('.');
        if words.trim() == "any certificate but an agent's" {
            return CallerRole::ALL.into_iter().filter(|role| *role != Agent).collect();
        }
        words.split(',').filter_map(|word| word.trim().parse().ok()).collect()
    }

    /// Every rpc of one proto text, with the roles that its comment names.
    fn rows_of(text: &str) -> Rows {
        let (mut service, mut comment, mut rows) = (String::new(), String::new(), Rows::new());
        for line in text.lines().map(str::trim) {
            if let Some(words) = line.strip_prefix("//") {
                comment.push_str(words);
                continue;
            }
            if let Some(name) = line.strip_prefix("service ") {
                service = name.trim_end_matches('{').trim().to_owned();
            }
            if let Some(name) = line.strip_prefix("rpc ").and_then(|rest| rest.split('(').next())
                && service != TOKEN_ONLY
            {
                rows.insert(format!("/gallra.v1.{service}/{name}"), roles_of(&comment));
            }
            comment.clear();
        }
        rows
    }

    fn protos() -> Rows {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/gallra/v1");
        let files = std::fs::read_dir(folder).expect("the protos").map(|entry| entry.expect("an entry").path());
        files.flat_map(|path| rows_of(&std::fs::read_to_string(path).expect("a proto"))).collect()
    }

    #[test]
    fn the_table_says_what_the_protos_say() {
        let ours = TABLE.iter().filter(|(path, _)| path.starts_with("/gallra."));
        assert_eq!(TABLE.len() - ours.clone().count(), 3, "of gRPC's own calls there are three");
        let table: Rows = ours.map(|(path, roles)| ((*path).to_owned(), roles.iter().copied().collect())).collect();
        assert_eq!(table.len() + 3, TABLE.len(), "a call is in the table twice");
        assert_eq!(table, protos());
    }

    #[test]
    fn unknown_calls_are_refused_to_every_role() {
        let strange = [
            "",
            "/gallra.v1.JobService/",
            "/gallra.v1.JobService/RetryJobs",
            "gallra.v1.JobService/RetryJob",
            "/gallra.v1.EnrolmentService/Enrol",
        ];
        for (method, role) in strange.iter().flat_map(|m| CallerRole::ALL.map(|role| (m, role))) {
            assert!(!allowed(method, role), "{method} {role}");
        }
    }

    #[test]
    fn an_agent_may_open_its_session_ask_for_health_and_nothing_else() {
        let calls: Vec<_> = TABLE.iter().filter(|(path, _)| allowed(path, Agent)).map(|(path, _)| *path).collect();
        let health = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];
        assert_eq!(calls, [&["/gallra.v1.AgentService/Session"], health.as_slice()].concat());
        assert!(!allowed("/gallra.v1.AgentService/Session", Operator));
    }
}
