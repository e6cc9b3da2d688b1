//! What members may promise: approvals and signatures.

use crate::{
    mask::Mask,
    model::{Action, Model, Phase},
    rules::Bend,
    state::{Member, State},
    universe::Purpose,
};

impl Model<'_> {
    pub(crate) fn promises(&mut self, state: &State, phase: Phase, out: &mut Vec<(Action, State)>) {
        for i in (0..self.honest()).filter(|i| phase.has(*i)) {
            for x in 0..self.universe.len() {
                if self.may_approve(state, i, x) {
                    let mut next = *state;
                    let member = &mut next.members[i];
                    member.promised = member.promised | Mask::one(x);
                    member.moved |= self.universe.migrations.has(x);
                    if self.shape.q == self.shape.m {
                        member.signed = member.signed | Mask::one(x);
                    } else {
                        member.approved = member.approved | Mask::one(x);
                    }
                    out.push((Action::Approve(i, x), next));
                }
                if self.may_sign(state, i, x, phase) {
                    let mut next = *state;
                    next.members[i].signed = state.members[i].signed | Mask::one(x);
                    out.push((Action::Sign(i, x), next));
                }
            }
        }
    }

    fn may_approve(&mut self, state: &State, i: usize, x: usize) -> bool {
        let transaction = &self.universe.transactions[x];
        let member = state.members[i];
        let moves = transaction.purpose == Purpose::Migrate;
        if transaction.by_new || transaction.events.is_empty() && !moves {
            return false;
        }
        if member.promised.has(x) || !self.can_be(state, x) {
            return false;
        }
        if member.moved && !moves && !self.rules.bends(Bend::MovedPays) {
            return false;
        }
        if member.quarantined && !self.pays_in_quarantine(&member, transaction.tags) {
            return false;
        }
        let is_final = !(member.tombstones & transaction.events).is_empty();
        let unseen = self.universe.above[x] & self.universe.deposits & !state.chain();
        if is_final || !unseen.is_empty() || !self.has_cause(state, i, x) {
            return false;
        }
        if self.world.sees_coins && !self.universe.fits(state.chain(), x) {
            return false;
        }
        let dead = self.rules.dead(state);
        if self.rules.bends(Bend::ReservationVeto) && self.is_reserved(member.promised & !dead, x) {
            return false;
        }
        self.rules.is_free(x, member.promised, dead)
    }

    /// Whether a transaction exists and could still become final.
    pub(crate) fn can_be(&self, state: &State, x: usize) -> bool {
        self.universe.newest_tag[x] <= state.drawn
            && !state.final_.has(x)
            && (self.universe.excludes[x] & state.final_).is_empty()
    }

    fn pays_in_quarantine(&self, member: &Member, tags: Mask) -> bool {
        self.rules.bends(Bend::QuarantinedPays) && member.tag > 0 && tags.has(usize::from(member.tag) - 1)
    }

    /// Policy, payload and deadline for a payment; a reason seen by the member itself for a void.
    fn has_cause(&self, state: &State, i: usize, x: usize) -> bool {
        let (transaction, member) = (&self.universe.transactions[x], &state.members[i]);
        if transaction.purpose == Purpose::Void {
            let payload = self.world.two_payloads && !self.rules.bends(Bend::SecondPayloadNoReason);
            let reason = member.against || state.past_deadline || state.cancelled || payload;
            return reason || !self.world.asks_reasons();
        }
        if transaction.purpose == Purpose::Migrate {
            return true;
        }
        let other_payload = self.world.two_payloads && transaction.other_payload != (i % 2 == 1);
        let known = self.universe.events_of(member.promised);
        let late = state.past_deadline && !(transaction.events & !known).is_empty();
        !member.against && !other_payload && !late
    }

    fn is_reserved(&self, live: Mask, x: usize) -> bool {
        let transaction = &self.universe.transactions[x];
        live.each().map(|y| &self.universe.transactions[y]).any(|other| {
            (other.events & transaction.events).is_empty() && other.inputs & transaction.inputs != 0
        })
    }

    fn may_sign(&self, state: &State, i: usize, x: usize, phase: Phase) -> bool {
        let member = &state.members[i];
        let approved = self.sent(state, x, |member| member.approved);
        let short = u32::from(self.rules.bends(Bend::ShortCertificate));
        self.shape.q > self.shape.m
            && member.promised.has(x)
            && !member.signed.has(x)
            && !member.quarantined
            && self.can_be(state, x)
            && approved + short >= self.needed(self.shape.q, phase)
    }

    pub(crate) fn sent(&self, state: &State, x: usize, which: impl Fn(&Member) -> Mask) -> u32 {
        state.members[..self.honest()].iter().filter(|member| which(member).has(x)).count() as u32
    }

    /// How many honest members it takes: liars help the adversary and nobody else.
    pub(crate) fn needed(&self, of_all: usize, phase: Phase) -> u32 {
        match phase {
            Phase::Anything => of_all.saturating_sub(self.shape.liars) as u32,
            Phase::Calm { .. } => of_all as u32,
        }
    }
}
