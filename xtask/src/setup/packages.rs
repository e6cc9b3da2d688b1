//! Debian packages: which are missing, and installing them.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Result, bail};

use super::Scope;
use crate::places::Places;
use crate::programs::{command, logged, on_path};
use crate::progress::say;
use crate::signals;

/// To compile the workspace: protobuf for the Kaspa node's interface, clang for RocksDB.
const BUILD: [&str; 6] =
    ["ca-certificates", "clang-14", "libclang-14-dev", "libprotobuf-dev", "make", "protobuf-compiler"];

/// To run the one-node cluster and to make images.
const CLUSTER: [&str; 13] = [
    "binutils",
    "buildah",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "gcc",
    "iproute2",
    "iptables",
    "libc6-dev",
    "mmdebstrap",
    "openssl",
    "runc",
    "util-linux",
];

/// What to look for where there is no Debian package database.
const BUILD_PROGRAMS: [&str; 3] = ["clang-14", "make", "protoc"];
const CLUSTER_PROGRAMS: [&str; 11] = [
    "buildah",
    "conntrack",
    "containerd",
    "gcc",
    "ip",
    "iptables",
    "mmdebstrap",
    "nsenter",
    "openssl",
    "runc",
    "strip",
];

/// Installs the packages that `scope` needs and the machine lacks.
pub fn provide(places: &Places, scope: Scope) -> Result<()> {
    if !on_path("dpkg-query") {
        return check_programs(scope);
    }
    let missing = missing(&wanted(&BUILD, &CLUSTER, scope));
    if missing.is_empty() {
        return Ok(());
    }
    install(places, &missing)
}

/// Installs the named packages.
pub fn install(places: &Places, packages: &[&str]) -> Result<()> {
    let line = format!("apt-get install --yes --no-install-recommends {}", packages.join(" "));
    if !signals::is_root() {
        bail!(
            "packages are missing, and only root may install them. Run\n    sudo apt-get update && sudo {line}\nand start again"
        );
    }
    say(format!("setup: installing {}", packages.join(" ")));
    let log = places.logs()?.join("packages.log");
    logged(&mut apt(&["update"]), &log, "apt-get update")?;
    let mut words = vec!["install", "--yes", "--no-install-recommends"];
    words.extend(packages);
    logged(&mut apt(&words), &log, "apt-get install")
}

fn apt(arguments: &[&str]) -> Command {
    let mut apt = command("apt-get", arguments);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn wanted(build: &[&'static str], cluster: &[&'static str], scope: Scope) -> Vec<&'static str> {
    match scope {
        Scope::Build => build.to_vec(),
        Scope::Cluster => [build, cluster].concat(),
    }
}

fn missing(wanted: &[&'static str]) -> Vec<&'static str> {
    let mut query = command("dpkg-query", &["--show", "--showformat", "${db:Status-Status} ${Package}\n"]);
    // A name that dpkg does not know makes it fail, but it still lists the others.
    let listed = query.args(wanted).output().map(|done| done.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let installed: BTreeSet<&str> =
        listed.lines().filter_map(|line| line.strip_prefix("installed ")).collect();
    wanted.iter().copied().filter(|package| !installed.contains(package)).collect()
}

fn check_programs(scope: Scope) -> Result<()> {
    let programs = wanted(&BUILD_PROGRAMS, &CLUSTER_PROGRAMS, scope);
    let missing: Vec<_> = programs.into_iter().filter(|program| !on_path(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "this is no Debian-like machine, so please install what is missing by its own means: {}. \
         On Debian the packages are: {}",
        missing.join(" "),
        wanted(&BUILD, &CLUSTER, scope).join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_nobody_made_is_missing() {
        if on_path("dpkg-query") {
            assert_eq!(missing(&["dpkg", "igra-no-such-package"]), ["igra-no-such-package"]);
        }
    }
}
