//! `cargo xtask setup`: installs or builds what a machine lacks, and is quick when it lacks nothing.

mod container_images;
mod go_programs;
mod go_toolchain;
mod packages;
mod rust_tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::places::{self, Places};
use crate::progress::{say, shown};
use crate::signals;

pub use container_images::{ImageStore, PAUSE};
pub use go_programs::fnv1a;
pub use rust_tools::{NIGHTLY, provide_deny, provide_fuzz};

/// How much of the machine is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What it takes to build, check and run the tests that need no cluster.
    Build,
    /// The one-node cluster and images as well.
    Cluster,
}

/// Where the programs are that setup provides.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Folder with etcd, kube-apiserver, kubectl; for a cluster the other Kubernetes programs too.
    pub kubernetes: PathBuf,
    /// The helm program.
    pub helm: PathBuf,
}

impl Tools {
    /// One of the Kubernetes programs.
    pub fn kube(&self, program: &str) -> PathBuf {
        self.kubernetes.join(program)
    }
}

/// Brings the machine to where `scope` can work.
///
/// # Errors
/// Something is missing that cannot be installed; the text names it and what to do about it.
pub fn setup(places: &Places, scope: Scope) -> Result<Tools> {
    let started = Instant::now();
    let _lock = places::lock_waiting(&places.cache.join("setup.lock"))?;
    packages::provide(places, scope)?;
    if scope == Scope::Cluster && !signals::is_root() {
        bail!(
            "a cluster of our own needs root: it makes a network namespace and control groups \
             (without root: cargo xtask test --without-cluster, cargo xtask demo --cluster current)"
        );
    }
    rust_tools::provide(places)?;
    let kubernetes = go_programs::provide_kubernetes(places, scope)?;
    let helm = go_programs::provide_helm(places)?;
    if scope == Scope::Cluster {
        container_images::provide(places)?;
    }
    say(format!("setup: all here ({})", shown(started.elapsed())));
    Ok(Tools { kubernetes, helm })
}

/// Moves what is finished to where it is looked for, so that a build that was stopped leaves nothing there.
fn finish(scratch: &Path, folder: &Path) -> Result<()> {
    fs::rename(scratch, folder)
        .with_context(|| format!("could not move {} to {}", scratch.display(), folder.display()))
}
