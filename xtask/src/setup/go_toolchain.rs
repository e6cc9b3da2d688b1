//! A Go that is new enough. Where there is none, or an old one, the Go module proxy has whole toolchains: a Go from
//! 1.21 on fetches one by itself, and an older one can at least download the module that it comes in.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages;
use crate::places::Places;
use crate::programs::{command, on_path, output};
use crate::progress::say;

/// The oldest Go that compiles our modules.
const NEEDED: (u32, u32) = (1, 26);
/// The oldest Go that fetches a newer one when asked.
const FETCHES: (u32, u32) = (1, 21);
/// The Go that we fetch.
const FETCHED: &str = "1.26.0";

/// A Go to build with.
pub struct Go {
    program: PathBuf,
    toolchain: String,
}

impl Go {
    /// A `go` command with the settings that all our builds share.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut go = command(&self.program, arguments);
        go.env("GOTOOLCHAIN", &self.toolchain).env("CGO_ENABLED", "0").env("GOFLAGS", "-buildvcs=false");
        go
    }
}

/// Finds a Go that is new enough, or gets one.
pub fn provide(places: &Places) -> Result<Go> {
    if !on_path("go") {
        packages::install(places, &["golang-go"])?;
    }
    let version = version_of("go")?;
    if version >= NEEDED {
        return Ok(Go { program: "go".into(), toolchain: "local".into() });
    }
    if version >= FETCHES {
        return Ok(Go { program: "go".into(), toolchain: format!("go{FETCHED}+auto") });
    }
    let program = download("go")?;
    Ok(Go { program, toolchain: "local".into() })
}

fn version_of(program: &str) -> Result<(u32, u32)> {
    let said = output(command(program, &["env", "GOVERSION"]).env("GOTOOLCHAIN", "local"))?;
    parse_version(said.trim()).with_context(|| format!("{program} calls itself {:?}", said.trim()))
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("go")?.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor: String = numbers.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((major, minor.parse().ok()?))
}

fn download(old: &str) -> Result<PathBuf> {
    let module = format!("golang.org/toolchain@v0.0.1-go{FETCHED}.linux-{}", architecture()?);
    say(format!("setup: this machine's Go is too old: downloading Go {FETCHED}"));
    let mut command = command(old, &["mod", "download", "-json", &module]);
    let said = output(command.env("GOFLAGS", "-modcacherw").current_dir("/"))?;
    let answer: serde_json::Value =
        serde_json::from_str(&said).context("could not read what go mod download said")?;
    let folder = answer["Dir"].as_str().context("go mod download names no folder")?;
    let folder = Path::new(folder);
    for programs in ["bin", "pkg/tool"] {
        make_executable(&folder.join(programs))?;
    }
    Ok(folder.join("bin/go"))
}

/// Files in the module cache are not executable; those of a toolchain have to be.
fn make_executable(folder: &Path) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            make_executable(&path)?;
        } else {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no Go toolchain is known for {other}: install Go {}.{} or newer", NEEDED.0, NEEDED.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_are_read_with_and_without_a_patch() {
        assert_eq!(parse_version("go1.26.8"), Some((1, 26)));
        assert_eq!(parse_version("go1.25rc2"), Some((1, 25)));
        assert_eq!(parse_version("devel"), None);
    }
}
