//! `gallra key …`: the keys that sign causes. The private half stays where it was made; the coordinator is given the public
//! half, and each host's admin writes it into `agent.toml`.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use gallra_proof::key::VerifyingKey;
use gallra_wire::v1;
use gallra_wire::v1::key_service_client::KeyServiceClient;
use serde::Serialize;

use super::Shown;
use crate::cause;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// Says what is to be erased: beside the coordinator's permit, what a host wants to see before it erases.
    Cause,
}

/// Keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a key pair, register its public half if a coordinator can be reached, and print the line for agent.toml.
    #[command(
        after_help = "Example:\n  gallra key create --for cause --out /etc/gallra/cause.key\n\nWhoever holds the file can, \
        together with the coordinator, have anything erased on every host that trusts it: keep it away from the coordinator."
    )]
    Create {
        /// What for.
        #[arg(long = "for", value_enum)]
        purpose: Purpose,
        /// The private key's file, PKCS#8 PEM; must not exist.
        #[arg(long, value_name = "FILE")]
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
    /// List the registered cause keys.
    List {
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
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
        KeyCommand::List { shown } => {
            let mut client = KeyServiceClient::new(connect(profile).await?);
            let keys = client.list_cause_keys(v1::ListCauseKeysRequest {}).await?.into_inner().keys;
            output::list(shown.output, &keys, ["public key", "registered by", "registered"], |key| {
                [key.public_key.clone(), key.registered_by.clone(), key.registered.clone()]
            });
        }
    }
    Ok(OK)
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
