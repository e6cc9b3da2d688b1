//! Whose store it is. Kept in the default column family, beside the core's records and out of their way.

use std::path::Path;

use igra_group::{Depths, Group, GroupId, MemberIndex, Network, Predecessor, Sompi};
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
    /// `None` in a store that was made before they were kept; it takes those that it is opened with.
    #[serde(default)]
    pub terms: Option<Terms>,
    /// The group whose coins move to this one.
    #[serde(default)]
    pub predecessor: Option<GroupId>,
}

/// What members agree on beside the group's name, and what cannot change while promises are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub quorum: u8,
    pub depths: Depths,
    pub dust_sompi: Sompi,
}

impl Terms {
    /// Each by the name that the configuration gives it.
    fn named(&self) -> [(&'static str, u64); 6] {
        let Self { quorum, depths: Depths { coin, deposit, settled, final_ }, dust_sompi } = *self;
        [
            ("quorum", quorum.into()),
            ("depths.coin", coin),
            ("depths.deposit", deposit),
            ("depths.settled", settled),
            ("depths.final", final_),
            ("dustSompi", dust_sompi.0),
        ]
    }
}

impl Identity {
    /// That of a member's store. `None` where the group has no such member.
    pub fn of(group: &Group, me: MemberIndex, volume: Option<String>) -> Option<Self> {
        let member_key = group.member(me)?.key.to_string();
        let (quorum, depths, dust_sompi) = (group.quorum().get(), group.depths(), group.dust());
        let terms = Some(Terms { quorum, depths, dust_sompi });
        let predecessor = group.predecessor().map(Predecessor::id);
        Some(Self { network: group.network(), group: group.id(), member_key, volume, terms, predecessor })
    }
}

/// Compares what the store says with what is expected; a new store is told. Says whether it was made on another volume,
/// which stays written there until [`introduce`] is called again.
pub(super) fn admit(db: &Db, dir: &Path, expected: &Identity, new: bool) -> Result<bool, StoreError> {
    let nameless = || StoreError::Nameless { dir: dir.to_owned() };
    let Some(schema) = db.get(SCHEMA_KEY).map_err(StoreError::Read)? else {
        return if new { introduce(db, expected).map(|()| false) } else { Err(nameless()) };
    };
    let found = schema.try_into().map(u32::from_be_bytes).map_err(|_| nameless())?;
    if found > SCHEMA {
        return Err(StoreError::NewerSchema { dir: dir.to_owned(), found, known: SCHEMA });
    }
    let identity = db.get(IDENTITY_KEY).map_err(StoreError::Read)?.ok_or_else(nameless)?;
    let found: Identity = serde_json::from_slice(&identity).map_err(|_| nameless())?;
    compare(&found, expected, dir)?;
    let other_volume = found.volume != expected.volume;
    if found.terms.is_none() && expected.terms.is_some() {
        introduce(db, &Identity { volume: found.volume, ..expected.clone() })?;
    }
    Ok(other_volume)
}

/// Writes whose store it is.
pub(super) fn introduce(db: &Db, identity: &Identity) -> Result<(), StoreError> {
    let mut batch = rocksdb::WriteBatch::default();
    batch.put(SCHEMA_KEY, SCHEMA.to_be_bytes());
    batch.put(IDENTITY_KEY, serde_json::to_vec(identity).expect("an identity is texts and numbers only"));
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
        ("a group with the predecessor", shown(found.predecessor), shown(expected.predecessor)),
    ];
    if let Some((what, found, expected)) = parts.into_iter().find(|(_, found, expected)| found != expected) {
        return Err(StoreError::Other { dir, what, found, expected });
    }
    let (Some(found), Some(expected)) = (found.terms, expected.terms) else { return Ok(()) };
    let both = found.named().into_iter().zip(expected.named());
    match both.into_iter().find(|(found, expected)| found != expected) {
        Some(((field, found), (_, expected))) => Err(StoreError::Terms { dir, field, found, expected }),
        None => Ok(()),
    }
}

fn shown(predecessor: Option<GroupId>) -> String {
    predecessor.map_or_else(|| "none".to_owned(), |id| id.to_string())
}
