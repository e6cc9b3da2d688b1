//! The quick cases as an ordinary test.

use igra_prove::cases::{Length, cases};

#[test]
fn every_quick_case_comes_out_as_it_must() {
    for case in cases().into_iter().filter(|case| case.length == Length::Quick) {
        let verdict = case.run(5_000_000);
        assert!(
            verdict.as_expected,
            "{}: {:?}\n{}",
            case.name,
            verdict.outcome.finding,
            verdict.story.join("\n")
        );
    }
}
