//! Which transactions concern a group, and what the core is told of one.

use igra_core::AcceptedTransaction;
use igra_group::{Group, Sompi};
use igra_tx::{Script, kaspa, signers_of};
use kaspa_consensus_core::tx::{ScriptPublicKey, Transaction, UtxoEntry};

use super::watched::Watched;

/// How a transaction is seen to spend coins of a group, or to pay it.
pub(super) struct Concern {
    group: Group,
    script: ScriptPublicKey,
    redeem_script: Vec<u8>,
    pub(super) watched: Watched,
}

impl Concern {
    pub(super) fn of(group: &Group, watched: Watched) -> Self {
        let script = kaspa::script_public_key(&Script::of_wallet(group.wallet()));
        Self { group: group.clone(), script, redeem_script: group.wallet().redeem_script(), watched }
    }

    /// Whether this is the script of the group's coins.
    pub(super) fn is_ours(&self, script: &ScriptPublicKey) -> bool {
        *script == self.script
    }

    /// Whoever spends a coin of the group pushes the redeem script last. That its bytes stand at the end says nothing:
    /// anybody can push them within something longer, and so would make a stranger's transaction one of the group's.
    pub(super) fn reveals_redeem_script(&self, signature_script: &[u8]) -> bool {
        kaspa::last_push(signature_script).is_some_and(|pushed| pushed == self.redeem_script)
    }

    /// What there is to tell of an accepted transaction; nothing if the group has no part in it and it spends no watched
    /// coin. `spent` has the coin of each input, where the node shows it.
    pub(super) fn tell(
        &self,
        transaction: &Transaction,
        spent: &[Option<UtxoEntry>],
    ) -> Option<AcceptedTransaction> {
        let (pays, by_group) = (self.pays(transaction), self.is_by_group(transaction, spent));
        let strange = pays.is_empty() && !by_group;
        if strange && !self.watched.is_spent_by(transaction) {
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
            signers: self.signers(transaction, spent),
            body,
        })
    }

    fn pays(&self, transaction: &Transaction) -> Vec<(u32, Sompi)> {
        let outputs = (0..).zip(&transaction.outputs);
        let ours = outputs.filter(|(_, output)| self.is_ours(&output.script_public_key));
        ours.map(|(index, output)| (index, Sompi(output.value))).collect()
    }

    fn is_by_group(&self, transaction: &Transaction, spent: &[Option<UtxoEntry>]) -> bool {
        let mut inputs = transaction.inputs.iter().enumerate();
        inputs.any(|(at, input)| match spent.get(at).and_then(Option::as_ref) {
            Some(entry) => self.is_ours(&entry.script_public_key),
            None => self.reveals_redeem_script(&input.signature_script),
        })
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
