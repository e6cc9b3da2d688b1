//! Stories on a real cluster and a real Kaspa node: the demo, and the end-to-end test.
//!
//! `cargo xtask` brings the cluster, the images and the host's binaries ([`environment`]); these programs use them from
//! outside, as users do: kubectl, helm, HTTP.

pub mod api;
pub mod demo;
pub mod environment;
pub mod fleet;
pub mod forward;
pub mod host;
pub mod kubectl;
pub mod node;
pub mod process;
pub mod progress;
pub mod recipient;
pub mod scenarios;
pub mod stage;
pub mod wait;
