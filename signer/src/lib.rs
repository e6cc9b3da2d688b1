//! The signer: one process, one loop, one volume, one key.
//!
//! What may be paid is decided in `igra-core`; here are the edges that turn the world into its inputs and its effects
//! into the world, and [`node`], the loop where they meet. Edges do not know each other.

pub mod api;
pub mod chain;
pub mod cli;
pub mod events;
pub mod gossip;
pub mod keys;
pub mod metrics;
pub mod node;
pub mod store;
