//! What a signer answers to an event at its door.

use igra_tx::{PayloadHash, TransactionId};

use crate::{Denial, SessionState};

/// What an event would be here, before it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intake {
    New,
    /// The same event is known; this is where it stands.
    Same(SessionState),
    /// The event key is known with another payload; this is the first one.
    Replayed { first: PayloadHash },
    Denied(Denial),
    /// Paid or voided for good by this transaction.
    Final(TransactionId),
}
