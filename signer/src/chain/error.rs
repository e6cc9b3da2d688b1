//! What can go wrong between us and a Kaspa node. The node says why only in words, so its words are told apart here and
//! nowhere else.

use std::time::Duration;

/// Why a call to a Kaspa node gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    #[error("the breaker of every kaspa node is open")]
    Rejected,
    #[error("could not reach kaspa node {endpoint}: {text}")]
    Unreachable { endpoint: String, text: String },
    #[error("kaspa node {endpoint} did not answer {method} within {} ms", limit.as_millis())]
    Silent { endpoint: String, method: &'static str, limit: Duration },
    #[error("kaspa node refused {method}: {text}")]
    Refused { method: &'static str, text: String, refusal: Refusal },
    #[error("kaspa node's answer to {method} has no {field}")]
    Incomplete { method: &'static str, field: &'static str },
    #[error("kaspa node is not ready: {0}")]
    NotReady(&'static str),
}

/// A node's refusal, as far as it matters to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not know a block we named, or has pruned it.
    UnknownBlock,
    /// It cannot show a script in the form that the call asks for.
    Unprintable,
    /// It is still building its view of the chain.
    Starting,
    InMempool,
    /// From a cache of the node: no proof that the chain has it.
    AlreadyAccepted,
    /// Another transaction in the mempool spends one of the coins.
    MempoolConflict,
    /// One of the coins is unknown to it, or spent.
    Orphan,
    /// Nothing in its mempool spends a coin that a replacement spends.
    NothingToReplace,
    /// Its mempool has no room.
    Full,
    /// The connection broke, whatever part of the client noticed.
    Connection,
    Other,
}

impl NodeError {
    /// Whether the same call may go through a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Rejected | Self::Unreachable { .. } | Self::Silent { .. } | Self::NotReady(_) => true,
            Self::Refused { refusal, .. } => {
                matches!(refusal, Refusal::Starting | Refusal::Connection | Refusal::Full)
            }
            Self::Incomplete { .. } => false,
        }
    }

    /// Whether the node was there: it answered, though not as we wished.
    pub fn is_answer(&self) -> bool {
        match self {
            Self::Rejected | Self::Unreachable { .. } | Self::Silent { .. } => false,
            Self::Refused { refusal, .. } => *refusal != Refusal::Connection,
            Self::Incomplete { .. } | Self::NotReady(_) => true,
        }
    }

    /// The node's refusal, where it was one.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            Self::Rejected | Self::Unreachable { .. } | Self::Silent { .. } => None,
            Self::Incomplete { .. } | Self::NotReady(_) => None,
        }
    }
}

impl Refusal {
    /// Reads the words of a node or of its client (kaspa 2.1).
    pub fn of_text(text: &str) -> Self {
        const WORDS: [(&str, Refusal); 23] = [
            ("cannot find header", Refusal::UnknownBlock),
            ("cannot find full block", Refusal::UnknownBlock),
            ("does not have retention root on its chain", Refusal::UnknownBlock),
            ("some data is missing for block", Refusal::UnknownBlock),
            ("The address is invalid", Refusal::Unprintable),
            ("transitional ibd state", Refusal::Starting),
            ("is already in the mempool", Refusal::InMempool),
            ("was already accepted by the consensus", Refusal::AlreadyAccepted),
            ("already spent by transaction", Refusal::MempoolConflict),
            ("is not greater than the fee rate of the replaced transaction", Refusal::MempoolConflict),
            ("replace by fee found more than one", Refusal::MempoolConflict),
            ("replace by fee found no double spending", Refusal::NothingToReplace),
            ("is an orphan where orphan is disallowed", Refusal::Orphan),
            ("lacking a matching UTXO entry", Refusal::Orphan),
            ("impossible to have a matching UTXO entry", Refusal::Orphan),
            ("mempool because it's full", Refusal::Full),
            ("Not connected to server", Refusal::Connection),
            ("RPC request timeout", Refusal::Connection),
            ("RPC: channel", Refusal::Connection),
            ("GRPC client error", Refusal::Connection),
            ("Endpoint connection error", Refusal::Connection),
            ("Notify error", Refusal::Connection),
            ("GRPC stream was closed", Refusal::Connection),
        ];
        WORDS.iter().find(|(words, _)| text.contains(words)).map_or(Self::Other, |(_, refusal)| *refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_node_are_told_apart() {
        for (text, refusal) in [
            ("Rejected transaction 00: transaction 00 is already in the mempool", Refusal::InMempool),
            (
                "Rejected transaction 00: transaction 00 was already accepted by the consensus",
                Refusal::AlreadyAccepted,
            ),
            ("output (00, 1) already spent by transaction 11 in the mempool", Refusal::MempoolConflict),
            ("transaction 00 is an orphan where orphan is disallowed", Refusal::Orphan),
            ("cannot find header 00", Refusal::UnknownBlock),
            ("Not connected to server", Refusal::Connection),
            ("transaction 00 is not standard: too little fee", Refusal::Other),
        ] {
            assert_eq!(Refusal::of_text(text), refusal, "{text}");
        }
    }
}
