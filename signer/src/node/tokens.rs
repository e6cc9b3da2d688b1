//! The API's tokens, read again when their file changes, so that one can be taken away without a restart.

use igra_config::{Config, ConfigError, TokensFile};
use tokio::sync::watch;

use super::{
    error::in_one_line,
    reread::{Flag, Reread},
};
use crate::{
    api::Tokens,
    metrics::{ErrorKind, Metrics},
};

/// Reads the tokens, and hands on what watches their file. `None` where the API is open.
pub(super) fn load(config: &Config) -> Result<Option<(Tokens, Reread)>, ConfigError> {
    let Some(path) = &config.api.tokens_file else { return Ok(None) };
    let (reread, content) = Reread::open(path)?;
    Ok(Some((Tokens::new(&TokensFile::parse(path, &content)?), reread)))
}

/// Puts new tokens in force; of a bad file it tells, and the old ones stay.
pub(super) async fn watch(mut file: Reread, tokens: watch::Sender<Tokens>, refused: Flag, metrics: Metrics) {
    loop {
        let content = file.next().await;
        match TokensFile::parse(file.file(), &content) {
            Ok(new) => {
                tokens.send_replace(Tokens::new(&new));
                refused.set(false);
                tracing::info!(count = new.tokens.len(), "took new tokens");
            }
            Err(error) => {
                metrics.error(ErrorKind::Config);
                refused.set(true);
                tracing::error!(error = in_one_line(&error), "the new tokens are refused; the old ones stay")
            }
        }
    }
}
