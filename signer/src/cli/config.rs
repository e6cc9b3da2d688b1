//! `igra-signer config validate` and `config show`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use igra_config::{Config, PolicyFile, TokensFile};

use crate::{cli::Output, events::Verifier};

const EXAMPLES: &str = "Examples:
  igra-signer config validate --config /etc/igra/config.yaml
  igra-signer config show --config config.yaml --output json
  IGRA_LOG__LEVEL=debug igra-signer config show --config config.yaml";

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Checks config.yaml and the policy and tokens files that it names.
    #[command(after_help = EXAMPLES)]
    Validate(Files),
    /// Prints the configuration in effect: defaults, file and environment together. It holds no secrets.
    #[command(after_help = EXAMPLES)]
    Show(Files),
}

#[derive(Debug, Args)]
pub struct Files {
    /// The signer's config.yaml
    #[arg(long, value_name = "FILE", default_value = "/etc/igra/config.yaml")]
    config: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl ConfigCommand {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Validate(files) => {
                let config = validate(&files.config)?;
                print!("{}", valid(&config, files.output)?);
            }
            Self::Show(files) => print!("{}", show(&Config::load(&files.config)?, files.output)?),
        }
        Ok(())
    }
}

/// Loads every file, and sees that the policy's approvers can be used.
fn validate(file: &Path) -> anyhow::Result<Config> {
    let config = Config::load(file)?;
    let policy = PolicyFile::load(&config.policy_file)?;
    if let Some(tokens) = &config.api.tokens_file {
        TokensFile::load(tokens)?;
    }
    Verifier::new(&config.group()?, &policy).with_context(|| config.policy_file.display().to_string())?;
    Ok(config)
}

fn valid(config: &Config, output: Output) -> anyhow::Result<String> {
    let group = config.group()?;
    let address = group.wallet().address().to_string();
    Ok(match output {
        Output::Text => format!("valid: member {} of group {}, {address}\n", config.member, group.id()),
        Output::Json => {
            let facts = serde_json::json!({
                "valid": true, "member": config.member, "group": group.id(), "address": address,
            });
            format!("{facts}\n")
        }
    })
}

fn show(config: &Config, output: Output) -> anyhow::Result<String> {
    Ok(match output {
        Output::Text => config.to_yaml(),
        Output::Json => format!("{}\n", serde_json::to_string_pretty(config)?),
    })
}
