//! Causes: the signature beside the permit (decision 2). A person or a billing system that the *host* trusts has said that
//! this very service or customer is to be erased, so a stolen coordinator alone erases nothing. Owns the content and the
//! commitment; signing is `gallra-proof`'s.
//!
//! A cause names whom it is about by salted digests only: an agent is given the salt that opens the one id that it needs
//! (decision 13), and whoever has no salt learns nothing (decision 12).

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::id::Nonce;
use crate::selector::{ExternalId, Selector};
use crate::time::{Clock, Day, Instant};

/// DSSE payload type of a cause.
pub const CAUSE_TYPE: &str = "application/vnd.gallra.cause.v0-draft+json";

/// Why something is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// A contract, and perhaps with it the customer, ended.
    ContractEnd,
    /// Records leave by their own age under a policy version.
    RollingPurge,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Why.
    pub ground: Ground,
    /// Commitment to the service id; unset where no service is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Digest>,
    /// Commitment to the customer number; unset where the customer stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Digest>,
    /// The last day of what ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Day>,
    /// Rolling purge: digest of the policy version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// When it was signed, on the signer's clock.
    pub signed: Instant,
    /// Which clock that is: an agent takes a cause under a simulated clock only where its own flag allows it.
    pub clock: Clock,
}

/// The salts of a cause, one for each id: whoever is given one learns nothing of the other id. As good as the ids
/// themselves for whoever wants to test guesses, so they are sealed and destroyed like them (decision 12).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Salts {
    /// Opens the commitment to the service id.
    pub service: Option<Nonce>,
    /// Opens the commitment to the customer number.
    pub customer: Option<Nonce>,
}

/// A cause as a job carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backing {
    /// Signed by a cause key that the host trusts.
    pub envelope: Envelope,
    /// Opens the commitment to the one id in the job's selector; unset on a purge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Nonce>,
}

/// The commitment to a service id.
pub fn commit_service(salt: &Nonce, service: &ExternalId) -> Digest {
    Digest::of_parts(&[b"gallra-cause-service", salt.as_bytes(), service.expose().as_bytes()])
}

/// The commitment to a customer number.
pub fn commit_customer(salt: &Nonce, customer: &ExternalId) -> Digest {
    Digest::of_parts(&[b"gallra-cause-customer", salt.as_bytes(), customer.expose().as_bytes()])
}

impl Cause {
    /// Whether this cause is about whom a job selects. Every id that the job names must be committed to, and it must
    /// name one: addresses alone could be anybody's.
    pub fn covers(&self, selector: &Selector, salt: &Nonce) -> bool {
        let service = selector.service.as_ref().is_none_or(|id| self.is_about_service(id, salt));
        let customer = selector.customer.as_ref().is_none_or(|id| self.is_about_customer(id, salt));
        let named = selector.service.is_some() || selector.customer.is_some();
        named && service && customer
    }

    /// Whether this cause says that this service is to be erased.
    pub fn is_about_service(&self, service: &ExternalId, salt: &Nonce) -> bool {
        self.service == Some(commit_service(salt, service))
    }

    /// Whether this cause says that this customer is to be erased.
    pub fn is_about_customer(&self, customer: &ExternalId, salt: &Nonce) -> bool {
        self.customer == Some(commit_customer(salt, customer))
    }

    /// Whether what is said fits the ground: an end names whom it is about and no policy, a purge the other way round.
    pub fn is_well_formed(&self) -> bool {
        let names = self.service.is_some() || self.customer.is_some();
        match self.ground {
            Ground::ContractEnd => names && self.policy.is_none(),
            Ground::RollingPurge => !names && self.ended.is_none() && self.policy.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ExternalId {
        text.parse().expect("a literal")
    }

    fn cause() -> Cause {
        Cause {
            ground: Ground::ContractEnd,
            service: Some(commit_service(&Nonce::from_bytes([1; 16]), &id("anna.example"))),
            customer: Some(commit_customer(&Nonce::from_bytes([2; 16]), &id("1001"))),
            ended: None,
            policy: None,
            signed: Instant::UNIX_EPOCH,
            clock: Clock::Real,
        }
    }

    #[test]
    fn each_id_is_opened_by_its_own_salt_and_by_nothing_else() {
        let (of_service, of_customer) = (Nonce::from_bytes([1; 16]), Nonce::from_bytes([2; 16]));
        let service = |text| Selector { service: Some(id(text)), ..Selector::default() };
        let customer = |text| Selector { customer: Some(id(text)), ..Selector::default() };
        assert!(cause().covers(&service("anna.example"), &of_service));
        assert!(cause().covers(&customer("1001"), &of_customer));
        for (selector, salt) in [
            (service("anna.example"), of_customer),
            (service("bert.example"), of_service),
            (service("1001"), of_customer),
            (customer("1001"), of_service),
            (customer("1002"), of_customer),
            (customer("anna.example"), of_service),
            (Selector { service: Some(id("anna.example")), ..customer("1001") }, of_service),
            (Selector::default(), of_service),
        ] {
            assert!(!cause().covers(&selector, &salt), "{selector:?}");
        }
    }

    #[test]
    fn addresses_alone_are_never_covered() {
        let address = crate::selector::AddressUse {
            address: "192.0.2.1".parse().expect("a literal"),
            from: Instant::UNIX_EPOCH,
            until: None,
        };
        let selector = Selector { addresses: vec![address], ..Selector::default() };
        assert!(!cause().covers(&selector, &Nonce::from_bytes([1; 16])));
        let beside = Selector { service: Some(id("anna.example")), ..selector };
        assert!(cause().covers(&beside, &Nonce::from_bytes([1; 16])));
    }

    #[test]
    fn an_end_names_somebody_and_a_purge_a_policy() {
        assert!(cause().is_well_formed());
        let nobody = Cause { service: None, customer: None, ..cause() };
        let purge = Cause { ground: Ground::RollingPurge, policy: Some(Digest::of(b"policy")), ..nobody.clone() };
        assert!(purge.is_well_formed() && !nobody.is_well_formed());
        assert!(!Cause { policy: purge.policy, ..cause() }.is_well_formed());
        assert!(!Cause { ground: Ground::RollingPurge, ..cause() }.is_well_formed());
    }
}
