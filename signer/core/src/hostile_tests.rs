//! What a lying or forgetful member, or a damaged disk, must not bring about.

use std::collections::BTreeSet;

use igra_group::MemberIndex;
use igra_tx::{ChainView, FeeRate, Proposal};

use crate::{
    Alarm, Effect, Family, Ignored, Input, MessageKind, Policy, Records, RefusalCode, To, VerifiedEvent,
    Volume, VolumeScope, VolumeWindow,
    messages::{Announce, Approve, Body, Header, Message, Propose, Refuse, Status},
    test_kit::{Signer, coin, draft, event, event_of, partial, policy, seal_as},
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
    draft(&signer.group, &view, payment).unwrap()
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

#[test]
fn a_key_that_cannot_sign_gives_its_volume_back_and_ends_all_promises_with_an_alarm() {
    let limit = igra_group::Sompi(600_000_000);
    let volume =
        Volume { window: VolumeWindow::Rolling { seconds: 3_600 }, limit, scope: VolumeScope::Group };
    let mut signer = Signer::with_policy(1, Q2, Policy { volumes: vec![volume], ..policy() });
    signer.take(Input::Event(event(1)));
    signer.take(Input::Event(event(2)));
    let state = |signer: &Signer| signer.mind.session(&event(2).payment.event).unwrap().state;
    let proposal = proposal_from(&signer, &event(1), 10);
    signer.hear_unsigned(0, &propose(&proposal));
    assert_eq!(state(&signer), crate::SessionState::Held);

    let failed = Input::SignFailed { proposal: proposal.id(), reason: "no key".to_owned() };
    let step = signer.take(failed.clone());

    assert_eq!(step.alarms, [Alarm::SignFailed { proposal: proposal.id(), reason: "no key".to_owned() }]);
    assert_eq!((state(&signer), signer.mind.view().stopped), (crate::SessionState::Verified, true));
    assert_eq!(signer.take(failed).ignored(), Some(Ignored::NothingToSign));
}

#[test]
fn approvals_of_one_member_make_this_one_keep_few_proposals_and_leave_room_for_others() {
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::Event(event(1)));
    let approve = |signer: &mut Signer, from: u8, number: u64| {
        let proposal = igra_tx::ProposalId::from_bytes([number as u8; 32]);
        let Message::Approve(approve) =
            approval_naming(signer, from, &proposal_from(signer, &event(1), 10), &event(1))
        else {
            unreachable!("it makes approvals")
        };
        signer.hear(from, &Message::Approve(Approve { proposal, promise: number, ..approve })).ignored()
    };
    let refused =
        (1..=100).filter(|number| approve(&mut signer, 2, *number) == Some(Ignored::TooMany)).count();
    assert_eq!((refused, signer.mind.offers.iter().count()), (84, 16));
    assert_eq!(approve(&mut signer, 0, 200), None);
}

#[test]
fn a_peer_is_asked_once_between_exchanges_for_what_names_no_event() {
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::Event(event(1)));
    let asks = |signer: &mut Signer, number: u8| {
        let proposal = igra_tx::ProposalId::from_bytes([number; 32]);
        let Message::Approve(approve) =
            approval_naming(signer, 2, &proposal_from(signer, &event(1), 10), &event(1))
        else {
            unreachable!("it makes approvals")
        };
        let told = Approve { proposal, promise: u64::from(number), events: Vec::new(), ..approve };
        let step = signer.hear(2, &Message::Approve(told));
        step.sent_kinds().into_iter().filter(|kind| *kind == MessageKind::Digest).count()
    };

    // Each answer may show more of them: were each asked about, the two would talk without end.
    assert_eq!([1, 2, 3].map(|number| asks(&mut signer, number)), [1, 0, 0]);
    signer.after(60_000);
    assert_eq!(asks(&mut signer, 4), 1);
}

#[test]
fn an_offer_whose_only_approval_is_none_of_it_is_forgotten() {
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::Event(event(1)));
    let proposal = proposal_from(&signer, &event(2), 10);
    signer.hear(2, &approval_naming(&signer, 2, &proposal, &event(1)));
    assert_eq!(signer.mind.offers.iter().count(), 1);

    signer.hear(2, &Message::Body(Body { proposal: borsh::to_vec(&proposal).unwrap() }));

    assert_eq!(signer.mind.offers.iter().count(), 0);
    assert!(signer.mind.sessions[&event(1).payment.event].offers.is_empty());
}

#[test]
fn an_event_keeps_a_bounded_number_of_proposals_and_never_loses_an_own_approval() {
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::Event(event(1)));
    let own = proposal_from(&signer, &event(1), 10);
    signer.hear(0, &propose(&own));
    for view in 1..=400u64 {
        // Each view's proposer offers another coin, and none is approved: they share no input with the own approval.
        let mut other = proposal_from(&signer, &event(1), 20);
        other.inputs[0].daa_score = view;
        let proposal = borsh::to_vec(&other).unwrap();
        signer.hear((view % 3) as u8, &Message::Propose(Propose { view, proposal }));
    }
    assert!(signer.mind.sessions[&event(1).payment.event].offers.len() <= 256);
    assert_eq!(signer.mind.own_approvals(&event(1).payment.event).count(), 1);
}

#[test]
fn what_is_refused_is_forgotten_with_the_coin() {
    let mut signer = Signer::new(1, Q2);
    signer.take(Input::Event(event(1)));
    let proposal = proposal_from(&signer, &event(1), 10);
    signer.hear(0, &propose(&proposal));
    let outpoints: Vec<_> = proposal.outpoints().into_iter().collect();
    let refuse = Refuse {
        proposal: proposal.id(),
        view: 0,
        code: RefusalCode::Check,
        detail: String::new(),
        outpoints,
        events: Vec::new(),
    };
    signer.hear(2, &Message::Refuse(refuse));
    assert_eq!(signer.mind.refused_coins.len(), 1);

    signer.wallet(vec![coin(&signer.group, 20, 20)]);

    assert_eq!(signer.mind.refused_coins.len(), 0);
}

#[test]
fn what_was_spent_before_every_window_is_forgotten_with_its_row_and_what_is_reserved_is_not() {
    let limit = igra_group::Sompi(10_000_000_000);
    let volume = Volume { window: VolumeWindow::UtcDay, limit, scope: VolumeScope::Group };
    let mut signer = Signer::with_policy(1, Q2, Policy { volumes: vec![volume], ..policy() });
    let proposals = [1, 2, 3].map(|id| {
        signer.take(Input::Event(event(id)));
        proposal_from(&signer, &event(id), id * 10)
    });
    signer.hear(0, &propose(&proposals[2]));
    signer.accept(1, 100, 130, &[&proposals[0]]);
    let week = 7 * 86_400;
    signer.now.utc.0 += week;

    // The clock alone may be wrong: the chain has to have grown as well.
    signer.accept(2, 140, 170, &[]);
    assert_eq!(signer.mind.volumes.iter().count(), 2);
    let later = 100 + week * 10;
    signer.accept(3, later, later + 30, &[&proposals[1]]);

    let counted: Vec<_> = signer.mind.volumes.iter().map(|(event, _)| *event).collect();
    let rows = signer.rows.keys().filter(|(family, _)| *family == Family::Volume).count();
    let mut expected = vec![event(2).payment.event, event(3).payment.event];
    expected.sort();
    assert_eq!((counted, rows), (expected, 2));
}

#[test]
fn other_evidence_for_a_known_event_goes_through_the_verifier_once_and_another_payload_raises_the_alarm() {
    let mut signer = Signer::new(1, Q2);
    signer.take(Input::Event(event(1)));
    let mut other = event_of(1, 1);
    other.evidence.bytes.push(1);
    let announce = Announce { event: other.payment.event, evidence: other.evidence.clone() };
    let announce = Message::Announce(announce);

    let asked = signer.hear(2, &announce);
    let verified = signer.take(Input::Verified { from: MemberIndex(2), event: other });
    let again = signer.hear(2, &announce);

    assert!(matches!(asked.effects.as_slice(), [Effect::Verify { .. }]), "{asked:?}");
    let alarm = Alarm::Replayed { event: event(1).payment.event, from: Some(MemberIndex(2)) };
    assert_eq!(verified.alarms, [alarm]);
    assert_eq!(again.ignored(), Some(Ignored::VerifyFailed));
}

#[test]
fn what_the_final_transaction_paid_is_what_is_remembered_and_counted() {
    let mut signer = Signer::new(1, Q2);
    signer.take(Input::Event(event(1)));
    let other = event_of(1, 700_000_000);
    let proposal = proposal_from(&signer, &other, 10);
    assert_eq!(signer.hear(0, &propose(&proposal)).refusals(), [RefusalCode::Check]);

    let step = signer.accept(1, 100, 130, &[&proposal]);

    let key = event(1).payment.event;
    assert_eq!(signer.mind.session(&key).unwrap().amount, Some(other.payment.amount));
    assert_eq!(signer.mind.volumes.get(&key).unwrap().amount, other.payment.amount);
    assert_eq!(step.alarms, [Alarm::Replayed { event: key, from: None }]);
}
