//! What may go wrong with members, how they come back, and what time brings.

use crate::{
    mask::Mask,
    model::{Action, Model, Phase},
    rules::Bend,
    state::{Member, State},
};

impl Model<'_> {
    pub(crate) fn returns(&mut self, state: &State, phase: Phase, out: &mut Vec<(Action, State)>) {
        for i in (0..self.honest()).filter(|i| state.members[*i].quarantined && phase.has(*i)) {
            let mut next = *state;
            if self.rules.bends(Bend::HealByAnswers) {
                let others = state.members.iter().fold(Mask::NONE, |sum, member| sum | member.promised);
                next.members[i] = Member { promised: others, quarantined: false, ..state.members[i] };
                out.push((Action::Heal(i), next));
            } else if let Some(tombstones) = self.rules.leaves_with(&state.members[i], state) {
                let tag = if self.rules.bends(Bend::TagKept) { state.members[i].tag } else { 0 };
                let moved = state.members[i].moved || !(state.final_ & self.universe.migrations).is_empty();
                next.members[i] = Member { tombstones, tag, moved, quarantined: false, ..state.members[i] };
                out.push((Action::Leave(i), next));
            }
        }
    }

    pub(crate) fn losses(&self, state: &State, out: &mut Vec<(Action, State)>) {
        for i in 0..self.honest() {
            if state.rollbacks < self.world.rollbacks {
                out.push((Action::RollBack(i), self.rolled_back(state, i)));
            }
            if self.world.may_turn.has(i) && !state.members[i].against {
                let mut next = *state;
                next.members[i].against = true;
                out.push((Action::TurnAgainst(i), next));
            }
        }
    }

    /// The store of a member forgets everything; what it sent stays out there.
    fn rolled_back(&self, state: &State, i: usize) -> State {
        let mut next = *state;
        next.rollbacks += 1;
        let was = state.members[i];
        let member = &mut next.members[i];
        *member = Member { promised: Mask::NONE, tombstones: Mask::NONE, moved: false, ..was };
        if self.rules.bends(Bend::Unnoticed) {
            return next;
        }
        member.quarantined = true;
        if self.rules.bends(Bend::ScanFirst) {
            member.tombstones = self.universe.events_of(state.final_);
        }
        if !(self.rules.bends(Bend::TagKept) && was.tag > 0) {
            next.drawn += 1;
            member.tag = next.drawn;
        }
        next
    }

    pub(crate) fn times(&self, state: &State, out: &mut Vec<(Action, State)>) {
        if self.world.deadline && !state.past_deadline {
            out.push((Action::Deadline, State { past_deadline: true, ..*state }));
        }
        if self.world.cancel && !state.cancelled {
            out.push((Action::Cancel, State { cancelled: true, ..*state }));
        }
    }
}
