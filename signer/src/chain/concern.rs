//! Which transactions concern a group, and what the core is told of one.

use igra_core::AcceptedTransaction;
use igra_group::{Group, Predecessor, Sompi, Wallet};
use igra_tx::{Script, kaspa, signers_of};
use kaspa_consensus_core::tx::{ScriptPublicKey, Transaction, UtxoEntry};

use super::watched::Watched;

/// How a transaction is seen to spend coins of a group or of its predecessor, or to pay one of them.
pub(super) struct Concern {
    group: Group,
    ours: Owner,
    theirs: Option<Owner>,
    pub(super) watched: Watched,
}

/// How a wallet's coins are known.
struct Owner {
    script: ScriptPublicKey,
    redeem_script: Vec<u8>,
}

impl Owner {
    fn of(wallet: &Wallet) -> Self {
        let script = kaspa::script_public_key(&Script::of_wallet(wallet));
        Self { script, redeem_script: wallet.redeem_script() }
    }

    fn owns(&self, script: &ScriptPublicKey) -> bool {
        *script == self.script
    }

    /// Whoever spends a coin of the wallet pushes the redeem script last. That its bytes stand at the end says nothing:
    /// anybody can push them within something longer, and so would make a stranger's transaction one of the wallet's.
    fn is_revealed_by(&self, signature_script: &[u8]) -> bool {
        kaspa::last_push(signature_script).is_some_and(|pushed| pushed == self.redeem_script)
    }

    fn spends(&self, transaction: &Transaction, spent: &[Option<UtxoEntry>]) -> bool {
        let mut inputs = transaction.inputs.iter().enumerate();
        inputs.any(|(at, input)| match spent.get(at).and_then(Option::as_ref) {
            Some(entry) => self.owns(&entry.script_public_key),
            None => self.is_revealed_by(&input.signature_script),
        })
    }
}

impl Concern {
    pub(super) fn of(group: &Group, watched: Watched) -> Self {
        let theirs = group.predecessor().map(|predecessor: &Predecessor| Owner::of(&predecessor.wallet));
        Self { group: group.clone(), ours: Owner::of(group.wallet()), theirs, watched }
    }

    /// Whether this is the script of coins of the group or of its predecessor.
    pub(super) fn is_known(&self, script: &ScriptPublicKey) -> bool {
        self.owners().any(|owner| owner.owns(script))
    }

    /// Whether this spends such a coin, as far as that shows without the coin.
    pub(super) fn reveals_redeem_script(&self, signature_script: &[u8]) -> bool {
        self.owners().any(|owner| owner.is_revealed_by(signature_script))
    }

    fn owners(&self) -> impl Iterator<Item = &Owner> {
        std::iter::once(&self.ours).chain(&self.theirs)
    }

    /// What there is to tell of an accepted transaction; nothing if neither the group nor its predecessor has a part in
    /// it and it spends no watched coin. `spent` has the coin of each input, where the node shows it.
    pub(super) fn tell(
        &self,
        transaction: &Transaction,
        spent: &[Option<UtxoEntry>],
    ) -> Option<AcceptedTransaction> {
        let by_group = self.ours.spends(transaction, spent);
        let by_predecessor = self.theirs.as_ref().is_some_and(|owner| owner.spends(transaction, spent));
        let pays_any = transaction.outputs.iter().any(|output| self.is_known(&output.script_public_key));
        let concerned = pays_any || by_group || by_predecessor;
        let pays = self.pays(transaction);
        let strange = pays.is_empty() && !by_group;
        if !concerned && !self.watched.is_spent_by(transaction) {
            return None;
        }
        let inputs = transaction.inputs.iter();
        // The chain makes a coinbase; nobody can hand it in, and nothing of the group's builds on a stranger's.
        let body = if transaction.is_coinbase() || strange { vec![] } else { kaspa::encode(transaction) };
        Some(AcceptedTransaction {
            id: kaspa::transaction_id(transaction),
            spends: inputs.map(|input| kaspa::from_outpoint(input.previous_outpoint)).collect(),
            pays,
            payload: transaction.payload.clone(),
            by_group,
            by_predecessor,
            signers: self.signers(transaction, spent),
            body,
        })
    }

    fn pays(&self, transaction: &Transaction) -> Vec<(u32, Sompi)> {
        let outputs = (0..).zip(&transaction.outputs);
        let ours = outputs.filter(|(_, output)| self.ours.owns(&output.script_public_key));
        ours.map(|(index, output)| (index, Sompi(output.value))).collect()
    }

    fn signers(
        &self,
        transaction: &Transaction,
        spent: &[Option<UtxoEntry>],
    ) -> Vec<igra_group::MemberIndex> {
        let entries: Option<Vec<UtxoEntry>> = spent.iter().cloned().collect();
        let signers = entries.map(|entries| signers_of(&self.group, transaction, &entries));
        signers.into_iter().flatten().collect()
    }
}
