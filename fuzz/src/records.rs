//! The decoder of records: the rows of a store.

use std::collections::BTreeMap;

use igra_core::{Family, Records};

use super::bounds::{AT_LEAST, FOR_EACH_BYTE, peak_of};

/// A store of any rows: family, length of the key, length of the value (two bytes, the low one first), key, value, and
/// so on.
pub fn rows(bytes: &[u8]) {
    let rows = rows_in(bytes);
    let (read, peak) = peak_of(|| Records::read(rows.iter().cloned()));
    let most = AT_LEAST + 2 * FOR_EACH_BYTE * bytes.len();
    assert!(peak <= most, "{} bytes took {peak} bytes of memory, more than {most}", bytes.len());
    let Ok(records) = read else { return };
    let written = written(&records);
    let again =
        Records::read(written.iter().map(|((family, key), value)| (*family, key.clone(), value.clone())));
    assert_eq!(again.as_ref(), Ok(&records), "what was read is not what is written");
    let last: BTreeMap<_, _> = rows.into_iter().map(|(family, key, value)| ((family, key), value)).collect();
    for (place, value) in &written {
        // A row of an earlier version is written in the present one.
        let Some(was) = last.get(place).filter(|was| was.first() == value.first()) else { continue };
        assert_eq!(was, value, "the row {place:?} is written with other bytes");
    }
    // What is kept of the rows has a row each, and nothing is there that had none.
    assert!(written.keys().all(|place| last.contains_key(place)), "a row appears that nobody wrote");
}

fn written(records: &Records) -> BTreeMap<(Family, Vec<u8>), Vec<u8>> {
    let rows = records.rows().into_iter();
    rows.filter_map(|row| Some(((row.family, row.key), row.value?))).collect()
}

fn rows_in(mut bytes: &[u8]) -> Vec<(Family, Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    while let [family, key, low, high, rest @ ..] = bytes {
        let family = Family::ALL[usize::from(*family) % Family::ALL.len()];
        let (key, value) = (usize::from(*key), usize::from(u16::from_le_bytes([*low, *high])));
        let (key, rest) = rest.split_at(key.min(rest.len()));
        let (value, rest) = rest.split_at(value.min(rest.len()));
        rows.push((family, key.to_vec(), value.to_vec()));
        bytes = rest;
    }
    rows
}
