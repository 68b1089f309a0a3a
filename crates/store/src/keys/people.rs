//! Keys of customers, contracts and subjects, and of what is sealed for them. Upholds decision 12: what names a person
//! is in a sealed value or behind a keyed hash, never in a key.

use gallra_model::{ContractId, CustomerId, Digest, JobId, RequestId, SubjectId};

use super::Family;
use crate::key::{Key, KeyPrefix};
use crate::keyring::Epoch;

/// One customer.
pub fn customer(id: &CustomerId) -> Key {
    customers().key(&id.to_string())
}

/// All customers, oldest first.
pub fn customers() -> KeyPrefix {
    Family::Customer.prefix()
}

/// One contract.
pub fn contract(id: &ContractId) -> Key {
    contracts().key(&id.to_string())
}

/// All contracts, oldest first.
pub fn contracts() -> KeyPrefix {
    Family::Contract.prefix()
}

/// A contract's event of this version.
pub fn event(contract: &ContractId, version: u64) -> Key {
    events(contract).key(&format!("{version:016x}"))
}

/// A contract's events, in order of versions.
pub fn events(contract: &ContractId) -> KeyPrefix {
    Family::Event.under(&[&contract.to_string()])
}

/// The reference of a contract that is erased ([`crate::Keyring::closed_reference`]).
pub fn closed(reference: &[u8; 16]) -> Key {
    Family::Closed.prefix().key(&hex::encode(reference))
}

/// What a blind index finds by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexKind {
    /// The billing system's customer number.
    CustomerNumber,
    /// The billing system's service id.
    ServiceId,
    /// A mail address or other hosted address.
    Address,
    /// An IP address that is on record as somebody's: a shared entry ([`crate::keyring::Shared`]).
    UsedAddress,
    /// The random token by which such an entry lists a contract.
    Holder,
}

impl IndexKind {
    /// All of them.
    pub const ALL: &[Self] = &[Self::CustomerNumber, Self::ServiceId, Self::Address, Self::UsedAddress, Self::Holder];

    /// The segment that stands for it in keys; also hashed with the value.
    pub fn word(self) -> &'static str {
        match self {
            Self::CustomerNumber => "customer-number",
            Self::ServiceId => "service-id",
            Self::Address => "address",
            Self::UsedAddress => "used-address",
            Self::Holder => "holder",
        }
    }
}

/// One blind index entry ([`crate::Keyring::index`] makes the hash).
pub fn index(epoch: Epoch, kind: IndexKind, hash: &[u8; 16]) -> Key {
    Family::Index.under(&[&epoch.to_string(), kind.word()]).key(&hex::encode(hash))
}

/// All blind index entries of an epoch, removed with it.
pub fn indexes_of(epoch: Epoch) -> KeyPrefix {
    Family::Index.under(&[&epoch.to_string()])
}

/// What a sealed value tells about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// `CustomerIdentity`.
    Customer(CustomerId),
    /// `ContractIdentity`.
    Contract(ContractId),
    /// What a request carries that names somebody.
    Request(RequestId),
    /// The exact offer of a job, its selector included.
    Job(JobId),
    /// The claim code of a request's subject, until it was handed over.
    Claim(RequestId),
    /// A receipt that shows its subject, by the digest of its payload: evidence, and personal data.
    Receipt(Digest),
    /// A customer's instructions: their texts should name nobody, and are nobody's to read once the customer is forgotten.
    Instructions(CustomerId),
}

impl What {
    fn parse(word: &str, id: &str) -> Option<Self> {
        match word {
            "customer" => id.parse().ok().map(Self::Customer),
            "contract" => id.parse().ok().map(Self::Contract),
            "request" => id.parse().ok().map(Self::Request),
            "job" => id.parse().ok().map(Self::Job),
            "claim" => id.parse().ok().map(Self::Claim),
            "receipt" => id.parse().ok().map(Self::Receipt),
            "instructions" => id.parse().ok().map(Self::Instructions),
            _ => None,
        }
    }

    fn segments(self) -> (&'static str, String) {
        match self {
            Self::Customer(id) => ("customer", id.to_string()),
            Self::Contract(id) => ("contract", id.to_string()),
            Self::Request(id) => ("request", id.to_string()),
            Self::Job(id) => ("job", id.to_string()),
            Self::Claim(id) => ("claim", id.to_string()),
            Self::Receipt(id) => ("receipt", id.to_string()),
            Self::Instructions(id) => ("instructions", id.to_string()),
        }
    }
}

/// One sealed value of a subject.
pub fn sealed(subject: &SubjectId, what: What) -> Key {
    let (word, id) = what.segments();
    Family::Sealed.under(&[&subject.to_string(), word]).key(&id)
}

/// All sealed values of a subject.
pub fn sealed_of(subject: &SubjectId) -> KeyPrefix {
    Family::Sealed.under(&[&subject.to_string()])
}

/// Whose a sealed value is, and what it tells about; none for another key.
pub fn parse_sealed(key: &Key) -> Option<(SubjectId, What)> {
    let mut segments = Family::Sealed.prefix().rest(key)?.splitn(3, '/');
    let (subject, word, id) = (segments.next()?, segments.next()?, segments.next()?);
    Some((subject.parse().ok()?, What::parse(word, id)?))
}

/// A subject's wrapped key.
pub fn subject_key(epoch: Epoch, subject: &SubjectId) -> Key {
    subject_keys_of(epoch).key(&subject.to_string())
}

/// All subject keys wrapped under an epoch: what its end has to rewrap.
pub fn subject_keys_of(epoch: Epoch) -> KeyPrefix {
    Family::SubjectKey.under(&[&epoch.to_string()])
}

/// Epoch and subject of a wrapped key; none for another key.
pub fn parse_subject_key(key: &Key) -> Option<(Epoch, SubjectId)> {
    let (epoch, subject) = Family::SubjectKey.prefix().rest(key)?.split_once('/')?;
    Some((epoch.parse().ok()?, subject.parse().ok()?))
}
