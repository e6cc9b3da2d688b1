//! Dead proposals: what can never become final, as the own node's final chain data shows.
//!
//! Said once, written down at once, never taken back: nodes forget history.

use std::collections::BTreeMap;

use igra_tx::{Outpoint, Proposal, TransactionId};

/// The transaction at final depth that spends a coin of the proposal and is not the proposal's own.
pub(crate) fn killer(
    proposal: &Proposal,
    transaction: TransactionId,
    final_spends: &BTreeMap<Outpoint, TransactionId>,
) -> Option<TransactionId> {
    let spenders = proposal.inputs.iter().filter_map(|coin| final_spends.get(&coin.outpoint));
    spenders.copied().find(|spender| *spender != transaction)
}
