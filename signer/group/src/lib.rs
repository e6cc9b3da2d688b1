//! What a group is: its network, its members' keys, threshold and quorum, and what follows from them — the redeem
//! script, the address, the [`GroupId`] and the [`ConfigDigest`].
//!
//! Operator and signers share this crate, so that both know a group's address from its specification alone, without
//! the Kaspa transaction code and before any signer runs.

mod amount;
mod digest;
mod group;
mod keys;
mod network;
mod predecessor;
mod threshold;
mod wallet;

pub use amount::{AmountError, SOMPI_PER_KAS, Sompi};
pub use digest::{ConfigDigest, Digest, GroupId, tagged_hash};
pub use group::{Depths, Group, GroupError, Member, MemberIndex, TransportId};
pub use keys::{KeyError, MemberKey, SignatureScheme};
pub use network::{Network, UnknownNetwork};
pub use predecessor::Predecessor;
pub use threshold::{MAX_MEMBERS, Quorum, Threshold, ThresholdError};
pub use wallet::{Wallet, WalletError};
