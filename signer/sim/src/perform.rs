//! What a signer's loop does with steps: several of them may share one commit, then come the effects of all, and a
//! crash anywhere takes what was not committed.

use std::collections::BTreeSet;

use igra_core::{
    Alarm, Effect, Family, Input, MessageKind, Note, Row, SessionState, Step, To, VerifiedEvent, messages,
    rules::Rules,
};
use igra_group::{MemberIndex, Sompi};
use igra_tx::{EventKey, Proposal, ProposalId, ProposalKind, sign};
use rand::Rng;

use crate::{
    checks::Approvals,
    disk::approvals_in,
    fault::Fault,
    feed::read,
    keys::name,
    network::Way,
    promised::without_tombstone,
    story,
    world::{Happening, Order, World},
};

impl<R: Rules> World<R> {
    /// Takes a step into the signer's turn, which ends at once or a little later.
    pub(crate) fn take_step(&mut self, member: MemberIndex, step: Step) {
        self.alarms(member, &step.alarms);
        if !self.liars.has(member) {
            self.watch(member, &step.effects);
        }
        self.trace_phases(member, &step.effects);
        self.judge_notes(member, &step.effects);
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

    /// Where the signer's events stand after a step.
    fn trace_phases(&mut self, member: MemberIndex, effects: &[Effect]) {
        let mut moved = BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Verify { evidence, .. } => {
                    let event = read(evidence).map(|event| event.payment.event);
                    event.into_iter().for_each(|event| self.phases.verifies(member, event));
                }
                Effect::Note(Note::PeerApproved { from, proposal }) => {
                    self.phases.is_heard(*from, *proposal);
                    self.checks.promised.heard(member, *from, *proposal);
                    moved.extend([member, *from]);
                }
                Effect::Note(_) => drop(moved.insert(member)),
                _unseen => {}
            }
        }
        for member in moved {
            if let Some(mind) = &self.signers[&member].mind {
                self.phases.look(member, mind);
            }
        }
    }

    fn alarms(&mut self, member: MemberIndex, alarms: &[Alarm]) {
        for alarm in alarms {
            let expected = match alarm {
                // The feed does this on purpose.
                Alarm::Replayed { .. } => true,
                Alarm::Equivocation { member, .. } => {
                    self.scenario.faulty.contains_key(member) || self.checks.went_back.contains(member)
                }
                Alarm::OwnPromiseUnknown { .. } | Alarm::OwnEpochUnknown { .. } => {
                    self.scenario.faulty.contains_key(&member) || self.checks.went_back.contains(&member)
                }
                Alarm::OwnPartialBad { .. }
                | Alarm::SignFailed { .. }
                | Alarm::CombineFailed { .. }
                | Alarm::PaidTwice { .. } => false,
            };
            self.tell(name(member), |_| format!("raises an alarm: {}", story::shown(alarm)));
            if !expected && !self.liars.has(member) {
                self.checks.fail(format!("{} raises an alarm: {alarm:?}", name(member)));
            }
        }
    }

    /// What a member may not do any more, or only now: pay from a group that it leaves, leave quarantine.
    fn judge_notes(&mut self, member: MemberIndex, effects: &[Effect]) {
        for effect in effects {
            let Effect::Note(note) = effect else { continue };
            match note {
                Note::PaymentsEnded => self.checks.promised.moves(member),
                Note::Approved { kind: ProposalKind::Migrate, .. } => self.checks.promised.moves(member),
                Note::Approved { kind, .. } => self.checks.pays_no_more(member, *kind),
                Note::QuarantineLeft => self.leaves_quarantine(member),
                Note::TagDrawn { tag } => self.checks.own.announced(Some(*tag.as_bytes())),
                _other => {}
            }
        }
    }

    fn leaves_quarantine(&mut self, member: MemberIndex) {
        let signer = &self.signers[&member];
        self.checks.leaves_quarantine(&self.chain, member, &signer.disk);
        let ended = |event: &EventKey| {
            let session = signer.mind.as_ref().and_then(|mind| mind.session(event));
            session.is_some_and(|view| matches!(view.state, SessionState::Paid | SessionState::Void))
        };
        let at = self.chain.block(&signer.node_tip).daa;
        if let Some(event) = without_tombstone(&self.chain, &self.group, at, ended) {
            self.checks.fail(format!("{} leaves quarantine and knows no end of {event:?}", name(member)));
        }
    }

    /// Compares each approval with deadlines and volumes at the moment it is made.
    fn watch(&mut self, member: MemberIndex, effects: &[Effect]) {
        let now = self.now(member).utc;
        let signer = &self.signers[&member];
        let waiting = signer.turn.as_ref().map_or(&[][..], |turn| &turn.writes);
        let mut approvals: Approvals = signer.disk.approvals().chain(approvals_in(waiting)).collect();
        let unpaying = effects.iter().filter_map(|effect| match effect {
            Effect::Note(Note::Approved { kind, proposal, .. }) if *kind != ProposalKind::Pay => {
                Some(*proposal)
            }
            _other => None,
        });
        self.checks.unpaying.extend(unpaying);
        let pays = |id: &ProposalId| !self.checks.unpaying.contains(id);
        approvals.retain(|id, _| pays(id));
        for effect in effects {
            let Effect::Note(note) = effect else { continue };
            if let Note::Dead { proposal, .. } = note {
                self.checks.dead.insert((member, *proposal));
            }
            if let Note::Final { events, transaction } = note {
                for event in events {
                    if !self.chain.is_payment(transaction) {
                        self.checks.voided.insert((member, *event));
                    }
                    self.checks.finals.entry((member, *event)).or_insert(now);
                }
            }
            // A void or a sweep pays nobody.
            if let Note::Approved { kind: ProposalKind::Pay, events, proposal, .. } = note {
                for event in events {
                    let deadline = self.model.told(event).and_then(|told| told.deadline);
                    self.checks.approves_in_time(member, event, deadline, now, &approvals);
                }
                approvals.insert(*proposal, events.clone());
                if self.scenario.volume > 0 {
                    let limit = Sompi(self.scenario.volume);
                    self.checks.approves_within(member, limit, now, &approvals, &self.model);
                }
            }
        }
    }

    /// One commit for all that the turn gathered, then its effects; a crash may come anywhere.
    pub(crate) fn end_turn(&mut self, member: MemberIndex) {
        let Some(turn) = &self.signers[&member].turn else { return };
        let (writes, effects) = (!turn.writes.is_empty(), turn.effects.len());
        let at = if self.strikes(Fault::Kill, member) {
            Some(self.rng.gen_range(0..=effects + 1))
        } else {
            // Of a batch that is torn, and of one that has no room, nothing is there.
            let fails =
                writes && (self.strikes(Fault::TornWrite, member) || self.strikes(Fault::DiskFull, member));
            fails.then_some(0)
        };
        self.finish_turn(member, at);
    }

    /// Commit and effects, or those before the place at which the process dies.
    pub(crate) fn finish_turn(&mut self, member: MemberIndex, dies_at: Option<usize>) {
        let Some(step) = self.signer(member).turn.take() else { return };
        match (self.order, dies_at) {
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
        if dies_at.is_some() {
            self.crash(member);
        }
    }

    fn commit(&mut self, member: MemberIndex, writes: Vec<Row>) {
        if !writes.is_empty() {
            self.recorder.iter_mut().for_each(|recorder| recorder.written(&writes));
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
                let proven = |event: &VerifiedEvent| self.model.proves(&evidence, &event.payment.event);
                let input = match read(&evidence).filter(proven) {
                    Some(event) => Input::Verified { from, event },
                    None => Input::VerifyFailed { from, evidence, code: "shape".to_owned(), permanent: true },
                };
                self.answer(member, 100, input);
            }
            Effect::Sign { proposal } => self.sign(member, &proposal),
            Effect::Submit { transaction, replaces } => {
                let id = transaction.id();
                if !self.signers[&member].disk.had(Family::Outbox, id.as_bytes()) {
                    self.checks.fail(format!("{} submits what is not on its disk", name(member)));
                }
                let outcome = self.submit(member, transaction, replaces);
                self.answer(member, 50, Input::Submitted { transaction: id, outcome });
            }
            Effect::SubmitRaw { transaction, .. } => self.chain.hand_in_again(&transaction),
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
            // What a liar thinks up may be no transaction at all.
            Err(_) if self.liars.has(member) => {}
            Err(error) => self.checks.fail(format!("{} cannot sign: {error}", name(member))),
        }
    }

    fn send(&mut self, member: MemberIndex, to: To, kind: MessageKind, numbers: (u64, u64), body: &[u8]) {
        if self.liars.has(member) {
            return self.send_as_liar(member, to, kind, body);
        }
        let signer = &self.signers[&member];
        self.checks.leaves(&self.chain, &self.group, member, &signer.disk, kind, body);
        if let Some(body) = self.as_said(member, kind, body) {
            self.seal_and_carry(member, to, kind, numbers, &body);
        }
    }

    pub(crate) fn seal_and_carry(
        &mut self,
        member: MemberIndex,
        to: To,
        kind: MessageKind,
        (epoch, sequence): (u64, u64),
        body: &[u8],
    ) {
        let (network, group) = (self.group.network(), self.group.id());
        let header = messages::Header { network, group, member, epoch, sequence, kind };
        self.checks.said(kind, body);
        let keys = &self.signers[&member].keys;
        match messages::seal(&header, body, |bytes| keys.seal(bytes)) {
            Ok(sealed) => self.carry(member, to, &sealed),
            Err(error) => {
                self.checks.fail(format!("{} makes a {kind:?} that no seal carries: {error}", name(member)))
            }
        }
    }

    pub(crate) fn carry(&mut self, member: MemberIndex, to: To, sealed: &[u8]) {
        match to {
            To::All => {
                for other in self.others(member) {
                    self.transmit(member, other, sealed, Way::Gossip);
                }
            }
            To::Member(other) => self.transmit(member, other, sealed, Way::Stream),
        }
    }

    fn note(&mut self, member: MemberIndex, note: Note) {
        if matches!(note, Note::PaymentsEnded | Note::Approved { kind: ProposalKind::Migrate, .. }) {
            self.checks.promised.has_written_move(member);
        }
        if let Note::Final { transaction, .. } = &note
            && !self.liars.has(member)
        {
            self.checks.says_final(&self.chain, member, transaction);
        }
    }
}
