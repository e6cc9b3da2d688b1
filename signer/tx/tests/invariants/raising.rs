//! A raised fee: the same coins and payments, less change.

use std::collections::BTreeSet;

use igra_group::Sompi;
use igra_tx::{DraftError, FeeLimits, FeeRate, Proposal, fee_rate, raise_fee};

use crate::fixture::{KAS, LIMITS, check, draft, keyed, payment};

#[test]
fn comes_out_of_the_change_and_passes_the_check() {
    let (keyed, good) = (keyed(2, 3), keyed(2, 3).good());
    let low: &Proposal = &good.proposal;
    let high = raise_fee(&keyed.group, low, FeeRate::new(200), &LIMITS).unwrap();
    assert_eq!((&high.inputs, &high.events, &high.payload), (&low.inputs, &low.events, &low.payload));
    assert_eq!(high.outputs[..2], low.outputs[..2]);
    assert_eq!(fee_rate(&keyed.group, &high), Some(200));
    assert_eq!(check(&keyed.group, &good.view, &high, &good.payments, &LIMITS), Ok(()));
}

#[test]
fn is_none_at_the_same_rate_or_at_the_limit() {
    let (keyed, good) = (keyed(2, 3), keyed(2, 3).good());
    let raise =
        |rate, limits: &FeeLimits| raise_fee(&keyed.group, &good.proposal, FeeRate::new(rate), limits);
    assert!(matches!(raise(100, &LIMITS), Err(DraftError::FeeOverLimit { .. })));
    let tight = FeeLimits { max_sompi_per_gram: 100, ..LIMITS };
    assert!(matches!(raise(900, &tight), Err(DraftError::FeeOverLimit { .. })));
}

#[test]
fn needs_change_to_come_from() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[KAS]);
    let all =
        draft(&keyed.group, &view, &[payment(1, KAS - 1_000_000)], &LIMITS, &BTreeSet::new(), &[]).unwrap();
    assert_eq!(all.change(&keyed.group), None);
    let refused = raise_fee(&keyed.group, &all, FeeRate::new(900), &LIMITS);
    assert_eq!(refused, Err(DraftError::NoChange));
    assert!(all.fee() < Some(Sompi(KAS)));
}
