//! Handing a signed transaction to a Kaspa node.

use std::time::Duration;

use igra_core::SubmitOutcome;
use igra_tx::SignedTransaction;
use kaspa_rpc_core::{RpcTransaction, api::rpc::RpcApi};

use super::{Node, NodeError, error::Refusal};

const LIMIT: Duration = Duration::from_secs(5);

/// Submits transactions; clones share connections.
#[derive(Clone)]
pub struct Submitter {
    node: Node,
}

impl Submitter {
    pub(super) fn new(node: Node) -> Self {
        Self { node }
    }

    /// Hands the transaction to the healthiest node that takes calls. The same bytes have the same id, so doing it again
    /// does no harm. Whatever comes back, only the chain proves acceptance.
    pub async fn submit(&self, transaction: &SignedTransaction) -> SubmitOutcome {
        let body = RpcTransaction::from(&transaction.to_kaspa());
        let mut outcome = SubmitOutcome::Unavailable(NodeError::Rejected.to_string());
        for line in self.node.lines() {
            let body = body.clone();
            let call = |client: kaspa_grpc_client::GrpcClient| async move {
                client.submit_transaction(body, false).await
            };
            match line.ask("submit_transaction", LIMIT, call).await {
                Ok(_) => return SubmitOutcome::InMempool,
                Err(error) => outcome = outcome_of(&error),
            }
            if !matches!(outcome, SubmitOutcome::Unavailable(_)) {
                break;
            }
        }
        outcome
    }
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
        Refusal::UnknownBlock | Refusal::Unprintable | Refusal::Other => SubmitOutcome::Refused(text),
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
