//! rustfmt and clippy, which a minimal Rust installation leaves out; cargo-deny and cargo-fuzz.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use super::finish;
use crate::places::{self, Places};
use crate::programs::{command, logged, on_path, succeeds};
use crate::progress::{say, shown};

const CARGO_DENY: &str = "0.20.2";
const CARGO_FUZZ: &str = "0.13.2";
/// The toolchain that fuzz targets are built with: only a nightly one counts branches.
pub const NIGHTLY: &str = "nightly";

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
    provide_tool(places, "cargo-deny", CARGO_DENY, 4)
}

/// cargo-fuzz in the same way, and the nightly toolchain that it needs.
pub fn provide_fuzz(places: &Places) -> Result<PathBuf> {
    if !succeeds(&mut command("rustup", &["run", NIGHTLY, "rustc", "--version"])) {
        if !on_path("rustup") {
            bail!("fuzzing needs rustup, to have a nightly compiler beside this machine's");
        }
        say("adding the nightly toolchain with rustup");
        let arguments = ["toolchain", "install", NIGHTLY, "--profile", "minimal"];
        logged(
            &mut command("rustup", &arguments),
            &places.logs()?.join("rustup.log"),
            "rustup toolchain install",
        )?;
    }
    provide_tool(places, "cargo-fuzz", CARGO_FUZZ, 1)
}

fn provide_tool(places: &Places, tool: &str, version: &str, minutes: u32) -> Result<PathBuf> {
    let folder = places.cache.join(format!("{tool}-{version}"));
    if !folder.exists() {
        build_tool(places, tool, version, minutes, &folder)?;
    }
    Ok(folder.join("bin").join(tool))
}

fn build_tool(places: &Places, tool: &str, version: &str, minutes: u32, folder: &Path) -> Result<()> {
    let started = Instant::now();
    say(format!("building {tool} {version}, once (about {minutes} minutes on two cores)"));
    let scratch = places.scratch(tool)?;
    let mut install = command("cargo", &["install", tool, "--locked", "--version", version]);
    install.arg("--root").arg(&scratch).env("CARGO_TARGET_DIR", scratch.join("target")).current_dir(&scratch);
    logged(&mut install, &places.logs()?.join(format!("{tool}.log")), &format!("building {tool}"))?;
    places::remove(&scratch.join("target"))?;
    finish(&scratch, folder)?;
    say(format!("{tool} {version} built ({})", shown(started.elapsed())));
    Ok(())
}
