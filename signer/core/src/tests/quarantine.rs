//! Each sign of a store that went back in time, and what a signer in quarantine still does.

use super::*;
use crate::{AcceptedBlock, AcceptedTransaction, BlockId, InterventionKind, QuarantineCause, Signs, Step};

fn causes(signer: &Signer) -> Vec<QuarantineCause> {
    let quarantine = signer.mind.quarantine.as_ref();
    quarantine.map(|quarantine| quarantine.causes.iter().copied().collect()).unwrap_or_default()
}

fn show_promise(signer: &mut Signer, epoch: u64, number: u64, proposal: &Proposal) -> Step {
    let approval = approve(signer, signer.me.0, number, proposal);
    let sealed = signer.sealed_in(epoch, signer.me.0, &approval);
    signer.take(Input::Received(sealed))
}

fn draws(step: &Step) -> bool {
    step.effects.contains(&Effect::Draw)
}

fn tags_told(step: &Step) -> Vec<Option<[u8; 32]>> {
    let sent = step.sent().into_iter().filter_map(|(_, message)| match message {
        Message::Hello(hello) => Some(hello.tag),
        _ => None,
    });
    sent.collect()
}

/// The chain shows a transaction of the group that carries a signature of these members.
fn accepted_with(signer: &mut Signer, proposal: &Proposal, signers: &[u8]) -> Step {
    let transaction = AcceptedTransaction {
        id: proposal.transaction_id(),
        spends: proposal.outpoints().into_iter().collect(),
        pays: Vec::new(),
        payload: proposal.payload.clone(),
        by_group: true,
        by_predecessor: false,
        signers: signers.iter().copied().map(MemberIndex).collect(),
        body: Vec::new(),
    };
    let block =
        AcceptedBlock { block: BlockId::from_bytes([1; 32]), daa_score: 90, transactions: vec![transaction] };
    signer.take(Input::Chain(ChainUpdate { added: vec![block], ..tip_at(100) }))
}

/// A member that was shown a promise that its store lacks.
fn quarantined() -> (Signer, VerifiedEvent) {
    let (mut signer, event) = approver(Q2);
    signer.take(Input::PeerUp(MemberIndex(0)));
    let lost = proposal_from(&signer, &event, 20);
    show_promise(&mut signer, 0, 4, &lost);
    (signer, event)
}

#[test]
fn a_shown_promise_that_the_store_lacks_brings_quarantine_and_payments_are_refused() {
    let (mut signer, event) = quarantined();
    assert_eq!(causes(&signer), [QuarantineCause::PromiseUnknown]);
    let step = signer.hear(0, &propose(0, &proposal_from(&signer, &event, 10)));
    assert_eq!((step.refusals(), rows(&step, Family::Approval)), (vec![RefusalCode::Quarantined], 0));
}

#[test]
fn two_own_promises_with_one_number_bring_quarantine_and_the_same_one_again_does_not() {
    let (mut signer, event, proposal) = approved(Q2);
    show_promise(&mut signer, 0, 1, &proposal);
    assert_eq!(causes(&signer), []);
    let other = proposal_from(&signer, &event, 20);
    show_promise(&mut signer, 0, 1, &other);
    assert_eq!(causes(&signer), [QuarantineCause::PromiseUnknown]);
}

#[test]
fn an_empty_store_is_quarantined_where_the_node_shows_a_coin_or_a_transaction_and_nowhere_else() {
    let start = || {
        let mut signer = Signer::new(1, Q2);
        signer.rows.clear();
        signer.restart();
        signer
    };
    let mut coins = start();
    coins.take(Input::Chain(tip_at(100)));
    let coin = coin(&coins.group, 1, 10);
    coins.wallet(vec![coin]);
    assert_eq!(causes(&coins), [QuarantineCause::StoreEmpty]);

    let mut spent = start();
    let proposal = proposal_from(&spent, &event(1), 10);
    accepted_with(&mut spent, &proposal, &[0, 2]);
    spent.wallet(Vec::new());
    assert_eq!(causes(&spent), [QuarantineCause::StoreEmpty]);

    let mut new = start();
    new.take(Input::Event(event(1)));
    let refusals = new.hear(0, &propose(0, &proposal)).refusals();
    assert_eq!(refusals, [RefusalCode::Starting], "its node has shown nothing yet");
    new.take(Input::Chain(tip_at(100)));
    new.wallet(Vec::new());
    assert_eq!(causes(&new), []);
    new.restart();
    new.take(Input::Chain(tip_at(100)));
    let coin = self::coin(&new.group, 1, 10);
    new.wallet(vec![coin]);
    assert_eq!(causes(&new), [], "what was born clean stays so");
}

#[test]
fn a_transaction_with_an_own_signature_that_the_store_does_not_know_brings_quarantine() {
    let (mut signer, _, proposal) = approved(Q2);
    accepted_with(&mut signer, &proposal, &[0, 1]);
    assert_eq!(causes(&signer), []);
    let unknown = proposal_from(&signer, &event(2), 20);
    accepted_with(&mut signer, &unknown, &[0, 2]);
    assert_eq!(causes(&signer), []);
    signer.restart();
    let lost = proposal_from(&signer, &event(3), 30);
    accepted_with(&mut signer, &lost, &[0, 1]);
    assert_eq!(causes(&signer), [QuarantineCause::SignatureUnknown]);
}

#[test]
fn a_backup_and_another_volume_bring_quarantine() {
    let (mut signer, _) = approver(Q2);
    signer.restart_alone(Signs { backup: true, other_volume: true });
    assert_eq!(causes(&signer), [QuarantineCause::Backup, QuarantineCause::OtherVolume]);
}

#[test]
fn a_tag_is_drawn_on_disk_before_it_is_told_and_nobody_gets_the_randomness_itself() {
    let (mut signer, event) = approver(Q2);
    signer.take(Input::PeerUp(MemberIndex(0)));
    let lost = proposal_from(&signer, &event, 20);
    assert!(draws(&show_promise(&mut signer, 0, 4, &lost)));

    let step = signer.take(Input::Drawn([7; 32]));

    assert!(step.writes.iter().any(|row| row.family == Family::Meta && row.promise), "{step:?}");
    let [Some(tag)] = tags_told(&step)[..] else { panic!("{step:?}") };
    assert_ne!(tag, [7; 32]);
    assert_eq!(signer.take(Input::Drawn([8; 32])).ignored(), Some(Ignored::NothingToDraw));
}

#[test]
fn quarantine_outlives_a_restart_and_each_start_inside_draws_another_tag() {
    let (mut signer, _) = quarantined();
    signer.take(Input::Drawn([7; 32]));
    let first = signer.mind.own_tag().unwrap();

    signer.restart();
    assert!(!causes(&signer).is_empty() && signer.mind.own_tag().is_none());
    assert!(draws(&signer.take(Input::Chain(tip_at(100)))), "once the node has shown its chain");
    signer.take(Input::Drawn([8; 32]));

    assert_ne!(signer.mind.own_tag(), Some(first));
}

#[test]
fn a_tag_is_told_again_and_again_until_quarantine_ends() {
    let (mut signer, _) = quarantined();
    signer.take(Input::Drawn([7; 32]));
    signer.greeted();
    let tag = signer.mind.own_tag().map(|tag| *tag.as_bytes());
    for _ in 0..3 {
        assert!(tags_told(&signer.after(60_000)).contains(&tag), "the hello before may have been lost");
    }
    signer.take(Input::ReleaseQuarantine { reason: "the store is whole".to_owned() });
    assert_eq!(tags_told(&signer.after(60_000)), []);
}

#[test]
fn another_sign_draws_another_tag_and_a_promise_from_before_the_last_tag_is_none() {
    let (mut signer, event) = quarantined();
    signer.take(Input::Drawn([7; 32]));
    let first = signer.mind.own_tag();
    let lost = [10, 20].map(|kas| proposal_from(&signer, &event, kas));
    let step = show_promise(&mut signer, 0, 3, &lost[0]);
    assert!(!draws(&step) && signer.mind.own_tag() == first, "it was washed with the first tag");

    let step = show_promise(&mut signer, 1, 5, &lost[1]);

    assert!(draws(&step) && signer.mind.own_tag().is_none(), "{step:?}");
}

#[test]
fn promise_numbers_go_on_above_what_was_shown_also_after_a_restart() {
    let (mut signer, _) = quarantined();
    assert_eq!(signer.mind.view().promise, 4);
    signer.restart();
    assert_eq!(signer.mind.view().promise, 4);
}

#[test]
fn in_quarantine_promises_made_before_are_not_sent_again() {
    let (mut signer, event, _) = approved(Q2);
    let lost = proposal_from(&signer, &event, 20);
    show_promise(&mut signer, 0, 4, &lost);
    assert!(!signer.restart().sent_kinds().contains(&MessageKind::Approve));
}

#[test]
fn a_partial_that_is_asked_for_when_quarantine_begins_never_leaves() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    signer.hear_unsigned(0, &propose(0, &proposal));
    let lost = proposal_from(&signer, &event, 20);
    show_promise(&mut signer, 0, 4, &lost);
    let step = signer.take(Input::Signed(partial(&signer.group, signer.me, &proposal)));
    assert_eq!((step.ignored(), rows(&step, Family::Partial)), (Some(Ignored::Stopped), 0));
}

#[test]
fn an_administrator_releases_from_quarantine_and_it_is_remembered() {
    let (mut signer, event) = quarantined();
    signer.take(Input::ReleaseQuarantine { reason: "the store is whole".to_owned() });
    signer.restart();
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas));
    signer.wallet(coins.to_vec());
    let step = signer.hear(0, &propose(0, &proposal_from(&signer, &event, 10)));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
    let [intervention] = signer.mind.view().interventions.try_into().unwrap();
    assert_eq!(intervention.kind, InterventionKind::QuarantineReleased);
    assert_eq!(intervention.about, "promise_unknown");
}
