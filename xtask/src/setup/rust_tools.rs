//! rustfmt and clippy, which a minimal Rust installation leaves out, and cargo-deny.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use super::finish;
use crate::places::{self, Places};
use crate::programs::{command, logged, on_path, succeeds};
use crate::progress::{say, shown};

const CARGO_DENY: &str = "0.20.2";

/// Adds the components that are missing.
pub fn provide(places: &Places) -> Result<()> {
    for component in ["rustfmt", "clippy"] {
        if present(component) {
            continue;
        }
        if !on_path("rustup") {
            bail!(
                "{component} is missing: install it the way this machine's Rust was installed (Debian: rustfmt, rust-clippy)"
            );
        }
        say(format!("setup: adding {component} with rustup"));
        let log = places.logs()?.join("rustup.log");
        logged(&mut command("rustup", &["component", "add", component]), &log, "rustup component add")?;
    }
    Ok(())
}

fn present(component: &str) -> bool {
    let program = match component {
        "clippy" => "cargo-clippy",
        other => other,
    };
    succeeds(&mut command(program, &["--version"]))
}

/// cargo-deny, built once and kept in the tool cache by version.
pub fn provide_deny(places: &Places) -> Result<PathBuf> {
    let folder = places.cache.join(format!("cargo-deny-{CARGO_DENY}"));
    if !folder.exists() {
        build_deny(places, &folder)?;
    }
    Ok(folder.join("bin/cargo-deny"))
}

fn build_deny(places: &Places, folder: &Path) -> Result<()> {
    let started = Instant::now();
    say(format!("building cargo-deny {CARGO_DENY}, once (about 4 minutes on two cores)"));
    let scratch = places.scratch("cargo-deny")?;
    let mut install = command("cargo", &["install", "cargo-deny", "--locked", "--version", CARGO_DENY]);
    install.arg("--root").arg(&scratch).env("CARGO_TARGET_DIR", scratch.join("target")).current_dir(&scratch);
    logged(&mut install, &places.logs()?.join("cargo-deny.log"), "building cargo-deny")?;
    places::remove(&scratch.join("target"))?;
    finish(&scratch, folder)?;
    say(format!("cargo-deny {CARGO_DENY} built ({})", shown(started.elapsed())));
    Ok(())
}
