//! A mounted file that is read again: its next content, and whether the last one was good.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use igra_config::ConfigError;
use tokio::time::sleep;

/// Between two looks at the file. A mounted ConfigMap changes by swapping links, which no watch on a file sees.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How long a new content must stay as it is. A file that is written in place is cut short for a moment, and a policy
/// cut short may lack the very limits that it is to set.
const SETTLED: Duration = Duration::from_millis(500);

/// A file, and the hash of what was last read from it: some files hold secrets.
pub(super) struct Reread {
    file: PathBuf,
    known: blake3::Hash,
}

impl Reread {
    /// Reads the file for the first time. Every content but this one will be news.
    pub(super) fn open(file: &Path) -> Result<(Self, Vec<u8>), ConfigError> {
        let content =
            std::fs::read(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        Ok((Self { file: file.to_owned(), known: blake3::hash(&content) }, content))
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Waits for a content that is not the last one, and that stays.
    pub(super) async fn next(&mut self) -> Vec<u8> {
        loop {
            let Some((hash, _)) = self.look().await.filter(|(hash, _)| *hash != self.known) else {
                sleep(LOOK_AGAIN).await;
                continue;
            };
            sleep(SETTLED).await;
            if let Some((_, content)) = self.look().await.filter(|(again, _)| *again == hash) {
                self.known = hash;
                return content;
            }
        }
    }

    /// What is there now. Away for a moment while links are swapped: the next look will see it.
    async fn look(&self) -> Option<(blake3::Hash, Vec<u8>)> {
        let content = tokio::fs::read(&self.file).await.ok()?;
        Some((blake3::hash(&content), content))
    }
}

/// Something that the health checks tell: set by one task, read by another.
#[derive(Clone, Debug, Default)]
pub(super) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(super) fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
