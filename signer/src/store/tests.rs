//! On real folders.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use igra_core::{Family, Row, Signs};
use igra_group::{Depths, GroupId, Network, Sompi};

use super::{BACKUP_MARKER, Identity, SCHEMA, Store, StoreError, StoredRow, Terms};

fn identity() -> Identity {
    let group = GroupId::from_bytes([7; 32]);
    Identity {
        network: Network::Simnet,
        group,
        member_key: "02aa".to_owned(),
        volume: Some("volume-1".to_owned()),
        terms: Some(terms()),
        predecessor: None,
    }
}

fn terms() -> Terms {
    Terms { quorum: 2, depths: Depths::default(), dust_sompi: Sompi(10) }
}

fn row(family: Family, key: &[u8], value: Option<&[u8]>, promise: bool) -> Row {
    Row { family, key: key.to_vec(), value: value.map(<[u8]>::to_vec), promise }
}

fn all_rows(store: &Store) -> Vec<StoredRow> {
    store.read(|rows| rows.collect()).unwrap()
}

#[tokio::test]
async fn rows_are_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &identity()).unwrap();
    let first =
        vec![row(Family::Approval, b"a", Some(b"1"), true), row(Family::Event, b"e", Some(b"2"), false)];
    store.commit(first).await.unwrap();
    store
        .commit(vec![row(Family::Event, b"e", None, false), row(Family::Meta, b"m", Some(b"3"), false)])
        .await
        .unwrap();
    let before = all_rows(&store);
    drop(store);

    let again = Store::open(folder.path(), &identity()).unwrap();

    assert_eq!(all_rows(&again), before);
    assert_eq!(before.len(), 2);
    assert!(before.contains(&(Family::Approval, b"a".to_vec(), b"1".to_vec())));
    assert!(before.contains(&(Family::Meta, b"m".to_vec(), b"3".to_vec())));
}

#[tokio::test]
async fn a_check_leaves_no_row_behind_and_size_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &identity()).unwrap();
    store.check().await.unwrap();
    assert_eq!(all_rows(&store), vec![]);
    assert!(store.size_bytes() > 0);
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _open = Store::open(folder.path(), &identity()).unwrap();
    assert!(matches!(Store::open(folder.path(), &identity()), Err(StoreError::InUse { .. })));
}

#[test]
fn a_store_of_another_group_is_refused_with_both_names() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), &identity()).unwrap());
    let other = Identity { group: GroupId::from_bytes([8; 32]), ..identity() };

    let error = Store::open(folder.path(), &other).err().unwrap();

    assert!(error.is_configuration());
    let text = error.to_string();
    assert!(
        text.contains(&identity().group.to_string()) && text.contains(&other.group.to_string()),
        "{text}"
    );
    Store::open(folder.path(), &identity()).unwrap();
}

#[test]
fn a_store_of_another_member_network_or_predecessor_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), &identity()).unwrap());
    let member = Identity { member_key: "02bb".to_owned(), ..identity() };
    let network = Identity { network: Network::Devnet, ..identity() };
    let heir = Identity { predecessor: Some(GroupId::from_bytes([8; 32])), ..identity() };
    for other in [member, network, heir] {
        assert!(matches!(Store::open(folder.path(), &other), Err(StoreError::Other { .. })));
    }
}

#[test]
fn another_volume_is_a_sign_at_every_start_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        Store::open(folder.path(), &Identity { terms: None, ..identity() }).unwrap().signs(),
        Signs::default()
    );
    for volume in [None, Some("volume-2".to_owned())] {
        let other = Identity { volume, ..identity() };
        for _ in 0..2 {
            let signs = Store::open(folder.path(), &other).unwrap().signs();
            assert_eq!(signs, Signs { backup: false, other_volume: true });
        }
        Store::open(folder.path(), &other).unwrap().forget_signs().unwrap();
        assert_eq!(Store::open(folder.path(), &other).unwrap().signs(), Signs::default());
    }
}

#[test]
fn a_marked_backup_is_a_sign_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(BACKUP_MARKER), "").unwrap();
    for _ in 0..2 {
        assert!(Store::open(folder.path(), &identity()).unwrap().signs().backup);
    }

    Store::open(folder.path(), &identity()).unwrap().forget_signs().unwrap();

    assert_eq!(Store::open(folder.path(), &identity()).unwrap().signs(), Signs::default());
}

#[test]
fn a_store_made_with_other_terms_is_refused_by_field_old_and_new() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), &identity()).unwrap());
    let depths = Depths { final_: terms().depths.final_ + 1, ..terms().depths };
    for (other, field, old, new) in [
        (Terms { quorum: 3, ..terms() }, "quorum", 2, 3),
        (Terms { depths, ..terms() }, "depths.final", terms().depths.final_, depths.final_),
        (Terms { dust_sompi: Sompi(11), ..terms() }, "dustSompi", 10, 11),
    ] {
        let other = Identity { terms: Some(other), ..identity() };
        let error = Store::open(folder.path(), &other).err().unwrap();
        assert!(error.is_configuration());
        let told = error.to_string();
        assert!(told.contains(&format!("{field} {old}, and the configuration says {new}")), "{told}");
    }
    Store::open(folder.path(), &identity()).unwrap();
}

#[test]
fn a_store_from_before_terms_were_kept_takes_the_first_ones() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), &Identity { terms: None, ..identity() }).unwrap());
    drop(Store::open(folder.path(), &identity()).unwrap());
    let other = Identity { terms: Some(Terms { quorum: 3, ..terms() }), ..identity() };
    assert!(matches!(Store::open(folder.path(), &other), Err(StoreError::Terms { .. })));
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &identity()).unwrap();
    store.db.put(b"schema", (SCHEMA + 1).to_be_bytes()).unwrap();
    drop(store);
    let error = Store::open(folder.path(), &identity()).err().unwrap();
    assert!(matches!(error, StoreError::NewerSchema { found, known: SCHEMA, .. } if found == SCHEMA + 1));
}

const CHILD_FOLDER: &str = "IGRA_TEST_STORE_FOLDER";

/// Not a test of its own: [`promises_outlive_a_killed_process`] runs it in a process that it kills.
#[tokio::test]
#[ignore = "runs as a child of another test"]
async fn child_that_promises_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else { return };
    let store = Store::open(folder.as_ref(), &identity()).unwrap();
    for number in 0u32.. {
        store
            .commit(vec![row(Family::Approval, &number.to_be_bytes(), Some(b"promise"), true)])
            .await
            .unwrap();
        // The leading line break ends whatever the test program has written on this line.
        println!("\npromised {number}");
    }
}

#[test]
fn promises_outlive_a_killed_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::child_that_promises_until_it_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_FOLDER, folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told =
        lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("promised ")?.parse::<u32>().ok());
    let last = told.take(30).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let store = Store::open(folder.path(), &identity()).unwrap();

    let kept: Vec<u32> =
        all_rows(&store).into_iter().map(|(_, key, _)| u32::from_be_bytes(key.try_into().unwrap())).collect();
    assert!(kept.len() as u32 > last, "{last} was promised, and {} are kept", kept.len());
    assert_eq!(kept, (0..kept.len() as u32).collect::<Vec<_>>());
}
