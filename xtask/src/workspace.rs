//! cargo, always on the workspace as a whole: building one crate alone chooses other features of the shared
//! dependencies and compiles hundreds of them a second time.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::places::Places;
use crate::programs::{command, last_lines, logged};
use crate::progress::{say, shown};

/// The arguments that every build and check shares.
pub const WHOLE: [&str; 3] = ["--workspace", "--all-targets", "--locked"];

/// A cargo command in the workspace.
pub fn cargo(places: &Places, arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut cargo = command(program, arguments);
    cargo.current_dir(&places.root).env("CARGO_TERM_COLOR", "never");
    cargo.env("CARGO_TARGET_DIR", &places.target);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_xtask) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Whether cargo set a variable for xtask because it runs xtask. Build scripts watch some of them, and hundreds of
/// crates would be compiled again whenever cargo is called now from here and now from a shell.
fn is_about_xtask(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// Compiles everything with the dev profile.
pub fn build(places: &Places) -> Result<()> {
    let started = Instant::now();
    say("building the workspace (half an hour on two cores the first time, seconds afterwards)");
    let mut build = cargo(places, &["build"]);
    let log = places.logs()?.join("build.log");
    if let Err(error) = logged(build.args(WHOLE), &log, "cargo build") {
        println!("{}", last_lines(&log, 40));
        return Err(error);
    }
    say(format!("built ({})", shown(started.elapsed())));
    Ok(())
}

/// A program that [`build`] made.
pub fn built(places: &Places, program: &str) -> Result<PathBuf> {
    let file = places.built(program);
    if !file.is_file() {
        bail!("{} is not there: cargo build --workspace --all-targets", file.display());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_user_reach_cargo_and_facts_about_xtask_do_not() {
        assert!(is_about_xtask("CARGO_MANIFEST_DIR") && is_about_xtask("CARGO_PKG_NAME"));
        assert!(!is_about_xtask("CARGO_TARGET_DIR") && !is_about_xtask("CARGO_HOME"));
    }
}
