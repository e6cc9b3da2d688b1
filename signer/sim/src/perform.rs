//! What a signer's loop does with a step: writes, then effects, and a crash anywhere between them.

use igra_core::{Alarm, Effect, Family, Input, MessageKind, Note, Row, Step, To, messages, rules::Rules};
use igra_group::MemberIndex;
use igra_tx::{Proposal, sign};

use crate::{
    feed::verify,
    world::{Happening, Order, World},
};

impl<R: Rules> World<R> {
    pub(crate) fn perform(&mut self, member: MemberIndex, step: Step) {
        for alarm in &step.alarms {
            match alarm {
                // The feed does this on purpose.
                Alarm::Replayed { .. } => {}
                Alarm::Equivocation { .. }
                | Alarm::OwnPromiseUnknown { .. }
                | Alarm::OwnEpochUnknown { .. }
                | Alarm::OwnPartialBad { .. }
                | Alarm::SignFailed { .. }
                | Alarm::CombineFailed { .. }
                | Alarm::PaidTwice { .. } => {
                    self.checks.fail(format!("{member:?} raises an alarm: {alarm:?}"))
                }
            }
        }
        self.first_approvals(member, &step.effects);
        let crash = self.goes_wrong(self.scenario.crash).then(|| step.effects.len() + 1);
        let crash = crash.map(|places| rand::Rng::gen_range(&mut self.rng, 0..=places));
        match (self.order, crash) {
            (Order::WritesFirst, Some(0)) => {}
            (Order::WritesFirst, at) => {
                self.commit(member, step.writes);
                self.effects(member, step.effects, at.map(|at| at - 1));
            }
            (Order::EffectsFirst, at) => {
                self.effects(member, step.effects, at);
                if at.is_none() {
                    self.commit(member, step.writes);
                }
            }
        }
        if crash.is_some() {
            self.crash(member);
        }
    }

    fn first_approvals(&mut self, member: MemberIndex, effects: &[Effect]) {
        let now = self.now(member).utc;
        for effect in effects {
            let Effect::Note(Note::Approved { events, .. }) = effect else { continue };
            for event in events {
                let deadline = self.feed.deadlines.get(event).copied();
                self.checks.approves(member, event, deadline, now, &self.signers[&member].disk);
            }
        }
    }

    fn commit(&mut self, member: MemberIndex, writes: Vec<Row>) {
        if !writes.is_empty() {
            self.signer(member).disk.commit(writes);
        }
    }

    fn effects(&mut self, member: MemberIndex, effects: Vec<Effect>, most: Option<usize>) {
        let most = most.unwrap_or(effects.len());
        for effect in effects.into_iter().take(most) {
            self.effect(member, effect);
        }
    }

    fn effect(&mut self, member: MemberIndex, effect: Effect) {
        match effect {
            Effect::Send { to, kind, sequence, body } => self.send(member, to, kind, sequence, &body),
            Effect::Relay { to, sealed } => self.carry(member, to, &sealed),
            Effect::Verify { from, evidence } => {
                let input = match verify(&evidence) {
                    Some(event) => Input::Verified { from, event },
                    None => Input::VerifyFailed { from, evidence, code: "shape".to_owned(), permanent: true },
                };
                self.answer(member, 100, input);
            }
            Effect::Sign { proposal } => self.sign(member, &proposal),
            Effect::Submit(transaction) => {
                let id = transaction.id();
                if !self.signers[&member].disk.has(Family::Outbox, id.as_bytes()) {
                    self.checks.fail(format!("{member:?} submits a transaction that is not on its disk"));
                }
                let outcome = self.submit(member, transaction);
                self.tell(|_| format!("{member:?} submits {id:?}: {outcome:?}"));
                self.answer(member, 50, Input::Submitted { transaction: id, outcome });
            }
            Effect::Note(note) => self.note(member, note),
        }
    }

    fn answer(&mut self, member: MemberIndex, most_ms: u64, input: Input) {
        let life = self.signers[&member].life;
        self.soon(most_ms, Happening::Answer { signer: member, life, input: Box::new(input) });
    }

    fn sign(&mut self, member: MemberIndex, proposal: &Proposal) {
        self.checks.bodies.insert(proposal.id(), proposal.clone());
        let keys = &self.signers[&member].keys;
        match sign(&self.group, proposal, member, |hash| keys.sign(hash)) {
            Ok(partial) => self.answer(member, 20, Input::Signed(partial)),
            Err(error) => self.checks.fail(format!("{member:?} cannot sign: {error}")),
        }
    }

    fn send(&mut self, member: MemberIndex, to: To, kind: MessageKind, sequence: u64, body: &[u8]) {
        let signer = &self.signers[&member];
        self.checks.leaves(&self.chain, &self.group, member, &signer.disk, kind, body);
        // The coordinator is already in its place: the epoch of a message is that of its process.
        let Some(epoch) = signer.mind.as_ref().map(|mind| mind.epoch()) else { return };
        let header = messages::Header {
            network: self.group.network(),
            group: self.group.id(),
            member,
            epoch,
            sequence,
            kind,
        };
        match messages::seal(&header, body, |bytes| signer.keys.seal(bytes)) {
            Ok(sealed) => self.carry(member, to, &sealed),
            Err(error) => {
                self.checks.fail(format!("{member:?} makes a {kind:?} that no seal carries: {error}"))
            }
        }
    }

    fn carry(&mut self, member: MemberIndex, to: To, sealed: &[u8]) {
        match to {
            To::All => {
                for other in self.others(member) {
                    self.transmit(member, other, sealed, self.scenario.gossip_loss);
                }
            }
            To::Member(other) => self.transmit(member, other, sealed, self.scenario.stream_loss),
        }
    }

    fn note(&mut self, member: MemberIndex, note: Note) {
        if let Note::Final { transaction, .. } = &note {
            self.checks.says_final(&self.chain, member, transaction);
        }
        self.tell(|_| format!("{member:?} {note:?}"));
    }
}
