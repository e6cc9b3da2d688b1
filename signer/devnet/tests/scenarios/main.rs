//! Whole groups of signer processes beside a real node: what happens to an event, from its request to the coins.

mod batch;
mod fees;
mod moving;
mod payment;
mod restored;
mod split;
mod void;
mod world;
