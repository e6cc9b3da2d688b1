//! Handing a signed transaction to a Kaspa node.

use std::time::Duration;

use igra_core::SubmitOutcome;
use igra_tx::{SignedTransaction, TransactionId, kaspa};
use kaspa_consensus_core::tx::Transaction;
use kaspa_grpc_client::GrpcClient;
use kaspa_rpc_core::{RpcTransaction, api::rpc::RpcApi};

use super::{Node, NodeError, error::Refusal, rpc::Line};

const LIMIT: Duration = Duration::from_secs(5);

/// Something to hand in.
#[derive(Clone, Debug)]
pub enum Submission {
    /// A transaction of the group. `replaces`: it may take the place of one that pays less for a coin of both.
    Signed { transaction: SignedTransaction, replaces: bool },
    /// One that was accepted before, as [`kaspa::encode`] wrote it.
    Body { transaction: TransactionId, body: Vec<u8> },
}

/// Submits transactions; clones share connections.
#[derive(Clone)]
pub struct Submitter {
    node: Node,
}

impl Submission {
    /// Kaspa's id of it.
    pub fn id(&self) -> TransactionId {
        match self {
            Self::Signed { transaction, .. } => transaction.id(),
            Self::Body { transaction, .. } => *transaction,
        }
    }

    /// As a node takes it; nothing if the body is none, or that of another transaction.
    fn transaction(&self) -> Option<Transaction> {
        match self {
            Self::Signed { transaction, .. } => Some(transaction.to_kaspa()),
            Self::Body { transaction, body } => {
                kaspa::decode(body).filter(|body| kaspa::transaction_id(body) == *transaction)
            }
        }
    }

    fn replaces(&self) -> bool {
        matches!(self, Self::Signed { replaces: true, .. })
    }
}

impl Submitter {
    pub(super) fn new(node: Node) -> Self {
        Self { node }
    }

    /// Hands the transaction to the healthiest node that takes calls. The same bytes have the same id, so doing it again
    /// does no harm. Whatever comes back, only the chain proves acceptance.
    pub async fn submit(&self, submission: &Submission) -> SubmitOutcome {
        let Some(transaction) = submission.transaction() else {
            return SubmitOutcome::Refused(
                "the body that was kept is not that of the transaction".to_owned(),
            );
        };
        let body = RpcTransaction::from(&transaction);
        let mut outcome = SubmitOutcome::Unavailable(NodeError::Rejected.to_string());
        for line in self.node.lines() {
            match hand_in(&line, &body, submission.replaces()).await {
                Ok(()) => return SubmitOutcome::InMempool,
                Err(error) => outcome = outcome_of(&error),
            }
            if !matches!(outcome, SubmitOutcome::Unavailable(_)) {
                break;
            }
        }
        outcome
    }
}

/// A node replaces only where exactly one transaction in its mempool spends one of the coins, at a lower fee rate. Where
/// there is none, the transaction is one like any other.
async fn hand_in(line: &Line<'_>, body: &RpcTransaction, replaces: bool) -> Result<(), NodeError> {
    if replaces {
        let transaction = body.clone();
        let call =
            |client: GrpcClient| async move { client.submit_transaction_replacement(transaction).await };
        match line.ask("submit_transaction_replacement", LIMIT, call).await {
            Err(error) if error.refusal() == Some(Refusal::NothingToReplace) => {}
            other => return other.map(|_| ()),
        }
    }
    let transaction = body.clone();
    let call = |client: GrpcClient| async move { client.submit_transaction(transaction, false).await };
    line.ask("submit_transaction", LIMIT, call).await.map(|_| ())
}

fn outcome_of(error: &NodeError) -> SubmitOutcome {
    let text = error.to_string();
    let Some(refusal) = error.refusal() else {
        return SubmitOutcome::Unavailable(text);
    };
    match refusal {
        Refusal::InMempool => SubmitOutcome::InMempool,
        Refusal::AlreadyAccepted => SubmitOutcome::Known,
        Refusal::MempoolConflict => SubmitOutcome::Conflict(text),
        Refusal::Orphan => SubmitOutcome::Orphan(text),
        Refusal::Full | Refusal::Starting | Refusal::Connection => SubmitOutcome::Unavailable(text),
        Refusal::UnknownBlock | Refusal::Unprintable | Refusal::NothingToReplace | Refusal::Other => {
            SubmitOutcome::Refused(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_spend_in_the_mempool_is_a_conflict_and_a_copy_of_itself_is_not() {
        let refused = |text: &str| NodeError::Refused {
            method: "submit_transaction",
            text: text.to_owned(),
            refusal: Refusal::of_text(text),
        };

        assert!(matches!(
            outcome_of(&refused("output (a, 0) already spent by transaction b in the mempool")),
            SubmitOutcome::Conflict(_)
        ));
        assert_eq!(outcome_of(&refused("transaction a is already in the mempool")), SubmitOutcome::InMempool);
    }

    #[test]
    fn a_node_that_is_away_is_no_refusal() {
        assert!(matches!(outcome_of(&NodeError::Rejected), SubmitOutcome::Unavailable(_)));
    }
}
