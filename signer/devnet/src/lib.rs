//! A Kaspa network for development and tests, on one machine and without a cluster: a real kaspad on simnet in this
//! process ([`Node`]), and groups of real signer processes beside it ([`Fleet`]).
//!
//! Nothing of this is in a shipped signer. The program `igra-devnet` offers the same on the command line.

mod api;
pub mod bench;
pub mod control;
mod daemon;
mod faucet;
mod fleet;
mod ledger;
pub mod load;
mod miner;
mod node;
mod phases;
mod ports;
pub mod progress;
mod reorg;
pub mod up;

pub use api::{Answer, ApiClient};
pub use fleet::{Fleet, FleetOptions, Signer, signer_binary};
pub use ledger::{Accepted, AcceptedOutput};
pub use node::{Node, NodeOptions, NodeState, Reorganisation, Seen, Utxo};
