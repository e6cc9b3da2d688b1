//! The checks, in the order in which they are run: the quick ones first, what needs a cluster last.

use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use super::{Bench, duplicates};
use crate::cluster::Cluster;
use crate::generate;
use crate::images;
use crate::places;
use crate::programs::{Interrupted, command, logged, succeeds};
use crate::progress::say;
use crate::scenarios::{self, Stage};
use crate::workspace::{self, WHOLE};

/// One check.
pub struct Step {
    pub name: &'static str,
    pub about: &'static str,
    /// Makes no sense when the build failed.
    pub needs_build: bool,
    /// Needs a cluster of our own.
    pub on_cluster: bool,
    /// Returns a note for the line that says it passed.
    pub run: fn(&Bench) -> Result<String>,
}

/// All checks but setup, which comes before them.
pub const STEPS: [Step; 11] = [
    Step { name: "format", about: "cargo fmt --check", needs_build: false, on_cluster: false, run: format },
    Step { name: "crates", about: "heavy crates once", needs_build: false, on_cluster: false, run: crates },
    Step { name: "build", about: "the whole workspace", needs_build: false, on_cluster: false, run: build },
    Step { name: "clippy", about: "warnings denied", needs_build: true, on_cluster: false, run: clippy },
    Step {
        name: "tests",
        about: "unit, property, API server",
        needs_build: true,
        on_cluster: false,
        run: tests,
    },
    Step { name: "simulator", about: "200 seeds", needs_build: true, on_cluster: false, run: simulator },
    Step {
        name: "generated",
        about: "generated files fresh",
        needs_build: true,
        on_cluster: false,
        run: generated,
    },
    Step {
        name: "chart",
        about: "helm lint and template",
        needs_build: false,
        on_cluster: false,
        run: chart,
    },
    Step { name: "docs", about: "rustdoc without warnings", needs_build: true, on_cluster: false, run: docs },
    Step { name: "deny", about: "licences and advisories", needs_build: false, on_cluster: false, run: deny },
    Step { name: "end-to-end", about: "on a cluster", needs_build: true, on_cluster: true, run: end_to_end },
];

fn format(bench: &Bench) -> Result<String> {
    cargo(
        bench,
        "format",
        &mut workspace::cargo(bench.places, &["fmt", "--all", "--check", "--", "--color", "never"]),
    )
}

fn crates(bench: &Bench) -> Result<String> {
    duplicates::check(&places::read(&bench.places.root.join("Cargo.lock"))?)?;
    Ok(String::new())
}

fn build(bench: &Bench) -> Result<String> {
    cargo(bench, "build", workspace::cargo(bench.places, &["build"]).args(WHOLE))
}

fn clippy(bench: &Bench) -> Result<String> {
    let mut clippy = workspace::cargo(bench.places, &["clippy"]);
    cargo(bench, "clippy", clippy.args(WHOLE).args(["--", "--deny", "warnings"]))
}

fn tests(bench: &Bench) -> Result<String> {
    let mut tests = workspace::cargo(bench.places, &["test", "--workspace", "--locked", "--no-fail-fast"]);
    // The envtest convention: tests against an API server find their programs there.
    tests.env("KUBEBUILDER_ASSETS", &bench.tools.kubernetes);
    cargo(bench, "tests", &mut tests)?;
    let counted = count_tests(&places::read(&bench.places.logs()?.join("tests.log"))?);
    if counted == 0 {
        bail!("no test was run");
    }
    Ok(format!(": {counted} tests"))
}

fn simulator(bench: &Bench) -> Result<String> {
    let program = workspace::built(bench.places, "igra-sim")?;
    whole_output(bench, "simulator", &mut command(program, &["--seeds", "200"]))
}

fn generated(bench: &Bench) -> Result<String> {
    generate::run(bench.places, bench.tools, true)?;
    Ok(String::new())
}

fn chart(bench: &Bench) -> Result<String> {
    let chart = bench.places.root.join("charts/igra-operator");
    whole_output(bench, "chart-lint", command(&bench.tools.helm, &["lint", "--strict"]).arg(&chart))?;
    whole_output(bench, "chart-template", command(&bench.tools.helm, &["template", "igra"]).arg(&chart))?;
    // A schema that lets a misspelt value through is none.
    let mut misspelt = command(&bench.tools.helm, &["template", "igra", "--set", "noSuchValue=1"]);
    if succeeds(misspelt.arg(&chart)) {
        bail!("the chart takes a value that it does not know: its values.schema.json is not strict");
    }
    Ok(String::new())
}

fn docs(bench: &Bench) -> Result<String> {
    let mut docs = workspace::cargo(bench.places, &["doc", "--workspace", "--no-deps", "--locked"]);
    cargo(bench, "docs", docs.env("RUSTDOCFLAGS", "-Dwarnings"))
}

fn deny(bench: &Bench) -> Result<String> {
    if !succeeds(&mut command("cargo-deny", &["--version"])) {
        return Ok(": LEFT OUT, cargo-deny is not installed (cargo install cargo-deny); the step crates still looked for duplicates".into());
    }
    // Advisories need a database from the network, which CI may not have.
    cargo(
        bench,
        "deny",
        &mut workspace::cargo(bench.places, &["deny", "check", "bans", "licenses", "sources"]),
    )
}

fn end_to_end(bench: &Bench) -> Result<String> {
    let (places, tools) = (bench.places, bench.tools);
    let images = images::make(places)?;
    let cluster = Cluster::up(places, tools, "test")?;
    let stage = Stage::on(&cluster, &images)?;
    say("images loaded");
    scenarios::run_on(places, tools, &cluster, &stage, &["test"])?;
    Ok(String::new())
}

fn cargo(bench: &Bench, name: &str, command: &mut Command) -> Result<String> {
    whole_output(bench, name, command)
}

/// Runs a program quietly; what it printed is shown whole if it fails.
fn whole_output(bench: &Bench, name: &str, command: &mut Command) -> Result<String> {
    let log = bench.places.logs()?.join(format!("{name}.log"));
    match logged(command.current_dir(&bench.places.root), &log, name) {
        Ok(()) => Ok(String::new()),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            println!("{}", String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()));
            Err(error)
        }
    }
}

/// How many tests passed, by the summary line of each test program.
fn count_tests(output: &str) -> u32 {
    let passed = |line: &str| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<u32>().ok();
    output.lines().filter_map(passed).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_over_all_programs() {
        let output =
            "running 2 tests\ntest result: ok. 2 passed; 0 failed\n\ntest result: ok. 40 passed; 0 failed\n";
        assert_eq!(count_tests(output), 42);
    }

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let mut names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
