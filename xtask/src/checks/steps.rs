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
use crate::setup;
use crate::workspace::{self, WHOLE};

/// One check.
pub struct Step {
    pub name: &'static str,
    pub about: &'static str,
    pub needs: Needs,
    pub run: fn(&Bench) -> Result<Report>,
}

/// What has to be there for a check to make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// The binaries.
    Build,
    /// The binaries and a cluster of our own.
    Cluster,
}

/// What a check that found nothing wrong has to say.
pub enum Report {
    Passed,
    /// With a note for the line that says so.
    Counted(String),
}

/// All checks but setup, which comes before them.
pub const STEPS: [Step; 11] = [
    step("format", "cargo fmt --check", Needs::Nothing, format),
    step("crates", "heavy crates once, others never", Needs::Nothing, crates),
    step("build", "the whole workspace", Needs::Nothing, build),
    step("clippy", "warnings denied", Needs::Build, clippy),
    step("tests", "unit, property, against a real API server", Needs::Build, tests),
    step("simulator", "200 seeds", Needs::Build, simulator),
    step("generated", "generated files fresh", Needs::Build, generated),
    step("chart", "helm lint and template", Needs::Nothing, chart),
    step("docs", "rustdoc without warnings", Needs::Build, docs),
    step("deny", "licences and sources of crates", Needs::Nothing, deny),
    step("end-to-end", "scenarios on a cluster", Needs::Cluster, end_to_end),
];

const fn step(
    name: &'static str,
    about: &'static str,
    needs: Needs,
    run: fn(&Bench) -> Result<Report>,
) -> Step {
    Step { name, about, needs, run }
}

fn format(bench: &Bench) -> Result<Report> {
    whole_output(
        bench,
        "format",
        &mut workspace::cargo(bench.places, &["fmt", "--all", "--check", "--", "--color", "never"]),
    )
}

fn crates(bench: &Bench) -> Result<Report> {
    duplicates::check(&places::read(&bench.places.root.join("Cargo.lock"))?)?;
    Ok(Report::Passed)
}

fn build(bench: &Bench) -> Result<Report> {
    whole_output(bench, "build", workspace::cargo(bench.places, &["build"]).args(WHOLE))
}

fn clippy(bench: &Bench) -> Result<Report> {
    let mut clippy = workspace::cargo(bench.places, &["clippy"]);
    whole_output(bench, "clippy", clippy.args(WHOLE).args(["--", "--deny", "warnings"]))
}

fn tests(bench: &Bench) -> Result<Report> {
    let mut tests = workspace::cargo(bench.places, &["test", "--workspace", "--locked", "--no-fail-fast"]);
    // The envtest convention: tests against an API server find their programs there.
    tests.env("KUBEBUILDER_ASSETS", &bench.tools.kubernetes);
    // The API server needs no root, so its tests are never among what is left out.
    tests.env_remove("IGRA_WITHOUT_CLUSTER");
    whole_output(bench, "tests", &mut tests)?;
    let counted = count_tests(&places::read(&bench.places.logs()?.join("tests.log"))?);
    if counted == 0 {
        bail!("no test was run");
    }
    Ok(Report::Counted(format!("{counted} tests")))
}

fn simulator(bench: &Bench) -> Result<Report> {
    let program = workspace::built(bench.places, "igra-sim")?;
    whole_output(bench, "simulator", &mut command(program, &["--seeds", "200"]))
}

fn generated(bench: &Bench) -> Result<Report> {
    generate::run(bench.places, bench.tools, true)?;
    Ok(Report::Passed)
}

fn chart(bench: &Bench) -> Result<Report> {
    let chart = bench.places.root.join("charts/igra-operator");
    whole_output(bench, "chart-lint", command(&bench.tools.helm, &["lint", "--strict"]).arg(&chart))?;
    whole_output(bench, "chart-template", command(&bench.tools.helm, &["template", "igra"]).arg(&chart))?;
    // A schema that lets a misspelt value through is none.
    let mut misspelt = command(&bench.tools.helm, &["template", "igra", "--set", "noSuchValue=1"]);
    if succeeds(misspelt.arg(&chart)) {
        bail!("the chart takes a value that it does not know: its values.schema.json is not strict");
    }
    Ok(Report::Passed)
}

fn docs(bench: &Bench) -> Result<Report> {
    let mut docs = workspace::cargo(bench.places, &["doc", "--workspace", "--no-deps", "--locked"]);
    whole_output(bench, "docs", docs.env("RUSTDOCFLAGS", "-Dwarnings"))
}

fn deny(bench: &Bench) -> Result<Report> {
    let mut deny = command(setup::provide_deny(bench.places)?, &["--color", "never", "check"]);
    // Advisories need a database from the network, which CI may not have.
    whole_output(bench, "deny", deny.args(["bans", "licenses", "sources"]))
}

fn end_to_end(bench: &Bench) -> Result<Report> {
    let (places, tools) = (bench.places, bench.tools);
    let images = images::make(places)?;
    let cluster = Cluster::up(places, tools, "test")?;
    let stage = Stage::on(&cluster, &images)?;
    say("images loaded");
    scenarios::run_on(places, tools, &cluster, &stage, &["test"])?;
    Ok(Report::Passed)
}

/// Runs a program quietly; what it printed is shown whole if it fails.
fn whole_output(bench: &Bench, name: &str, command: &mut Command) -> Result<Report> {
    let log = bench.places.logs()?.join(format!("{name}.log"));
    match logged(command.current_dir(&bench.places.root), &log, name) {
        Ok(()) => Ok(Report::Passed),
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
