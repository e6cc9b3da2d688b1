//! What a signer's loop does with steps: several of them may share one commit, then come the effects of all, and a
//! crash anywhere takes what was not committed.

use igra_core::{Alarm, Effect, Family, Input, MessageKind, Note, Row, Step, To, messages, rules::Rules};
use igra_group::{MemberIndex, Sompi};
use igra_tx::{Proposal, sign};

use crate::{
    checks::Approvals,
    disk::approvals_in,
    feed::verify,
    world::{Happening, Order, World},
};

impl<R: Rules> World<R> {
    /// Takes a step into the signer's turn, which ends at once or a little later.
    pub(crate) fn take_step(&mut self, member: MemberIndex, step: Step) {
        self.alarms(member, &step.alarms);
        self.watch(member, &step.effects);
        let wait = self.scenario.turn_ms;
        let signer = self.signer(member);
        let (life, opens) = (signer.life, signer.turn.is_none());
        let turn = signer.turn.get_or_insert_default();
        turn.writes.extend(step.writes);
        turn.effects.extend(step.effects);
        if wait == 0 {
            self.end_turn(member);
        } else if opens {
            self.soon(wait, Happening::TurnEnds { signer: member, life });
        }
    }

    fn alarms(&mut self, member: MemberIndex, alarms: &[Alarm]) {
        for alarm in alarms {
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
    }

    /// Compares each approval with deadlines and volumes at the moment it is made.
    fn watch(&mut self, member: MemberIndex, effects: &[Effect]) {
        let now = self.now(member).utc;
        let signer = &self.signers[&member];
        let waiting = signer.turn.as_ref().map_or(&[][..], |turn| &turn.writes);
        let mut approvals: Approvals = signer.disk.approvals().chain(approvals_in(waiting)).collect();
        for effect in effects {
            let Effect::Note(note) = effect else { continue };
            if let Note::Dead { proposal, .. } = note {
                self.checks.dead.insert((member, *proposal));
            }
            if let Note::Final { events, .. } = note {
                for event in events {
                    self.checks.finals.entry((member, *event)).or_insert(now);
                }
            }
            if let Note::Approved { events, proposal, .. } = note {
                for event in events {
                    let deadline = self.feed.deadlines.get(event).copied();
                    self.checks.approves_in_time(member, event, deadline, now, &approvals);
                }
                approvals.insert(*proposal, events.clone());
                if self.scenario.volume > 0 {
                    let limit = Sompi(self.scenario.volume);
                    self.checks.approves_within(member, limit, now, &approvals, &self.feed);
                }
            }
        }
    }

    /// One commit for all that the turn gathered, then its effects; a crash may come anywhere.
    pub(crate) fn end_turn(&mut self, member: MemberIndex) {
        let Some(step) = self.signer(member).turn.take() else { return };
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
            Effect::Send { to, kind, epoch, sequence, body } => {
                self.send(member, to, kind, (epoch, sequence), &body)
            }
            Effect::Relay { to, sealed } => self.carry(member, to, &sealed),
            Effect::Verify { from, evidence } => {
                let input = match verify(&evidence) {
                    Some(event) => Input::Verified { from, event },
                    None => Input::VerifyFailed { from, evidence, code: "shape".to_owned(), permanent: true },
                };
                self.answer(member, 100, input);
            }
            Effect::Sign { proposal } => self.sign(member, &proposal),
            Effect::Submit { transaction, .. } => {
                let id = transaction.id();
                if !self.signers[&member].disk.has(Family::Outbox, id.as_bytes()) {
                    self.checks.fail(format!("{member:?} submits a transaction that is not on its disk"));
                }
                let outcome = self.submit(member, transaction);
                self.tell(|_| format!("{member:?} submits {id:?}: {outcome:?}"));
                self.answer(member, 50, Input::Submitted { transaction: id, outcome });
            }
            // The chain of a run keeps what it once accepted in its own mempool.
            Effect::SubmitRaw { .. } => {}
            Effect::Draw => {
                let mut drawn = [0; 32];
                rand::RngCore::fill_bytes(&mut self.rng, &mut drawn);
                self.answer(member, 5, Input::Drawn(drawn));
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

    fn send(
        &mut self,
        member: MemberIndex,
        to: To,
        kind: MessageKind,
        (epoch, sequence): (u64, u64),
        body: &[u8],
    ) {
        let signer = &self.signers[&member];
        self.checks.leaves(&self.chain, &self.group, member, &signer.disk, kind, body);
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
