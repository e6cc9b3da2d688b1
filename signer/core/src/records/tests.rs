//! Rows and back.

use super::*;
use crate::{gaps::Gap, test_kit::event};
use proptest::prelude::*;

fn stored(row: Row) -> (Family, Vec<u8>, Vec<u8>) {
    (row.family, row.key, row.value.expect("the row writes"))
}

#[test]
fn what_is_written_reads_back() {
    let record = EventRecord { event: event(1), seen: UnixSeconds(5) };
    let key = record.event.payment.event;
    let block = BlockId::from_bytes([4; 32]);
    let cursor = Cursor { block, daa_score: Some(5) };
    let rows = [Row::epoch(7), Row::event(&key, &record, true), Row::cursor(&cursor)];
    let records = Records::read(rows.map(stored)).unwrap();
    assert_eq!((records.epoch, records.cursor()), (7, Some(block)));
    assert_eq!(records.events, [(key, record)].into());
}

#[test]
fn a_record_of_a_newer_version_is_refused_and_says_which() {
    let (family, key, mut value) = stored(Row::epoch(7));
    value[0] = VERSION + 1;
    let error = Records::read([(family, key, value)]).unwrap_err();
    assert_eq!(
        error,
        RecordError::Newer { family: Family::Meta, key: hex::encode(EPOCH), version: VERSION + 1 }
    );
}

#[test]
fn a_record_of_no_version_is_damaged() {
    let (family, key, mut value) = stored(Row::epoch(7));
    value[0] = 0;
    let damaged = RecordError::Damaged { family, key: hex::encode(&key) };
    assert_eq!(Records::read([(family, key, value)]), Err(damaged));
}

#[test]
fn a_record_under_the_key_of_another_is_damaged() {
    let record = EventRecord { event: event(1), seen: UnixSeconds(5) };
    let (mine, other) = (record.event.payment.event, event(2).payment.event);
    let row = |key| stored(Row::event(&key, &record, true));
    assert!(Records::read([row(mine)]).is_ok());
    let damaged = RecordError::Damaged { family: Family::Event, key: other.to_string() };
    assert_eq!(Records::read([row(other)]), Err(damaged));
}

#[test]
fn a_row_of_the_chain_of_a_kind_that_is_not_known_is_passed_over() {
    let row = (Family::Chain, [&b"x"[..], &[1; 32]].concat(), vec![VERSION, 9]);
    assert_eq!(Records::read([row]), Ok(Records::default()));
}

#[test]
fn a_gap_of_version_2_reads_with_its_place_and_one_without_a_place_is_everywhere() {
    let row = |family, key: &[u8], value: Vec<u8>| (family, key.to_vec(), [vec![2], value].concat());
    let past = row(Family::Meta, PAST, borsh::to_vec(&(7u64, 3u64, true, true)).unwrap());
    let gap = row(Family::Chain, GAP, borsh::to_vec(&(200u64, 90_000u64)).unwrap());
    let cursor = row(Family::Chain, CURSOR, vec![4; 32]);
    let records = Records::read([past.clone(), gap, cursor]).unwrap();
    assert_eq!(records.gaps.open(), Some(Gap { from: 200, to: 90_000, closed: false }));
    assert_eq!(records.past, Some(Past { promise: 7, washed_from: 3, moved: true }));
    assert_eq!(records.cursor(), Some(BlockId::from_bytes([4; 32])));

    let records = Records::read([past]).unwrap();
    assert!(records.gaps.contains(0) && records.gaps.open().is_some_and(|gap| gap.to == u64::MAX));
}

#[test]
fn promises_ask_for_a_sync_and_what_the_chain_can_tell_again_does_not() {
    let approval = ApprovalRecord {
        proposal: ProposalId::from_bytes([1; 32]),
        events: Vec::new(),
        config: ConfigDigest::from_bytes([2; 32]),
        promise: 1,
        view: 0,
        utc: UnixSeconds(0),
    };
    assert!(Row::approval(&approval).promise);
    let cursor = Cursor { block: BlockId::from_bytes([4; 32]), daa_score: None };
    assert!(!Row::cursor(&cursor).promise);
}

#[test]
fn each_family_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = Family::ALL.iter().map(|family| family.name()).collect();
    assert_eq!(names.len(), Family::ALL.len());
}

proptest! {
    #[test]
    fn invariant_16_any_rows_read_or_are_refused_without_panic(family in 0usize..12, key: Vec<u8>, value: Vec<u8>) {
        let _: Result<Records, RecordError> = Records::read([(Family::ALL[family], key, value)]);
    }
}
