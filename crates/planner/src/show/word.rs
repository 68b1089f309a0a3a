//! Every word that is shown, in both languages, side by side: none can be missing in one of them. `{}` stands for what is
//! put in, in order.

use gallra_model::Day;
use gallra_model::job::Action;

/// The language that a plan is shown in. Ids, categories, and what other people wrote stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Swedish.
    Swedish,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::English, Self::Swedish];

    /// The tag of BCP 47, as HTML wants it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Swedish => "sv",
        }
    }
}

macro_rules! words {
    ($($word:ident: $english:literal, $swedish:literal;)+) => {
        /// A word or sentence that is shown.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Word { $($word,)+ }

        impl Word {
            /// Every one.
            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$word,)+];

            pub(super) fn get(self, language: Language) -> &'static str {
                match (self, language) { $(
                    (Self::$word, Language::English) => $english,
                    (Self::$word, Language::Swedish) => $swedish,
                )+ }
            }
        }
    };
}

words! {
    Title: "Erasure plan", "Gallringsplan";
    PlanOf: "plan {} of request {}, made {}", "plan {} för ärende {}, gjord {}";
    Simulated: "simulated clock", "simulerad klocka";
    Succeeds: "succeeds {}", "efterträder {}";
    Policy: "policy {}", "regelverk {}";
    CountedFrom: "counted from: {}", "räknat från: {}";
    Contract: "contract", "avtal";
    Customer: "customer", "kund";
    Ended: "{} ended {}, {}", "{}: slut {}, {}";
    EndedOn: "ended {}, {}", "slut {}, {}";
    Settled: "settled {}", "slutreglerat {}";
    NotSettled: "not settled", "inte slutreglerat";

    Timeline: "timeline", "tidslinje";
    Target: "target", "plats";
    Category: "category", "kategori";
    Happens: "what happens", "vad som händer";
    MarkEnded: "ended", "slut";
    MarkSettled: "settled", "slutreglerat";
    MarkEarliest: "earliest day", "tidigaste dag";
    MarkChosen: "erased", "raderas";
    MarkLatest: "last day promised", "sista utlovade dag";
    MarkLastCopy: "last copy expected to go", "sista kopian väntas försvinna";
    MarkKept: "kept until", "sparas till";
    SpanThere: "the data is there", "uppgifterna finns kvar";
    SpanKept: "kept as an obligation", "sparas som skyldighet";
    SpanLocked: "locked by hand", "spärras för hand";
    SpanCopies: "copies only", "bara kopior";
    SpanBeyond: "goes on beyond the picture", "fortsätter utanför bilden";
    DoesErased: "erased {}, {}", "raderas {}, {}";
    DoesErasedLate: "erased at once, {}", "raderas genast, {}";
    DoesKept: "kept until {}", "sparas till {}";
    DoesWait: "only looked at", "granskas bara";
    DoesWaitSettlement: "waits for settlement", "väntar på slutreglering";
    DoesWaitPeriod: "needs a period", "saknar gallringstid";
    DoesCopies: "last copy expected to go {}", "sista kopian väntas försvinna {}";
    DoesCopiesLife: "each copy lives {} days at most", "varje kopia lever högst {} dagar";
    DoesCopiesNever: "copies never expire", "kopiorna försvinner aldrig";
    DoesCopiesUnknown: "nobody can say when copies expire", "ingen kan säga när kopiorna försvinner";
    Held: "held", "stoppad";

    LiveConfirmed: "once all live data is confirmed gone", "när alla uppgifter i drift bekräftats borta";
    CopiesGone: "once every copy is gone", "när alla kopior är borta";
    Copies: "copies", "kopior";
    PromisedBy: "; {} promises {}", "; {} utlovar {}";
    Strategy: "; the store's own routine is observed, nothing is changed", "; lagringens egen rutin bevakas, inget ändras";
    Stays: "stays", "sparas";
    StaysUntilGone: "until {}, and gone that day", "till {}, och borta den dagen";
    StaysUntilBy: "until {}, and gone by {}", "till {}, och borta senast {}";
    StaysFrom: "may be erased from {}", "får raderas från {}";
    Locked: "locked while it stays, by hand", "spärras medan det sparas, för hand";
    LockedUntil: "from {} until {}", "från {} till {}";
    LockedOn: "from {}, nobody knows until when", "från {}, ingen vet till när";
    Needed: "must be said first", "måste sägas först";
    NeededService: "a signed cause for the service", "en signerad orsak för tjänsten";
    NeededCustomer: "a signed cause for the customer", "en signerad orsak för kunden";
    NeededReview: "an approver lets a large deviation through", "en godkännare släpper igenom en stor avvikelse";
    Holds: "held by", "stoppas av";
    HoldWhole: "the whole plan", "hela planen";
    HoldUntil: "until the end of {}", "till och med {}";
    HoldReleased: "until it is released", "tills stoppet hävs";
    HoldReview: "review on {}", "omprövas {}";
    HoldNoReview: "no review day", "ingen dag för omprövning";
    Changed: "changed since the plan before", "ändrat sedan förra planen";
    ChangedCame: "{}: new: {}", "{}: ny: {}";
    ChangedWent: "{}: gone: {}", "{}: borta: {}";
    ChangedFrom: "{}: {} before, {} now", "{}: {} förut, {} nu";
    ChangeContractEnded: "contract ended", "avtalet avslutat";
    ChangeContractSettled: "contract settled", "avtalet slutreglerat";
    ChangeCustomerEnded: "customer ended", "kunden avslutad";
    ChangeCustomerSettled: "customer settled", "kunden slutreglerad";
    ChangePolicy: "policy", "regelverk";
    ChangeInstruction: "instruction", "instruktion";
    ChangeHold: "hold", "stopp";
    ChangeReported: "reported", "anmäld plats";
    ChangeFate: "what happens", "vad som händer";
    ChangeCopies: "copies", "kopior";
    FateErase: "erased {}", "raderas {}";
    FateKeep: "kept until {}", "sparas till {}";
    FateWait: "waits", "väntar";
    FateGone: "gone {}", "borta {}";
    FateNever: "never", "aldrig";
    FateUnknown: "unknown", "okänt";
    Mind: "mind", "att tänka på";
    WholePlan: "the whole plan", "hela planen";
    Objections: "the checker objects", "kontrollen invänder";

    NoteWaits: "waits for settlement", "väntar på slutreglering";
    NoteByAge: "by its own age", "efter egen ålder";
    NotePeriod: "needs a period", "saknar gallringstid";
    NoteNever: "copies never expire", "kopiorna försvinner aldrig";
    NoteOutlive: "copies outlive a promise", "kopiorna lever längre än utlovat";
    NoteOutliveRule: "copies outlive a rule about records", "kopiorna lever längre än en regel om enskilda uppgifter";
    NoteUnknown: "copies: end unknown", "kopior: slutet okänt";
    NoteOfKept: "copies of what is kept", "kopior av det som sparas";
    NoteObserve: "the host allows looking only", "värden tillåter bara granskning";
    NoteNotMet: "a promise is not met", "ett löfte hålls inte";
    NoteKeeps: "kept", "sparas";
    NoteHeld: "held", "stoppad";
    NoteInstruction: "by instruction", "enligt instruktion";
    NoteRestrict: "lock it by hand", "spärra för hand";
    NoteUnexpected: "found where none is expected", "finns där inget väntas";
    NoteNotPurged: "not purged", "gallras inte löpande";

    AlsoSaid: "the policy also says", "regelverket säger också";
    KindNoPeriod: "no period", "ingen gallringstid";
    KindAnonymisedFirst: "anonymised first", "avidentifieras först";
    KindByInstruction: "by instruction only", "bara enligt instruktion";
    KindAsLaw: "as the law demands", "som lagen kräver";
    KindControllerDecides: "the controller decides", "den personuppgiftsansvarige bestämmer";
    KindExpectNone: "not collected", "samlas inte in";
    KindRecipients: "recipients", "mottagare";
    KindTransport: "transport", "överföring";
    KindRequest: "right of the data subject", "den registrerades rättighet";
    KindIdentify: "proof of identity", "styrkt identitet";
    KindAssess: "assessment", "bedömning";
    KindDisclosure: "disclosure", "utlämnande";
    KindMinimise: "data minimisation", "uppgiftsminimering";
    KindComplaint: "where to complain", "klagomål";
    KindSale: "sale of the company", "försäljning av företaget";
    KindInstructions: "customers' instructions", "kundernas instruktioner";
    KindAgreedOtherwise: "unless otherwise agreed", "om inget annat avtalats";
    KindUnsettled: "never settled", "aldrig slutreglerat";
    KindRoles: "roles", "roller";
    KindCounting: "how periods are counted", "hur tider räknas";
    KindZone: "time zone", "tidszon";
    KindNotify: "duty to notify", "underrättelseskyldighet";
    KindExemptions: "exemptions from erasure", "undantag från radering";
    KindReturnOrDelete: "hosted data at the end", "kundens uppgifter vid avtalets slut";
    KindProviderAdds: "rows under other laws", "rader enligt andra lagar";

    On: ", on {}", ", den {}";
    FromBy: ", from {}, by {}", ", från {}, senast {}";
    From: ", from {}", ", från {}";
    By: ", by {}", ", senast {}";

    Inspect: "inspect", "granska";
    Restrict: "restrict", "spärra";
    Preserve: "preserve", "bevara";
    Erase: "erase", "radera";
    Purge: "purge", "gallra";
    Confirm: "confirm", "bekräfta";
    Observe: "observe", "bevaka";

    Monday: "Monday", "måndag";
    Tuesday: "Tuesday", "tisdag";
    Wednesday: "Wednesday", "onsdag";
    Thursday: "Thursday", "torsdag";
    Friday: "Friday", "fredag";
    Saturday: "Saturday", "lördag";
    Sunday: "Sunday", "söndag";
}

impl Word {
    /// The sentence with what is put in.
    pub(super) fn with(self, language: Language, parts: &[&str]) -> String {
        let mut parts = parts.iter();
        let mut out = String::new();
        for (at, piece) in self.get(language).split("{}").enumerate() {
            if at > 0 {
                out.push_str(parts.next().copied().unwrap_or_default());
            }
            out.push_str(piece);
        }
        out
    }

    pub(super) fn of_action(action: Action) -> Self {
        match action {
            Action::Inspect => Self::Inspect,
            Action::Restrict => Self::Restrict,
            Action::Preserve => Self::Preserve,
            Action::Erase => Self::Erase,
            Action::Purge => Self::Purge,
            Action::Confirm => Self::Confirm,
            Action::Observe => Self::Observe,
        }
    }

    pub(super) fn of_weekday(day: Day) -> Self {
        use jiff::civil::Weekday as W;
        match day.weekday() {
            W::Monday => Self::Monday,
            W::Tuesday => Self::Tuesday,
            W::Wednesday => Self::Wednesday,
            W::Thursday => Self::Thursday,
            W::Friday => Self::Friday,
            W::Saturday => Self::Saturday,
            W::Sunday => Self::Sunday,
        }
    }

    /// What a note's code says; none for a code of a plan newer than this program.
    pub(super) fn of_note(code: &str) -> Option<Self> {
        Some(match code {
            "waits-for-settlement" => Self::NoteWaits,
            "needs-a-period" => Self::NotePeriod,
            "by-age" => Self::NoteByAge,
            "copies-never-expire" => Self::NoteNever,
            "copies-outlive-promise" => Self::NoteOutlive,
            "copies-outlive-rule" => Self::NoteOutliveRule,
            "copies-unknown" => Self::NoteUnknown,
            "copies-of-kept-data" => Self::NoteOfKept,
            "observe-mode" => Self::NoteObserve,
            "promise-not-met" => Self::NoteNotMet,
            "keeps" => Self::NoteKeeps,
            "held" => Self::NoteHeld,
            "instruction" => Self::NoteInstruction,
            "restrict-by-hand" => Self::NoteRestrict,
            "unexpected" => Self::NoteUnexpected,
            "not-purged" => Self::NoteNotPurged,
            _ => return None,
        })
    }

    /// What a term's kind says; none for a kind of a plan newer than this program.
    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "no-period" => Self::KindNoPeriod,
            "anonymised-first" => Self::KindAnonymisedFirst,
            "by-instruction" => Self::KindByInstruction,
            "as-law" => Self::KindAsLaw,
            "controller-decides" => Self::KindControllerDecides,
            "expect-none" => Self::KindExpectNone,
            "recipients" => Self::KindRecipients,
            "transport" => Self::KindTransport,
            "request" => Self::KindRequest,
            "identify" => Self::KindIdentify,
            "assess" => Self::KindAssess,
            "disclosure" => Self::KindDisclosure,
            "minimise" => Self::KindMinimise,
            "complaint" => Self::KindComplaint,
            "sale" => Self::KindSale,
            "instructions" => Self::KindInstructions,
            "agreed-otherwise" => Self::KindAgreedOtherwise,
            "unsettled" => Self::KindUnsettled,
            "roles" => Self::KindRoles,
            "counting" => Self::KindCounting,
            "zone" => Self::KindZone,
            "notify" => Self::KindNotify,
            "exemptions" => Self::KindExemptions,
            "return-or-delete" => Self::KindReturnOrDelete,
            "provider-adds" => Self::KindProviderAdds,
            _ => return None,
        })
    }

    pub(super) fn of_need(what: &str) -> Option<Self> {
        Some(match what {
            "service-cause" => Self::NeededService,
            "customer-cause" => Self::NeededCustomer,
            "legal-review" => Self::NeededReview,
            _ => return None,
        })
    }

    pub(super) fn of_change(what: &str) -> Option<Self> {
        Some(match what {
            "contract-ended" => Self::ChangeContractEnded,
            "contract-settled" => Self::ChangeContractSettled,
            "customer-ended" => Self::ChangeCustomerEnded,
            "customer-settled" => Self::ChangeCustomerSettled,
            "policy" => Self::ChangePolicy,
            "instruction" => Self::ChangeInstruction,
            "hold" => Self::ChangeHold,
            "reported" => Self::ChangeReported,
            "fate" => Self::ChangeFate,
            "copies" => Self::ChangeCopies,
            _ => return None,
        })
    }

    /// A fate as a plan's change writes it, its word and its day apart.
    pub(super) fn of_fate(word: &str) -> Option<Self> {
        Some(match word {
            "erase" => Self::FateErase,
            "keep" => Self::FateKeep,
            "wait" => Self::FateWait,
            "gone" => Self::FateGone,
            "never" => Self::FateNever,
            "unknown" => Self::FateUnknown,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_word_is_missing_in_a_language_and_both_have_room_for_the_same() {
        // Words that are spelled alike in both languages.
        let alike: [Word; 0] = [];
        for word in Word::ALL {
            let [english, swedish] = Language::ALL.map(|language| word.get(language));
            assert!(!english.trim().is_empty() && !swedish.trim().is_empty(), "{word:?}");
            assert_eq!(english.matches("{}").count(), swedish.matches("{}").count(), "{word:?}");
            assert!(english != swedish || alike.contains(word), "{word:?} is not translated");
        }
    }

    #[test]
    fn every_code_that_a_plan_may_carry_has_its_word() {
        // The doc comments of the model are where the codes are declared.
        let model = include_str!("../../../model/src/plan.rs");
        let declared = |from: &str, until: &str| {
            let text = model.split(from).nth(1).and_then(|rest| rest.split(until).next()).expect("the comment");
            text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let notes = declared("pub struct Note {", "pub code");
        assert!(notes.len() >= 15, "{notes:?}");
        assert!(notes.iter().all(|code| Word::of_note(code).is_some()), "{notes:?}");
        let needs = declared("pub struct Needed {", "pub what");
        assert!(needs.len() == 3 && needs.iter().all(|what| Word::of_need(what).is_some()), "{needs:?}");
        let changes = declared("pub struct Change {", "pub what");
        let known = |word: &String| {
            let fate = word.split(' ').next().and_then(Word::of_fate);
            Word::of_change(word).is_some() || fate.is_some()
        };
        assert!(changes.len() >= 16 && changes.iter().all(known), "{changes:?}");
        let planner = include_str!("../note.rs");
        let codes: Vec<_> =
            planner.lines().filter(|line| line.contains(": &str = ") && !line.contains("MEASURES")).collect();
        assert!(codes.len() >= 15, "{codes:?}");
        for line in codes {
            let code = line.split('"').nth(1).expect("a code");
            assert!(notes.contains(code), "{code} is not declared in the model");
        }
    }

    #[test]
    fn every_kind_of_row_that_a_pack_may_have_has_its_word() {
        let packs = include_str!("../../../policy/src/pack/entries.rs");
        let list = packs.split("const KINDS").nth(1).and_then(|rest| rest.split("];").next()).expect("the list");
        let kinds: Vec<_> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(kinds.len(), 25, "{kinds:?}");
        assert!(kinds.iter().all(|kind| Word::of_kind(kind).is_some()), "{kinds:?}");
    }

    #[test]
    fn what_is_put_in_is_put_in_in_order() {
        assert_eq!(Word::FromBy.with(Language::English, &["a", "{}"]), ", from a, by {}");
        assert_eq!(Word::On.with(Language::Swedish, &[]), ", den ");
    }
}
