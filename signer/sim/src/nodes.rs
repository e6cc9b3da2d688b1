//! Each signer's own node: what it shows of the chain, and what it says to a submission.

use std::collections::BTreeSet;

use igra_core::{AcceptedBlock, BlockId, ChainUpdate, Input, SubmitOutcome, WalletUpdate, rules::Rules};
use igra_group::{Group, MemberIndex, Sompi, Wallet};
use igra_tx::{Coin, FeeRate, Outpoint, Script, SignedTransaction, TransactionId};
use rand::Rng;

use crate::{
    fault::Fault,
    keys::name,
    world::{Happening, World},
};

const DOWN_MS: u64 = 6_000;
const STALE_MS: u64 = 8_000;

impl<R: Rules> World<R> {
    /// Whether something goes wrong with this signer's node now.
    pub(crate) fn trouble_node(&mut self, member: MemberIndex) {
        if self.strikes(Fault::NodeDown, member) {
            self.tell(name(member), |_| "loses its node".to_owned());
            self.signer(member).node_up = false;
            self.input(member, Input::NodeDown);
            self.soon(DOWN_MS, Happening::NodeUp(member));
        }
        if self.strikes(Fault::Stale, member) {
            self.tell(name(member), |_| "has a node that stands still".to_owned());
            self.signer(member).stale_until = self.time + STALE_MS;
        }
        if self.strikes(Fault::FalseCoins, member) {
            self.tell(name(member), |_| "has a node that shows false coins".to_owned());
            self.signer(member).false_until = self.time + STALE_MS;
            self.checks.misled.insert(member);
        }
    }

    pub(crate) fn node_up(&mut self, member: MemberIndex) {
        self.signer(member).node_up = true;
        self.node_moves(member);
    }

    /// The signer's node shows it the chain up to some recent block.
    pub(crate) fn node_moves(&mut self, member: MemberIndex) {
        let lag = if self.chaos { self.rng.gen_range(0..=self.scenario.lag) } else { 0 };
        let to = self.chain.below_tip(lag);
        let signer = &self.signers[&member];
        let from = signer.node_tip;
        if signer.mind.is_none() || !signer.node_up || signer.stale_until > self.time {
            return;
        }
        let behind = self.chain.is_in_chain(&from) && self.chain.block(&from).daa > self.chain.block(&to).daa;
        if behind {
            return;
        }
        // A node that was reset does not know the cursor and tells everything from the beginning.
        let update = if self.chaos && self.scenario.away != Some(member) && self.rng.gen_range(0..100) == 0 {
            ChainUpdate {
                restarted: true,
                removed: Vec::new(),
                ..self.chain_update(self.chain.below_tip(u64::MAX), to)
            }
        } else {
            self.told_from(member, from, to)
        };
        self.signer(member).node_tip = to;
        self.input(member, Input::Chain(update));
        let wallet = self.wallet_update(member, to);
        self.input(member, Input::Wallet(wallet));
    }

    pub(crate) fn chain_update(&self, from: BlockId, to: BlockId) -> ChainUpdate {
        self.chain_update_for(&self.group, from, to)
    }

    /// What a node tells a group's member of the chain between two blocks.
    pub(crate) fn chain_update_for(&self, group: &Group, from: BlockId, to: BlockId) -> ChainUpdate {
        let (removed, added) = self.chain.path(from, to);
        let told = |id: BlockId| {
            let block = self.chain.block(&id);
            let transactions: Vec<_> =
                block.transactions.iter().filter_map(|transaction| transaction.told(group)).collect();
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
            cursor_daa: self.chain.block(&to).daa,
            virtual_daa: self.chain.block(&to).daa,
            restarted: false,
            gapless: true,
        }
    }

    pub(crate) fn wallet_update(&self, member: MemberIndex, at: BlockId) -> WalletUpdate {
        let mut update = self.wallet_update_for(&self.group, at);
        if self.signers[&member].false_until > self.time {
            self.falsify(&mut update.coins);
        }
        update
    }

    /// What a node shows a group's member of its wallet, and of its predecessor's, after a block.
    pub(crate) fn wallet_update_for(&self, group: &Group, at: BlockId) -> WalletUpdate {
        let of = |wallet: &Wallet| self.chain.coins_of(wallet, &at).into_values().collect::<Vec<Coin>>();
        let times = if self.fees_high_until > self.time { 1_000 } else { 1 };
        WalletUpdate {
            virtual_daa: self.chain.block(&at).daa,
            coins: of(group.wallet()),
            predecessor: group.predecessor().map(|before| of(&before.wallet)).unwrap_or_default(),
            fee_rate: FeeRate::new(self.scenario.fee_rate * times),
            synced: true,
        }
    }

    /// One coin that is none, and another amount for one that is.
    fn falsify(&self, coins: &mut Vec<Coin>) {
        if let Some(coin) = coins.first_mut() {
            coin.amount = Sompi(coin.amount.0 + 1);
        }
        let outpoint = Outpoint { transaction: TransactionId::from_bytes([0xfa; 32]), index: 0 };
        let script = Script::of_wallet(self.group.wallet());
        coins.push(Coin { outpoint, amount: Sompi(90_000_000_000), script, daa_score: 1, coinbase: false });
    }

    /// It pays more than each of these.
    fn outbids(&self, transaction: &SignedTransaction, rivals: &BTreeSet<TransactionId>) -> bool {
        let fee = |id: &TransactionId| self.chain.mempool.get(id)?.proposal()?.fee();
        rivals.iter().all(|rival| fee(rival) < transaction.proposal.fee())
    }

    /// The own node's answer to a submission.
    pub(crate) fn submit(
        &mut self,
        member: MemberIndex,
        transaction: SignedTransaction,
        replaces: bool,
    ) -> SubmitOutcome {
        if !self.signers[&member].node_up || (self.chaos && self.rng.gen_range(0..10) == 0) {
            return SubmitOutcome::Unavailable("no answer".to_owned());
        }
        if self.strikes(Fault::Orphan, member) {
            return SubmitOutcome::Orphan("the node says so".to_owned());
        }
        self.submit_at(self.signers[&member].node_tip, transaction, replaces)
    }

    /// The answer of a node that has seen the chain up to a block.
    pub(crate) fn submit_at(
        &mut self,
        node: BlockId,
        transaction: SignedTransaction,
        replaces: bool,
    ) -> SubmitOutcome {
        let id = transaction.id();
        if self.chain.mempool.contains_key(&id) || self.chain.accepted_at(node, &id).is_some() {
            return SubmitOutcome::Known;
        }
        let coins = &self.chain.block(&node).coins;
        if transaction.proposal.inputs.iter().any(|input| !coins.contains_key(&input.outpoint)) {
            return SubmitOutcome::Orphan("a coin is missing".to_owned());
        }
        let Some(payment) =
            self.chain.is_valid(&transaction).then(|| self.chain.payment(transaction.clone())).flatten()
        else {
            return SubmitOutcome::Refused("no node takes it".to_owned());
        };
        // Another node may have taken a rival without this one having heard of it.
        let unheard = self.chaos && self.rng.gen_bool(0.5);
        let rivals = self.chain.rivals(&transaction.proposal);
        let welcome = unheard || rivals.is_empty() || (replaces && self.outbids(&transaction, &rivals));
        if !welcome {
            return SubmitOutcome::Conflict("a coin is spent in the mempool".to_owned());
        }
        if replaces {
            self.chain.mempool.retain(|id, _| !rivals.contains(id));
        }
        self.chain.mempool.insert(id, payment);
        SubmitOutcome::InMempool
    }
}
