//! `cargo xtask test`: every check of the project, one after the other, with a summary that a person and CI can read.

mod duplicates;
mod steps;

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::places::Places;
use crate::programs::Interrupted;
use crate::progress::{say, shown};
use crate::setup::{self, Scope, Tools};
use crate::signals;
use steps::{Needs, Report, STEPS, Step};

/// Runs every check.
#[derive(Args, Debug)]
pub struct Test {
    /// Leave out what needs a cluster, for a machine where none can be made.
    #[arg(long)]
    without_cluster: bool,
    /// Run one step alone (setup comes before it).
    #[arg(long, value_name = "STEP", value_parser = step_names())]
    only: Option<String>,
}

/// What the steps work with.
pub struct Bench<'a> {
    pub places: &'a Places,
    pub tools: &'a Tools,
}

/// Which steps failed, when everything about that has been printed.
#[derive(Debug)]
pub struct ChecksFailed(String);

impl std::fmt::Display for ChecksFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failed: {}", self.0)
    }
}

impl std::error::Error for ChecksFailed {}

/// How a step went.
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    LeftOut(&'static str),
}

impl Test {
    /// # Errors
    /// A step failed. Its output has been printed.
    pub fn run(&self, places: &Places) -> Result<()> {
        let scope = if self.wants_cluster() { Scope::Cluster } else { Scope::Build };
        let started = Instant::now();
        let tools = match setup::setup(places, scope) {
            Ok(tools) => tools,
            Err(error) => {
                say(format!("FAILED  setup: {error:#}"));
                return finish(&[("setup", Outcome::Failed(started.elapsed()))]);
            }
        };
        let mut outcomes = vec![("setup", Outcome::Passed(started.elapsed()))];
        let bench = Bench { places, tools: &tools };
        for step in self.steps() {
            let outcome = match self.reason_against(step, &outcomes) {
                Some(reason) => Outcome::LeftOut(reason),
                None => run(step, &bench)?,
            };
            outcomes.push((step.name, outcome));
        }
        finish(&outcomes)
    }

    /// The steps asked for; a single one that works on what was built has the build before it.
    fn steps(&self) -> impl Iterator<Item = &'static Step> {
        let alone = self.only.as_deref().and_then(|only| STEPS.iter().find(|step| step.name == only));
        STEPS.iter().filter(move |step| match alone {
            Some(alone) => step.name == alone.name || (step.name == "build" && alone.needs != Needs::Nothing),
            None => true,
        })
    }

    /// Whether what is asked for needs a cluster that this user can make.
    fn wants_cluster(&self) -> bool {
        self.no_cluster().is_none() && self.steps().any(|step| step.needs == Needs::Cluster)
    }

    fn no_cluster(&self) -> Option<&'static str> {
        if self.without_cluster {
            return Some("--without-cluster");
        }
        (!signals::is_root()).then_some("a cluster of our own needs root")
    }

    fn reason_against(&self, step: &Step, before: &[(&str, Outcome)]) -> Option<&'static str> {
        if step.needs == Needs::Cluster && self.no_cluster().is_some() {
            return self.no_cluster();
        }
        let broken =
            before.iter().any(|(name, outcome)| *name == "build" && matches!(outcome, Outcome::Failed(_)));
        (step.needs != Needs::Nothing && broken).then_some("the build failed")
    }
}

fn run(step: &Step, bench: &Bench) -> Result<Outcome> {
    say(format!("------  {}: {}", step.name, step.about));
    let started = Instant::now();
    let took = || shown(started.elapsed());
    match (step.run)(bench) {
        Ok(Report::Passed) => {
            say(format!("ok      {} ({})", step.name, took()));
            Ok(Outcome::Passed(started.elapsed()))
        }
        Ok(Report::Counted(note)) => {
            say(format!("ok      {} ({}): {note}", step.name, took()));
            Ok(Outcome::Passed(started.elapsed()))
        }
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            say(format!("FAILED  {} ({}): {error:#}", step.name, shown(started.elapsed())));
            Ok(Outcome::Failed(started.elapsed()))
        }
    }
}

fn finish(outcomes: &[(&str, Outcome)]) -> Result<()> {
    println!();
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Passed(length) => println!("  ok        {name:<12} {}", shown(*length)),
            Outcome::Failed(length) => println!("  FAILED    {name:<12} {}", shown(*length)),
            Outcome::LeftOut(reason) => println!("  left out  {name:<12} {reason}"),
        }
    }
    let passed = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Passed(_))).count();
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
        .map(|(name, _)| *name)
        .collect();
    // CI reads this line; nothing follows it.
    println!("\n{passed} passed, {} failed", failed.len());
    if failed.is_empty() { Ok(()) } else { Err(ChecksFailed(failed.join(", ")).into()) }
}

fn step_names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}
