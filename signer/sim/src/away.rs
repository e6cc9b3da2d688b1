//! A member that is away for longer than its node remembers: what happened meanwhile it cannot see any more.

use igra_core::{BlockId, ChainUpdate, rules::Rules};
use igra_group::MemberIndex;
use rand::Rng;

use crate::{
    fault::Fault,
    keys::{DEPTHS, name},
    world::{Happening, World},
};

/// How many blocks such a node can still tell of: a little more than what may be undone.
const REMEMBERED: u64 = DEPTHS.final_ + 4;
const AWAY_MS: std::ops::Range<u64> = 16_000..24_000;

impl<R: Rules> World<R> {
    pub(crate) fn leaves(&mut self, member: MemberIndex) {
        self.tell(name(member), |_| "goes away".to_owned());
        self.end_turn(member);
        self.stop(member);
        let until = self.time + self.rng.gen_range(AWAY_MS);
        self.signer(member).away_until = until;
        self.at(until, Happening::Restart(member));
    }

    /// How a node goes on telling its signer of the chain from `from`.
    pub(crate) fn told_from(&mut self, member: MemberIndex, from: BlockId, to: BlockId) -> ChainUpdate {
        let oldest = self.chain.below_tip(REMEMBERED);
        let forgets = self.scenario.away == Some(member);
        if !forgets || self.chain.block(&from).daa >= self.chain.block(&oldest).daa {
            return self.chain_update(from, to);
        }
        self.hit(Fault::HistoryGap, member);
        self.tell(name(member), |_| "has a node that remembers less".to_owned());
        self.checks.own.unsure = true;
        ChainUpdate { restarted: true, gapless: false, removed: Vec::new(), ..self.chain_update(oldest, to) }
    }
}
