//! The signer's memory: RocksDB, one column family per kind of record, promises synced before anybody hears of them.

mod error;
mod identity;
mod options;
#[cfg(test)]
mod tests;

use std::{cell::Cell, fs, io, path::Path, sync::Arc};

use igra_core::{Family, Row, Signs};
use rocksdb::{
    ColumnFamilyDescriptor, DBWithThreadMode, ErrorKind, IteratorMode, SingleThreaded, WriteBatch,
    WriteOptions, properties,
};
use tokio::task;

pub use error::StoreError;
pub use identity::{Identity, SCHEMA, Terms};

/// Families come and go only while opening, so the handle needs no lock of its own. Named in full because other
/// crates of a build may switch what `rocksdb::DB` means.
type Db = DBWithThreadMode<SingleThreaded>;

/// An open store. Clones share it; it closes when the last one goes.
#[derive(Clone)]
pub struct Store {
    db: Arc<Db>,
    dir: Arc<Path>,
    identity: Identity,
    signs: Signs,
}

/// A file of this name in a store's folder says that it was made as a backup: whoever starts a signer on it has a store
/// that has forgotten what was promised since.
pub const BACKUP_MARKER: &str = "BACKUP";

/// A row as it stands in the store.
pub type StoredRow = (Family, Vec<u8>, Vec<u8>);

impl Store {
    /// Opens the store in this folder, or makes a new one there. Blocks for as long as the replay of its log takes.
    ///
    /// A store of another group, member or network, one with other terms, and one of a newer schema, is refused and left
    /// as it is. One of another volume is opened, with a sign.
    pub fn open(dir: &Path, expected: &Identity) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|source| StoreError::Folder { dir: dir.to_owned(), source })?;
        let existing = existing_families(dir)?;
        let cache = options::cache();
        let families = existing.iter().map(|name| ColumnFamilyDescriptor::new(name, options::family(&cache)));
        let mut db = Db::open_cf_descriptors(&options::database(), dir, families)
            .map_err(|source| open_error(dir, source))?;
        let other_volume = identity::admit(&db, dir, expected, existing.len() == 1)?;
        for family in
            Family::ALL.into_iter().filter(|family| !existing.iter().any(|name| name == family.name()))
        {
            db.create_cf(family.name(), &options::family(&cache)).map_err(StoreError::Write)?;
        }
        let signs = Signs { backup: dir.join(BACKUP_MARKER).exists(), other_volume };
        Ok(Self { db: Arc::new(db), dir: dir.into(), identity: expected.clone(), signs })
    }

    /// What speaks for it that it went back in time.
    pub fn signs(&self) -> Signs {
        self.signs
    }

    /// Takes the store for what it is from now on, once its quarantine is over: no backup, and at home on this volume.
    pub fn forget_signs(&self) -> Result<(), StoreError> {
        let marker = self.dir.join(BACKUP_MARKER);
        match fs::remove_file(&marker) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Marker { file: marker, source });
            }
            Ok(()) | Err(_) => {}
        }
        identity::introduce(&self.db, &self.identity)
    }

    /// Writes all rows or none. If one is a promise, they are on the disk when this returns.
    pub async fn commit(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        if !rows.iter().any(|row| row.promise) {
            // Goes to memory and to the kernel, in less time than another thread takes to wake.
            return self.write(rows);
        }
        let store = self.clone();
        off_the_loop(move || store.write(rows)).await
    }

    fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(rows.iter().any(|row| row.promise));
        let mut batch = WriteBatch::default();
        for row in rows {
            let family = self.family(row.family);
            match row.value {
                Some(value) => batch.put_cf(family, row.key, value),
                None => batch.delete_cf(family, row.key),
            }
        }
        self.db.write_opt(batch, &options).map_err(StoreError::Write)
    }

    /// Hands all rows to the reader, family by family, each in order of its keys. Blocks.
    pub fn read<T>(
        &self,
        reader: impl FnOnce(&mut dyn Iterator<Item = StoredRow>) -> T,
    ) -> Result<T, StoreError> {
        let failure = Cell::new(None);
        let mut rows = Family::ALL.into_iter().flat_map(|family| {
            let rows = self.db.iterator_cf(self.family(family), IteratorMode::Start);
            rows.map(move |row| row.map(|(key, value)| (family, key.into_vec(), value.into_vec())))
        });
        let mut good = rows.by_ref().map_while(|row| row.map_err(|error| failure.set(Some(error))).ok());
        let answer = reader(&mut good);
        failure.take().map_or(Ok(answer), |error| Err(StoreError::Read(error)))
    }

    /// Bytes in files and in memory that is still to be written to them.
    pub fn size_bytes(&self) -> u64 {
        let of = |family: Family, name| {
            self.db.property_int_value_cf(self.family(family), name).ok().flatten().unwrap_or(0)
        };
        let sizes = Family::ALL.into_iter();
        sizes
            .map(|f| of(f, properties::TOTAL_SST_FILES_SIZE) + of(f, properties::CUR_SIZE_ALL_MEM_TABLES))
            .sum()
    }

    /// Writes something small and syncs it: shows a full or a failing disk before a promise does.
    pub async fn check(&self) -> Result<(), StoreError> {
        let store = self.clone();
        off_the_loop(move || store.write_and_sync()).await
    }

    fn write_and_sync(&self) -> Result<(), StoreError> {
        const LAST_CHECK: &[u8] = b"last check";
        let stopped = |name| matches!(self.db.property_int_value(name), Ok(Some(count)) if count > 0);
        if stopped(properties::BACKGROUND_ERRORS) || stopped(properties::IS_WRITE_STOPPED) {
            return Err(StoreError::Stopped);
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        let moment = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        self.db.put_opt(LAST_CHECK, moment.to_be_bytes(), &options).map_err(StoreError::Write)
    }

    fn family(&self, family: Family) -> &rocksdb::ColumnFamily {
        self.db.cf_handle(family.name()).expect("opening made every family")
    }
}

async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    task::spawn_blocking(work).await.map_err(|_| StoreError::Interrupted)?
}

/// The names of the families in the folder; a new store will have the default one.
fn existing_families(dir: &Path) -> Result<Vec<String>, StoreError> {
    if !dir.join("CURRENT").exists() {
        return Ok(vec![rocksdb::DEFAULT_COLUMN_FAMILY_NAME.to_owned()]);
    }
    Db::list_cf(&options::database(), dir).map_err(|source| open_error(dir, source))
}

fn open_error(dir: &Path, source: rocksdb::Error) -> StoreError {
    let dir = dir.to_owned();
    // RocksDB has no kind of error of its own for this; the text names the file.
    let held = source.kind() == ErrorKind::IOError && source.as_ref().contains("LOCK");
    if held { StoreError::InUse { dir } } else { StoreError::Open { dir, source } }
}
