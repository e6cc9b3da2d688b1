//! The log of a running signer: on stderr, as JSON objects or as lines for people.

use anyhow::Context;
use igra_config::{LogConfig, LogFormat};
use tracing_subscriber::{EnvFilter, fmt};

/// Starts the log of this process; once.
pub fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter = filter(&config.level)?;
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Text => log.with_target(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("could not start the log: {error}"))
}

/// A bare level is for our own crates: the libraries below say only what is wrong. iroh warns of every handshake that is
/// broken off, which a stranger or a peer that dials at the same moment can cause, so only its errors are shown.
fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    const OURS: [&str; 4] = ["igra_signer", "igra_core", "igra_tx", "igra_config"];
    let bare = level.bytes().all(|byte| byte.is_ascii_alphabetic());
    let directives = match level {
        "off" | "error" | "warn" => level.to_owned(),
        level if bare => {
            OURS.iter().fold("warn,iroh=error".to_owned(), |all, ours| format!("{all},{ours}={level}"))
        }
        level => level.to_owned(),
    };
    EnvFilter::try_new(directives).with_context(|| format!("log.level {level:?} is no level and no filter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_for_our_crates_only() {
        let text = filter("debug").unwrap().to_string();
        assert!(text.contains("igra_signer=debug") && text.contains("warn"), "{text}");
        assert_eq!(filter("error").unwrap().to_string(), "error");
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        assert!(filter("igra_signer=loud").unwrap_err().to_string().contains("igra_signer=loud"));
    }
}
