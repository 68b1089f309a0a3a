//! `gallra key …`: the keys that sign causes, and those of proofs (`docs/keys.md`). Private halves stay where they were made. Of
//! a cause key the coordinator is given the public half, and each host's admin writes it into `agent.toml`.

mod manifest;

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use gallra_proof::key::VerifyingKey;
use gallra_wire::session::envelope_to_wire;
use gallra_wire::v1;
use gallra_wire::v1::key_service_client::KeyServiceClient;
use serde::Serialize;

use super::Shown;
use crate::client::connect;
use crate::exit::{FAILED, Failure, OK, USAGE};
use crate::{cause, ceremony, output, pair};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// Says what is to be erased: beside the coordinator's permit, what a host wants to see before it erases.
    Cause,
    /// A root holder's pair, Ed25519 and ML-DSA-65: signs key manifests, and is never on the coordinator.
    Root,
    /// The issuer's pair: signs proofs. Put both private halves into the coordinator's directory, as issuer-NAME.
    Issuer,
    /// A log's key, Ed25519: signs checkpoints. A log keeps its key: for one that goes on where another ended only. Put it into the
    /// coordinator's directory, as log-NAME.
    Log,
}

/// Keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a key pair, register its public half if a coordinator can be reached, and print the line for agent.toml.
    #[command(after_help = "Example:\n  gallra key create --for cause --out /etc/gallra/cause.key\n  \
        gallra key create --for root --out /media/chair/chair\n\nWhoever holds the file can, \
        together with the coordinator, have anything erased on every host that trusts it: keep it away from the coordinator.")]
    Create {
        /// What for.
        #[arg(long = "for", visible_alias = "kind", value_enum)]
        purpose: Purpose,
        /// The private key's file, PKCS#8 PEM; must not exist. Of all but a cause key: what PREFIX.key, PREFIX-ml-dsa.key and
        /// PREFIX.pub begin with.
        #[arg(long, value_name = "FILE|PREFIX")]
        out: PathBuf,
        /// Fail where it cannot be registered; unset: only say so.
        #[arg(long)]
        register: bool,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Register the public half of a cause key: causes signed with it are taken from now on.
    Register {
        /// The public key: 64 lowercase hex characters, as `create` prints it.
        public_key: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List all keys: the registered cause keys, and those of manifests and agents, with what became of each.
    List {
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Write the published key file: all that an auditor needs beside a proof. Publish it beside the privacy notice.
    #[command(after_help = "Example:\n  gallra key export --out keys.json\n  gallra verify proof.json --key keys.json")]
    Export {
        /// The file; replaced where it is there. Without it, stdout.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make, see and sign key manifests. Offline.
    #[command(subcommand)]
    Manifest(manifest::ManifestCommand),
    /// Bring the next key manifest, signed by enough root holders: the keys that it lists sign from now on. For approvers.
    Submit {
        /// What `gallra key manifest sign` wrote.
        file: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// End an agent's key, or say since when somebody else had one. Cannot be taken back. For approvers.
    #[command(
        after_help = "Examples:\n  gallra key revoke KEYID\n  gallra key revoke KEYID --compromised --since 1204\n\n\
        What the key signs from now on is refused, and the agent gets no work. With --compromised nothing counts that was entered \
        in the log at --since or later, in proofs of before neither. `gallra key list` has ids and positions."
    )]
    Revoke {
        /// The key's id.
        keyid: String,
        /// It was given up in good order, and not lost.
        #[arg(long, conflicts_with = "compromised")]
        retired: bool,
        /// Somebody else had it.
        #[arg(long, requires = "since")]
        compromised: bool,
        /// The position of the log from which on nothing of it counts.
        #[arg(long, value_name = "POSITION", requires = "compromised")]
        since: Option<u64>,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Say how a key is changed for another, step by step. Changes nothing.
    #[command(after_help = "Examples:\n  gallra key rotate agent web1\n  gallra key rotate issuer")]
    Rotate {
        /// Whose key.
        #[arg(value_enum)]
        whose: Rotated,
        /// The agent's name.
        #[arg(required_if_eq("whose", "agent"))]
        name: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Whose key is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rotated {
    /// An agent's evidence key.
    Agent,
    /// The issuer's pair.
    Issuer,
    /// A root holder's pair.
    Root,
    /// The log's key: it is lost, or somebody else had it.
    Log,
}

/// A key of any kind, as `list` shows it.
#[derive(Serialize)]
struct Listed {
    keyid: String,
    role: String,
    actor: String,
    algorithm: String,
    status: String,
    from: Option<u64>,
    until: Option<u64>,
    signing: bool,
    public_key: String,
    registered_by: String,
    registered: String,
}

/// A pair that was made.
#[derive(Serialize)]
struct Made {
    prefix: String,
    keyids: Vec<String>,
}

/// The steps of a change.
#[derive(Serialize)]
struct Steps {
    steps: Vec<String>,
}

/// A key that was made.
#[derive(Serialize)]
struct Created {
    public_key: String,
    keyid: String,
    agent_toml: String,
    registered: bool,
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: KeyCommand) -> Result<u8, Failure> {
    match command {
        KeyCommand::Create { purpose: Purpose::Cause, out, register, shown } => {
            let key = cause::create_key(&out)?.verifying();
            let registered = register_key(profile, key.to_hex()).await;
            show_created(&key, registered.is_ok(), shown);
            match registered {
                Err(failure) if register => return Err(failure),
                Err(failure) => output::note(&format!(
                    "not registered: {}\nhint: an approver runs `gallra key register {}`",
                    failure.text,
                    key.to_hex()
                )),
                Ok(_) => {}
            }
        }
        KeyCommand::Register { public_key, shown } => {
            let key = register_key(profile, public_key).await?;
            output::one(shown.output, &key, &pairs(&key));
        }
        KeyCommand::Create { purpose, out, register, shown } => {
            if register {
                return Err(Failure::new(USAGE, "--register: of cause keys only"));
            }
            let keys = pair::create(&out, purpose == Purpose::Log)?;
            let keyids: Vec<String> = keys.iter().map(|key| key.keyid.to_string()).collect();
            let made = Made { prefix: out.display().to_string(), keyids: keyids.clone() };
            let mut pairs = vec![("public", format!("{}.pub", made.prefix))];
            pairs.extend(keyids.into_iter().map(|id| ("key id", id)));
            output::one(shown.output, &made, &pairs);
        }
        KeyCommand::List { shown } => list(profile, shown).await?,
        KeyCommand::Export { out } => {
            let mut client = KeyServiceClient::new(connect(profile).await?);
            let answer = client.get_key_file(v1::GetKeyFileRequest {}).await?.into_inner();
            output::note(&format!("trust anchor: sha256:{}", answer.anchor));
            match out {
                Some(path) => std::fs::write(&path, &answer.file)
                    .map_err(|error| Failure::new(FAILED, format!("{}: {error}", path.display())))?,
                None => output::line(String::from_utf8_lossy(&answer.file).trim_end()),
            }
        }
        KeyCommand::Manifest(command) => return manifest::run(command),
        KeyCommand::Submit { file, shown } => {
            let envelope = Some(envelope_to_wire(&ceremony::read_envelope(&file)?));
            let mut client = KeyServiceClient::new(connect(profile).await?);
            let stands = client.submit_manifest(v1::SubmitManifestRequest { envelope }).await?.into_inner();
            let index = stands.index.map_or_else(|| "not yet".to_owned(), |index| index.to_string());
            let changed = if stands.issuer_changed { "others sign from here on" } else { "the same" };
            let pairs = [
                ("version", stands.version.to_string()),
                ("digest", stands.digest.clone()),
                ("position in the log", index),
                ("issuer's keys", changed.to_owned()),
                ("next", "publish the key file: gallra key export".to_owned()),
            ];
            output::one(shown.output, &stands, &pairs);
        }
        KeyCommand::Revoke { keyid, retired, compromised, since, shown } => {
            let end = match (retired, compromised) {
                (true, _) => v1::KeyEnd::Retired,
                (_, true) => v1::KeyEnd::Compromised,
                (false, false) => v1::KeyEnd::Revoked,
            };
            let mut client = KeyServiceClient::new(connect(profile).await?);
            let ask = v1::RevokeKeyRequest { keyid, end: end.into(), since };
            let key = client.revoke_key(ask).await?.into_inner();
            let until = key.until.map(|until| until.to_string()).unwrap_or_default();
            let pairs = [
                ("key id", key.keyid.clone()),
                ("of", format!("{} {}", key.role, key.actor)),
                ("status", key.status.clone()),
                ("signs nothing from position", until),
                ("next", "publish the key file: gallra key export".to_owned()),
            ];
            output::one(shown.output, &key, &pairs);
        }
        KeyCommand::Rotate { whose, name, shown } => {
            let steps = Steps { steps: steps(whose, name.as_deref().unwrap_or_default()) };
            let pairs: Vec<(&str, String)> = steps.steps.iter().map(|step| ("-", step.clone())).collect();
            output::one(shown.output, &steps, &pairs);
        }
    }
    Ok(OK)
}

async fn list(profile: Option<&Path>, shown: Shown) -> Result<(), Failure> {
    let mut client = KeyServiceClient::new(connect(profile).await?);
    let causes = client.list_cause_keys(v1::ListCauseKeysRequest {}).await?.into_inner().keys;
    let keys = client.list_keys(v1::ListKeysRequest {}).await?.into_inner().keys;
    let of_cause = |key: v1::CauseKey| Listed {
        keyid: key.keyid,
        role: "cause".to_owned(),
        actor: String::new(),
        algorithm: "ed25519".to_owned(),
        status: "registered".to_owned(),
        from: None,
        until: None,
        signing: false,
        public_key: key.public_key,
        registered_by: key.registered_by,
        registered: key.registered,
    };
    let of_proof = |key: v1::Key| Listed {
        keyid: key.keyid,
        role: key.role,
        actor: key.actor,
        algorithm: key.algorithm,
        status: key.status,
        from: key.from,
        until: key.until,
        signing: key.signing,
        public_key: String::new(),
        registered_by: String::new(),
        registered: String::new(),
    };
    let all: Vec<Listed> = causes.into_iter().map(of_cause).chain(keys.into_iter().map(of_proof)).collect();
    let position = |position: Option<u64>| position.map(|position| position.to_string()).unwrap_or_default();
    output::list(shown.output, &all, ["key id", "role", "of", "algorithm", "status", "from", "until"], |key| {
        [
            key.keyid.clone(),
            key.role.clone(),
            format!("{}{}", key.actor, key.registered_by),
            key.algorithm.clone(),
            if key.signing { "signs here".to_owned() } else { key.status.clone() },
            position(key.from),
            position(key.until),
        ]
    });
    Ok(())
}

/// How a key is changed, for whoever does it.
fn steps(whose: Rotated, name: &str) -> Vec<String> {
    let steps: &[&str] = match whose {
        Rotated::Agent => &[
            "wait until the agent has nothing open: gallra job list",
            "stop gallra-agent on its host: what it has signed and not sent is refused afterwards",
            "find the key's id: gallra key list",
            "an approver ends it: gallra key revoke KEYID --retired",
            "an operator invites the host again: gallra agent invite NAME",
            "the host joins in a new --dir, with the same agent.toml: gallra-agent join TOKEN",
            "publish the key file: gallra key export",
        ],
        Rotated::Issuer => &[
            "make the new pair in the coordinator's directory: gallra key create --for issuer --out DIR/issuer-2027",
            "write what is to be signed: gallra key manifest edit --keys keys.json --add-issuer DIR/issuer-2027.pub --drop KEYID \
             --drop KEYID --out manifest.json",
            "enough root holders sign: gallra key manifest sign manifest.json --keys keys.json --root PREFIX --out FILE",
            "an approver brings it: gallra key submit FILE",
            "publish the key file: gallra key export",
            "remove the old private halves from the coordinator's directory once a backup of the store is newer than the manifest",
        ],
        Rotated::Log => &[
            "a log keeps its key while it has it: put log.key back from its copy, if there is one. Else the log ends, and another \
             goes on:",
            "fetch the key file while the coordinator runs, or take the published one: gallra key export --out keys.json",
            "take the last good checkpoint that others have seen, from a witness or a mirror: it is a signed note",
            "make the new key in the coordinator's directory: gallra key create --for log --out DIR/log-2027",
            "write the manifest: gallra key manifest edit --keys keys.json --log ORIGIN=DIR/log-2027.pub --out manifest.json",
            "write the succession: gallra log succession create --keys keys.json --manifest manifest.json --checkpoint NOTE --out \
             succession.json",
            "enough root holders sign both: gallra key manifest sign, gallra log succession sign",
            "stop the coordinator, and see what will be: gallra-coordinator log succeed --dir DIR --succession FILE --manifest FILE \
             --dry-run; then without --dry-run",
            "write the new origin into coordinator.toml, and start it",
            "publish the key file beside the ended log's, log/ended-N/keys.json; give witnesses the new log.vkey",
        ],
        Rotated::Root => &[
            "the holder makes a pair on a machine of its own: gallra key create --for root --out PREFIX",
            "write what is to be signed: gallra key manifest edit --keys keys.json --add-holder NAME=PREFIX.pub --out manifest.json",
            "enough holders of before and enough of those of now sign: gallra key manifest sign",
            "an approver brings it: gallra key submit FILE",
            "publish the key file: gallra key export",
        ],
    };
    steps.iter().map(|step| step.replace("NAME", if name.is_empty() { "NAME" } else { name })).collect()
}

async fn register_key(profile: Option<&Path>, public_key: String) -> Result<v1::CauseKey, Failure> {
    let mut client = KeyServiceClient::new(connect(profile).await?);
    Ok(client.register_cause_key(v1::RegisterCauseKeyRequest { public_key }).await?.into_inner())
}

fn show_created(key: &VerifyingKey, registered: bool, shown: Shown) {
    let agent_toml = format!("keys = [\"{}\"]", key.to_hex());
    let created = Created { public_key: key.to_hex(), keyid: key.keyid(), agent_toml, registered };
    let pairs = [
        ("public key", created.public_key.clone()),
        ("key id", created.keyid.clone()),
        ("registered", if registered { "yes" } else { "no" }.to_owned()),
        ("agent.toml", "[causes]".to_owned()),
        ("", created.agent_toml.clone()),
    ];
    output::one(shown.output, &created, &pairs);
}

fn pairs(key: &v1::CauseKey) -> [(&'static str, String); 4] {
    [
        ("public key", key.public_key.clone()),
        ("key id", key.keyid.clone()),
        ("registered by", key.registered_by.clone()),
        ("registered", key.registered.clone()),
    ]
}
