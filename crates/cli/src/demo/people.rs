//! The two customers of the demonstration. One leaves and must vanish, but for what the law keeps; the other stays and must
//! be the same to the last byte.

/// A customer, as billing and the provider's hosts know it.
#[derive(Debug, Clone)]
pub struct Person {
    /// Customer number.
    pub number: String,
    /// Service id: the domain.
    pub service: String,
    /// The hosted mailbox's address.
    pub hosted: String,
    /// Where invoices go: another address than the hosted one.
    pub billing: String,
    /// Name on the invoices.
    pub name: String,
    /// A word that is in its files, mail and rows and nowhere else.
    pub canary: String,
}

impl Person {
    /// What must be nowhere once this customer is gone: the hosted address and the canary.
    pub fn needles(&self) -> [&str; 2] {
        [&self.hosted, &self.canary]
    }
}

/// The sole trader who leaves.
pub fn leaver() -> Person {
    Person {
        number: "1001".to_owned(),
        service: "solrosen.example".to_owned(),
        hosted: "hej@solrosen.example".to_owned(),
        billing: "sol.rosen@brev.example".to_owned(),
        name: "Sol Ros, Solrosens Keramik".to_owned(),
        canary: "kanarie-7c1f9e02b4".to_owned(),
    }
}

/// The one who stays. The service id begins like the leaver's: a prefix must not be enough to be erased.
pub fn stayer() -> Person {
    Person {
        number: "10010".to_owned(),
        service: "solrosen.example.org".to_owned(),
        hosted: "info@solrosen.example.org".to_owned(),
        billing: "ekonomi@granen.example".to_owned(),
        name: "Granens Bokhandel AB".to_owned(),
        canary: "granat-51d0aa77e3".to_owned(),
    }
}
