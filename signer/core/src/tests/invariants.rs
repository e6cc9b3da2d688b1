//! Invariants of docs/protocol.md over any order of things, named after their numbers there.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    Evidence, Row, Step, UnixSeconds,
    messages::{Announce, Body, FinalClaim, Hint},
    test_kit::event_of,
};

/// What may happen to a signer, drawn as numbers.
#[derive(Clone, Debug)]
enum Turn {
    Event(u8),
    /// A proposal for an event, from one of the coins, by the proposer of the first view.
    Proposal(u8, u8),
    /// Another member's approval of the proposal for an event from a coin, and its partial.
    Approval(u8, u8, u8),
    Partial(u8, u8, u8),
    /// The oldest signature that was asked for comes.
    Signature,
    Wait(u16),
    Restart,
}

const EVENTS: u8 = 3;
const COINS: [u64; 3] = [10, 20, 30];

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let (event, coin, from) = (0..EVENTS, 0..COINS.len() as u8, prop_oneof![Just(0u8), Just(2)]);
    let approval = (from.clone(), event.clone(), coin.clone());
    let turn = prop_oneof![
        3 => event.clone().prop_map(Turn::Event),
        4 => (event, coin).prop_map(|(event, coin)| Turn::Proposal(event, coin)),
        4 => approval.clone().prop_map(|(from, event, coin)| Turn::Approval(from, event, coin)),
        2 => approval.prop_map(|(from, event, coin)| Turn::Partial(from, event, coin)),
        3 => Just(Turn::Signature),
        1 => (0u16..3_000).prop_map(Turn::Wait),
        1 => Just(Turn::Restart),
    ];
    prop::collection::vec(turn, 1..40)
}

/// A signer, and the proposals whose signatures it waits for.
struct Played {
    signer: Signer,
    asked: Vec<Proposal>,
    promises: u64,
    /// Who told of an approval of what.
    told: BTreeSet<(igra_tx::ProposalId, u8)>,
    /// The events that the signer approved something for.
    approved: BTreeSet<EventKey>,
}

impl Played {
    fn new(quorum: u8, policy: Policy) -> Self {
        let signer = Signer::with_policy(1, quorum, policy);
        Self { signer, asked: Vec::new(), promises: 0, told: BTreeSet::new(), approved: BTreeSet::new() }
    }

    fn play(&mut self, turn: &Turn) -> Step {
        let step = match turn {
            Turn::Event(id) => self.signer.take(Input::Event(event((*id).into()))),
            Turn::Proposal(event, coin) => {
                let proposal = self.proposal(*event, *coin);
                self.signer.hear_unsigned(0, &propose(0, &proposal))
            }
            Turn::Approval(from, event, coin) => {
                self.promises += 1;
                let proposal = self.proposal(*event, *coin);
                self.told.insert((proposal.id(), *from));
                let approval = approve(&self.signer, *from, self.promises, &proposal);
                self.signer.hear_unsigned(*from, &approval)
            }
            Turn::Partial(from, event, coin) => {
                let proposal = self.proposal(*event, *coin);
                let signatures = partial(&self.signer.group, MemberIndex(*from), &proposal).signatures;
                let message = PartialMessage { proposal: proposal.id(), signatures };
                self.signer.hear_unsigned(*from, &Message::Partial(message))
            }
            Turn::Signature if self.asked.is_empty() => Step::default(),
            Turn::Signature => {
                let proposal = self.asked.remove(0);
                self.signer.take(Input::Signed(partial(&self.signer.group, self.signer.me, &proposal)))
            }
            Turn::Wait(ms) => {
                self.signer.now.monotonic.0 += u64::from(*ms);
                self.signer.take(Input::Tick)
            }
            Turn::Restart => {
                self.asked.clear();
                self.signer.restart()
            }
        };
        self.asked.extend(step.effects.iter().filter_map(|effect| match effect {
            Effect::Sign { proposal } => Some(proposal.clone()),
            _ => None,
        }));
        for (_, message) in step.sent() {
            if let Message::Approve(approve) = message {
                self.approved.extend(approve.events);
            }
        }
        step
    }

    fn proposal(&self, id: u8, coin: u8) -> Proposal {
        proposal_from(&self.signer, &event(id.into()), COINS[usize::from(coin)])
    }

    /// Whether a row of a proposal is on disk.
    fn has(&self, family: Family, proposal: &igra_tx::ProposalId) -> bool {
        self.signer.rows.contains_key(&(family, proposal.as_bytes().to_vec()))
    }

    /// An approval's row begins, after its version, with the proposal.
    fn has_approval(&self, proposal: &igra_tx::ProposalId) -> bool {
        let mut rows = self.signer.rows.iter().filter(|((family, _), _)| *family == Family::Approval);
        rows.any(|(_, value)| value[1..].starts_with(proposal.as_bytes()))
    }

    /// How many members approved a proposal, as far as this signer can know, with itself.
    fn approvals(&self, proposal: &igra_tx::ProposalId) -> usize {
        1 + self.told.iter().filter(|(told, _)| told == proposal).count()
    }

    /// What was promised of the group's volume.
    fn promised(&self) -> Sompi {
        Sompi(self.approved.len() as u64 * event(0).payment.amount.0)
    }
}

fn is_promise(row: &Row) -> bool {
    [Family::Approval, Family::Proposal, Family::Certificate, Family::Partial].contains(&row.family)
}

/// A policy that lets the group pay so much in a window, and whose events never expire.
fn within(kas: u64) -> Policy {
    let limit = Sompi(kas * 100_000_000);
    let volume =
        Volume { window: VolumeWindow::Rolling { seconds: u64::MAX }, limit, scope: VolumeScope::Group };
    Policy { volumes: vec![volume], ..timeless() }
}

fn timeless() -> Policy {
    let mut policy = policy();
    policy.sources.values_mut().for_each(|rules| rules.deadline_seconds = u64::MAX);
    policy
}

/// Where an event stands, as far as that is a promise and not a judgement of the moment.
fn promised_state(signer: &Signer, event: &EventKey) -> Option<SessionState> {
    let state = signer.mind.session(event)?.state;
    let promised = [SessionState::Approved, SessionState::Signed, SessionState::Assembled];
    promised.contains(&state).then_some(state)
}

/// Whether a step sends the own approval of a proposal, and the partial that came after it.
fn says_again(step: &Step, proposal: &igra_tx::ProposalId, partial: bool) -> bool {
    let sent = step.sent();
    let approves =
        sent.iter().any(|(_, said)| matches!(said, Message::Approve(own) if own.proposal == *proposal));
    let signs =
        sent.iter().any(|(_, said)| matches!(said, Message::Partial(own) if own.proposal == *proposal));
    approves && (signs || !partial)
}

/// Everything that a peer can say about an event, short of proving it.
fn hearsay(signer: &Signer, of: &VerifiedEvent) -> Vec<Message> {
    let proposal = proposal_from(signer, of, 10);
    let (proposal_id, transaction, event) = (proposal.id(), proposal.transaction_id(), key(of));
    let known = KnownProposal { proposal: proposal_id, body: true, approvals: 0b101, partials: 0b101 };
    let entries = vec![Entry { event, proposals: vec![known] }];
    let evidence = Evidence { bytes: b"none".to_vec(), ..of.evidence.clone() };
    vec![
        Message::Announce(Announce { event, evidence }),
        propose(0, &proposal),
        approve(signer, 2, 1, &proposal),
        Message::Body(Body { proposal: borsh::to_vec(&proposal).unwrap() }),
        Message::Final(FinalClaim { event, transaction, ended: None }),
        Message::Hint(Hint { transaction }),
        Message::Digest(Digest { view: 0, from: event, to: event, entries, answer: false }),
        Message::Refuse(Refuse {
            proposal: proposal_id,
            view: 0,
            code: RefusalCode::Policy,
            detail: String::new(),
            outpoints: Vec::new(),
            events: vec![event],
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn invariant_4_no_partial_leaves_without_a_durable_approval_and_a_certificate_where_more_than_m_approve(
        turns in turns(), more in any::<bool>(),
    ) {
        let quorum = if more { Q3 } else { Q2 };
        let mut played = Played::new(quorum, policy());
        for turn in &turns {
            let step = played.play(turn);
            prop_assert!(step.writes.iter().filter(|row| is_promise(row)).all(|row| row.promise || row.value.is_none()));
            for (_, message) in step.sent() {
                match message {
                    Message::Approve(approve) => {
                        prop_assert!(played.has_approval(&approve.proposal));
                        prop_assert!(played.has(Family::Proposal, &approve.proposal));
                        prop_assert_eq!(approve.signatures.is_some(), quorum == Q2);
                        prop_assert!(quorum == Q3 || played.has(Family::Partial, &approve.proposal));
                    }
                    Message::Partial(partial) => {
                        prop_assert!(quorum == Q3 && played.approvals(&partial.proposal) >= 3);
                        prop_assert!(played.has_approval(&partial.proposal));
                        prop_assert!(played.has(Family::Certificate, &partial.proposal));
                        prop_assert!(played.has(Family::Partial, &partial.proposal));
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn invariant_6_whatever_peers_say_no_event_is_known_or_approved_without_the_own_verifier(
        said in prop::collection::vec((prop_oneof![Just(0u8), Just(2)], any::<prop::sample::Index>()), 1..30),
    ) {
        let mut signer = Signer::new(1, Q2);
        let unproven = event(1);
        let messages = hearsay(&signer, &unproven);
        for (from, which) in said {
            let step = signer.hear(from, &messages[which.index(messages.len())]);
            let promised = step.writes.iter().any(|row| matches!(row.family, Family::Event | Family::Approval | Family::Partial));
            prop_assert!(!promised, "{:?}", step.writes);
            prop_assert!(signer.mind.session(&key(&unproven)).is_none());
        }
    }

    #[test]
    fn invariant_6_the_first_payload_that_was_proven_stays_and_another_one_is_an_alarm(
        amounts in prop::collection::vec((400_000_000u64..410_000_000, any::<bool>()), 2..8),
    ) {
        let mut signer = Signer::new(1, Q2);
        let first = event_of(1, amounts[0].0);
        signer.take(Input::Event(first.clone()));
        for (amount, from_peer) in amounts {
            let event = event_of(1, amount);
            let same = event.payment == first.payment;
            let input = if from_peer {
                Input::Verified { from: MemberIndex(2), event }
            } else {
                Input::Event(event)
            };
            let step = signer.take(input);
            prop_assert_eq!(step.alarms.is_empty(), same);
            // What objects to the event is kept; what the event is stays.
            prop_assert!(step.writes.iter().all(|row| row.family == Family::Held), "{:?}", step.writes);
            prop_assert_eq!(signer.mind.session(&key(&first)).unwrap().amount, Some(first.payment.amount));
        }
    }

    #[test]
    fn invariant_8_what_is_reserved_and_spent_stays_within_the_limit_whatever_waits_for_a_signature(
        turns in turns(), kas in 4u64..17,
    ) {
        let mut played = Played::new(Q2, within(kas));
        for turn in turns.iter().filter(|turn| !matches!(turn, Turn::Restart)) {
            played.play(turn);
            prop_assert!(played.promised() <= Sompi(kas * 100_000_000), "{:?}", played.promised());
        }
    }

    #[test]
    fn invariant_13_a_restart_at_any_moment_stands_where_the_signer_stood_and_says_it_again(
        turns in turns(), more in any::<bool>(),
    ) {
        let quorum = if more { Q3 } else { Q2 };
        let mut played = Played::new(quorum, policy());
        for turn in &turns {
            played.play(turn);
            let mut twin = Signer::with_policy(1, quorum, policy());
            (twin.rows, twin.now) = (played.signer.rows.clone(), played.signer.now);
            let again = twin.restart();
            for id in 0..EVENTS {
                let event = key(&event(id.into()));
                prop_assert_eq!(promised_state(&played.signer, &event), promised_state(&twin, &event));
                for (proposal, offer) in played.signer.mind.own_approvals(&event) {
                    let signed = offer.partials.contains_key(&twin.me);
                    prop_assert!(says_again(&again, &proposal, signed && quorum == Q3), "{:?}", again);
                    let submits = offer.assembled.is_none_or(|id| again.submitted().contains(&id));
                    prop_assert!(submits, "{:?}", again);
                }
            }
        }
    }

    #[test]
    fn invariant_17_a_message_counts_once_however_often_and_by_whomever_it_is_brought(
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..40), known in any::<bool>(),
    ) {
        let mut signer = Signer::new(1, Q3);
        if known {
            signer.take(Input::Event(event(1)));
        }
        let said = hearsay(&signer, &event(1));
        let sealed: Vec<Vec<u8>> = said.iter().zip([0, 0, 2, 0, 0, 2, 2, 0]).map(|(message, from)| signer.sealed(from, message)).collect();
        let mut heard = BTreeSet::new();
        for which in order {
            let which = which.index(sealed.len());
            let again = !heard.insert(which);
            let before = signer.mind.view();
            let step = signer.take_and_sign(Input::Received(sealed[which].clone()));
            if again {
                prop_assert!(step.writes.is_empty(), "{:?} writes {:?}", said[which].kind(), step.writes);
                // An approval is looked at whenever it comes: nobody knows what was lost. It changes nothing.
                let approval = said[which].kind() == MessageKind::Approve;
                prop_assert!(approval || step.ignored() == Some(Ignored::Duplicate), "{:?}", step);
                prop_assert_eq!(signer.mind.view(), before);
            }
        }
    }

    #[test]
    fn invariant_19_with_no_deadline_and_no_volume_no_clock_changes_anything(
        turns in turns(), skews in prop::collection::vec(any::<u64>(), 40), more in any::<bool>(),
    ) {
        let quorum = if more { Q3 } else { Q2 };
        let (mut right, mut wrong) = (Played::new(quorum, timeless()), Played::new(quorum, timeless()));
        for (turn, utc) in turns.iter().filter(|turn| !matches!(turn, Turn::Restart)).zip(skews) {
            wrong.signer.now.utc = UnixSeconds(utc);
            prop_assert_eq!(right.play(turn).effects, wrong.play(turn).effects);
        }
    }

    #[test]
    fn invariant_19_a_wrong_clock_only_ever_makes_an_event_wait_or_expire(
        turns in turns(), skews in prop::collection::vec(prop_oneof![any::<u64>(), 999_000u64..1_002_000], 40),
    ) {
        let mut policy = within(12);
        policy.sources.values_mut().for_each(|rules| rules.deadline_seconds = 500);
        let mut played = Played::new(Q2, policy);
        for (turn, utc) in turns.iter().zip(skews) {
            played.signer.now.utc = UnixSeconds(utc);
            let before = played.promised();
            let approved = played.play(turn).sent_kinds().contains(&MessageKind::Approve);
            // Whatever the clock says: nothing beyond the limit is promised, and nothing promised is given back.
            if approved && !matches!(turn, Turn::Restart) {
                prop_assert!(played.promised() <= Sompi(1_200_000_000).max(before));
            }
            let sessions = (0..EVENTS).filter_map(|id| played.signer.mind.session(&key(&event(id.into()))));
            for session in sessions {
                let waits = matches!(session.state, SessionState::Held | SessionState::Expired);
                let goes_on = matches!(
                    session.state,
                    SessionState::Verified | SessionState::Approved | SessionState::Signed | SessionState::Assembled
                );
                prop_assert!(waits || goes_on, "{:?}", session.state);
            }
        }
    }
}
