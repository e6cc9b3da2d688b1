//! Why the store does not open or does not write.

use std::path::PathBuf;

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("could not make the folder {}", dir.display())]
    Folder { dir: PathBuf, source: std::io::Error },
    #[error("the store in {} is in use by another process: one signer per store", dir.display())]
    InUse { dir: PathBuf },
    #[error("could not open the store in {}", dir.display())]
    Open { dir: PathBuf, source: rocksdb::Error },
    #[error("the store in {} has schema {found}, and this program knows up to {known}: use a newer one", dir.display())]
    NewerSchema { dir: PathBuf, found: u32, known: u32 },
    #[error("the store in {} belongs to {what} {found}, and this signer is configured for {what} {expected}", dir.display())]
    Other { dir: PathBuf, what: &'static str, found: String, expected: String },
    #[error(
        "the store in {} was made with {field} {found}, and the configuration says {expected}: it cannot change in a \
         group that has promised anything",
        dir.display()
    )]
    Terms { dir: PathBuf, field: &'static str, found: u64, expected: u64 },
    #[error("the store in {} does not say whose it is", dir.display())]
    Nameless { dir: PathBuf },
    #[error("could not remove the marker {}", file.display())]
    Marker { file: PathBuf, source: std::io::Error },
    #[error("could not read the store")]
    Read(#[source] rocksdb::Error),
    #[error("could not write to the store")]
    Write(#[source] rocksdb::Error),
    #[error("the store takes no writes after an error of its disk")]
    Stopped,
    #[error("the write was interrupted")]
    Interrupted,
}

impl StoreError {
    /// Whether the configuration must change first; other errors are the disk's.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::NewerSchema { .. } | Self::Other { .. } | Self::Terms { .. } | Self::Nameless { .. } => {
                true
            }
            Self::Folder { .. } | Self::InUse { .. } | Self::Open { .. } | Self::Marker { .. } => false,
            Self::Read(_) | Self::Write(_) | Self::Stopped | Self::Interrupted => false,
        }
    }
}
