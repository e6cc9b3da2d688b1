//! `igra-signer run`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use igra_config::Config;

use crate::{cli::logs, node};

pub const EXAMPLES: &str = "Examples:
  igra-signer run --config /etc/igra/config.yaml
  IGRA_LOG_FORMAT=text IGRA_LOG__LEVEL=debug igra-signer run --config config.yaml

Exit codes: 0 after SIGTERM or Ctrl-C; 78 where configuration, policy or keys must change first; 74 where the disk
failed; 70 where a part of the signer broke; 69 where a port could not be had.";

#[derive(Debug, Args)]
pub struct Run {
    /// The signer's config.yaml
    #[arg(long, value_name = "FILE", default_value = "/etc/igra/config.yaml")]
    config: PathBuf,
}

impl Run {
    pub fn run(self) -> ExitCode {
        match self.prepare() {
            Ok(config) => node::run_process(config),
            Err(error) => {
                let text = format!("{error:#}");
                eprintln!("error: {text}");
                node::write_last_word(&text);
                ExitCode::from(node::EXIT_CONFIG)
            }
        }
    }

    fn prepare(&self) -> anyhow::Result<Config> {
        let config = Config::load(&self.config)?;
        logs::start(&config.log)?;
        Ok(config)
    }
}
