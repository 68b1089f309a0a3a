//! Small files of our own that are read again: `coordinator.toml`, `client.toml`, what an agent keeps as JSON; and addresses in them.

use std::time::Duration;

use gallra_agent::dir::Joined;
use gallra_cli::client::address_in;
use gallra_coordinator::layout::Config;
use gallra_identity::is_label;
use gallra_model::selector::Selector;
use gallra_stamp::Authority;

use super::text;
use crate::Seen;
use crate::spelling::{same_again, same_json};

/// `coordinator.toml`: what is read is written and read as the same, and its names lead nowhere else.
pub fn coordinator_toml(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let Ok(config) = Config::parse(text) else { return Seen::Refused };
    assert!(is_label(&config.installation), "no name for a certificate");
    assert!(is_label(&config.policy), "the policy's name leads out of its folder");
    let written = toml::to_string(&config).unwrap_or_else(|why| panic!("read and not written: {why}"));
    assert_eq!(Config::parse(&written).ok(), Some(config), "{written:?}");
    Seen::Read
}

/// `client.toml`: an address that is spoken to in clear, or that two programs could read two ways, is none.
pub fn client_toml(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let Ok(address) = address_in(text) else { return Seen::Refused };
    let authority = address.strip_prefix("https://").unwrap_or_else(|| panic!("in clear: {address:?}"));
    assert!(!authority.contains(['@', '/', '?', '#', '\\']), "two readings: {address:?}");
    let (_, port) = authority.rsplit_once(':').unwrap_or_else(|| panic!("no port: {address:?}"));
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{address:?}");
    Seen::Read
}

/// `agent.json`, and whom a restore had begun with.
pub fn agent_json(bytes: &[u8]) -> Seen {
    let joined = same_json::<Joined>(bytes);
    let begun = same_json::<Vec<Selector>>(bytes);
    if let Some(joined) = &joined {
        let written = serde_json::to_vec(joined).unwrap_or_default();
        assert_eq!(serde_json::from_slice::<Joined>(&written).ok().as_ref(), Some(joined), "written as another");
    }
    assert!(joined.is_none() || begun.is_none(), "two things at once");
    for selector in begun.iter().flatten() {
        for id in [&selector.service, &selector.customer].into_iter().flatten() {
            assert!(!id.expose().contains(['/', '\0', '*']) && !id.expose().contains(".."), "leads elsewhere");
        }
    }
    Seen::of(joined.is_some() || begun.is_some())
}

/// Where a witness is, and where a time stamping authority is: what is read and written is dialled as the same.
pub fn addresses(bytes: &[u8]) -> Seen {
    let Some(text) = text(bytes) else { return Seen::Refused };
    let witness = same_again::<gallra_tlog::Address>(text);
    // An `https` one would read files.
    let roots = gallra_stamp::Roots::System;
    let authority = text.starts_with("http:").then(|| Authority::new(text, &roots, Duration::from_secs(1)));
    if let Some(Ok(authority)) = &authority {
        let host = text.get(7..).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        assert!(!host.contains('@'), "a name and password for {authority:?}");
    }
    Seen::of(witness || matches!(authority, Some(Ok(_))))
}
