//! The closed lists of words in rows without a date. Owns their spelling; a word outside its list is a problem of the pack.

use crate::word::words;

words! {
    /// A right of the data subject.
    Right {
        /// Art. 15.
        Access = "access",
        /// Art. 16.
        Rectify = "rectify",
        /// Art. 17.
        Erase = "erase",
        /// Art. 18.
        Restrict = "restrict",
        /// Art. 20.
        Portability = "portability",
        /// Art. 21.
        Object = "object",
        /// Art. 7(3).
        Withdraw = "withdraw",
    }
}

words! {
    /// A ground: of a request, of a disclosure, of a hold.
    Ground {
        /// Allowed when the contract was made.
        AllowedInContract = "allowed-in-contract",
        /// Needed to deliver what was bought.
        Delivery = "delivery",
        /// Needed to fulfil a contract.
        Contract = "contract",
        /// A legal duty.
        LegalDuty = "legal-duty",
        /// Laws against money laundering.
        MoneyLaundering = "money-laundering",
        /// The customer broke the terms.
        BreachOfTerms = "breach-of-terms",
        /// Legal action.
        LegalAction = "legal-action",
        /// A legal claim.
        LegalClaim = "legal-claim",
        /// An authority's lawful demand.
        Authority = "authority",
        /// An order to preserve.
        PreservationOrder = "preservation-order",
        /// A contract that is still active.
        ActiveContract = "active-contract",
        /// A credit check.
        Credit = "credit",
        /// No legal basis.
        NoBasis = "no-legal-basis",
        /// Unlawful processing.
        Unlawful = "unlawful",
        /// No legitimate reason to go on.
        NoReason = "no-legitimate-reason",
        /// No longer needed for the purpose.
        NotNeeded = "not-needed",
        /// Consent, the only basis, was withdrawn.
        ConsentWithdrawn = "consent-withdrawn",
        /// Objection to direct marketing.
        Marketing = "direct-marketing",
        /// Objection after a balance of interests.
        Balance = "balance-of-interests",
        /// The data's accuracy is disputed.
        Accuracy = "disputed-accuracy",
        /// Freedom of expression and information.
        Expression = "freedom-of-expression",
        /// Public health.
        PublicHealth = "public-health",
        /// Archives, research, statistics.
        Archive = "archiving",
    }
}

words! {
    /// What somebody is warned of.
    Warning {
        /// The provider must stop delivering.
        DeliveryStops = "service-delivery-stops",
        /// Ordered services may stop working.
        ServicesStop = "ordered-services-stop",
        /// It may cost more.
        CostsMore = "may-cost-more",
        /// It may need another service.
        AnotherService = "may-need-another-service",
    }
}

words! {
    /// A way to reach somebody.
    Channel {
        /// Letter.
        Letter = "letter",
        /// SMS.
        Sms = "sms",
        /// Phone.
        Phone = "phone",
        /// Mail.
        Mail = "mail",
        /// The customer's own pages.
        CustomerPages = "customer-pages",
    }
}

words! {
    /// A field of personal data, or a kind of it.
    Field {
        /// Name.
        Name = "name",
        /// Postal address.
        Address = "address",
        /// Mail address.
        MailAddress = "mail-address",
        /// Phone number.
        Phone = "phone-number",
        /// Swedish national identity number.
        PersonalNumber = "personnummer",
        /// Customer number.
        CustomerNumber = "customer-number",
        /// Service id.
        ServiceId = "service-id",
        /// The IP address that an order came from.
        OrderIp = "order-ip",
        /// What that service needs, listed with the service.
        AsServiceNeeds = "as-the-service-needs",
        /// Mail logs.
        MailLogs = "mail-logs",
        /// Call history.
        CallHistory = "call-history",
    }
}

words! {
    /// A use of data.
    Use {
        /// Statistics.
        Statistics = "statistics",
        /// Direct marketing.
        Marketing = "direct-marketing",
    }
}

words! {
    /// What an exception or an added row needs.
    Need {
        /// A stated purpose.
        Purpose = "purpose",
        /// An end date.
        EndDate = "end-date",
        /// A legal basis.
        Basis = "basis",
        /// A period.
        Period = "period",
        /// The word of the provider's counsel.
        Counsel = "counsels-word",
    }
}

words! {
    /// What starts or ends something.
    Cause {
        /// The controller's instruction.
        Instruction = "instruction",
        /// The contract's end.
        ContractEnd = "contract-end",
        /// The data was corrected, or confirmed as correct.
        Corrected = "corrected-or-confirmed",
        /// A number that moves to another operator.
        Porting = "number-porting",
        /// A maintenance assignment.
        Maintenance = "maintenance-assignment",
    }
}

words! {
    /// How an answer is given.
    Form {
        /// Free of charge.
        Free = "free",
        /// In a common electronic format.
        Electronic = "electronic",
        /// On paper, if asked.
        PaperIfAsked = "on-paper-if-asked",
        /// What the subject gave, under consent or contract.
        GivenData = "data-the-subject-gave",
    }
}

words! {
    /// Somebody who is no customer.
    Party {
        /// The provider's supplier.
        Supplier = "supplier",
        /// A customer's partner or supplier, with an account.
        Partner = "partner",
    }
}

words! {
    /// What survives a change of controller.
    Survivor {
        /// Running requests.
        Requests = "requests",
        /// Proofs.
        Proofs = "proofs",
    }
}

words! {
    /// How data travels.
    Transport {
        /// TLS or a local socket; never in the clear.
        TlsOrLocal = "tls-or-local-socket",
        /// TLS enforced, never opportunistic.
        TlsEnforced = "tls-enforced",
    }
}

words! {
    /// What a recipient is told of.
    Notice {
        /// Rectification.
        Rectification = "rectification",
        /// Erasure.
        Erasure = "erasure",
        /// Restriction.
        Restriction = "restriction",
    }
}
