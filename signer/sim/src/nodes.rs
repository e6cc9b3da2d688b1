//! Each signer's own node: what it shows of the chain, and what it says to a submission.

use igra_core::{AcceptedBlock, BlockId, ChainUpdate, Input, SubmitOutcome, WalletUpdate, rules::Rules};
use igra_group::MemberIndex;
use igra_tx::{FeeRate, Script, SignedTransaction};
use rand::Rng;

use crate::{chain::Transaction, world::World};

impl<R: Rules> World<R> {
    /// The signer's node shows it the chain up to some recent block.
    pub(crate) fn node_moves(&mut self, member: MemberIndex) {
        let lag = if self.chaos { self.rng.gen_range(0..=self.scenario.lag) } else { 0 };
        let to = self.chain.below_tip(lag);
        let signer = &self.signers[&member];
        let from = signer.node_tip;
        if signer.mind.is_none() || !signer.node_up {
            return;
        }
        let behind = self.chain.is_in_chain(&from) && self.chain.block(&from).daa > self.chain.block(&to).daa;
        if behind {
            return;
        }
        // A node that was reset does not know the cursor and tells everything from the beginning.
        let update = if self.goes_wrong(10) {
            ChainUpdate {
                restarted: true,
                removed: Vec::new(),
                ..self.chain_update(self.chain.below_tip(u64::MAX), to)
            }
        } else {
            self.chain_update(from, to)
        };
        self.signer(member).node_tip = to;
        self.input(member, Input::Chain(update));
        let wallet = self.wallet_update(to);
        self.input(member, Input::Wallet(wallet));
    }

    fn chain_update(&self, from: BlockId, to: BlockId) -> ChainUpdate {
        let (removed, added) = self.chain.path(from, to);
        let home = Script::of_wallet(self.group.wallet());
        let told = |id: BlockId| {
            let block = self.chain.block(&id);
            let transactions: Vec<_> =
                block.transactions.iter().map(|transaction| transaction.told(&home)).collect();
            (!transactions.is_empty()).then_some(AcceptedBlock {
                block: id,
                daa_score: block.daa,
                transactions,
            })
        };
        ChainUpdate {
            removed,
            added: added.into_iter().filter_map(told).collect(),
            cursor: to,
            virtual_daa: self.chain.block(&to).daa,
            restarted: false,
            gapless: true,
        }
    }

    fn wallet_update(&self, at: BlockId) -> WalletUpdate {
        let block = self.chain.block(&at);
        WalletUpdate {
            virtual_daa: block.daa,
            coins: block.coins.values().cloned().collect(),
            fee_rate: FeeRate::new(self.scenario.fee_rate),
            synced: true,
        }
    }

    /// The own node's answer to a submission.
    pub(crate) fn submit(&mut self, member: MemberIndex, transaction: SignedTransaction) -> SubmitOutcome {
        let node = self.signers[&member].node_tip;
        let id = transaction.id();
        if !self.signers[&member].node_up || self.goes_wrong(100) {
            return SubmitOutcome::Unavailable("no answer".to_owned());
        }
        if self.chain.mempool.contains_key(&id) || self.chain.accepted_at(node, &id).is_some() {
            return SubmitOutcome::Known;
        }
        let coins = &self.chain.block(&node).coins;
        if transaction.proposal.inputs.iter().any(|input| !coins.contains_key(&input.outpoint)) {
            return SubmitOutcome::Orphan("a coin is missing".to_owned());
        }
        if !self.chain.is_valid(&transaction) {
            return SubmitOutcome::Refused("no node takes it".to_owned());
        }
        // Another node may have taken a rival without this one having heard of it.
        let unheard = self.chaos && self.rng.gen_bool(0.5);
        if !unheard && !self.chain.rivals(&transaction.proposal).is_empty() {
            return SubmitOutcome::Conflict("a coin is spent in the mempool".to_owned());
        }
        if !self.goes_wrong(100) {
            self.chain.mempool.insert(id, Transaction::Payment(transaction));
        }
        SubmitOutcome::InMempool
    }
}
