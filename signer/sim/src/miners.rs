//! The network of miners: one block after another, and reorganisations.

use igra_core::{Input, rules::Rules};
use igra_group::MemberIndex;
use rand::{Rng, seq::SliceRandom};

use crate::{
    chain::Transaction,
    keys::DEPTHS,
    world::{Happening, World},
};

/// How long miners need for a block.
pub(crate) const BLOCK_MS: u64 = 500;

impl<R: Rules> World<R> {
    pub(crate) fn mine(&mut self) {
        if self.goes_wrong(self.scenario.reorganise) {
            self.reorganise();
        } else {
            self.mine_one();
        }
        let members: Vec<MemberIndex> = self.signers.keys().copied().collect();
        for member in members {
            let most = if self.chaos { BLOCK_MS * (1 + self.scenario.lag) } else { BLOCK_MS / 4 };
            self.soon(most, Happening::NodeMoves { signer: member });
            if self.goes_wrong(self.scenario.node_down) {
                self.signer(member).node_up = false;
                self.input(member, Input::NodeDown);
                self.soon(6_000, Happening::NodeUp(member));
            }
        }
        if self.goes_wrong(self.scenario.partition) {
            let side = self.rng.gen_range(1..self.scenario.shape.members.max(2));
            self.cut = self.signers.keys().copied().take(side.into()).collect();
            self.soon(8_000, Happening::Heal);
        }
        self.at(self.time + BLOCK_MS, Happening::Mine);
        let highest = self.chain.highest();
        self.checks.chain(&self.chain, &self.feed, &self.group, highest, DEPTHS.final_);
    }

    fn mine_one(&mut self) {
        let mut wanted: Vec<Transaction> = self.chain.mempool.values().cloned().collect();
        wanted.shuffle(&mut self.rng);
        let late = self.scenario.delay_inclusion;
        wanted.retain(|_| !self.goes_wrong(late));
        self.chain.mine(wanted);
    }

    fn reorganise(&mut self) {
        let depth = self.rng.gen_range(1..DEPTHS.final_);
        let undone = self.chain.rewind(depth, DEPTHS.final_);
        self.checks.reorganisations += 1;
        self.tell(|world| format!("reorganisation of {depth} blocks, to {}", world.chain.tip_daa()));
        for transaction in undone {
            let kept = transaction.proposal().is_none() || self.rng.gen_bool(0.6);
            if kept {
                self.chain.mempool.insert(transaction.id(), transaction);
            }
        }
        let highest = self.chain.highest();
        while self.chain.tip_daa() <= highest {
            self.mine_one();
        }
    }
}
