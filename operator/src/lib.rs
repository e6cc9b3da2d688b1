//! The operator: fetch → validate → build → apply → report, for each SignerGroup.
//!
//! [`validate`] and [`build`] are pure: they take plain values and no client. No right on Secrets is needed or asked
//! for: keys are mounted by pods and never read here.

pub mod admin;
pub mod apply;
pub mod build;
pub mod cli;
mod crd_files;
pub mod differ;
mod error;
mod fetch;
pub mod members;
mod metrics;
mod plan;
pub mod quantity;
mod reconcile;
pub mod rights;
mod run;
#[cfg(test)]
mod samples;
pub mod status;
pub mod validate;

pub use error::{Class, Error};
pub use run::{Options, run};

/// Field manager of everything the operator writes.
pub const FIELD_MANAGER: &str = "igra-operator";
