//! A deterministic simulator of whole groups: real coordinators, real keys, a chain that reorganises, a network that
//! loses and reorders, disks that lose what was not synced, crashes at any write and effect.
//!
//! A run is a seed. In its first phase everything may go wrong, and after each step nothing may be unsafe; in the
//! second nothing goes wrong any more, and everything that must be paid is paid.

mod away;
mod calm;
mod chain;
mod checks;
mod clock;
mod disk;
mod doors;
mod fault;
mod feed;
mod heirs;
mod keys;
mod liar;
mod life;
mod matrix;
mod miners;
mod model;
mod moving;
mod network;
mod nodes;
mod own;
mod people;
mod perform;
mod phases;
mod previous;
mod promised;
mod recorder;
mod sabotage;
mod scenario;
mod shrink;
mod story;
mod transaction;
mod tricks;
mod twin;
mod world;

pub use fault::Fault;
pub use keys::Shape;
pub use matrix::Matrix;
pub use phases::Phase;
pub use recorder::Recorder;
pub use sabotage::{Sabotage, run, run_in};
pub use scenario::Scenario;
pub use shrink::{Shrunk, shrink};
pub use world::{Report, record};
