//! The table of invariants names tests that are there.

use std::{fs, path::Path};

const TABLE: &str = "../../docs/reference/invariants.md";

/// A row's number, and the tests that it names, each with the file in which it stands.
fn row(line: &str) -> Option<(u8, Vec<(&str, &str)>)> {
    let number = line.strip_prefix("| ")?.split(' ').next()?.parse().ok()?;
    let links = line.split("[`").skip(1);
    let tests = links
        .filter_map(|link| link.split_once("`](../../")?.1.split_once(')').map(|(file, _)| (link, file)));
    let named = tests.filter_map(|(link, file)| Some((link.split_once('`')?.0, file)));
    Some((number, named.collect()))
}

#[allow(clippy::disallowed_methods, reason = "the table and the sources are files")]
fn text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_invariant_names_tests_that_stand_where_it_says() {
    let table = text(TABLE);
    let rows: Vec<_> = table.lines().filter_map(row).collect();

    for (number, tests) in &rows {
        assert!(!tests.is_empty(), "invariant {number} names no test");
        for (name, file) in tests {
            let source = text(&format!("../../{file}"));
            assert!(source.contains(&format!("fn {name}(")), "invariant {number}: no test {name} in {file}");
        }
    }

    let numbers: Vec<u8> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<u8>>());
}
