//! A member in quarantine whose node has forgotten a part of the chain learns from others what ended in it.

use igra_tx::{ProposalKind, TransactionId};

use super::*;
use crate::{
    Signs, Step,
    gaps::{Gap, Gaps},
    messages::{AskHistory, EndedEvent, History},
    sweep::Missing,
    test_kit::TIMING,
};

const PAID: TransactionId = TransactionId::from_bytes([88; 32]);
const HERE: u64 = 90_000;

/// Restored from a backup, and its node has forgotten what came after 170 (two of three must say the same).
fn forgetful() -> Signer {
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::Chain(tip_at(200)));
    signer.restart_alone(Signs { backup: true, other_volume: false });
    for other in [0, 2] {
        signer.take(Input::PeerUp(MemberIndex(other)));
    }
    signer.greeted();
    signer.take(Input::Chain(ChainUpdate { gapless: false, restarted: true, ..tip_at(HERE) }));
    signer
}

fn asked() -> AskHistory {
    AskHistory { from: 170, to: HERE, after: None }
}

fn ended(id: u64, transaction: TransactionId) -> EndedEvent {
    let (event, kind) = (key(&event(id)), ProposalKind::Pay);
    EndedEvent { event, transaction, kind, daa_score: 40_000 }
}

fn history(asked: AskHistory, mut ended: Vec<EndedEvent>) -> History {
    ended.sort();
    History { asked, upto: None, moved: false, ended }
}

fn tells(signer: &mut Signer, from: u8, ended: Vec<EndedEvent>) -> Step {
    signer.hear(from, &Message::History(history(asked(), ended)))
}

fn is_open(signer: &Signer) -> bool {
    signer.mind.gaps.open().is_some()
}

fn histories_asked(step: &Step) -> Vec<(To, AskHistory)> {
    let sent = step.sent().into_iter().filter_map(|(to, message)| match message {
        Message::AskHistory(ask) => Some((to, ask)),
        _ => None,
    });
    sent.collect()
}

fn histories_told(step: &Step) -> Vec<History> {
    let sent = step.sent().into_iter().filter_map(|(_, message)| match message {
        Message::History(history) => Some(history),
        _ => None,
    });
    sent.collect()
}

#[test]
fn a_gap_reaches_from_the_last_final_point_to_where_the_nodes_memory_begins() {
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::Chain(tip_at(200)));
    signer.restart();
    let begins = ChainUpdate { gapless: false, restarted: true, cursor_daa: 5_000, ..tip_at(HERE) };
    signer.take(Input::Chain(begins.clone()));
    assert_eq!(signer.mind.gaps, Gaps(vec![Gap { from: 170, to: 5_000, closed: false }]));

    let mut signer = Signer::new(1, Q3);
    signer.take(Input::Chain(tip_at(6_000)));
    signer.take(Input::Chain(begins));
    assert_eq!(signer.mind.gaps, Gaps::default(), "the node's memory begins before what was final here");
}

#[test]
fn everybody_is_asked_for_what_ended_in_the_gap_until_it_is_closed() {
    let mut signer = forgetful();
    let to = |member| (To::Member(MemberIndex(member)), asked());
    assert_eq!(histories_asked(&signer.after(TIMING.catch_up.0)), [to(0), to(2)]);
    tells(&mut signer, 0, Vec::new());
    assert_eq!(histories_asked(&signer.after(TIMING.catch_up.0)), [to(2)]);
    tells(&mut signer, 2, Vec::new());
    assert!(!is_open(&signer));
    assert_eq!(histories_asked(&signer.after(TIMING.catch_up.0)), []);
}

#[test]
fn invariant_11_what_f_and_one_members_say_ended_in_a_gap_is_final_and_the_gap_is_closed_for_good() {
    let mut signer = forgetful();
    tells(&mut signer, 0, vec![ended(1, PAID), ended(2, PAID)]);
    assert!(is_open(&signer), "one member alone may lie, or leave something out");
    let step = tells(&mut signer, 2, vec![ended(1, PAID), ended(2, PAID)]);
    assert!(!is_open(&signer));
    assert!(
        rows(&step, Family::Tombstone) == 2
            && step.writes.iter().all(|row| row.promise || row.value.is_none())
    );
    signer.restart();
    assert!(!is_open(&signer));
    for id in [1, 2] {
        assert_eq!(state(&signer, &event(id)), SessionState::Paid);
    }
}

#[test]
fn what_fewer_than_f_and_one_name_is_refused_for_ever_and_never_shown_as_paid() {
    let mut signer = forgetful();
    tells(&mut signer, 0, vec![ended(1, PAID)]);
    tells(&mut signer, 2, Vec::new());
    assert!(!is_open(&signer));
    let reason = "released".to_owned();
    signer.take(Input::ReleaseQuarantine { reason });
    signer.restart();
    assert_eq!(signer.take(Input::Event(event(1))).ignored(), Some(Ignored::Denied));
    let from = MemberIndex(0);
    signer.take(Input::Verified { from, event: event(1) });
    assert_eq!(state(&signer, &event(1)), SessionState::Denied);
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas));
    signer.wallet(coins.to_vec());
    let proposal = proposal_from(&signer, &event(1), 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Policy]);
    // Whoever asks for it to be void gets no: it may have been paid.
    signer.take(Input::Cancel { event: key(&event(1)), by: "an administrator".to_owned() });
    let refused = signer.mind.judge_purpose(&Proposal { kind: ProposalKind::Void, ..proposal }).unwrap_err();
    assert_eq!((refused.code, refused.detail.as_str()), (RefusalCode::Policy, "doubted"));
}

#[test]
fn a_doubt_ends_when_the_chain_shows_the_event() {
    let mut signer = forgetful();
    tells(&mut signer, 0, vec![ended(1, PAID)]);
    tells(&mut signer, 2, Vec::new());
    let proposal = proposal_from(&signer, &event(1), 10);
    signer.accept(1, HERE + 1, HERE + 40, &[&proposal]);
    assert!(signer.mind.doubted.is_empty());
    signer.restart();
    assert!(signer.mind.doubted.is_empty());
    assert_eq!(state(&signer, &event(1)), SessionState::Paid);
}

#[test]
fn members_that_may_have_forgotten_do_not_close_a_gap() {
    let mut signer = forgetful();
    let hello = Hello { tag: Some([4; 32]), ..signer.hello() };
    signer.hear(2, &Message::Hello(hello));
    tells(&mut signer, 0, Vec::new());
    tells(&mut signer, 2, Vec::new());
    signer.after(TIMING.catch_up.0);
    assert!(is_open(&signer));
}

#[test]
fn who_says_alone_that_the_group_has_moved_keeps_the_gap_open_and_two_end_payments() {
    let mut signer = forgetful();
    let moved = || Message::History(History { moved: true, ..history(asked(), Vec::new()) });
    signer.hear(0, &moved());
    tells(&mut signer, 2, Vec::new());
    assert!(is_open(&signer) && !signer.mind.past.moved);
    // The other was behind: asked again after a while, it says so too.
    (0..14).for_each(|_| drop(signer.after(TIMING.catch_up.0)));
    signer.hear(0, &moved());
    signer.hear(2, &moved());
    assert!(!is_open(&signer) && signer.mind.past.moved);

    let mut signer = forgetful();
    signer.hear(0, &moved());
    signer.hear(2, &moved());
    assert!(!is_open(&signer) && signer.mind.past.moved);
}

#[test]
fn a_history_comes_in_pages_and_whatever_was_not_asked_for_is_dropped() {
    let mut signer = forgetful();
    let all: Vec<EndedEvent> = history(asked(), (1..9).map(|id| ended(id, PAID)).collect()).ended;
    let page = |after: Option<EventKey>, upto: Option<EventKey>| {
        let within = |one: &&EndedEvent| {
            after.is_none_or(|after| one.event > after) && upto.is_none_or(|upto| one.event <= upto)
        };
        let ended = all.iter().filter(within).copied().collect();
        History { upto, ..history(AskHistory { after, ..asked() }, ended) }
    };
    let middle = Some(all[3].event);
    let step = signer.hear(0, &Message::History(page(None, middle)));
    let next = AskHistory { after: middle, ..asked() };
    assert_eq!(histories_asked(&step), [(To::Member(MemberIndex(0)), next)]);
    let early = EndedEvent { daa_score: 100, ..all[7] };
    let wrong = [
        page(None, middle),
        History { upto: middle, ..page(middle, None) },
        History { ended: vec![all[5], all[4]], ..page(middle, None) },
        History { ended: vec![all[2]], ..page(middle, None) },
        History { ended: vec![early], ..page(middle, None) },
        History { asked: AskHistory { to: 1, ..next }, ..page(middle, None) },
    ];
    for page in wrong {
        assert_eq!(signer.hear(0, &Message::History(page)).ignored(), Some(Ignored::NotAsked));
    }
    signer.hear(0, &Message::History(page(middle, None)));
    signer.hear(2, &Message::History(page(None, None)));
    assert_eq!((is_open(&signer), signer.mind.tombstones.len()), (false, 8));
}

#[test]
fn a_member_tells_what_ended_only_of_an_interval_that_it_followed_itself() {
    let (mut signer, event, proposal) = approved(Q3);
    signer.accept(1, 200, 240, &[&proposal]);
    let ask = |from, to| Message::AskHistory(AskHistory { from, to, after: None });
    let ended = EndedEvent {
        event: key(&event),
        transaction: proposal.transaction_id(),
        kind: ProposalKind::Pay,
        daa_score: 200,
    };
    let step = signer.hear(0, &ask(100, 205));
    assert_eq!(histories_told(&step), [history(AskHistory { from: 100, to: 205, after: None }, vec![ended])]);
    assert_eq!(histories_told(&signer.hear(0, &ask(0, 199)))[0].ended, []);
    assert_eq!(signer.hear(0, &ask(100, 211)).ignored(), Some(Ignored::NotFollowed), "not final yet");

    signer.take(Input::Chain(ChainUpdate {
        gapless: false,
        restarted: true,
        cursor_daa: 300,
        ..tip_at(400)
    }));
    signer.take(Input::Chain(tip_at(400)));
    assert_eq!(signer.hear(0, &ask(250, 350)).ignored(), Some(Ignored::NotFollowed));
    assert_eq!(signer.hear(0, &ask(301, 350)).ignored(), None);
    signer.restart_alone(Signs { backup: true, other_volume: false });
    signer.take(Input::Chain(tip_at(400)));
    assert_eq!(signer.hear(0, &ask(301, 350)).ignored(), Some(Ignored::NotFollowed), "in quarantine");
}

#[test]
fn a_chain_that_is_still_being_read_is_followed_up_to_the_last_block_told() {
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::Chain(ChainUpdate { cursor_daa: 500, ..tip_at(HERE) }));
    let ask = |to| Message::AskHistory(AskHistory { from: 100, to, after: None });
    assert_eq!(signer.hear(0, &ask(471)).ignored(), Some(Ignored::NotFollowed));
    assert_eq!(signer.hear(0, &ask(470)).ignored(), None);
}

/// What one signer sends to another arrives there, under its seal.
fn carry(from: &Signer, to: &mut Signer, step: &Step) -> Vec<Step> {
    let me = to.me;
    let sent = step.sent().into_iter().filter(|(whom, _)| [To::Member(me), To::All].contains(whom));
    sent.map(|(_, message)| to.hear(from.me.0, &message)).collect()
}

#[test]
fn a_member_that_followed_tells_one_that_forgot_until_its_gap_is_closed() {
    let (mut knows, _, proposal) = approved(Q2);
    knows.accept(1, 200, 240, &[&proposal]);
    knows.accept(2, 300, 400, &[&proposal_from(&knows, &event(2), 20)]);
    let mut forgot = Signer::new(2, Q2);
    forgot.take(Input::Chain(tip_at(150)));
    forgot.restart_alone(Signs { backup: true, other_volume: false });
    forgot.take(Input::PeerUp(knows.me));
    let hello = Message::Hello(forgot.hello());
    forgot.hear(knows.me.0, &hello);
    let begins = ChainUpdate { gapless: false, restarted: true, cursor_daa: 350, ..tip_at(400) };
    forgot.take(Input::Chain(begins));

    let asks = forgot.after(TIMING.catch_up.0);
    for answer in carry(&forgot, &mut knows, &asks) {
        carry(&knows, &mut forgot, &answer);
    }

    assert!(!is_open(&forgot), "{:?}", forgot.mind.gaps);
    assert_eq!([1, 2].map(|id| state(&forgot, &event(id))), [SessionState::Paid; 2]);
}

#[test]
fn a_long_history_is_told_in_pages_that_fit_a_message() {
    let mut signer = Signer::new(1, Q2);
    for id in 0..20 {
        let many: Vec<_> = (0..60).map(|part| event(id * 60 + part).payment).collect();
        let view = &signer.mind.chain.view.clone();
        let body = draft(&signer.group, view, &many[..1]).unwrap();
        let mut events: Vec<EventKey> = many.iter().map(|payment| payment.event).collect();
        events.sort();
        let payload = igra_tx::payload::encode(ProposalKind::Pay, &events, &BTreeSet::new());
        signer.accept(1, 200 + id, 300, &[&Proposal { payload, ..body }]);
    }
    let mut ask = AskHistory { from: 0, to: 250, after: None };
    let mut told = BTreeSet::new();
    for page in 0.. {
        let step = signer.hear(0, &Message::AskHistory(ask));
        let [history] = histories_told(&step).try_into().unwrap();
        assert!(Message::History(history.clone()).encode().len() <= crate::messages::MAX_BODY_BYTES);
        told.extend(history.ended.iter().map(|ended| ended.event));
        ask.after = history.upto;
        if ask.after.is_none() {
            assert_eq!(page, 2);
            break;
        }
    }
    assert_eq!(told.len(), 1_200);
}

#[test]
fn a_gap_of_a_member_that_is_not_in_quarantine_makes_it_ask_nobody() {
    let mut signer = forgetful();
    signer.take(Input::ReleaseQuarantine { reason: "released".to_owned() });
    assert!(!is_open(&signer), "released, its history counts as known");
    assert!(signer.mind.gaps.contains(500), "but it tells nobody of it");
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::PeerUp(MemberIndex(0)));
    signer.take(Input::Chain(ChainUpdate { gapless: false, restarted: true, ..tip_at(HERE) }));
    assert!(is_open(&signer));
    assert_eq!(histories_asked(&signer.after(TIMING.catch_up.0)), []);
    assert_eq!(tells(&mut signer, 0, Vec::new()).ignored(), Some(Ignored::NotAsked));
}

#[test]
fn coins_of_a_chain_that_was_taken_back_are_not_approved_before_they_are_shown_anew() {
    let (mut signer, event) = approver(Q3);
    signer.take(Input::Chain(ChainUpdate { restarted: true, ..tip_at(100) }));
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::NodeNotSynced]);
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas));
    let step = signer.wallet(coins.to_vec());
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn a_washed_signer_with_a_gap_leaves_quarantine_as_soon_as_the_gap_is_closed() {
    let mut signer = forgetful();
    signer.take(Input::Drawn([7; 32]));
    let home = coin(&signer.group, 1, 1).script;
    let tag = signer.mind.own_tag().unwrap();
    let sweep = swept(&signer, tag);
    signer.accept(1, HERE + 5, HERE + 50, &[&sweep]);
    let outpoint = Outpoint { transaction: sweep.transaction_id(), index: 0 };
    let made = igra_tx::Coin { outpoint, daa_score: HERE + 5, script: home, ..coin(&signer.group, 1, 9) };
    let update = crate::WalletUpdate {
        virtual_daa: HERE + 49,
        coins: vec![made],
        predecessor: Vec::new(),
        fee_rate: FeeRate::new(100),
        synced: true,
    };
    signer.take(Input::Wallet(update));
    assert_eq!(signer.mind.missing(), [Missing::History]);

    tells(&mut signer, 0, vec![ended(1, PAID)]);
    let step = tells(&mut signer, 2, vec![ended(1, PAID)]);

    assert!(step.effects.contains(&Effect::Note(Note::QuarantineLeft)), "{:?}", signer.mind.missing());
    assert_eq!(signer.take(Input::Event(event(1))).ignored(), Some(Ignored::FinalEvent));
}

/// A sweep of the first coin under a tag.
fn swept(signer: &Signer, tag: igra_tx::Tag) -> Proposal {
    let coin = coin(&signer.group, 10, 10);
    let all = [coin.outpoint].into();
    let coins = [(coin.outpoint, coin)].into();
    let view = ChainView { virtual_daa: 1_000, coins, own: BTreeSet::new(), fee_rate: FeeRate::new(100) };
    let (tags, avoid, limits) = ([tag].into(), BTreeSet::new(), &policy().fee);
    let purpose = igra_tx::Purpose::Sweep(&all);
    igra_tx::draft(
        &signer.group,
        &view,
        &igra_tx::Draft { purpose, tags: &tags, limits, avoid: &avoid, must_share: &[] },
    )
    .unwrap()
}
