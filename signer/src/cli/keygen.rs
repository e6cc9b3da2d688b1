//! `igra-signer keygen`: the keys of a new member.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use igra_config::KeysConfig;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    cli::Output,
    keys::{KeyError, Secret, SigningKey, TransportKey},
};

pub const EXAMPLES: &str = "Examples:
  igra-signer keygen --member alpha --out keys/alpha
  igra-signer keygen --member alpha --format secret --secret-name treasury-alpha | kubectl apply -f -
  igra-signer keygen --member alpha --out keys/alpha --output json | jq -r .publicKey

The keys go to two files, or as a Kubernetes Secret to stdout. The member's entry for `spec.members` is printed to
stdout, or to stderr where stdout carries the Secret. The keys themselves are shown nowhere else: keep a copy safe.";

#[derive(Debug, Args)]
pub struct Keygen {
    /// The member's name in the group: up to 15 lower-case letters and digits
    #[arg(long, value_name = "NAME", value_parser = member_name)]
    member: String,
    /// Folder for the key files; files that exist are never overwritten
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The Secret's name [default: igra-NAME]
    #[arg(long, value_name = "NAME", requires = "format")]
    secret_name: Option<String>,
    /// The Secret's namespace [default: none, so that kubectl decides]
    #[arg(long, value_name = "NAMESPACE", requires = "format")]
    namespace: Option<String>,
    /// How the member's entry is printed
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Two files that only their owner may read.
    #[default]
    Files,
    /// A Kubernetes Secret on stdout.
    Secret,
}

/// What the group's specification says of a member.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    public_key: String,
    transport_id: String,
}

/// Both secrets of a member.
struct Secrets {
    signing: Secret,
    transport: Secret,
}

impl Keygen {
    pub fn run(self) -> anyhow::Result<()> {
        let secrets = Secrets { signing: Secret::generate(), transport: Secret::generate() };
        let entry = secrets.entry(&self.member)?.print(self.output)?;
        match self.format {
            Format::Files => {
                secrets.write(&self.out)?;
                print!("{entry}");
            }
            Format::Secret => {
                let name = self.secret_name.unwrap_or_else(|| format!("igra-{}", self.member));
                print!("{}", *secrets.kubernetes(&name, self.namespace.as_deref())?);
                eprint!("{entry}");
            }
        }
        Ok(())
    }
}

impl Secrets {
    fn entry(&self, member: &str) -> Result<Entry, KeyError> {
        Ok(Entry {
            name: member.to_owned(),
            public_key: SigningKey::from_secret(&self.signing, "keygen")?.public_key().to_string(),
            transport_id: TransportKey::from_secret(&self.transport, "keygen").id().to_string(),
        })
    }

    /// Both files or none, as far as that can be seen beforehand.
    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not make the folder {}", folder.display()))?;
        let [signing, transport] =
            [KeysConfig::SIGNING_KEY, KeysConfig::TRANSPORT_KEY].map(|name| folder.join(name));
        for file in [&signing, &transport] {
            ensure!(!file.exists(), KeyError::Exists(file.clone()));
        }
        self.signing.write_new(&signing)?;
        self.transport.write_new(&transport)?;
        Ok(())
    }

    fn kubernetes(&self, name: &str, namespace: Option<&str>) -> anyhow::Result<Zeroizing<String>> {
        for part in [Some(name), namespace].into_iter().flatten() {
            ensure!(is_dns_label(part), "{part:?} is no name of a Kubernetes object");
        }
        let namespace = namespace.map(|namespace| format!("\n  namespace: {namespace}")).unwrap_or_default();
        Ok(Zeroizing::new(format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}{namespace}\ntype: Opaque\nstringData:\n  {}: \"{}\"\n  {}: \"{}\"\n",
            KeysConfig::SIGNING_KEY,
            *self.signing.hex(),
            KeysConfig::TRANSPORT_KEY,
            *self.transport.hex(),
        )))
    }
}

impl Entry {
    fn print(&self, output: Output) -> anyhow::Result<String> {
        Ok(match output {
            Output::Text => format!("members:\n{}", serde_yaml::to_string(&[self])?),
            Output::Json => format!("{}\n", serde_json::to_string(self)?),
        })
    }
}

fn member_name(text: &str) -> Result<String, String> {
    let fits = (1..=15).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match fits {
        true => Ok(text.to_owned()),
        false => Err("a member's name has from 1 to 15 lower-case letters and digits".to_owned()),
    }
}

/// Lower-case letters, digits and inner dashes and dots.
fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let ends = |text: &str| text.starts_with(['-', '.']) || text.ends_with(['-', '.']);
    (1..=253).contains(&text.len()) && text.bytes().all(inner) && !ends(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets { signing: Secret::generate(), transport: Secret::generate() }
    }

    #[test]
    fn the_printed_entry_is_that_of_the_written_files() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = secrets();
        let entry = secrets.entry("alpha").unwrap();

        secrets.write(folder.path()).unwrap();

        let signing = SigningKey::read(&folder.path().join("signing.key")).ok().unwrap();
        let transport = TransportKey::read(&folder.path().join("transport.key")).ok().unwrap();
        let printed: serde_yaml::Value = serde_yaml::from_str(&entry.print(Output::Text).unwrap()).unwrap();
        assert_eq!(printed["members"][0]["publicKey"], signing.public_key().to_string().as_str());
        assert_eq!(printed["members"][0]["transportId"], transport.id().to_string().as_str());
        let printed: serde_json::Value = serde_json::from_str(&entry.print(Output::Json).unwrap()).unwrap();
        assert_eq!(printed["name"], "alpha");
    }

    #[test]
    fn where_one_file_exists_neither_is_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("transport.key"), "mine").unwrap();

        let error = secrets().write(folder.path()).unwrap_err().to_string();

        assert!(error.contains("transport.key") && error.contains("never overwritten"), "{error}");
        assert!(!folder.path().join("signing.key").exists());
    }

    #[test]
    fn the_secret_holds_both_keys_as_a_mounted_file_would() {
        let secrets = secrets();
        let text = secrets.kubernetes("treasury-alpha", Some("pay")).unwrap();
        let secret: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!((&secret["kind"], &secret["type"]), (&"Secret".into(), &"Opaque".into()));
        assert_eq!(secret["metadata"]["name"], "treasury-alpha");
        assert_eq!(secret["metadata"]["namespace"], "pay");
        assert_eq!(secret["stringData"]["signing.key"], secrets.signing.hex().as_str());
        assert_eq!(secret["stringData"]["transport.key"], secrets.transport.hex().as_str());
    }

    #[test]
    fn names_that_kubernetes_would_refuse_are_refused_here() {
        assert!(secrets().kubernetes("a\nb: c", None).is_err());
        assert!(member_name("Alpha").is_err() && member_name("").is_err() && member_name("alpha1").is_ok());
    }
}
