//! The group moves to its successor: from then on its coins go there, and it pays nobody.

use igra_core::{Input, rules::Rules};
use igra_group::Sompi;
use igra_tx::Script;

use crate::world::World;

impl<R: Rules> World<R> {
    /// Administrators start the successor, then roll out the policy that names it.
    pub(crate) fn begin_move(&mut self) {
        self.tell("world", |_| "the group gets a successor".to_owned());
        self.moving = true;
        self.start_heirs();
        if let Some(successor) = self.successor() {
            self.model.moves_to(successor);
        }
        for member in self.members() {
            let policy = self.usual_policy();
            self.signer(member).policy = policy.clone();
            self.input(member, Input::Policy(policy));
        }
    }

    /// Where the coins go, once that is known.
    pub(crate) fn successor(&self) -> Option<Script> {
        let heirs = self.heirs.as_ref().filter(|_| self.moving)?;
        Some(Script::of_wallet(heirs.group.wallet()))
    }

    /// Nothing of it is left behind but dust.
    pub(crate) fn has_moved(&self) -> bool {
        let coins = self.chain.coins_of(self.group.wallet(), &self.chain.tip);
        coins.values().all(|coin| coin.amount < self.group.dust()) && self.chain.mempool.is_empty()
    }

    /// What is left behind.
    pub(crate) fn left_behind(&self) -> Sompi {
        let coins = self.chain.coins_of(self.group.wallet(), &self.chain.tip);
        coins.values().map(|coin| coin.amount).fold(Sompi::ZERO, Sompi::saturating_add)
    }
}
