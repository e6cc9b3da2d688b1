//! Voids and the group's own transactions: they pay nobody but the group, or the successor that the policy names.

use std::collections::BTreeSet;

use igra_group::Sompi;
use igra_tx::{
    ChainView, CheckError, Draft, DraftError, EventKey, Outpoint, Output, Proposal, ProposalKind, Purpose,
    Script, Tag, Terms,
};
use proptest::prelude::*;

use crate::fixture::{KAS, Keyed, LIMITS, keyed, outpoint, recipient};

fn tag(number: u8) -> Tag {
    Tag::from_bytes([number; 32])
}

fn event(number: u8) -> EventKey {
    EventKey::from_bytes([number; 32])
}

fn drafted(keyed: &Keyed, view: &ChainView, purpose: Purpose<'_>) -> Result<Proposal, DraftError> {
    let (tags, avoid) = (BTreeSet::from([tag(2), tag(1)]), BTreeSet::new());
    let draft = Draft { purpose, tags: &tags, limits: &LIMITS, avoid: &avoid, must_share: &[] };
    igra_tx::draft(&keyed.group, view, &draft)
}

fn checked(keyed: &Keyed, view: &ChainView, proposal: &Proposal) -> Result<(), CheckError> {
    let successor = recipient(9);
    let terms = Terms { payments: &[], successor: Some(&successor), limits: &LIMITS };
    igra_tx::check(&keyed.group, view, proposal, &terms)
}

#[test]
fn a_void_names_its_events_and_pays_the_group_alone() {
    let (keyed, view) = (keyed(2, 3), keyed(2, 3).view(&[9 * KAS, 3 * KAS]));
    let void = drafted(&keyed, &view, Purpose::Void(&[event(2), event(1)])).unwrap();
    assert_eq!((void.kind, void.events.clone()), (ProposalKind::Void, vec![event(1), event(2)]));
    assert_eq!((void.outputs.len(), void.inputs.len()), (1, 1));
    assert_eq!(void.tags(), [tag(1), tag(2)].into());
    assert_eq!(checked(&keyed, &view, &void), Ok(()));
}

#[test]
fn a_void_shares_a_coin_with_what_it_stands_against() {
    let (keyed, view) = (keyed(2, 3), keyed(2, 3).view(&[9 * KAS, 3 * KAS, KAS]));
    let mut rival = drafted(&keyed, &view, Purpose::Void(&[event(1)])).unwrap();
    rival.inputs = vec![keyed.coin(3, KAS)];
    let (avoid, tags) = (BTreeSet::new(), BTreeSet::new());
    let share = [&rival];
    let purpose = Purpose::Void(&[event(1)]);
    let draft = Draft { purpose, tags: &tags, limits: &LIMITS, avoid: &avoid, must_share: &share };
    let void = igra_tx::draft(&keyed.group, &view, &draft).unwrap();
    assert!(void.shares_input_with(&rival));
}

#[test]
fn a_consolidation_takes_the_smallest_coins_and_at_least_eight() {
    let keyed = keyed(2, 3);
    let amounts: Vec<u64> = (1..=70).map(|number| number * KAS).collect();
    let view = keyed.view(&amounts);
    let one = drafted(&keyed, &view, Purpose::Consolidate).unwrap();
    assert_eq!((one.inputs.len(), one.outputs.len(), one.events.len()), (64, 1, 0));
    assert_eq!(one.inputs.iter().map(|coin| coin.amount.0).max(), Some(64 * KAS));
    assert_eq!(checked(&keyed, &view, &one), Ok(()));
    let few = keyed.view(&amounts[..7]);
    assert_eq!(drafted(&keyed, &few, Purpose::Consolidate), Err(DraftError::TooFewCoins(7)));
    let mut seven = one;
    seven.inputs.truncate(7);
    assert_eq!(checked(&keyed, &view, &seven), Err(CheckError::TooFewCoins(7)));
}

#[test]
fn a_large_group_gathers_as_many_coins_as_one_block_may_weigh() {
    let keyed = keyed(8, 15);
    let view = keyed.view(&[KAS; 70]);
    let sweep: BTreeSet<Outpoint> = view.coins.keys().copied().collect();
    let swept = drafted(&keyed, &view, Purpose::Sweep(&sweep)).unwrap();
    assert!((8..64).contains(&swept.inputs.len()), "{}", swept.inputs.len());
    assert_eq!(checked(&keyed, &view, &swept), Ok(()));
}

#[test]
fn a_sweep_spends_only_the_coins_that_it_is_for() {
    let (keyed, view) = (keyed(2, 3), keyed(2, 3).view(&[9 * KAS, 3 * KAS, KAS]));
    let chosen = BTreeSet::from([outpoint(2), outpoint(3)]);
    let sweep = drafted(&keyed, &view, Purpose::Sweep(&chosen)).unwrap();
    assert_eq!((sweep.kind, sweep.outpoints()), (ProposalKind::Sweep, chosen));
    assert_eq!(checked(&keyed, &view, &sweep), Ok(()));
}

#[test]
fn a_migration_pays_the_successor_and_nobody_else() {
    let (keyed, view) = (keyed(2, 3), keyed(2, 3).view(&[9 * KAS, 3 * KAS]));
    let moved = drafted(&keyed, &view, Purpose::Migrate(&recipient(9))).unwrap();
    assert_eq!((moved.inputs.len(), moved.outputs[0].script.clone()), (2, recipient(9)));
    assert_eq!(checked(&keyed, &view, &moved), Ok(()));
    let elsewhere = drafted(&keyed, &view, Purpose::Migrate(&recipient(8))).unwrap();
    assert_eq!(checked(&keyed, &view, &elsewhere), Err(CheckError::StrangeChange));
    let terms = Terms { payments: &[], successor: None, limits: &LIMITS };
    let alone = igra_tx::check(&keyed.group, &view, &moved, &terms);
    assert_eq!(alone, Err(CheckError::NoSuccessor));
}

#[test]
fn tags_are_at_most_one_a_member() {
    let (keyed, view) = (keyed(2, 3), keyed(2, 3).view(&[9 * KAS]));
    let (avoid, purpose) = (BTreeSet::new(), Purpose::Void(&[event(1)]));
    for (count, good) in [(3, true), (4, false)] {
        let tags: BTreeSet<Tag> = (0..count).map(tag).collect();
        let draft = Draft { purpose, tags: &tags, limits: &LIMITS, avoid: &avoid, must_share: &[] };
        let void = igra_tx::draft(&keyed.group, &view, &draft).unwrap();
        assert_eq!(checked(&keyed, &view, &void).is_ok(), good, "{count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Invariant 5 where nobody is paid: whatever is changed at the outputs, the group alone may get them.
    #[test]
    fn invariant_5_only_the_group_is_paid_where_no_event_is(
        kind in prop::sample::select(vec![ProposalKind::Void, ProposalKind::Consolidate, ProposalKind::Sweep]),
        outputs in proptest::collection::vec((any::<bool>(), 1u64..20 * KAS), 0..3),
    ) {
        let (keyed, view) = (keyed(2, 3), keyed(2, 3).view(&[KAS; 9]));
        let all: BTreeSet<Outpoint> = view.coins.keys().copied().collect();
        let purpose = match kind {
            ProposalKind::Void => Purpose::Void(&[event(1)]),
            ProposalKind::Consolidate => Purpose::Consolidate,
            _ => Purpose::Sweep(&all),
        };
        let mut proposal = drafted(&keyed, &view, purpose).unwrap();
        let home = Script::of_wallet(keyed.group.wallet());
        let script = |own: bool| if own { home.clone() } else { recipient(3) };
        proposal.outputs =
            outputs.iter().map(|(own, amount)| Output { script: script(*own), amount: Sompi(*amount) }).collect();
        if checked(&keyed, &view, &proposal).is_ok() {
            prop_assert_eq!(proposal.outputs.len(), 1);
            prop_assert_eq!(&proposal.outputs[0].script, &home);
            prop_assert!(proposal.fee().unwrap() <= LIMITS.max);
        }
    }
}
