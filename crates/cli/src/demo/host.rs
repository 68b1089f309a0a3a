//! The demonstration's `agent.toml`: what the admin of the provider's one host allows. A real one is documented in
//! `deploy/agent.example.toml`.

use super::site::Options;

const LIVE: &str = include_str!("host.toml");
const BACKUP: &str = include_str!("host-backup.toml");

/// Targets whose mode the options may change, as `host.toml` names them.
const TARGETS: [&str; 5] = ["www", "mail", "register-service", "register-contact", "register-invoices"];

/// The file's text for a site with this cause key.
pub(super) fn agent_toml(options: &Options, cause_key: &str) -> String {
    let mut text = LIVE.to_owned();
    for target in TARGETS {
        let mode = if options.observe.iter().any(|name| name == target) { "observe" } else { "act" };
        text = text.replace(&format!("@mode:{target}@"), mode);
    }
    if options.backups {
        text.push_str(BACKUP);
    }
    let limits = [("items_per_second", options.items_per_second), ("longest_act_seconds", options.longest_act_seconds)];
    for (name, value) in limits {
        if let Some(value) = value {
            text = text.replacen("[limits]\n", &format!("[limits]\n{name} = {value}\n"), 1);
        }
    }
    for target in &options.without {
        text = without(&text, target);
    }
    text.push_str(&options.more);
    let own = vec![cause_key.to_owned()];
    let trusts = options.trusts.as_ref().unwrap_or(&own).iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>();
    text.replace("@cause_keys@", &trusts.join(", "))
        .replace("@keep@", &options.keep)
        .replace("@own_group@", if options.own_group { "true" } else { "false" })
        .replace("@dir@", &options.dir.display().to_string())
}

/// The text without one target's section, and without its name in what backups cover.
fn without(text: &str, target: &str) -> String {
    let text = text.replace(&format!(", \"{target}\""), "").replace(&format!("\"{target}\", "), "");
    let mut sections = text.split("[[target]]\n");
    let head = sections.next().unwrap_or_default();
    let id = format!("id = \"{target}\"\n");
    sections
        .filter(|section| !section.starts_with(&id))
        .fold(head.to_owned(), |kept, section| kept + "[[target]]\n" + section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled() {
        let start = "2026-01-02T08:00:00Z".parse().expect("a literal");
        let options = Options::new(std::path::Path::new("/d"), std::path::Path::new("/p"), start);
        assert!(!agent_toml(&options, "ab").contains('@'));
        let observed = Options { observe: vec!["mail".to_owned()], ..options };
        assert_eq!(
            agent_toml(&observed, "ab").matches("mode = \"observe\"").count(),
            2,
            "mail, and the backups as always"
        );
    }
}
