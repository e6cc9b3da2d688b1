//! One coordinator, its rules one by one.

mod answers;
mod approving;
mod batching;
mod catching_up;
mod closing;
mod crashes;
mod following;
mod gaps;
mod halting;
mod history;
mod intake;
mod invariants;
mod lost;
mod merging;
mod own_seals;
mod parents;
mod promises;
mod proposing;
mod quarantine;
mod raising;
mod statements;
mod sweeping;
mod voiding;

use std::collections::BTreeSet;

use igra_group::{ConfigDigest, MemberIndex, Sompi};
use igra_tx::{ChainView, EventKey, FeeRate, Outpoint, Proposal, verify_partial};

use crate::{
    Alarm, ChainUpdate, DenialCode, Effect, Family, Ignored, Input, Intake, MessageKind, Note, Policy,
    RefusalCode, SessionState, SubmitOutcome, To, VerifiedEvent, Volume, VolumeScope, VolumeWindow,
    messages::{
        Approve, Certificate, Digest, Entry, Hello, KnownProposal, Message, PartialMessage, Propose, Refuse,
        Standing, Status,
    },
    test_kit::{Signer, coin, draft, event, event_of, partial, policy, tip_at},
};

const Q2: u8 = 2;
const Q3: u8 = 3;

fn key(event: &VerifiedEvent) -> EventKey {
    event.payment.event
}

/// A proposal for an event that spends one coin of the given size, as another member may draft it.
fn proposal_from(signer: &Signer, event: &VerifiedEvent, kas: u64) -> Proposal {
    let coins = [coin(&signer.group, kas as u8, kas)];
    let view = ChainView {
        virtual_daa: 100,
        coins: coins.into_iter().map(|coin| (coin.outpoint, coin)).collect(),
        own: BTreeSet::new(),
        fee_rate: FeeRate::new(100),
    };
    draft(&signer.group, &view, std::slice::from_ref(&event.payment)).unwrap()
}

fn propose(view: u64, proposal: &Proposal) -> Message {
    Message::Propose(Propose { view, proposal: borsh::to_vec(proposal).unwrap() })
}

fn approve(signer: &Signer, from: u8, promise: u64, proposal: &Proposal) -> Message {
    let at_once = signer.group.quorum().get() == 2;
    let signed = || partial(&signer.group, MemberIndex(from), proposal).signatures;
    Message::Approve(Approve {
        proposal: proposal.id(),
        events: proposal.events.clone(),
        config: signer.group.config_digest(),
        promise,
        view: 0,
        signatures: at_once.then(signed),
    })
}

/// A signer that is not the proposer of view 0 and knows an event.
fn approver(quorum: u8) -> (Signer, VerifiedEvent) {
    let mut signer = Signer::new(1, quorum);
    let event = event(1);
    signer.take(Input::Event(event.clone()));
    (signer, event)
}

/// One that has approved a proposal by the proposer of view 0, spending the coin of 10 KAS.
fn approved(quorum: u8) -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event) = approver(quorum);
    let proposal = proposal_from(&signer, &event, 10);
    let step = signer.hear(0, &propose(0, &proposal));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
    (signer, event, proposal)
}

fn state(signer: &Signer, event: &VerifiedEvent) -> SessionState {
    signer.mind.session(&key(event)).unwrap().state
}

fn rows(step: &crate::Step, family: Family) -> usize {
    step.writes.iter().filter(|row| row.family == family && row.value.is_some()).count()
}

/// A member that has assembled the transaction of an event.
fn assembled() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event, proposal) = approved(Q2);
    let step = signer.hear(0, &approve(&signer, 0, 1, &proposal));
    assert!(step.writes.iter().any(|row| row.family == Family::Outbox && row.promise), "{step:?}");
    (signer, event, proposal)
}
