//! A deterministic simulator of whole groups: real coordinators, real keys, a chain that reorganises, a network that
//! loses and reorders, disks that lose what was not synced, crashes at any write and effect.
//!
//! A run is a seed. In its first phase everything may go wrong, and after each step nothing may be unsafe; in the
//! second nothing goes wrong any more, and everything that must be paid is paid.

mod calm;
mod chain;
mod checks;
mod disk;
mod doors;
mod feed;
mod keys;
mod life;
mod miners;
mod network;
mod nodes;
mod perform;
mod sabotage;
mod scenario;
mod world;

pub use sabotage::{Sabotage, run};
pub use world::Report;
