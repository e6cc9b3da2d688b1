//! Several events in one transaction: who waits for whom, and who holds back nobody.

use super::*;
use crate::{BatchRules, Millis};

fn batching(me: u8, most: u8, wait_ms: u64) -> Signer {
    let batch = BatchRules { most, wait: Millis(wait_ms) };
    Signer::with_policy(me, Q2, Policy { batch, ..policy() })
}

const NONE: [usize; 0] = [];

fn events_of(step: &crate::Step) -> Vec<usize> {
    step.proposals().iter().map(|proposal| proposal.events.len()).collect()
}

#[test]
fn events_that_come_within_the_wait_share_one_transaction() {
    let mut signer = batching(0, 64, 200);
    for id in 1..=3 {
        assert_eq!(events_of(&signer.take_and_sign(Input::Event(event(id)))), NONE);
    }
    assert_eq!(signer.mind.next_deadline(), Some(Millis(signer.now.monotonic.0 + 200)));
    assert_eq!(events_of(&signer.after(199)), NONE);
    assert_eq!(events_of(&signer.after(1)), [3]);
}

#[test]
fn a_full_batch_waits_no_longer() {
    let mut signer = batching(0, 2, 10_000);
    assert_eq!(events_of(&signer.take_and_sign(Input::Event(event(1)))), NONE);
    assert_eq!(events_of(&signer.take_and_sign(Input::Event(event(2)))), [2]);
}

#[test]
fn waiting_for_company_does_not_end_the_view() {
    let mut signer = batching(1, 64, 3_000);
    signer.take(Input::Event(event(1)));
    signer.after(3_999);
    assert_eq!(signer.mind.view().view, 0);
    signer.after(1);
    assert_eq!(signer.mind.view().view, 1);
}

#[test]
fn what_the_coins_do_not_cover_waits_for_the_next_transaction() {
    let mut signer = batching(0, 64, 200);
    for id in 1..=2 {
        signer.take_and_sign(Input::Event(event_of(id, 3_500_000_000)));
    }
    // 60 KAS cannot make both payments of 35.
    assert_eq!(events_of(&signer.after(200)), [1]);
}

#[test]
fn an_event_that_the_coins_cannot_pay_holds_back_no_other() {
    let mut signer = batching(0, 64, 200);
    signer.take_and_sign(Input::Event(event_of(1, 2_500_000_000)));
    signer.after(200);
    // The coin of 30 KAS is bound: too few remain for the older of these two.
    signer.take_and_sign(Input::Event(event_of(2, 5_500_000_000)));
    signer.after(10);
    signer.take_and_sign(Input::Event(event_of(3, 300_000_000)));
    let offered = signer.after(190).proposals();
    assert!(offered.iter().any(|proposal| proposal.events == [key(&event(3))]), "{offered:?}");
}

#[test]
fn a_batch_above_what_the_policy_lets_one_transaction_pay_is_refused() {
    let mut signer = batching(1, 1, 0);
    for id in 1..=2 {
        signer.take(Input::Event(event(id)));
    }
    let proposal = batch_of(&signer, &[event(1), event(2)]);
    let step = signer.hear(0, &propose(0, &proposal));
    assert_eq!(step.refusals(), [RefusalCode::Policy]);
}

#[test]
fn each_event_of_a_batch_counts_beside_the_others() {
    let volume =
        Volume { window: VolumeWindow::UtcDay, limit: Sompi(800_000_000), scope: VolumeScope::Group };
    let mut signer = Signer::with_policy(1, Q2, Policy { volumes: vec![volume], ..policy() });
    for id in 1..=2 {
        signer.take(Input::Event(event(id)));
    }
    let both = batch_of(&signer, &[event(1), event(2)]);
    let step = signer.hear(0, &propose(0, &both));
    assert_eq!(step.refusals(), [RefusalCode::Held]);
    let alone = proposal_from(&signer, &event(1), 20);
    let step = signer.hear(1, &propose(1, &alone));
    assert!(step.refusals().is_empty(), "{step:?}");
}

#[test]
fn an_event_that_too_many_refuse_by_its_name_goes_alone() {
    let mut signer = batching(0, 64, 200);
    for id in 1..=3 {
        signer.take_and_sign(Input::Event(event(id)));
    }
    let batch = signer.after(200).proposals().remove(0);
    for member in [1, 2] {
        let refuse = Refuse {
            proposal: batch.id(),
            view: 0,
            code: RefusalCode::UnknownEvent,
            detail: String::new(),
            outpoints: Vec::new(),
            events: vec![key(&event(2))],
        };
        signer.hear(member, &Message::Refuse(refuse));
    }
    let fresh: Vec<EventKey> = (1..=3).map(|id| key(&event(id))).collect();
    let mut sizes: Vec<usize> = signer.mind.batches(fresh).iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2]);
}

#[test]
fn a_batch_waits_for_the_verifier_to_know_all_its_events() {
    let mut signer = Signer::new(1, Q2);
    signer.take(Input::Event(event(1)));
    let proposal = batch_of(&signer, &[event(1), event(2)]);
    let step = signer.hear(0, &propose(0, &proposal));
    assert_eq!(step.ignored(), Some(Ignored::UnknownEvent));
    let step = signer.take_and_sign(Input::Verified { from: MemberIndex(0), event: event(2) });
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn an_approval_of_a_batch_binds_for_each_of_its_events() {
    let mut signer = Signer::new(1, Q2);
    for id in 1..=2 {
        signer.take(Input::Event(event(id)));
    }
    let both = batch_of(&signer, &[event(1), event(2)]);
    let step = signer.hear(0, &propose(0, &both));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
    assert_eq!(rows(&step, Family::Volume), 2);
    signer.hear(0, &Message::Status(Status { view: 3 }));
    signer.hear(2, &Message::Status(Status { view: 3 }));
    let spent: Vec<u64> = both.inputs.iter().map(|coin| coin.amount.0 / 100_000_000).collect();
    let other = [10, 20, 30].into_iter().find(|kas| !spent.contains(kas)).expect("a coin is left");
    let rival = proposal_from(&signer, &event(2), other);
    assert_eq!(signer.hear(0, &propose(3, &rival)).refusals(), [RefusalCode::Anchor]);
}

/// What a member approved for an event, from the coin of 10 KAS, comes to be known.
fn promised_by(signer: &mut Signer, member: u8, event: VerifiedEvent) -> Proposal {
    signer.take_and_sign(Input::Event(event.clone()));
    let theirs = proposal_from(signer, &event, 10);
    signer.hear(member, &approve(signer, member, 1, &theirs));
    let body = crate::messages::Body { proposal: borsh::to_vec(&theirs).unwrap() };
    signer.hear(member, &Message::Body(body));
    theirs
}

#[test]
fn those_that_contend_go_alone_where_the_volume_has_room_for_one() {
    let limit = Sompi(1_200_000_000);
    let volume = Volume { window: VolumeWindow::UtcDay, limit, scope: VolumeScope::Group };
    let mut signer = Signer::with_policy(1, Q3, Policy { volumes: vec![volume], ..policy() });
    signer.take(Input::Event(event(1)));
    let mine = proposal_from(&signer, &event(1), 20);
    assert!(signer.hear(0, &propose(0, &mine)).sent_kinds().contains(&MessageKind::Approve));
    let theirs = [(0, 2), (2, 3)].map(|(member, id)| promised_by(&mut signer, member, event(id)));

    let step = signer.after(1_000);

    let offered: Vec<Proposal> = step.proposals();
    let one = offered.iter().find(|proposal| theirs.iter().any(|their| their.events == proposal.events));
    let one = one.unwrap_or_else(|| panic!("{offered:?}"));
    assert!(theirs.iter().all(|their| their.shares_input_with(one)));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn those_that_contend_go_alone_where_one_member_refuses_them_together_and_views_pass() {
    let (mut signer, _, _) = approved(Q2);
    promised_by(&mut signer, 2, event(2));
    let joint = signer.after(1_000).proposals().remove(0);
    assert_eq!(joint.events.len(), 2);
    let refuse = Refuse {
        proposal: joint.id(),
        view: 1,
        code: RefusalCode::Held,
        detail: String::new(),
        outpoints: Vec::new(),
        events: Vec::new(),
    };
    signer.hear(2, &Message::Refuse(refuse));

    let offered: Vec<Proposal> = (0..30).flat_map(|_| signer.after(500).proposals()).collect();

    assert!(offered.first().is_some_and(|proposal| proposal.events.len() == 1), "{offered:?}");
}

#[test]
fn events_that_contend_for_a_coin_are_paid_together() {
    let (mut signer, first, mine) = approved(Q3);
    let theirs = promised_by(&mut signer, 2, event(2));

    let joint = signer.after(1_000).proposals();

    let both = joint.iter().find(|proposal| proposal.events.len() == 2).expect("one for both");
    assert!(both.events.contains(&key(&first)) && both.shares_input_with(&mine));
    assert!(both.shares_input_with(&theirs));
}

/// A proposal for several events from the coin of 30 KAS.
fn batch_of(signer: &Signer, events: &[VerifiedEvent]) -> Proposal {
    let coins = [coin(&signer.group, 30, 30)];
    let view = ChainView {
        virtual_daa: 100,
        coins: coins.into_iter().map(|coin| (coin.outpoint, coin)).collect(),
        own: BTreeSet::new(),
        fee_rate: FeeRate::new(100),
    };
    let payments: Vec<_> = events.iter().map(|event| event.payment.clone()).collect();
    draft(&signer.group, &view, &payments).unwrap()
}
