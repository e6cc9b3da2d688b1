//! Invariant 5, from the other side: a good proposal with one thing changed is refused, each for its own reason.

use igra_group::Sompi;
use igra_tx::{ChainView, CheckError, Coin, Output, Payment, Proposal, ProposalKind, Script};

use crate::fixture::{KAS, Keyed, LIMITS, NOW, check, keyed, keyed_with, outpoint, payment, recipient};

fn group() -> Keyed {
    keyed(2, 3)
}

#[test]
fn a_good_proposal_is_approved() {
    let (keyed, good) = (group(), group().good());
    assert_eq!(check(&keyed.group, &good.view, &good.proposal, &good.payments, &LIMITS), Ok(()));
    assert_eq!((good.proposal.inputs.len(), good.proposal.outputs.len()), (2, 3));
    assert_eq!(good.proposal.change(&keyed.group), good.proposal.outputs.last());
}

/// Name, change, and the code for which it is refused.
type Row = (&'static str, fn(&mut Proposal), &'static str);

const CHANGES: &[Row] = &[
    ("another group", |p| p.group.0.0[0] ^= 1, "group"),
    ("a void", |p| p.kind = ProposalKind::Void, "payload"),
    ("no event", |p| p.events.clear(), "event-count"),
    ("65 events", |p| p.events = vec![p.events[0]; 65], "event-count"),
    ("an event twice", |p| p.events[1] = p.events[0], "event-order"),
    ("events swapped", |p| p.events.swap(0, 1), "event-order"),
    ("an event left out", |p| p.events.truncate(1), "events"),
    ("an event more", |p| p.events.push(igra_tx::EventKey::from_bytes([255; 32])), "events"),
    ("another event", |p| p.events[1] = igra_tx::EventKey::from_bytes([255; 32]), "events"),
    ("payload left out", |p| p.payload.clear(), "payload"),
    ("payload with another magic", |p| p.payload[0] ^= 1, "payload"),
    ("payload of another version", |p| p.payload[4] ^= 1, "payload"),
    ("payload that says void", |p| p.payload[5] ^= 1, "payload"),
    ("payload with another count", |p| p.payload[6] -= 1, "payload"),
    ("payload with another event", |p| p.payload[7] ^= 1, "payload"),
    ("payload with a tag count", |p| *p.payload.last_mut().unwrap() = 1, "payload"),
    ("payload with a byte more", |p| p.payload.push(0), "payload"),
    ("no input", |p| p.inputs.clear(), "input-count"),
    ("65 inputs", |p| p.inputs = vec![p.inputs[0].clone(); 65], "input-count"),
    ("an input twice", |p| p.inputs[1] = p.inputs[0].clone(), "duplicate-input"),
    ("inputs swapped", |p| p.inputs.swap(0, 1), "input-order"),
    ("a coin of somebody else", |p| p.inputs[0].script = recipient(9), "foreign-coin"),
    ("the group's script in another version", |p| p.inputs[0].script.version = 1, "foreign-coin"),
    ("an unknown coin", |p| p.inputs[0].outpoint.index += 9, "unknown-coin"),
    ("a coin worth one more", |p| p.inputs[0].amount.0 += 1, "coin-differs"),
    ("a coin worth one less", |p| p.inputs[0].amount.0 -= 1, "coin-differs"),
    ("a coin said to be older", |p| p.inputs[0].daa_score -= 1, "coin-differs"),
    ("a coin said to be a coinbase", |p| p.inputs[0].coinbase = true, "coin-differs"),
    ("a coin said to be dust", |p| p.inputs[0].amount = Sompi(1_999_999), "dust-coin"),
    ("another recipient", |p| p.outputs[0].script = recipient(9), "recipient"),
    ("a recipient in another version", |p| p.outputs[0].script.version = 1, "recipient"),
    ("a payment to the group", |p| p.outputs[0].script = p.outputs[2].script.clone(), "recipient"),
    ("payments swapped", |p| p.outputs.swap(0, 1), "recipient"),
    ("one paid one more", |p| p.outputs[0].amount.0 += 1, "amount"),
    ("one paid one less", |p| p.outputs[1].amount.0 -= 1, "amount"),
    ("one paid nothing", |p| p.outputs[1].amount.0 = 0, "amount"),
    (
        "an extra output",
        |p| p.outputs.push(Output { script: recipient(9), amount: Sompi(KAS) }),
        "output-count",
    ),
    ("change in two", |p| p.outputs.push(p.outputs[2].clone()), "output-count"),
    ("a payment left out", |p| p.outputs.truncate(1), "output-count"),
    ("no output", |p| p.outputs.clear(), "output-count"),
    ("change before a payment", |p| p.outputs.swap(1, 2), "recipient"),
    ("change to a stranger", |p| p.outputs[2].script = recipient(9), "strange-change"),
    ("change to a recipient", |p| p.outputs[2].script = p.outputs[0].script.clone(), "strange-change"),
    ("dust for change", |p| p.outputs[2].amount = Sompi(1_999_999), "dust-change"),
    ("change into the fee", |p| drop(p.outputs.pop()), "fee-too-high"),
    ("one too much into the fee", |p| p.outputs[2].amount.0 -= KAS, "fee-too-high"),
    ("one below the least fee", |p| p.outputs[2].amount.0 += 1, "fee-too-low"),
    ("no fee", |p| p.outputs[2].amount.0 += p.fee().unwrap().0, "fee-too-low"),
    ("more than there is", |p| p.outputs[2].amount.0 += p.fee().unwrap().0 + 1, "overspent"),
    ("more than 64 bits", |p| p.outputs[2].amount.0 = u64::MAX, "amounts"),
    ("more money than exists", |p| p.outputs[2].amount.0 = 29_000_000_000 * KAS, "amounts"),
];

#[test]
fn invariant_5_one_thing_changed_is_refused_for_its_own_reason() {
    let (keyed, good) = (group(), group().good());
    for (name, change, code) in CHANGES {
        let mut changed = good.proposal.clone();
        change(&mut changed);
        let refused = check(&keyed.group, &good.view, &changed, &good.payments, &LIMITS);
        assert_eq!(refused.as_ref().map_err(CheckError::code), Err(*code), "{name}: {refused:?}");
    }
}

/// What the own node shows, changed for the coin that the proposal names first; the proposal says the same.
fn refused_for(change: impl Fn(&mut Coin, &mut ChainView)) -> CheckError {
    let (keyed, mut good) = (group(), group().good());
    let mut coin = good.proposal.inputs[0].clone();
    change(&mut coin, &mut good.view);
    good.view.coins.insert(coin.outpoint, coin.clone());
    good.proposal.inputs[0] = coin;
    check(&keyed.group, &good.view, &good.proposal, &good.payments, &LIMITS).unwrap_err()
}

#[test]
fn a_coin_is_spent_only_from_the_depth_of_its_kind() {
    let at = outpoint(1);
    let too_young = |depth, needed| CheckError::TooYoung { outpoint: at, depth, needed };

    let deposit = refused_for(|coin, _| coin.daa_score = NOW - 999);
    let own = refused_for(|coin, view| {
        coin.daa_score = NOW - 99;
        view.own.insert(at.transaction);
    });
    let coinbase = refused_for(|coin, view| {
        (coin.daa_score, coin.coinbase) = (NOW - 35_999, true);
        view.own.insert(at.transaction);
    });
    let future = refused_for(|coin, _| coin.daa_score = NOW + 5);

    assert_eq!(deposit, too_young(999, 1_000));
    assert_eq!(own, too_young(99, 100));
    assert_eq!(coinbase, too_young(35_999, 36_000));
    assert_eq!(future, too_young(0, 1_000));
    assert_eq!(deposit.outpoints(), [at]);
}

#[test]
fn a_coin_at_exactly_its_depth_is_spent() {
    let (keyed, mut good) = (group(), group().good());
    for coin in &mut good.proposal.inputs {
        coin.daa_score = NOW - 100;
        good.view.own.insert(coin.outpoint.transaction);
        good.view.coins.insert(coin.outpoint, coin.clone());
    }
    assert_eq!(check(&keyed.group, &good.view, &good.proposal, &good.payments, &LIMITS), Ok(()));
}

#[test]
fn a_coin_that_the_own_node_does_not_show_is_refused_by_name() {
    let (keyed, mut good) = (group(), group().good());
    good.view.coins.remove(&outpoint(2));
    let refused = check(&keyed.group, &good.view, &good.proposal, &good.payments, &LIMITS).unwrap_err();
    assert_eq!((refused.code(), refused.outpoints()), ("unknown-coin", vec![outpoint(2)]));
}

#[test]
fn what_was_verified_here_decides_and_not_what_is_proposed() {
    let (keyed, good) = (group(), group().good());
    let code = |expected: &[Payment]| {
        check(&keyed.group, &good.view, &good.proposal, expected, &LIMITS).map_err(|refused| refused.code())
    };
    let [first, second] = good.payments.clone();
    let dearer = Payment { amount: Sompi(second.amount.0 + 1), ..second.clone() };

    assert_eq!(code(&[second.clone(), first.clone()]), Ok(()));
    assert_eq!(code(&[first.clone(), dearer]), Err("amount"));
    assert_eq!(code(std::slice::from_ref(&first)), Err("events"));
    assert_eq!(code(&[]), Err("events"));
    assert_eq!(code(&[first.clone(), second.clone(), second.clone()]), Err("events"));
    assert_eq!(code(&[first, second, payment(3, KAS)]), Err("events"));
}

#[test]
fn a_recipient_that_nodes_do_not_relay_to_is_refused() {
    let (keyed, mut good) = (group(), group().good());
    let odd = Script { version: 0, bytes: vec![0x51] };
    good.payments[0].recipient = odd.clone();
    let at = good.proposal.events.iter().position(|event| *event == good.payments[0].event).unwrap();
    good.proposal.outputs[at].script = odd;
    let refused = check(&keyed.group, &good.view, &good.proposal, &good.payments, &LIMITS).unwrap_err();
    assert_eq!(refused.code(), "not-standard");
}

#[test]
fn a_group_with_another_threshold_does_not_take_it() {
    let good = group().good();
    let other = keyed_with(igra_group::SignatureScheme::Schnorr, 3, 3);
    let refused = check(&other.group, &good.view, &good.proposal, &good.payments, &LIMITS);
    assert_eq!(refused, Err(CheckError::Group));
}
