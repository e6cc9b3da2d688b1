//! What docs/protocol.md promises of transactions, held against this crate from outside. Tests are named after the
//! invariant's number there.

mod bytes;
mod change_of_one_thing;
mod combining;
mod drafting;
mod extremes;
mod fixture;
mod identities;
mod internal;
mod limits;
mod paying;
mod raising;
mod signers;
