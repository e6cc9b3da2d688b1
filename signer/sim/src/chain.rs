//! A Kaspa chain as far as a group can tell: blocks that accept transactions, and reorganisations that undo them.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::BlockId;
use igra_group::{Group, Sompi, Wallet, tagged_hash};
use igra_tx::{Coin, Outpoint, Proposal, ProposalKind, Script, SignedTransaction, TransactionId};

use crate::transaction::Transaction;

/// A block with the groups' coins as it leaves them.
#[derive(Clone, Debug)]
pub struct Block {
    pub parent: Option<BlockId>,
    pub daa: u64,
    pub transactions: Vec<Transaction>,
    pub coins: BTreeMap<Outpoint, Coin>,
    /// Coins of others that deposits have spent.
    foreign: BTreeSet<Outpoint>,
}

/// All blocks ever made, and the best tip.
pub struct Chain {
    /// Whose coins it keeps.
    groups: Vec<Group>,
    blocks: BTreeMap<BlockId, Block>,
    pub tip: BlockId,
    made: u64,
    /// The highest tip there ever was: no reorganisation reaches below its final depth.
    highest: u64,
    pub mempool: BTreeMap<TransactionId, Transaction>,
    /// Everything that a block ever accepted.
    seen: BTreeMap<TransactionId, Transaction>,
}

impl Chain {
    pub fn new(groups: Vec<Group>) -> Self {
        let genesis = BlockId::from_bytes([0; 32]);
        let block = Block {
            parent: None,
            daa: 0,
            transactions: Vec::new(),
            coins: BTreeMap::new(),
            foreign: BTreeSet::new(),
        };
        Self {
            groups,
            blocks: [(genesis, block)].into(),
            tip: genesis,
            made: 0,
            highest: 0,
            mempool: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    pub fn block(&self, id: &BlockId) -> &Block {
        &self.blocks[id]
    }

    /// The coins of a group's wallet after a block.
    pub fn coins_of(&self, wallet: &Wallet, block: &BlockId) -> BTreeMap<Outpoint, Coin> {
        let home = Script::of_wallet(wallet);
        let coins = self.block(block).coins.iter().filter(|(_, coin)| coin.script == home);
        coins.map(|(outpoint, coin)| (*outpoint, coin.clone())).collect()
    }

    pub fn tip_daa(&self) -> u64 {
        self.block(&self.tip).daa
    }

    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// The ancestor of the tip that lies this many blocks below it.
    pub fn below_tip(&self, blocks: u64) -> BlockId {
        let mut id = self.tip;
        for _ in 0..blocks {
            let Some(parent) = self.block(&id).parent else { break };
            id = parent;
        }
        id
    }

    pub fn is_in_chain(&self, block: &BlockId) -> bool {
        let mut id = self.tip;
        while self.block(&id).daa > self.block(block).daa {
            id = self.block(&id).parent.expect("a block above another has a parent");
        }
        id == *block
    }

    /// Blocks to leave and blocks to enter, in order, from one block to another.
    pub fn path(&self, from: BlockId, to: BlockId) -> (Vec<BlockId>, Vec<BlockId>) {
        let (mut a, mut b) = (from, to);
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        while a != b {
            if self.block(&a).daa >= self.block(&b).daa {
                removed.push(a);
                a = self.block(&a).parent.expect("two blocks have a common ancestor");
            } else {
                added.push(b);
                b = self.block(&b).parent.expect("two blocks have a common ancestor");
            }
        }
        added.reverse();
        (removed, added)
    }

    /// A new block on top that accepts what it can of these, in this order.
    pub fn mine(&mut self, wanted: Vec<Transaction>) {
        let parent = self.tip;
        let mut block = self.block(&parent).clone();
        block.parent = Some(parent);
        block.daa += 1;
        block.transactions = Vec::new();
        for transaction in wanted {
            if self.apply(&mut block, &transaction) {
                self.mempool.remove(&transaction.id());
                self.seen.insert(transaction.id(), transaction.clone());
                block.transactions.push(transaction);
            }
        }
        self.made += 1;
        let id = BlockId::from_bytes(tagged_hash("igra.dev 2026 simulated block", &self.made.to_le_bytes()));
        self.highest = self.highest.max(block.daa);
        self.blocks.insert(id, block);
        self.tip = id;
        self.evict();
    }

    /// Whether a node's script engine takes the transaction.
    pub fn is_valid(&self, transaction: &SignedTransaction) -> bool {
        self.owner(transaction).is_some_and(|group| transaction.verify(group).is_ok())
    }

    /// A transaction of a group as a block takes it.
    pub fn payment(&self, signed: SignedTransaction) -> Option<Transaction> {
        let owner = self.owner(&signed)?;
        Some(Transaction::payment(owner, signed))
    }

    fn owner(&self, signed: &SignedTransaction) -> Option<&Group> {
        self.groups.iter().find(|group| group.id() == signed.proposal.group)
    }

    /// Adds a transaction to a block if its coins are there, hold what it says of them, and its signatures are good.
    fn apply(&self, block: &mut Block, transaction: &Transaction) -> bool {
        let id = transaction.id();
        let coin = |index: usize, amount: Sompi, script: &Script, daa: u64| {
            let outpoint = Outpoint { transaction: id, index: index as u32 };
            (outpoint, Coin { outpoint, amount, script: script.clone(), daa_score: daa, coinbase: false })
        };
        match transaction {
            Transaction::Deposit { amount, from, to, .. } => {
                if !block.foreign.insert(*from) {
                    return false;
                }
                block.coins.extend([coin(0, *amount, to, block.daa)]);
            }
            Transaction::Payment { signed, .. } => {
                let proposal = &signed.proposal;
                let is_there = |claimed: &Coin| {
                    let coin = block.coins.get(&claimed.outpoint);
                    coin.is_some_and(|coin| (coin.amount, &coin.script) == (claimed.amount, &claimed.script))
                };
                if !proposal.inputs.iter().all(is_there) || proposal.fee().is_none() || !self.is_valid(signed)
                {
                    return false;
                }
                for input in &proposal.inputs {
                    block.coins.remove(&input.outpoint);
                }
                let is_kept = |script: &Script| {
                    self.groups.iter().any(|group| Script::of_wallet(group.wallet()) == *script)
                };
                let kept = proposal.outputs.iter().enumerate().filter(|(_, output)| is_kept(&output.script));
                block.coins.extend(
                    kept.map(|(index, output)| coin(index, output.amount, &output.script, block.daa)),
                );
            }
        }
        true
    }

    /// Drops from the mempool what has lost a coin to the chain, and what builds on it.
    fn evict(&mut self) {
        let Block { coins, foreign, .. } = &self.blocks[&self.tip];
        loop {
            let waits = |made_by: &TransactionId| self.mempool.contains_key(made_by);
            let lost = |transaction: &&Transaction| match transaction {
                Transaction::Deposit { from, .. } => foreign.contains(from),
                Transaction::Payment { signed, .. } => {
                    let mut inputs = signed.proposal.inputs.iter().map(|input| input.outpoint);
                    inputs.any(|outpoint| !coins.contains_key(&outpoint) && !waits(&outpoint.transaction))
                }
            };
            let lost: Vec<TransactionId> = self.mempool.values().filter(lost).map(Transaction::id).collect();
            if lost.is_empty() {
                break;
            }
            lost.iter().for_each(|id| drop(self.mempool.remove(id)));
        }
    }

    /// Whether a transaction that was ever accepted pays what it names.
    pub fn is_payment(&self, transaction: &TransactionId) -> bool {
        let proposal = self.seen.get(transaction).and_then(Transaction::proposal);
        proposal.is_some_and(|proposal| proposal.kind == ProposalKind::Pay)
    }

    /// Somebody kept a transaction that was accepted once, and hands it in again.
    pub fn hand_in_again(&mut self, transaction: &TransactionId) {
        if self.accepted_at(self.tip, transaction).is_none()
            && let Some(transaction) = self.seen.get(transaction)
        {
            self.mempool.insert(transaction.id(), transaction.clone());
        }
        self.evict();
    }

    /// Takes the last blocks off and returns what they had accepted; never deeper than final depth.
    pub fn rewind(&mut self, blocks: u64, final_depth: u64) -> Vec<Transaction> {
        let lowest = (self.highest + 1).saturating_sub(final_depth);
        let mut undone = Vec::new();
        for _ in 0..blocks {
            let block = self.block(&self.tip);
            let (Some(parent), true) = (block.parent, block.daa > lowest) else { break };
            undone.extend(block.transactions.iter().cloned());
            self.tip = parent;
        }
        undone
    }

    /// Transactions of a group in the present chain with the DAA score of their block, oldest first.
    pub fn payments(&self, group: &Group) -> Vec<(u64, SignedTransaction)> {
        let mut found = Vec::new();
        let mut next = Some(self.tip);
        while let Some(id) = next {
            let block = self.block(&id);
            for transaction in &block.transactions {
                if let Transaction::Payment { signed, .. } = transaction
                    && signed.proposal.group == group.id()
                {
                    found.push((block.daa, signed.clone()));
                }
            }
            next = block.parent;
        }
        found.reverse();
        found
    }

    /// Outpoints that transactions at final depth spend, and which transaction does.
    pub fn final_spends(&self, final_depth: u64) -> BTreeMap<Outpoint, TransactionId> {
        let mut spends = BTreeMap::new();
        let mut next = Some(self.tip);
        while let Some(id) = next {
            let block = self.block(&id);
            let deep = block.daa + final_depth <= self.highest;
            for transaction in block.transactions.iter().filter(|_| deep) {
                match transaction {
                    Transaction::Deposit { from, .. } => drop(spends.insert(*from, transaction.id())),
                    Transaction::Payment { signed, .. } => {
                        let outpoints = signed.proposal.outpoints().into_iter();
                        spends.extend(outpoints.map(|outpoint| (outpoint, transaction.id())));
                    }
                }
            }
            next = block.parent;
        }
        spends
    }

    /// Whether a transaction of the group can never be in the chain: it spends what can never be there any more,
    /// because another transaction at final depth has its coin, or that of a transaction that it builds on.
    pub fn is_dead(&self, proposal: &Proposal, final_depth: u64) -> bool {
        let spends = self.final_spends(final_depth);
        let mut unseen = vec![(proposal.transaction_id(), proposal.outpoints())];
        while let Some((id, outpoints)) = unseen.pop() {
            for outpoint in outpoints {
                match spends.get(&outpoint) {
                    Some(by) if *by != id => return true,
                    Some(_) => {}
                    None => unseen.extend(self.parent(&outpoint)),
                }
            }
        }
        false
    }

    /// Whether each coin that a transaction needs, its own and those above, was there once, and none of these made one.
    pub fn was_possible(&self, proposal: &Proposal, but: &BTreeSet<TransactionId>) -> bool {
        let creators = |proposal: &Proposal| -> Vec<TransactionId> {
            proposal.inputs.iter().map(|coin| coin.outpoint.transaction).collect()
        };
        let (mut open, mut looked) = (creators(proposal), BTreeSet::new());
        while let Some(id) = open.pop() {
            if !looked.insert(id) {
                continue;
            }
            match self.seen.get(&id) {
                Some(creator) if !but.contains(&id) => {
                    open.extend(creator.proposal().map(creators).unwrap_or_default());
                }
                Some(_) | None => return false,
            }
        }
        true
    }

    /// What made a coin, and what that spent.
    fn parent(&self, outpoint: &Outpoint) -> Option<(TransactionId, BTreeSet<Outpoint>)> {
        let parent = self.seen.get(&outpoint.transaction)?;
        let spends = match parent {
            Transaction::Deposit { from, .. } => [*from].into(),
            Transaction::Payment { signed, .. } => signed.proposal.outpoints(),
        };
        Some((parent.id(), spends))
    }

    /// The block at which a transaction stands in the chain that ends with `tip`.
    pub fn accepted_at(&self, tip: BlockId, transaction: &TransactionId) -> Option<u64> {
        let mut next = Some(tip);
        while let Some(id) = next {
            let block = self.block(&id);
            if block.transactions.iter().any(|t| t.id() == *transaction) {
                return Some(block.daa);
            }
            next = block.parent;
        }
        None
    }

    /// Members of the mempool that spend a coin of this proposal.
    pub fn rivals(&self, proposal: &Proposal) -> BTreeSet<TransactionId> {
        let shares =
            |other: &Transaction| other.proposal().is_some_and(|other| other.shares_input_with(proposal));
        self.mempool.values().filter(|other| shares(other)).map(Transaction::id).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use igra_tx::{ChainView, Draft, FeeRate, Purpose, combine, draft, sign};

    use super::*;
    use crate::{
        feed::{Fact, policy},
        keys::{Keys, SHAPES, group},
    };

    /// A chain with one coin, and a proposal that spends it.
    fn one_coin() -> (Chain, Group, BTreeMap<igra_group::MemberIndex, Keys>, Proposal) {
        let (group, keys) = group(SHAPES[1]);
        let mut chain = Chain::new(vec![group.clone()]);
        chain.mine(vec![Transaction::deposit(b"one", Sompi(5_000_000_000), &group)]);
        for _ in 0..6 {
            chain.mine(Vec::new());
        }
        let coins = chain.block(&chain.tip).coins.clone();
        let view = ChainView { virtual_daa: 100, coins, own: BTreeSet::new(), fee_rate: FeeRate::new(100) };
        let payment = Fact { id: 1, recipient: 0, amount: 100_000_000, deadline: 0 }.event().payment;
        let (avoid, tags) = (BTreeSet::new(), BTreeSet::new());
        let purpose = Purpose::Pay(std::slice::from_ref(&payment));
        let order = Draft { purpose, tags: &tags, limits: &policy().fee, avoid: &avoid, must_share: &[] };
        let proposal = draft(&group, &view, &order);
        (chain, group, keys, proposal.expect("a coin is enough"))
    }

    fn signed(
        group: &Group,
        keys: &BTreeMap<igra_group::MemberIndex, Keys>,
        proposal: &Proposal,
    ) -> SignedTransaction {
        let partials = keys.iter().take(2).map(|(member, keys)| {
            (
                *member,
                sign(group, proposal, *member, |hash| keys.sign(hash)).expect("the keys are the members'"),
            )
        });
        combine(group, proposal, &partials.collect()).expect("two are enough")
    }

    #[test]
    fn a_block_takes_a_payment_that_is_signed() {
        let (mut chain, group, keys, proposal) = one_coin();
        chain.mine(vec![Transaction::payment(&group, signed(&group, &keys, &proposal))]);
        assert_eq!(chain.payments(&group).len(), 1);
    }

    #[test]
    fn a_payment_tells_who_signed_it() {
        let (_, group, keys, proposal) = one_coin();
        let payment = Transaction::payment(&group, signed(&group, &keys, &proposal));
        let told = payment.told(&group).unwrap();
        assert_eq!(told.signers, keys.keys().copied().take(2).collect::<Vec<_>>());
    }

    #[test]
    fn of_two_deposits_from_one_coin_a_block_takes_the_first() {
        let (mut chain, group, ..) = one_coin();
        let deposit = Transaction::deposit(b"two", Sompi(1_000), &group);
        let coins = chain.block(&chain.tip).coins.len();
        chain.mine(vec![deposit.clone(), deposit.rival().expect("a deposit has one")]);
        assert_eq!(chain.block(&chain.tip).coins.len(), coins + 1);
    }

    #[test]
    fn a_payment_is_dead_once_the_deposit_that_it_spends_is_overtaken_for_good() {
        let (mut chain, group, _, proposal) = one_coin();
        assert!(!chain.is_dead(&proposal, 3));
        chain.rewind(100, 100);
        let rival = Transaction::deposit(b"one", Sompi(5_000_000_000), &group).rival();
        chain.mine(rival.into_iter().collect());
        for _ in 0..12 {
            chain.mine(Vec::new());
        }
        assert!(chain.is_dead(&proposal, 3));
    }

    #[test]
    fn a_block_leaves_out_a_payment_whose_signature_is_bad() {
        let (mut chain, group, keys, proposal) = one_coin();
        let mut bad = signed(&group, &keys, &proposal);
        bad.signature_scripts[0][5] ^= 1;
        chain.mine(vec![Transaction::payment(&group, bad)]);
        assert_eq!(chain.payments(&group).len(), 0);
    }

    #[test]
    fn a_block_leaves_out_a_payment_that_claims_more_than_its_coin_holds() {
        let (mut chain, group, keys, mut proposal) = one_coin();
        proposal.inputs[0].amount = Sompi(proposal.inputs[0].amount.0 + 1);
        chain.mine(vec![Transaction::payment(&group, signed(&group, &keys, &proposal))]);
        assert_eq!(chain.payments(&group).len(), 0);
    }
}
