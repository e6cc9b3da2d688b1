//! rustfmt and clippy, which a minimal Rust installation leaves out.

use anyhow::{Result, bail};

use crate::places::Places;
use crate::programs::{command, logged, on_path, succeeds};
use crate::progress::say;

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
