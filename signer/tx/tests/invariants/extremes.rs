//! No value of a proposal makes this crate panic, whatever a peer puts into one.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::{GroupId, MemberIndex, Sompi};
use igra_tx::{
    Coin, EventKey, FeeLimits, FeeRate, Masses, Outpoint, Output, Partial, PayloadHash, Payment, Proposal,
    ProposalKind, Script, Signature, SignedTransaction, TransactionId, combine, sighashes, sign,
    verify_partial,
};
use proptest::prelude::*;

use crate::fixture::{check, draft, keyed, payment, recipient, view_of};

fn amount() -> impl Strategy<Value = Sompi> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX - 1), 1..10_000_000_000u64, any::<u64>()]
        .prop_map(Sompi)
}

fn script() -> impl Strategy<Value = Script> {
    let ours = Script::of_wallet(keyed(2, 3).group.wallet());
    let odd = (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..40));
    prop_oneof![
        Just(ours),
        (0u8..3).prop_map(recipient),
        odd.prop_map(|(version, bytes)| Script { version, bytes }),
        Just(Script { version: 0, bytes: vec![0; 20_000] }),
    ]
}

fn coin() -> impl Strategy<Value = Coin> {
    (0u8..4, 0u32..3, amount(), script(), any::<u64>(), any::<bool>()).prop_map(
        |(id, index, amount, script, daa_score, coinbase)| Coin {
            outpoint: Outpoint { transaction: TransactionId::from_bytes([id; 32]), index },
            amount,
            script,
            daa_score,
            coinbase,
        },
    )
}

fn proposal() -> impl Strategy<Value = Proposal> {
    let group = prop_oneof![9 => Just(keyed(2, 3).group.id()), 1 => Just(GroupId::from_bytes([0; 32]))];
    let kind =
        prop_oneof![9 => Just(ProposalKind::Pay), 1 => prop::sample::select(ProposalKind::ALL.to_vec())];
    let output = (script(), amount()).prop_map(|(script, amount)| Output { script, amount });
    (
        group,
        kind,
        proptest::collection::vec((0u8..3).prop_map(|i| payment(i, 1).event), 0..4),
        proptest::collection::vec(coin(), 0..6),
        proptest::collection::vec(output, 0..6),
        proptest::collection::vec(any::<u8>(), 0..60),
    )
        .prop_map(|(group, kind, events, inputs, outputs, payload)| Proposal {
            group,
            kind,
            events,
            inputs,
            outputs,
            payload,
        })
}

fn due(proposal: &Proposal) -> Vec<Payment> {
    let events: BTreeSet<EventKey> = proposal.events.iter().copied().collect();
    let paid = events.into_iter().zip(&proposal.outputs);
    paid.map(|(event, output)| Payment {
        event,
        payload: PayloadHash::derive(&output.script, output.amount, b""),
        recipient: output.script.clone(),
        amount: output.amount,
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn invariant_16_no_value_of_a_proposal_panics(
        proposal in proposal(), sorted: bool, daa: u64, rate: u64, max_sompi_per_gram: u64, max in amount(),
    ) {
        let keyed = keyed(2, 3);
        let group = &keyed.group;
        let mut proposal = proposal;
        if sorted {
            proposal.events = due(&proposal).iter().map(|payment| payment.event).collect();
            proposal.inputs.sort_by_key(|coin| coin.outpoint);
            proposal.payload = igra_tx::payload::encode(proposal.kind, &proposal.events, &Default::default());
        }
        let mut view = view_of(proposal.inputs.clone());
        (view.virtual_daa, view.fee_rate) = (daa, FeeRate::new(rate));
        let (limits, due) = (FeeLimits { max_sompi_per_gram, max }, due(&proposal));

        let _ = check(group, &view, &proposal, &due, &limits);
        let _ = draft(group, &view, &due, &limits, &BTreeSet::new(), &[&proposal]);
        let _ = (proposal.id(), proposal.transaction_id(), proposal.fee(), proposal.outpoints());
        let _ = (proposal.change(group), Masses::of(group, &proposal), sighashes(group, &proposal));
        let partial = Partial {
            proposal: proposal.id(),
            member: MemberIndex(0),
            signatures: vec![Signature([7; 64]); proposal.inputs.len()],
        };
        let _ = verify_partial(group, &proposal, &partial);
        let _ = combine(group, &proposal, &BTreeMap::from([(MemberIndex(0), partial)]));
        if let Ok(first) = sign(group, &proposal, MemberIndex(0), |hash| keyed.signature(0, hash)) {
            let second = keyed.partial(&proposal, 2);
            let _ = combine(group, &proposal, &BTreeMap::from([(MemberIndex(0), first), (MemberIndex(2), second)]));
        }
        let scripts = vec![vec![0x41; 70]; proposal.inputs.len()];
        let signed = SignedTransaction { proposal, signature_scripts: scripts, sig_ops: 3 };
        let _ = (signed.id(), signed.to_kaspa(), signed.verify(group));
    }
}
