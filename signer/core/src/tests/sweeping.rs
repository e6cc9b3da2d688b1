//! The group's own transactions: sweeps and the way out of quarantine, consolidations, the move to another group.

use igra_tx::{Coin, Draft, ProposalKind, Purpose, Script, Tag};

use super::*;
use crate::{
    Consolidate, FeeWindow, InternalRules, QuarantineCause, Signs, Step, WalletUpdate,
    sweep::Missing,
    test_kit::{TIMING, recipient},
};

fn tag(number: u8) -> Tag {
    Tag::from_bytes([number; 32])
}

fn coins(signer: &Signer) -> Vec<Coin> {
    [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas)).to_vec()
}

fn drafted(signer: &Signer, coins: &[Coin], purpose: Purpose<'_>, tags: &[Tag]) -> Proposal {
    let view = ChainView {
        virtual_daa: 1_000,
        coins: coins.iter().map(|coin| (coin.outpoint, coin.clone())).collect(),
        own: BTreeSet::new(),
        fee_rate: FeeRate::new(100),
    };
    let (tags, avoid) = (tags.iter().copied().collect(), BTreeSet::new());
    let limits = &policy().fee;
    let order = Draft { purpose, tags: &tags, limits, avoid: &avoid, must_share: &[] };
    igra_tx::draft(&signer.group, &view, &order).unwrap()
}

fn sweep_of(signer: &Signer, coins: &[Coin], tags: &[Tag]) -> Proposal {
    let all = coins.iter().map(|coin| coin.outpoint).collect();
    drafted(signer, coins, Purpose::Sweep(&all), tags)
}

/// The coin that a transaction for the group itself makes.
fn coin_made_by(proposal: &Proposal, daa_score: u64) -> Coin {
    let outpoint = Outpoint { transaction: proposal.transaction_id(), index: 0 };
    let igra_tx::Output { script, amount } = proposal.outputs[0].clone();
    Coin { outpoint, amount, script, daa_score, coinbase: false }
}

/// The wallet as it was one block before the chain that was told.
fn shows(signer: &mut Signer, tip: u64, coins: Vec<Coin>) -> Step {
    as_of(signer, tip - 1, coins)
}

fn as_of(signer: &mut Signer, virtual_daa: u64, coins: Vec<Coin>) -> Step {
    let update = WalletUpdate {
        virtual_daa,
        coins,
        predecessor: Vec::new(),
        fee_rate: FeeRate::new(100),
        synced: true,
    };
    signer.take_and_sign(Input::Wallet(update))
}

/// A signer in quarantine whose tag is drawn, and the sweep that it offered as the proposer of view 0.
fn sweeping() -> (Signer, Proposal) {
    let mut signer = Signer::new(0, Q2);
    signer.restart_alone(Signs { backup: true, other_volume: false });
    signer.greeted();
    signer.take(Input::Chain(tip_at(100)));
    let all = coins(&signer);
    signer.wallet(all);
    let step = signer.take_and_sign(Input::Drawn([7; 32]));
    let [sweep] = step.proposals().try_into().unwrap();
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
    (signer, sweep)
}

/// The others go on to a view.
fn turn(signer: &mut Signer, view: u64) -> Step {
    signer.hear(1, &Message::Status(Status { view }));
    signer.hear(2, &Message::Status(Status { view }))
}

/// Another member's hello with a tag.
fn asks_for(signer: &mut Signer, member: u8, tag: Option<Tag>) -> Step {
    let mut hello = signer.hello();
    hello.tag = tag.map(|tag| *tag.as_bytes());
    signer.hear(member, &Message::Hello(hello))
}

#[test]
fn a_signer_in_quarantine_sweeps_every_coin_under_its_tag_and_pays_nothing() {
    let (mut signer, sweep) = sweeping();
    assert_eq!((sweep.kind, sweep.inputs.len()), (ProposalKind::Sweep, 3));
    assert_eq!(sweep.tags(), [signer.mind.own_tag().unwrap()].into());
    let step = signer.take_and_sign(Input::Event(event(1)));
    assert_eq!(step.proposals(), []);
}

#[test]
fn invariant_14_in_quarantine_nothing_is_promised_but_sweeps() {
    let successor = recipient(9);
    let consolidate = Some(Consolidate { coins: 8, max_sompi_per_gram: 100 });
    let internal =
        InternalRules { consolidate, successor: Some(successor.clone()), ..InternalRules::default() };
    let mut signer = with_rules(1, internal);
    let many = many_coins(&signer);
    shows(&mut signer, 100, many.clone());
    signer.take(Input::Event(event(1)));
    signer.take(Input::Cancel { event: key(&event(1)), by: "an administrator".to_owned() });
    signer.hear_unsigned(1, &approve(&signer, 1, 9, &proposal_from(&signer, &event(2), 10)));
    signer.take(Input::ClearHalt { reason: String::new() });
    asks_for(&mut signer, 2, Some(tag(1)));
    let pay = drafted(&signer, &many, Purpose::Pay(&[event(1).payment]), &[]);
    let others = [
        pay,
        drafted(&signer, &many, Purpose::Void(&[key(&event(1))]), &[]),
        drafted(&signer, &many, Purpose::Consolidate, &[]),
        drafted(&signer, &many, Purpose::Migrate(&successor), &[]),
    ];
    let mut view = 0;
    let mut offered = |signer: &mut Signer, proposal: &Proposal| {
        view += 3;
        for other in [0, 2] {
            signer.hear(other, &Message::Status(Status { view }));
        }
        signer.hear(0, &propose(view, proposal))
    };
    for proposal in &others {
        let step = offered(&mut signer, proposal);
        assert_eq!(step.refusals(), [RefusalCode::Quarantined], "{:?}", proposal.kind);
    }
    let sweep = sweep_of(&signer, &many, &[tag(1)]);
    assert!(offered(&mut signer, &sweep).sent_kinds().contains(&MessageKind::Approve));
}

#[test]
fn a_sweep_is_assembled_submitted_and_followed_like_a_payment() {
    let (mut signer, sweep) = sweeping();
    let step = signer.hear(1, &approve(&signer, 1, 1, &sweep));
    assert_eq!(step.submitted(), [sweep.transaction_id()]);
    signer.accept(1, 110, 140, &[&sweep]);
    assert!(signer.mind.internal.offers.is_empty(), "final");
    assert!(!signer.rows.keys().any(|(family, _)| *family == Family::Outbox));
}

#[test]
fn an_approved_sweep_is_known_after_a_restart_and_told_to_peers() {
    let (mut signer, sweep) = sweeping();
    let step = signer.restart();
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
    signer.take(Input::PeerUp(MemberIndex(2)));
    let (from, to) = (EventKey::from_bytes([0; 32]), EventKey::from_bytes([0xff; 32]));
    let nothing = Digest { view: 0, from, to, entries: Vec::new(), answer: true };
    let step = signer.hear(2, &Message::Digest(nothing));
    let bodies = step.sent().into_iter().filter_map(|(_, message)| match message {
        Message::Body(body) => Proposal::decode(&body.proposal).ok(),
        Message::Propose(propose) => Proposal::decode(&propose.proposal).ok(),
        _ => None,
    });
    assert_eq!(bodies.collect::<Vec<_>>(), [sweep]);
}

#[test]
fn a_sweep_that_a_peer_tells_of_is_asked_for_and_taken() {
    let (_, sweep) = sweeping();
    let mut signer = Signer::new(2, Q2);
    let known = KnownProposal { proposal: sweep.id(), body: true, approvals: 1, partials: 1 };
    let entry = Entry { event: crate::internal::INTERNAL, proposals: vec![known] };
    let (from, to) = (entry.event, EventKey::from_bytes([0xff; 32]));
    let step =
        signer.hear(0, &Message::Digest(Digest { view: 0, from, to, entries: vec![entry], answer: false }));
    assert_eq!(step.sent_kinds(), [MessageKind::Digest]);
    signer.hear(0, &approve(&signer, 0, 1, &sweep));
    signer.hear(0, &Message::Body(crate::messages::Body { proposal: borsh::to_vec(&sweep).unwrap() }));
    assert_eq!(signer.mind.offers.get(&sweep.id()).unwrap().partials.len(), 1);
}

#[test]
fn a_sweep_is_approved_where_each_coin_lacks_a_tag_that_is_served_here_and_refused_elsewhere() {
    let (mut signer, all) = (Signer::new(1, Q2), coins(&Signer::new(1, Q2)));
    let sweep = sweep_of(&signer, &all, &[tag(1), tag(9)]);
    assert_eq!(signer.hear(0, &propose(0, &sweep)).refusals(), [RefusalCode::Tags]);
    asks_for(&mut signer, 2, Some(tag(1)));
    let untagged = sweep_of(&signer, &all[..1], &[tag(2)]);
    assert_eq!(signer.hear(0, &propose(0, &untagged)).refusals(), []);
    let mut signer = Signer::new(1, Q2);
    asks_for(&mut signer, 2, Some(tag(1)));
    assert!(signer.hear(0, &propose(0, &sweep)).sent_kinds().contains(&MessageKind::Approve));

    // What it makes has the tag already.
    signer.accept(1, 110, 115, &[&sweep]);
    let made = coin_made_by(&sweep, 110);
    shows(&mut signer, 115, vec![made.clone()]);
    let again = sweep_of(&signer, &[made], &[tag(1)]);
    for other in [0, 2] {
        signer.hear(other, &Message::Status(Status { view: 3 }));
    }
    assert_eq!(signer.hear(0, &propose(3, &again)).refusals(), [RefusalCode::Tags]);
}

#[test]
fn payments_carry_the_tags_that_are_served() {
    let mut signer = Signer::new(0, Q3);
    asks_for(&mut signer, 2, Some(tag(1)));
    let step = signer.take_and_sign(Input::Event(event(1)));
    let step = if step.proposals().is_empty() { signer.after(1_000) } else { step };
    let paid: Vec<Proposal> =
        step.proposals().into_iter().filter(|proposal| proposal.kind == ProposalKind::Pay).collect();
    let all: Vec<BTreeSet<Tag>> = paid.iter().map(Proposal::tags).collect();
    assert!(all.iter().all(|tags| *tags == [tag(1)].into()), "{all:?}");
}

#[test]
fn quarantine_ends_once_every_coin_at_final_depth_is_washed_and_not_before() {
    let (mut signer, sweep) = sweeping();
    signer.hear(1, &approve(&signer, 1, 1, &sweep));
    signer.accept(1, 110, 115, &[&sweep]);
    let made = coin_made_by(&sweep, 110);
    shows(&mut signer, 115, vec![made.clone()]);
    assert!(signer.mind.quarantine.is_some(), "accepted is not final");
    signer.take(Input::Chain(tip_at(139)));
    shows(&mut signer, 139, vec![made.clone()]);
    assert_eq!(signer.mind.missing(), [Missing::Coins { unwashed: 3, of: 3 }]);

    signer.take(Input::Chain(tip_at(140)));
    let step = shows(&mut signer, 140, vec![made]);

    assert!(signer.mind.quarantine.is_none(), "{:?}", signer.mind.missing());
    assert!(signer.mind.may_promise(ProposalKind::Pay).is_ok());
    assert!(step.effects.contains(&Effect::Note(Note::QuarantineLeft)) || step.effects.is_empty());
    signer.restart_alone(Signs::default());
    assert!(signer.mind.quarantine.is_none());
}

/// A wallet lacks a coin as soon as a block spends it; the chain tells that with the block after it.
#[test]
fn coins_that_left_the_wallet_before_the_chain_told_why_do_not_count_as_washed() {
    let (mut signer, _) = sweeping();
    let all = coins(&signer);
    let tags = [signer.mind.own_tag().unwrap()];
    let (first, second) = (sweep_of(&signer, &all[..2], &tags), sweep_of(&signer, &all[2..], &tags));
    signer.accept(1, 110, 150, &[&first]);
    let made = coin_made_by(&first, 110);
    shows(&mut signer, 150, vec![made.clone(), all[2].clone()]);

    as_of(&mut signer, 150, vec![made.clone()]);

    assert_eq!(signer.mind.missing(), [Missing::Node]);
    assert!(signer.mind.quarantine.is_some());
    signer.accept(2, 151, 151, &[&second]);
    assert!(signer.mind.quarantine.is_some(), "accepted is not final");
}

#[test]
fn a_coin_that_was_not_swept_keeps_the_signer_in_quarantine_and_a_later_deposit_does_not() {
    let (mut signer, _) = sweeping();
    let all = coins(&signer);
    let sweep = sweep_of(&signer, &all[..2], &[signer.mind.own_tag().unwrap()]);
    signer.accept(1, 110, 150, &[&sweep]);
    let made = coin_made_by(&sweep, 110);
    shows(&mut signer, 150, vec![made.clone(), all[2].clone()]);
    assert_eq!(signer.mind.missing(), [Missing::Coins { unwashed: 1, of: 2 }]);

    let deposit = |daa_score| Coin { daa_score, ..coin(&signer.group, 77, 5) };
    let (early, late) = (deposit(105), deposit(112));
    shows(&mut signer, 150, vec![made.clone(), early]);
    assert_eq!(signer.mind.missing(), [Missing::Coins { unwashed: 1, of: 2 }]);

    shows(&mut signer, 150, vec![made, late]);

    assert!(signer.mind.quarantine.is_none(), "{:?}", signer.mind.missing());
}

#[test]
fn a_gap_in_the_history_keeps_a_signer_in_quarantine() {
    let (mut signer, sweep) = sweeping();
    signer.take(Input::Chain(ChainUpdate { gapless: false, ..tip_at(105) }));
    signer.accept(1, 110, 150, &[&sweep]);
    shows(&mut signer, 150, vec![coin_made_by(&sweep, 110)]);
    assert_eq!(signer.mind.missing(), [Missing::History]);
    signer.restart();
    assert!(signer.mind.gaps.open().is_some(), "it is remembered");
}

#[test]
fn hello_from_enough_others_is_needed_to_leave() {
    let (mut signer, sweep) = sweeping();
    signer.accept(1, 110, 112, &[&sweep]);
    signer.restart_alone(Signs::default());
    signer.take(Input::Chain(tip_at(113)));
    signer.take(Input::Drawn([9; 32]));
    let made = coin_made_by(&sweep, 110);
    let again = sweep_of(&signer, std::slice::from_ref(&made), &[signer.mind.own_tag().unwrap()]);
    signer.accept(2, 114, 160, &[&again]);
    shows(&mut signer, 160, vec![coin_made_by(&again, 114)]);
    assert_eq!(signer.mind.missing(), [Missing::Hello]);

    signer.greeted();

    assert!(signer.mind.quarantine.is_none(), "{:?}", signer.mind.missing());
}

#[test]
fn a_fresh_sign_makes_the_old_sweep_worthless() {
    let (mut signer, sweep) = sweeping();
    let lost = proposal_from(&signer, &event(2), 20);
    let shown = approve(&signer, 0, 9, &lost);
    let sealed = signer.sealed_in(2, 0, &shown);
    signer.take(Input::Received(sealed));
    assert!(signer.mind.quarantine_view().unwrap().causes.contains(&QuarantineCause::PromiseUnknown));
    signer.take(Input::Drawn([8; 32]));
    // The epoch of the message was lost as well, so the others have to greet the one above it.
    signer.greeted();
    signer.accept(1, 110, 150, &[&sweep]);
    shows(&mut signer, 150, vec![coin_made_by(&sweep, 110)]);
    assert_eq!(signer.mind.missing(), [Missing::Coins { unwashed: 1, of: 1 }]);
}

#[test]
fn a_sweep_moves_no_coin_that_the_own_tag_has_reached_for_the_sake_of_tags_that_others_may_not_know() {
    let (mut signer, _) = sweeping();
    let own = signer.mind.own_tag().unwrap();
    let all = coins(&signer);
    let first = sweep_of(&signer, &all[..2], &[own]);
    turn(&mut signer, 1);
    asks_for(&mut signer, 1, Some(tag(9)));
    signer.accept(1, 110, 115, &[&first]);
    shows(&mut signer, 115, vec![coin_made_by(&first, 110), all[2].clone()]);
    let [second] = turn(&mut signer, 3).proposals().try_into().unwrap();
    assert_eq!(second.outpoints(), [all[2].outpoint].into());
    assert_eq!(second.tags(), [own, tag(9)].into());
    // Behind it the others' tags have their turn.
    turn(&mut signer, 4);
    signer.accept(2, 120, 125, &[&second]);
    let reached = [coin_made_by(&first, 110), coin_made_by(&second, 120)];
    shows(&mut signer, 125, reached.to_vec());
    let [third] = turn(&mut signer, 6).proposals().try_into().unwrap();
    assert_eq!(third.outpoints(), [reached[0].outpoint].into());
}

#[test]
fn transactions_of_the_group_itself_hold_no_coin_against_one_another() {
    let (mut signer, _) = sweeping();
    let own = signer.mind.own_tag().unwrap();
    for other in [1, 2] {
        signer.hear(other, &Message::Status(Status { view: 1 }));
    }
    let another = sweep_of(&signer, &coins(&signer)[..2], &[own]);
    let step = signer.hear(1, &propose(1, &another));
    assert_eq!(step.refusals(), []);
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn a_coin_that_cannot_pay_for_its_own_move_is_swept_with_the_help_of_one_that_is_washed() {
    let (mut signer, sweep) = sweeping();
    signer.accept(1, 110, 115, &[&sweep]);
    let small = Coin { amount: signer.group.dust(), ..coin(&signer.group, 9, 1) };
    let step = shows(&mut signer, 115, vec![coin_made_by(&sweep, 110), small.clone()]);
    let [second] = step.proposals().try_into().unwrap();
    assert_eq!(second.outpoints(), [coin_made_by(&sweep, 110).outpoint, small.outpoint].into());
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn a_signed_transaction_that_lost_a_coin_holds_the_others_for_a_round_of_views() {
    let (mut signer, sweep) = sweeping();
    signer.hear(1, &approve(&signer, 1, 1, &sweep));
    let all = coins(&signer);
    shows(&mut signer, 115, all.clone());
    signer.mind.views.failures = 3;
    assert_eq!(turn(&mut signer, 3).proposals(), [], "it may still be taken");

    signer.mind.views.failures = 0;
    let rest = all[1..].to_vec();
    assert_eq!(shows(&mut signer, 115, rest.clone()).proposals(), []);
    signer.mind.views.failures = 3;
    let [again] = turn(&mut signer, 6).proposals().try_into().unwrap();
    assert_eq!(again.outpoints(), rest.iter().map(|coin| coin.outpoint).collect());
}

#[test]
fn a_sweep_waits_a_round_of_views_for_payments_that_hold_its_coins_and_then_takes_them() {
    let (mut signer, _, _) = approved(Q2);
    signer.restart_alone(Signs { backup: true, other_volume: false });
    signer.greeted();
    signer.take(Input::Chain(tip_at(100)));
    signer.take(Input::Drawn([7; 32]));
    let held = coins(&signer)[..1].to_vec();
    signer.wallet(held);
    let mut proposed_in = Vec::new();
    for view in 0..8 {
        for other in [0, 2] {
            signer.hear(other, &Message::Status(Status { view }));
        }
        if signer.after(TIMING.view_timeout_cap.0).sent_kinds().contains(&MessageKind::Propose) {
            proposed_in.push(signer.mind.views.view);
        }
    }
    assert_eq!(proposed_in, [4, 7], "its turns after the first three views that brought nothing");
}

#[test]
fn the_groups_own_transactions_do_not_shorten_the_views() {
    let (mut signer, sweep) = sweeping();
    signer.mind.views.failures = 3;
    signer.hear(1, &approve(&signer, 1, 1, &sweep));
    signer.accept(1, 110, 115, &[&sweep]);
    assert_eq!(signer.mind.views.failures, 3);
}

fn with_rules(me: u8, internal: InternalRules) -> Signer {
    Signer::with_policy(me, Q2, Policy { internal, ..policy() })
}

fn many_coins(signer: &Signer) -> Vec<Coin> {
    (100..110).map(|number| coin(&signer.group, number, 1)).collect()
}

#[test]
fn coins_are_consolidated_when_they_are_many_and_cheap_to_move_and_nothing_waits() {
    let rules = Consolidate { coins: 10, max_sompi_per_gram: 100 };
    let internal = InternalRules { consolidate: Some(rules), ..InternalRules::default() };
    let mut signer = with_rules(0, internal.clone());
    let coins = many_coins(&signer);
    assert_eq!(shows(&mut signer, 100, coins[..9].to_vec()).proposals(), []);
    let [proposal] = shows(&mut signer, 100, coins.clone()).proposals().try_into().unwrap();
    assert_eq!(proposal.kind, ProposalKind::Consolidate);

    let mut busy = with_rules(1, internal);
    shows(&mut busy, 100, coins.clone());
    busy.take(Input::Event(event(1)));
    assert_eq!(busy.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Policy]);
    let mut unwilling = with_rules(1, InternalRules::default());
    shows(&mut unwilling, 100, coins);
    assert_eq!(unwilling.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Policy]);
}

#[test]
fn fees_of_the_groups_own_transactions_have_a_cap_for_each_window() {
    let fees = FeeWindow { max: Sompi(1), seconds: 3_600 };
    let mut signer = with_rules(1, InternalRules { fees, ..InternalRules::default() });
    asks_for(&mut signer, 2, Some(tag(1)));
    let sweep = sweep_of(&signer, &coins(&signer), &[tag(1)]);
    assert_eq!(signer.hear(0, &propose(0, &sweep)).refusals(), [RefusalCode::Held]);

    let once = FeeWindow { max: sweep.fee().unwrap(), seconds: 3_600 };
    let mut signer = with_rules(1, InternalRules { fees: once, ..InternalRules::default() });
    asks_for(&mut signer, 2, Some(tag(1)));
    let parts = [&coins(&signer)[..2], &coins(&signer)[2..]].map(|part| sweep_of(&signer, part, &[tag(1)]));
    assert!(signer.hear(0, &propose(0, &parts[0])).sent_kinds().contains(&MessageKind::Approve));
    signer.hear(0, &approve(&signer, 0, 1, &parts[0]));
    assert_eq!(signer.hear(0, &propose(0, &parts[1])).refusals(), [RefusalCode::Held]);
    let beside = |signer: &Signer, proposal| signer.mind.judge_purpose(proposal).is_ok();
    assert!(
        beside(&signer, &sweep),
        "it shares an input with the first one, so only one of them costs anything"
    );
    signer.now.utc.0 += 3_600;
    let step = signer.take_and_sign(Input::Chain(tip_at(100)));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn approving_the_move_to_another_group_ends_payments_also_after_a_restart() {
    let successor = recipient(9);
    let mut signer =
        with_rules(1, InternalRules { successor: Some(successor.clone()), ..InternalRules::default() });
    let event = event(1);
    signer.take(Input::Event(event.clone()));
    let all = coins(&signer);
    let astray: Script = recipient(8);
    let stolen = drafted(&signer, &all, Purpose::Migrate(&astray), &[]);
    assert_eq!(signer.hear(0, &propose(0, &stolen)).refusals(), [RefusalCode::Check]);
    let step = {
        for other in [0, 2] {
            signer.hear(other, &Message::Status(Status { view: 3 }));
        }
        let moved = drafted(&signer, &all[..2], Purpose::Migrate(&successor), &[]);
        signer.hear(0, &propose(3, &moved))
    };
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
    signer.restart();
    shows(&mut signer, 100, all);
    let step = signer.hear(0, &propose(0, &proposal_from(&signer, &event, 30)));
    assert_eq!(step.refusals(), [RefusalCode::Moved]);
}

#[test]
fn seeing_the_move_to_another_group_accepted_ends_payments() {
    let (mut signer, event) = approver(Q2);
    let moved = drafted(&signer, &coins(&signer)[..1], Purpose::Migrate(&recipient(9)), &[]);
    signer.accept(1, 90, 95, &[&moved]);
    signer.reorganise(1, 96);
    let step = signer.hear(0, &propose(0, &proposal_from(&signer, &event, 30)));
    assert_eq!(step.refusals(), [RefusalCode::Moved]);
}

#[test]
fn the_tag_is_told_again_in_each_exchange_as_long_as_quarantine_lasts() {
    let (mut signer, _) = sweeping();
    signer.take(Input::PeerUp(MemberIndex(1)));
    for _ in 0..2 {
        let sent = signer.after(TIMING.catch_up.0).sent();
        let tags = sent.iter().filter_map(|(_, message)| match message {
            Message::Hello(hello) => hello.tag,
            _other => None,
        });
        assert_eq!(tags.collect::<Vec<_>>(), [*signer.mind.own_tag().unwrap().as_bytes()]);
    }
}

#[test]
fn a_sweep_for_a_far_view_keeps_out_none_for_the_next_ones() {
    let mut signer = Signer::new(1, Q2);
    let sweep = sweep_of(&signer, &coins(&signer), &[tag(1)]);
    assert_eq!(signer.hear(0, &propose(3_000_000, &sweep)).ignored(), Some(Ignored::TooMany));
    assert_eq!(signer.hear(0, &propose(3, &sweep)).ignored(), Some(Ignored::EarlyView));
    assert_eq!(signer.mind.internal.offered_in(3), Some(sweep.id()));
}
