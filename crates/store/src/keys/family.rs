//! Families of keys: the closed list, and which family a key is of. Upholds that no two families overlap.

use crate::key::{Key, KeyPrefix};

/// The first segment of every key. A store whose keys mean something else begins with another.
const SCHEMA: &str = "v1";

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// One kind of key; the table in [`crate::keys`] says what each holds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Family {
            $($(#[$doc])* $variant,)*
        }

        impl Family {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The segment that stands for it in keys.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

families! {
    /// Facts about the store itself.
    Meta = "meta",
    /// Counters that permits compare.
    Guard = "guard",
    /// Holds.
    Hold = "hold",
    /// Holds that end by themselves, by time.
    HoldExpiry = "hold-expiry",
    /// Holds whose requests are to be looked at.
    HoldChange = "hold-change",
    /// Policy versions.
    Policy = "policy",
    /// Which policy came into force after which.
    PolicyTurn = "policy-turn",
    /// Customers with instructions.
    Instruction = "instruction",
    /// Customers.
    Customer = "customer",
    /// Contracts.
    Contract = "contract",
    /// Billing events taken in.
    Event = "event",
    /// References of erased contracts.
    Closed = "closed",
    /// Requests.
    Request = "request",
    /// Plans.
    Plan = "plan",
    /// Jobs.
    Job = "job",
    /// From an open job to its request.
    JobRequest = "job-request",
    /// Open jobs by agent.
    JobAgent = "job-agent",
    /// Jobs to offer, by agent and time.
    Ready = "ready",
    /// Requests to look at, by time.
    Timer = "timer",
    /// Receipts.
    Receipt = "receipt",
    /// Restores.
    Restore = "restore",
    /// Copies.
    Copy = "copy",
    /// Obligations.
    Obligation = "obligation",
    /// Proofs.
    Proof = "proof",
    /// Who requests are about, and what was asked.
    Asked = "asked",
    /// Statements that a proof stands on, beside receipts and plans.
    Statement = "statement",
    /// Requests whose records are in the archive.
    Archived = "archived",
    /// Key manifests.
    KeyManifest = "key-manifest",
    /// Key events.
    KeyEvent = "key-event",
    /// Keys that sign nothing any more.
    KeyEnded = "key-ended",
    /// Pick-up references.
    Pickup = "pickup",
    /// Claim codes that are destroyed by themselves, by time.
    ClaimDue = "claim-due",
    /// What was not signed, or not taken, since it would show somebody.
    Leak = "leak",
    /// Agents.
    Agent = "agent",
    /// Inventories.
    Inventory = "inventory",
    /// Where agents' journals stand.
    AgentJournal = "agent-journal",
    /// Invitations.
    Invite = "invite",
    /// Cause keys.
    CauseKey = "cause-key",
    /// Suppression lists.
    Suppression = "suppression",
    /// How far suppression lists go.
    SuppressionHead = "suppression-head",
    /// Whose erasure an entry of a suppression list was.
    SuppressionEntry = "suppression-entry",
    /// Ended contracts that nobody settles.
    Unsettled = "unsettled",
    /// The transparency log.
    Log = "log",
    /// Coordinators on one store.
    Replica = "replica",
    /// Blind indexes.
    Index = "index",
    /// Sealed values.
    Sealed = "sealed",
    /// Wrapped subject keys.
    SubjectKey = "key",
}

impl Family {
    /// All keys of the family.
    pub fn prefix(self) -> KeyPrefix {
        KeyPrefix::of(&[SCHEMA, self.word()])
    }

    /// All keys of the family that go on with these segments.
    pub(super) fn under(self, segments: &[&str]) -> KeyPrefix {
        let mut all = vec![SCHEMA, self.word()];
        all.extend_from_slice(segments);
        KeyPrefix::of(&all)
    }

    /// The family of a key; none for a key that the schema does not know.
    pub fn of(key: &Key) -> Option<Self> {
        let mut segments = key.segments();
        let (schema, word) = (segments.next()?, segments.next()?);
        // A family's word alone is no key of it.
        segments.next()?;
        Self::ALL.iter().copied().find(|family| schema == SCHEMA && family.word() == word)
    }
}
