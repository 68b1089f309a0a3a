//! The chain that an agent's statements about one job form (`docs/formats/proof-v1.md`, section 3): leaving out one that failed
//! shows. Owns the rule on the issuer's side, so that a gap keeps a proof interim instead of making it invalid.

use std::collections::BTreeMap;

use gallra_model::receipt::Receipt;
use gallra_model::{Digest, JobId};

use crate::payload::Opened;

/// What the next statement about the same job says as its `previous`.
pub fn previous(last: &Receipt, digest: Digest) -> Option<Digest> {
    (!last.ends_its_job()).then_some(digest)
}

/// Where statements do not follow each other, one sentence each.
pub fn breaks<'a>(receipts: impl Iterator<Item = &'a Opened<Receipt>>) -> Vec<String> {
    let mut last: BTreeMap<(JobId, &str), (&Receipt, Digest)> = BTreeMap::new();
    let mut found = Vec::new();
    for opened in receipts {
        let receipt = &opened.predicate;
        let before = last.insert((receipt.job, &opened.keyid), (receipt, opened.digest));
        if receipt.previous != before.and_then(|(last, digest)| previous(last, digest)) {
            found.push(format!("a statement of {} does not follow its last one about the same job", receipt.agent));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use gallra_model::job::Action;
    use gallra_model::receipt::Verdict;
    use gallra_model::statement::{Subject, Type};

    use super::*;

    fn said(job: u8, verdict: Verdict, own: &str, previous: Option<&str>, keyid: &str) -> Opened<Receipt> {
        let text = include_str!("../../tests/support/receipt.json");
        let mut receipt: Receipt = serde_json::from_str(text).expect("a receipt");
        receipt.job = JobId::from_bytes([job; 16]);
        receipt.verdict = verdict;
        receipt.previous = previous.map(|text| Digest::of(text.as_bytes()));
        Opened {
            kind: Type::Receipt,
            subject: vec![Subject::of_job(receipt.spec)],
            predicate: receipt,
            digest: Digest::of(own.as_bytes()),
            keyid: keyid.to_owned(),
        }
    }

    #[test]
    fn what_failed_is_named_by_what_comes_next_and_what_is_done_is_not() {
        let whole = [
            said(1, Verdict::Failed, "a", None, "k"),
            said(2, Verdict::Done, "x", None, "k"),
            said(1, Verdict::Refused, "b", Some("a"), "k"),
            said(1, Verdict::Done, "c", Some("b"), "k"),
            said(1, Verdict::Done, "d", None, "k"),
            said(1, Verdict::Failed, "e", None, "other"),
        ];
        assert_eq!(breaks(whole.iter()), Vec::<String>::new());
        for left_out in [0, 2] {
            let rest = whole.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, opened)| opened);
            assert_eq!(breaks(rest).len(), 1, "without {left_out}");
        }
        let looks = |previous| {
            let mut one = said(1, Verdict::Done, "a", None, "k");
            let mut two = said(1, Verdict::Done, "b", previous, "k");
            one.predicate.action = Action::Observe;
            two.predicate.action = Action::Observe;
            breaks([one, two].iter()).len()
        };
        assert_eq!((looks(Some("a")), looks(None)), (0, 1), "a look between two others is not to be left out");
        let forgets = [said(1, Verdict::Failed, "a", None, "k"), said(1, Verdict::Done, "b", None, "k")];
        assert_eq!(breaks(forgets.iter()).len(), 1);
    }
}
