//! The group moves to its successor: from then on its coins go there, and it pays nobody.

use igra_core::{Input, rules::Rules};
use igra_group::Sompi;

use crate::{feed::successor, world::World};

impl<R: Rules> World<R> {
    /// Administrators roll out the policy that names the successor.
    pub(crate) fn begin_move(&mut self) {
        self.tell("world", |_| "the group gets a successor".to_owned());
        self.moving = true;
        self.model.moves_to(successor());
        for member in self.members() {
            let policy = self.usual_policy();
            self.signer(member).policy = policy.clone();
            self.input(member, Input::Policy(policy));
        }
    }

    /// Nothing of it is left behind but dust.
    pub(crate) fn has_moved(&self) -> bool {
        let coins = &self.chain.block(&self.chain.tip).coins;
        coins.values().all(|coin| coin.amount < self.group.dust()) && self.chain.mempool.is_empty()
    }

    /// What is left behind.
    pub(crate) fn left_behind(&self) -> Sompi {
        let coins = self.chain.block(&self.chain.tip).coins.values();
        coins.map(|coin| coin.amount).fold(Sompi::ZERO, Sompi::saturating_add)
    }
}
