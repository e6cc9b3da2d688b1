//! The network of miners: one block after another, reorganisations, and what else happens by the block.

use igra_core::rules::Rules;
use igra_group::{MemberIndex, Sompi};
use rand::{Rng, seq::SliceRandom};

use crate::{
    fault::Fault,
    keys::{DEPTHS, name},
    transaction::Transaction,
    world::{Happening, World},
};

/// How long miners need for a block.
pub(crate) const BLOCK_MS: u64 = 500;
const FEES_HIGH_MS: u64 = 6_000;

impl<R: Rules> World<R> {
    /// Time for a block.
    pub(crate) fn mine(&mut self) {
        match self.drawn_reorganisation() {
            Some(depth) => self.reorganise(depth),
            None => self.mine_one(),
        }
        self.evict();
        if self.chaos && self.rng.gen_range(0..10) == 0 {
            let amount = Sompi(self.rng.gen_range(10..60) * 100_000_000);
            self.deposit(200, amount);
        }
        for member in self.members() {
            let most = if self.chaos { BLOCK_MS * (1 + self.scenario.lag) } else { BLOCK_MS / 4 };
            self.soon(most, Happening::NodeMoves { signer: member });
            self.trouble_node(member);
            self.trouble_clock(member);
            self.meddle(member);
        }
        if self.strikes_all(Fault::FeeSpike) {
            self.fees_high_until = self.time + FEES_HIGH_MS;
        }
        self.part();
        self.twins_live();
        self.heirs_live();
        self.at(self.time + BLOCK_MS, Happening::Mine);
        let highest = self.chain.highest();
        self.checks.chain(&self.chain, &mut self.model, &self.group, highest, DEPTHS.final_);
        self.judge_heirs(highest);
    }

    fn drawn_reorganisation(&mut self) -> Option<u64> {
        let deepest = DEPTHS.final_ - 1;
        let kinds = [(Fault::ReorganiseDeep, deepest), (Fault::ReorganiseTen, 10), (Fault::ReorganiseOne, 1)];
        let struck = kinds.into_iter().find(|(fault, _)| self.strikes_all(*fault));
        struck.map(|(fault, most)| match fault {
            Fault::ReorganiseDeep => self.rng.gen_range(1..=most),
            _exact => most,
        })
    }

    fn mine_one(&mut self) {
        let mut wanted: Vec<Transaction> = self.chain.mempool.values().cloned().collect();
        wanted.shuffle(&mut self.rng);
        wanted.retain(|transaction| {
            transaction.proposal().is_none() || !self.strikes_all(Fault::NeverConfirms)
        });
        self.chain.mine(wanted);
    }

    fn reorganise(&mut self, depth: u64) {
        let undone = self.chain.rewind(depth, DEPTHS.final_);
        self.checks.reorganisations += 1;
        self.tell("world", |world| format!("reorganisation of {depth} blocks, to {}", world.chain.tip_daa()));
        for transaction in undone {
            if transaction.proposal().is_none() {
                self.checks.promised.undone(transaction.id());
            } else {
                // Between two words of its node a signer may take a coin of what was undone for one without its tag.
                self.checks.own.unsure = true;
            }
            let kept = match transaction.rival() {
                None => self.rng.gen_bool(0.6).then_some(transaction),
                Some(rival) if self.strikes_all(Fault::DoubleSpend) => Some(rival),
                Some(_) => Some(transaction),
            };
            self.chain.mempool.extend(kept.map(|transaction| (transaction.id(), transaction)));
        }
        let highest = self.chain.highest();
        while self.chain.tip_daa() <= highest {
            self.mine_one();
        }
    }

    /// The mempool forgets a transaction of the group.
    fn evict(&mut self) {
        let ours = self.chain.mempool.values().filter(|transaction| transaction.proposal().is_some());
        let Some(id) = ours.map(Transaction::id).next() else { return };
        if self.strikes_all(Fault::Eviction) {
            self.chain.mempool.remove(&id);
        }
    }

    fn trouble_clock(&mut self, member: MemberIndex) {
        for (fault, seconds) in [
            (Fault::ClockSecond, 1),
            (Fault::ClockMinutes, 600),
            (Fault::ClockBack, -600),
            (Fault::ClockFrozen, 0),
        ] {
            if !self.strikes(fault, member) {
                continue;
            }
            self.tell(name(member), |_| format!("has a clock that {}", fault.name()));
            let (time, sign) = (self.time, if self.rng.gen_bool(0.5) { 1 } else { -1 });
            let clock = &mut self.signer(member).clock;
            match fault {
                Fault::ClockSecond => clock.step(sign),
                Fault::ClockFrozen => {
                    clock.stop(time);
                    self.soon(FEES_HIGH_MS, Happening::ClockRuns(member));
                }
                _minutes => clock.step(seconds),
            }
        }
    }
}
