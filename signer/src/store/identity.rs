//! Whose store it is. Kept in the default column family, beside the core's records and out of their way.

use std::path::Path;

use igra_group::{Group, GroupId, MemberIndex, Network};
use rocksdb::WriteOptions;
use serde::{Deserialize, Serialize};

use super::{Db, StoreError};

/// The form in which this program writes. A store of a higher one is refused.
pub const SCHEMA: u32 = 1;

const SCHEMA_KEY: &[u8] = b"schema";
const IDENTITY_KEY: &[u8] = b"identity";

/// What a store is bound to from its first day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub network: Network,
    pub group: GroupId,
    /// The member's public key as hex: names may change.
    pub member_key: String,
    /// Of the volume under it, where the configuration gives one.
    pub volume: Option<String>,
}

impl Identity {
    /// That of a member's store. `None` where the group has no such member.
    pub fn of(group: &Group, me: MemberIndex, volume: Option<String>) -> Option<Self> {
        let member_key = group.member(me)?.key.to_string();
        Some(Self { network: group.network(), group: group.id(), member_key, volume })
    }
}

/// Compares what the store says with what is expected; a new store is told.
pub(super) fn admit(db: &Db, dir: &Path, expected: &Identity, new: bool) -> Result<(), StoreError> {
    let nameless = || StoreError::Nameless { dir: dir.to_owned() };
    let Some(schema) = db.get(SCHEMA_KEY).map_err(StoreError::Read)? else {
        return if new { introduce(db, expected) } else { Err(nameless()) };
    };
    let found = schema.try_into().map(u32::from_be_bytes).map_err(|_| nameless())?;
    if found > SCHEMA {
        return Err(StoreError::NewerSchema { dir: dir.to_owned(), found, known: SCHEMA });
    }
    let identity = db.get(IDENTITY_KEY).map_err(StoreError::Read)?.ok_or_else(nameless)?;
    compare(&serde_json::from_slice(&identity).map_err(|_| nameless())?, expected, dir)
}

fn introduce(db: &Db, identity: &Identity) -> Result<(), StoreError> {
    let mut batch = rocksdb::WriteBatch::default();
    batch.put(SCHEMA_KEY, SCHEMA.to_be_bytes());
    batch.put(IDENTITY_KEY, serde_json::to_vec(identity).expect("an identity is texts only"));
    let mut options = WriteOptions::default();
    options.set_sync(true);
    db.write_opt(batch, &options).map_err(StoreError::Write)
}

fn compare(found: &Identity, expected: &Identity, dir: &Path) -> Result<(), StoreError> {
    let dir = dir.to_owned();
    let parts = [
        ("network", found.network.to_string(), expected.network.to_string()),
        ("group", found.group.to_string(), expected.group.to_string()),
        ("the member with the key", found.member_key.clone(), expected.member_key.clone()),
    ];
    if let Some((what, found, expected)) = parts.into_iter().find(|(_, found, expected)| found != expected) {
        return Err(StoreError::Other { dir, what, found, expected });
    }
    if found.volume != expected.volume {
        let name = |volume: &Option<String>| volume.clone().unwrap_or_else(|| "(none)".to_owned());
        return Err(StoreError::OtherVolume {
            dir,
            found: name(&found.volume),
            expected: name(&expected.volume),
        });
    }
    Ok(())
}
