//! What the chain may do: take transactions, take them back, make them final.

use crate::{
    mask::Mask,
    model::{Action, Model, Phase},
    state::State,
    universe::Purpose,
};

impl Model<'_> {
    pub(crate) fn chain(&mut self, state: &State, x: usize, phase: Phase, out: &mut Vec<(Action, State)>) {
        let in_steps = self.world.stepwise || self.universe.deposits.has(x);
        if state.accepted.has(x) {
            self.deepen(state, x, phase, out);
        } else if self.is_complete(state, x, phase) && self.universe.fits(state.chain(), x) {
            let mut next = *state;
            if in_steps {
                next.accepted = state.accepted | Mask::one(x);
                if let Some(place) = self.universe.deposits.each().position(|d| d == x) {
                    next.before[place] = state.chain() & self.ordered;
                }
                out.push((Action::Accept(x), next));
            } else if (state.accepted & self.universe.deposits).is_empty() {
                // What an earlier block took is final earlier.
                next.final_ = state.final_ | Mask::one(x);
                out.push((Action::Finalise(x), next));
            }
        }
    }

    fn is_complete(&mut self, state: &State, x: usize, phase: Phase) -> bool {
        let transaction = &self.universe.transactions[x];
        if transaction.by_new {
            return state.successor.signed.has(x);
        }
        match transaction.purpose {
            Purpose::Deposit => true,
            Purpose::Internal => {
                let calm = phase != Phase::Anything && !transaction.tags.is_empty();
                self.universe.newest_tag[x] <= state.drawn
                    && (!calm || self.rules.may_sweep(x, state.chain()))
            }
            Purpose::Pay | Purpose::Void | Purpose::Migrate => {
                self.sent(state, x, |member| member.signed) >= self.needed(self.shape.m, phase)
            }
        }
    }

    /// What is accepted becomes final, or is taken back with all that builds on it.
    fn deepen(&self, state: &State, x: usize, phase: Phase, out: &mut Vec<(Action, State)>) {
        let parents = self.universe.above[x] & !Mask::one(x) & !state.final_;
        let place = |d: usize| self.universe.deposits.each().position(|known| known == d);
        let own_earlier = place(x).map_or(Mask::NONE, |place| state.before[place]) & state.accepted;
        let open = self.universe.deposits & state.accepted & !Mask::one(x);
        let follows = |d: usize| place(d).is_some_and(|place| !state.before[place].has(x));
        if parents.is_empty() && own_earlier.is_empty() && !open.each().any(follows) {
            let mut next = *state;
            (next.accepted, next.final_) = (state.accepted & !Mask::one(x), state.final_ | Mask::one(x));
            out.push((Action::Finalise(x), next));
        }
        // What lies below a deep deposit is deeper.
        let holds = |d: usize| self.is_deep(state, d) && (d == x || !follows(d));
        let accepted_deposits = self.universe.deposits & state.accepted;
        if phase == Phase::Anything && !accepted_deposits.each().any(holds) {
            let mut next = *state;
            let gone = self.universe.below[x];
            next.accepted = state.accepted & !gone;
            for (place, d) in self.universe.deposits.each().enumerate() {
                next.before[place] = if gone.has(d) { Mask::NONE } else { state.before[place] & !gone };
            }
            out.push((Action::TakeBack(x), next));
        }
    }

    /// Members approve what spends a deposit only when it lies deep.
    fn is_deep(&self, state: &State, d: usize) -> bool {
        let sent = state.members.iter().fold(Mask::NONE, |sum, member| sum | member.approved | member.signed);
        !self.world.deep_deposits_move && !(sent & self.universe.below[d]).is_empty()
    }
}
