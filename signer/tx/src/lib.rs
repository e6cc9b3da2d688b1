//! Transactions of a group, as values: what identifies an event and a proposal, how one transaction is drafted for
//! payments, the whole check that a signer makes before it approves one, and how partials become a signed
//! transaction.
//!
//! Everything here is a pure function of its arguments. No clock, no file, no randomness, no order that differs
//! between machines: two signers that see the same coins draft the same proposal, byte for byte. Kaspa's own types
//! stay inside [`kaspa`], `pskt`, `mass`, `sign` and `signers`.

mod check;
mod coin;
mod combine;
mod draft;
mod ids;
pub mod kaspa;
mod mass;
pub mod payload;
mod proposal;
mod pskt;
mod raise;
mod script;
mod sign;
mod signers;

pub use check::{CheckError, Terms, check, check_again};
pub use coin::{ChainView, Coin, FeeRate, Outpoint};
pub use combine::{CombineError, SignedTransaction, combine};
pub use draft::{Draft, DraftError, Purpose, draft};
pub use ids::{EventKey, PayloadHash, ProposalId, Tag, TransactionId};
pub use mass::{FeeLimits, MINIMUM_SOMPI_PER_GRAM, Masses};
pub use proposal::{
    DecodeError, LEAST_CONSOLIDATED, MAX_INPUTS, MAX_PAYMENTS, Output, Payment, Proposal, ProposalKind,
};
pub use raise::{fee_rate, raise_fee};
pub use script::{AddressError, Script};
pub use sign::{Partial, PartialError, SigHash, SignError, Signature, sighashes, sign, verify_partial};
pub use signers::signers_of;
