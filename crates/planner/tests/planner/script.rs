//! Scenario scripts: facts as text, one fact a line, so that a stranger can read and change them.
//!
//! `now INSTANT` · `pack NAME` · `number N` · `contract ENDED SETTLED` and `customer ENDED SETTLED` ('-' is unset) ·
//! `agent NAME`, then its targets: `NAME KIND CATEGORY ROLE SCOPE MODE [covers A,B] [life DAYS|never|unknown] [purges yes]`.

use gallra_model::plan::Anchors;
use gallra_model::target::{CopyLife, Inventory, Mode, Role, Scope, Strategy, TargetInfo, TargetKind};
use gallra_model::{Clock, Day, Digest, Instant, RequestId};
use gallra_planner::Facts;
use gallra_policy::Policy;

/// What a script says, owned.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) number: u32,
    pub(crate) anchors: Anchors,
    pub(crate) policy: Policy,
    pub(crate) inventories: Vec<Inventory>,
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
        };
        for line in text.lines().take_while(|line| !line.starts_with("---")) {
            let words: Vec<_> = line.split_whitespace().collect();
            if !words.is_empty() && !line.starts_with('#') {
                world.line(&words);
            }
        }
        world
    }

    fn line(&mut self, words: &[&str]) {
        match words {
            ["now", instant] => self.now = instant.parse().unwrap(),
            ["pack", name] => self.policy = pack(name),
            ["number", number] => self.number = number.parse().unwrap(),
            ["contract", ended, settled] => {
                (self.anchors.contract_ended, self.anchors.contract_settled) = (day(ended), day(settled));
            }
            ["customer", ended, settled] => {
                (self.anchors.customer_ended, self.anchors.customer_settled) = (day(ended), day(settled));
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
            parent: (self.number > 1).then(|| Digest::of(b"the plan before")),
            now: self.now,
            clock: Clock::Real,
            anchors: self.anchors,
            policy: &self.policy,
            inventories: &self.inventories,
            holds: &[],
            before: None,
        }
    }
}

/// A shipped pack, or one that only tests use.
pub(crate) fn pack(name: &str) -> Policy {
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
    Policy::parse(stem, &text(name).expect("a pack"), text).expect("in order")
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
