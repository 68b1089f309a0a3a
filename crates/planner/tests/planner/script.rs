//! Scenario scripts: facts as text, one fact a line, so that a stranger can read and change them.
//!
//! `now INSTANT` · `pack NAME` · `number N` · `contract ENDED SETTLED` and `customer ENDED SETTLED` ('-' is unset) ·
//! `agent NAME`, then its targets: `NAME KIND CATEGORY ROLE SCOPE MODE [covers A,B] [life DAYS|never|unknown] [purges yes]` ·
//! `hold N LEVEL [WORD] [expires DAY] [review DAY] [released yes]` (LEVEL: global, customer, contract, request, category C,
//! target A/T) and `unhold N` · `row ID CATEGORY BOUND FROM PERIOD` adds a row to the pack, `try-row` one that it may refuse · `instruct RULE BOUND FROM PERIOD`
//! (RULE: an id, or category=C) carries an instruction out · `gone A/T` takes a target away · `then`: the plan of all that is
//! above is the one before, and what is below changes it.

use gallra_model::hold::{Hold, Level, Release};
use gallra_model::plan::{Anchors, Plan};
use gallra_model::target::{CopyLife, Inventory, Mode, Role, Scope, Strategy, TargetInfo, TargetKind};
use gallra_model::{Clock, ContractId, CustomerId, Day, Digest, HoldId, Instant, RequestId};
use gallra_planner::{Facts, plan};
use gallra_policy::{Instruction, Policy};

/// What a script says, owned.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) number: u32,
    pub(crate) anchors: Anchors,
    pub(crate) policy: Policy,
    pub(crate) inventories: Vec<Inventory>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) before: Option<Plan>,
    pack: String,
    rows: Vec<String>,
}

impl World {
    /// Reads a script up to a line of dashes.
    pub(crate) fn read(text: &str) -> Self {
        let mut world = Self {
            now: "2026-01-31T10:00:00Z".parse().unwrap(),
            number: 1,
            anchors: Anchors::default(),
            policy: pack("webone"),
            inventories: Vec::new(),
            holds: Vec::new(),
            before: None,
            pack: "webone".to_owned(),
            rows: Vec::new(),
        };
        for line in text.lines().take_while(|line| !line.starts_with("---")) {
            let words: Vec<_> = line.split_whitespace().collect();
            if !words.is_empty() && !line.starts_with('#') {
                world.line(&words);
            }
        }
        world
    }

    /// The same facts under another policy.
    pub(crate) fn under(&self, policy: Policy) -> Self {
        let mut world = self.clone();
        world.policy = policy;
        world
    }

    fn line(&mut self, words: &[&str]) {
        match words {
            ["now", instant] => self.now = instant.parse().unwrap(),
            ["pack", name] => {
                (self.policy, self.pack) = (pack(name), (*name).to_owned());
                self.rows.clear();
            }
            ["row", id, category, bound, from, period @ ..] => {
                self.row((id, category), (bound, from), &period.join(" "))
            }
            ["try-row", id, category, bound, from, period @ ..] => {
                self.took_row((id, category), (bound, from), &period.join(" "));
            }
            ["instruct", of, bound, from, period @ ..] => self.instruct(of, (bound, from), &period.join(" ")),
            ["hold", number, rest @ ..] => self.hold(number, rest),
            ["unhold", number] => self.holds.retain(|hold| hold.id != hold_id(number)),
            ["gone", place] => {
                for inventory in &mut self.inventories {
                    let agent = inventory.agent.clone();
                    inventory.targets.retain(|target| format!("{agent}/{}", target.id) != *place);
                }
            }
            ["then"] => {
                self.before = Some(plan(&self.facts()).unwrap());
                self.number += 1;
            }
            ["number", number] => self.number = number.parse().unwrap(),
            ["contract", ended, settled] => {
                (self.anchors.contract_ended, self.anchors.contract_settled) = (day(ended), day(settled));
            }
            ["customer", ended, settled] => {
                (self.anchors.customer_ended, self.anchors.customer_settled) = (day(ended), day(settled));
            }
            // After `then` an agent comes again to report more.
            ["agent", name]
                if self.before.is_some() && self.inventories.iter().any(|own| own.agent.as_str() == *name) =>
            {
                let at = self.inventories.iter().position(|own| own.agent.as_str() == *name).unwrap();
                let own = self.inventories.remove(at);
                self.inventories.push(own);
            }
            ["agent", name] => self.inventories.push(Inventory {
                agent: name.parse().unwrap(),
                evidence_key: hex_of(name),
                targets: Vec::new(),
            }),
            target => {
                let inventory = self.inventories.last_mut().expect("an agent before its targets");
                inventory.targets.push(read_target(target));
            }
        }
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            request: RequestId::from_bytes([7; 16]),
            number: self.number,
            parent: (self.number > 1).then(|| match &self.before {
                Some(before) => Digest::of(&serde_json::to_vec(before).unwrap()),
                None => Digest::of(b"the plan before"),
            }),
            now: self.now,
            clock: Clock::Real,
            anchors: self.anchors,
            policy: &self.policy,
            inventories: &self.inventories,
            holds: &self.holds,
            before: self.before.as_ref(),
        }
    }

    /// One row more, under the same pack. Instructions come after rows.
    pub(crate) fn row(&mut self, row: (&str, &str), count: (&str, &str), period: &str) {
        assert!(self.took_row(row, count, period), "the pack refuses the row {row:?}");
    }

    /// The same where the pack may refuse it, as one that is never reached; whether it took it.
    pub(crate) fn took_row(&mut self, (id, category): (&str, &str), (bound, from): (&str, &str), period: &str) -> bool {
        let action = if bound == "keep" { "keep" } else { "erase" };
        self.rows.push(format!(
            "\n[[rule]]\nid = \"{id}\"\ncategory = \"{category}\"\naction = \"{action}\"\nbound = \"{bound}\"\n\
             basis = \"a row of the test\"\ncites = []\ncount = [{{ from = \"{from}\", period = \"{period}\" }}]\n"
        ));
        match read_pack(&self.pack, &self.rows.concat()) {
            Some(policy) => self.policy = policy,
            None => drop(self.rows.pop()),
        }
        self.rows.last().is_some_and(|row| row.contains(&format!("id = \"{id}\"\n")))
    }

    /// One hold more.
    pub(crate) fn hold(&mut self, number: &str, words: &[&str]) {
        self.holds.push(read_hold(number, words));
    }

    /// One instruction more.
    pub(crate) fn instruct(&mut self, of: &str, (bound, from): (&str, &str), period: &str) {
        let of = match of.split_once('=') {
            Some((_, category)) => format!("category = \"{category}\""),
            None => format!("rule = \"{of}\""),
        };
        let text = format!(
            "id = \"own-{}\"\ngiven_by = \"customer's data protection officer\"\ngiven_on = \"2025-11-03\"\n\
             from = \"2025-12-01\"\n[[replace]]\n{of}\nbound = \"{bound}\"\n\
             count = [{{ from = \"{from}\", period = \"{period}\" }}]\n",
            self.policy.instructions().len() + 1
        );
        let instruction = Instruction::parse("instruction", &text).unwrap();
        self.policy = self.policy.with(&instruction).unwrap_or_else(|refused| panic!("{refused}"));
    }
}

fn hold_id(number: &str) -> HoldId {
    HoldId::from_bytes([number.parse().unwrap(); 16])
}

fn read_hold(number: &str, words: &[&str]) -> Hold {
    let (level, rest) = match words {
        ["global", rest @ ..] => (Level::Global, rest),
        ["customer", rest @ ..] => (Level::Customer { customer: CustomerId::from_bytes([1; 16]) }, rest),
        ["contract", rest @ ..] => (Level::Contract { contract: ContractId::from_bytes([1; 16]) }, rest),
        ["request", rest @ ..] => (Level::Request { request: RequestId::from_bytes([7; 16]) }, rest),
        ["category", word, rest @ ..] => (Level::Category { category: word.parse().unwrap() }, rest),
        ["target", place, rest @ ..] => {
            let (agent, target) = place.split_once('/').unwrap();
            (Level::Target { agent: agent.parse().unwrap(), target: target.parse().unwrap() }, rest)
        }
        other => panic!("no level: {other:?}"),
    };
    let at: Instant = "2026-01-15T10:00:00Z".parse().unwrap();
    let mut hold = Hold {
        id: hold_id(number),
        level,
        ground: "legal claim".to_owned(),
        on: None,
        placed_by: "op".to_owned(),
        placed: at,
        review: None,
        expires: None,
        reviews: Vec::new(),
        earlier_reviews: 0,
        released: None,
    };
    for pair in rest.chunks(2) {
        match pair {
            ["expires", word] => hold.expires = day(word),
            ["review", word] => hold.review = day(word),
            ["released", _] => hold.released = Some(Release { by: "ap".to_owned(), at, reason: "over".to_owned() }),
            other => panic!("no option: {other:?}"),
        }
    }
    hold
}

/// A shipped pack, or one that only tests use.
pub(crate) fn pack(name: &str) -> Policy {
    read_pack(name, "").expect("in order")
}

/// The same with rows of a test's own below it.
fn read_pack(name: &str, rows: &str) -> Option<Policy> {
    let text = |name: &str| match name {
        "webone" => Some(include_str!("../../../../policies/webone.toml").to_owned()),
        "netip" => Some(include_str!("../../../../policies/netip.toml").to_owned()),
        "host001" => Some(include_str!("../../../../policies/host001.toml").to_owned()),
        "connect2ip" => Some(include_str!("../../../../policies/connect2ip.toml").to_owned()),
        "reseller003" => Some(include_str!("../../../../policies/reseller003.toml").to_owned()),
        "strict" => text_of_strict(),
        "data-act" => Some(
            include_str!("../../../../policies/host001.toml")
                .replace("include =", "switch_on = [\"law/data-act\"]\ninclude ="),
        ),
        "law-se" => Some(include_str!("../../../../policies/law-se.toml").to_owned()),
        "host" => Some(include_str!("host.toml").to_owned()),
        "ages" => Some(include_str!("ages.toml").to_owned()),
        _ => None,
    };
    let stem = match name {
        "strict" => "webone",
        "data-act" => "host001",
        other => other,
    };
    let whole = text(name).expect("a pack") + rows;
    Policy::parse(stem, &whole, text).ok()
}

/// WebOne's pack with one spot of it changed.
pub(crate) fn webone(from: &str, to: &str) -> Policy {
    let text = include_str!("../../../../policies/webone.toml");
    assert!(text.contains(from), "{from}");
    let law = |_: &str| Some(include_str!("../../../../policies/law-se.toml").to_owned());
    Policy::parse("webone", &text.replace(from, to), law).expect("in order")
}

/// WebOne's pack with a shorter period for chat: a change of one category that few contracts have.
pub(crate) fn shorter_chat() -> Policy {
    webone("period = \"12 months\" }, { from = \"record\"", "period = \"11 months\" }, { from = \"record\"")
}

fn text_of_strict() -> Option<String> {
    let text = include_str!("../../../../policies/webone.toml");
    Some(text.replace("strict_backup = false", "strict_backup = true"))
}

fn day(word: &str) -> Option<Day> {
    (word != "-").then(|| word.parse().unwrap())
}

fn hex_of(name: &str) -> String {
    Digest::of(name.as_bytes()).to_string()
}

fn read_target(words: &[&str]) -> TargetInfo {
    let [id, kind, category, role, scope, mode, rest @ ..] = words else { panic!("no target: {words:?}") };
    let kind = match *kind {
        "files" => TargetKind::Files,
        "maildir" => TargetKind::Maildir,
        "sql" => TargetKind::Sql,
        "access-log" => TargetKind::AccessLog,
        "restic" => TargetKind::Restic,
        other => panic!("no kind: {other}"),
    };
    let mut target = TargetInfo {
        id: id.parse().unwrap(),
        kind,
        category: category.parse().unwrap(),
        role: if *role == "processor" { Role::Processor } else { Role::Controller },
        scope: if *scope == "contract" { Scope::Contract } else { Scope::Customer },
        mode: if *mode == "act" { Mode::Act } else { Mode::Observe },
        purges: false,
        strategy: kind.is_backup().then_some(Strategy::Observe),
        copy_life: None,
        covers: Vec::new(),
        by_address: false,
    };
    for pair in rest.chunks(2) {
        match pair {
            ["covers", names] => target.covers = names.split(',').map(|name| name.parse().unwrap()).collect(),
            ["purges", "yes"] => target.purges = true,
            ["life", "never"] => target.copy_life = Some(CopyLife::Never),
            ["life", "unknown"] => target.copy_life = Some(CopyLife::Unknown),
            ["life", days] => target.copy_life = Some(CopyLife::AtMost { days: days.parse().unwrap() }),
            other => panic!("no option: {other:?}"),
        }
    }
    target
}
