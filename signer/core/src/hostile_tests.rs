//! What a lying or forgetful member, or a damaged disk, must not bring about.

use std::collections::BTreeSet;

use igra_group::MemberIndex;
use igra_tx::{ChainView, FeeRate, Proposal, draft};

use crate::{
    Effect, Family, Ignored, Input, Policy, Records, To, VerifiedEvent, Volume, VolumeScope, VolumeWindow,
    messages::{Approve, Body, Header, Message, Propose, Status},
    test_kit::{Signer, coin, event, partial, policy, seal_as},
};

const Q2: u8 = 2;
const Q3: u8 = 3;

fn proposal_from(signer: &Signer, event: &VerifiedEvent, kas: u64) -> Proposal {
    let coin = coin(&signer.group, kas as u8, kas);
    let view = ChainView {
        virtual_daa: 100,
        coins: [(coin.outpoint, coin)].into(),
        own: BTreeSet::new(),
        fee_rate: FeeRate::new(100),
    };
    let payment = std::slice::from_ref(&event.payment);
    draft(&signer.group, &view, payment, &policy().fee, &BTreeSet::new(), &[]).unwrap()
}

/// An approval that says of a proposal that it pays these events.
fn approval_naming(signer: &Signer, from: u8, proposal: &Proposal, named: &VerifiedEvent) -> Message {
    let at_once = signer.group.quorum().get() == 2;
    let signed = || partial(&signer.group, MemberIndex(from), proposal).signatures;
    Message::Approve(Approve {
        proposal: proposal.id(),
        events: vec![named.payment.event],
        config: signer.group.config_digest(),
        promise: 1,
        view: 0,
        signatures: at_once.then(signed),
    })
}

fn propose(proposal: &Proposal) -> Message {
    Message::Propose(Propose { view: 0, proposal: borsh::to_vec(proposal).unwrap() })
}

#[test]
fn an_own_approval_binds_although_its_body_came_before_its_event() {
    let mut signer = Signer::new(1, Q3);
    let (known, late) = (event(2), event(1));
    signer.take(Input::Event(known.clone()));
    let first = proposal_from(&signer, &late, 10);
    signer.hear(2, &approval_naming(&signer, 2, &first, &known));
    signer.hear(2, &Message::Body(Body { proposal: borsh::to_vec(&first).unwrap() }));
    signer.take(Input::Event(late.clone()));
    signer.hear(0, &propose(&first));
    assert_eq!(signer.mind.own_approvals(&late.payment.event).count(), 1);

    let elsewhere = proposal_from(&signer, &late, 20);

    assert!(signer.mind.is_anchored(&elsewhere).is_err());
}

#[test]
fn an_approval_that_names_another_event_leaves_no_trace_there() {
    let mut signer = Signer::new(1, Q2);
    let (paid, other) = (event(1), event(2));
    signer.take(Input::Event(paid.clone()));
    signer.take(Input::Event(other.clone()));
    let proposal = proposal_from(&signer, &paid, 10);
    signer.hear(0, &propose(&proposal));

    let step = signer.hear(2, &approval_naming(&signer, 2, &proposal, &other));

    assert_eq!(step.ignored(), Some(Ignored::Mismatch));
    assert_eq!(signer.mind.own_approvals(&other.payment.event).count(), 0);
    assert!(signer.mind.is_anchored(&proposal_from(&signer, &other, 20)).is_ok());
}

#[test]
fn an_approval_whose_body_is_lost_is_a_damaged_store() {
    let mut signer = Signer::new(1, Q2);
    signer.take(Input::Event(event(1)));
    let proposal = proposal_from(&signer, &event(1), 10);
    signer.hear(0, &propose(&proposal));
    let kept = |family: &Family| *family != Family::Proposal;
    let rows = signer.rows.iter().filter(|((family, _), _)| kept(family));

    let read = Records::read(rows.map(|((family, key), value)| (*family, key.clone(), value.clone())));

    assert!(read.is_err());
}

#[test]
fn a_payment_that_others_made_counts_in_the_window_until_it_is_undone() {
    let limit = igra_group::Sompi(600_000_000);
    let volume =
        Volume { window: VolumeWindow::Rolling { seconds: 3_600 }, limit, scope: VolumeScope::Group };
    let mut signer = Signer::with_policy(1, Q2, Policy { volumes: vec![volume], ..policy() });
    signer.take(Input::Event(event(1)));
    signer.take(Input::Event(event(2)));
    let paid = proposal_from(&signer, &event(1), 10);

    signer.accept(1, 99, 100, &[&paid]);
    let held = signer.mind.session(&event(2).payment.event).unwrap().state;
    signer.reorganise(1, 101);
    let free = signer.mind.session(&event(2).payment.event).unwrap().state;

    assert_eq!((held, free), (crate::SessionState::Held, crate::SessionState::Verified));
}

#[test]
fn a_member_that_fell_back_to_an_old_epoch_is_shown_its_own_promise_once() {
    let mut signer = Signer::new(1, Q2);
    signer.take(Input::Event(event(1)));
    let proposal = proposal_from(&signer, &event(1), 10);
    let group = signer.group.clone();
    let sealed = |epoch: u64, sequence: u64, message: &Message| {
        let (network, group) = (group.network(), group.id());
        let header = Header { network, group, member: MemberIndex(2), epoch, sequence, kind: message.kind() };
        seal_as(&header, &message.encode())
    };
    let promise = sealed(5, 1, &approval_naming(&signer, 2, &proposal, &event(1)));
    signer.take(Input::Received(promise.clone()));

    let status = Message::Status(Status { view: 0 });
    let first = signer.take(Input::Received(sealed(1, 1, &status)));
    let second = signer.take(Input::Received(sealed(1, 2, &status)));

    assert!(
        first.effects.contains(&Effect::Relay { to: To::Member(MemberIndex(2)), sealed: promise.clone() })
    );
    assert!(!second.effects.iter().any(|effect| matches!(effect, Effect::Relay { .. })));
}

#[test]
fn a_deadline_that_passes_while_the_signature_is_made_ends_the_approval() {
    let mut signer = Signer::new(1, Q2);
    let mut late = event(1);
    late.deadline = Some(signer.now.utc);
    signer.take(Input::Event(late.clone()));
    let proposal = proposal_from(&signer, &late, 10);
    signer.hear_unsigned(0, &propose(&proposal));

    signer.now.utc.0 += 1;
    let step = signer.take(Input::Signed(partial(&signer.group, signer.me, &proposal)));

    assert_eq!((step.ignored(), step.sent()), (Some(Ignored::Denied), Vec::new()));
    assert_eq!(signer.mind.own_approvals(&late.payment.event).count(), 0);
}
