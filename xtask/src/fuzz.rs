//! `cargo xtask fuzz`: runs the fuzz targets one after the other, each for some minutes, and says what they found.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::places::{self, Places};
use crate::programs::{command, last_lines, logged};
use crate::progress::{say, shown};
use crate::setup::{self, Scope};

// The time that one input may take, and the memory that one process may.
const TIMEOUT_SECONDS: u32 = 20;
const MOST_MIB: u32 = 2_048;
// Above the longest message.
const MOST_BYTES: u32 = 61_000;

/// Look for bytes that break a decoder or the coordinator (needs a nightly compiler; the first build takes long).
#[derive(Args, Debug)]
pub struct Fuzz {
    /// One target; all without it. They are the folders of fuzz/corpus.
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
}

impl Fuzz {
    /// # Errors
    /// A target found something, or could not be built or run.
    pub fn run(self, places: &Places) -> Result<()> {
        setup::setup(places, Scope::Build)?;
        let targets = self.targets(places)?;
        let cargo_fuzz = setup::provide_fuzz(places)?;
        build(places, &cargo_fuzz)?;
        let mut found = 0;
        for target in &targets {
            found += run_one(places, target, self.minutes)?;
        }
        if found > 0 {
            bail!("{found} of {} targets found something", targets.len());
        }
        say(format!("{} targets, {} minutes each: nothing found", targets.len(), self.minutes));
        Ok(())
    }

    fn targets(&self, places: &Places) -> Result<Vec<String>> {
        let all = folders(&places.root.join("fuzz/corpus"))?;
        match &self.target {
            None => Ok(all),
            Some(target) if all.contains(target) => Ok(vec![target.clone()]),
            Some(target) => bail!("no target is called {target}; there are: {}", all.join(", ")),
        }
    }
}

fn folders(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Everything is compiled anew, with counters at every branch: a target folder of its own.
fn built(places: &Places) -> PathBuf {
    places.cache.join("fuzz/target")
}

fn build(places: &Places, cargo_fuzz: &Path) -> Result<()> {
    let started = Instant::now();
    say("building the fuzz targets (a quarter of an hour on two cores the first time)");
    // Memory errors are not looked for: none of our crates has unsafe code, and without it twice as much is tried.
    let mut build = command(cargo_fuzz, &["build", "--sanitizer", "none", "--target-dir"]);
    build.arg(built(places)).current_dir(&places.root);
    // Whatever toolchain runs xtask: the flags that count branches are the nightly compiler's.
    build.env("RUSTUP_TOOLCHAIN", setup::NIGHTLY).env_remove("CARGO").env_remove("CARGO_TARGET_DIR");
    let log = places.logs()?.join("fuzz-build.log");
    if let Err(error) = logged(&mut build, &log, "cargo fuzz build") {
        println!("{}", last_lines(&log, 40));
        return Err(error);
    }
    say(format!("built ({})", shown(started.elapsed())));
    Ok(())
}

/// Returns how many targets found something: none or one.
fn run_one(places: &Places, target: &str, minutes: u32) -> Result<u32> {
    let grown = places::made(places.cache.join("fuzz/corpus").join(target))?;
    let found = places::made(places.cache.join("fuzz/found").join(target))?;
    let before = folders(&found)?;
    let log = places.logs()?.join(format!("fuzz-{target}.log"));
    let started = Instant::now();
    let ran = logged(&mut fuzzer(places, target, minutes, &grown, &found)?, &log, &format!("fuzz {target}"));
    let new: Vec<String> = folders(&found)?.into_iter().filter(|input| !before.contains(input)).collect();
    if ran.is_ok() && new.is_empty() {
        say(format!("{target}: nothing found ({})", shown(started.elapsed())));
        return Ok(0);
    }
    // Without a new input it was not the target that failed.
    if new.is_empty() {
        ran?;
    }
    println!("{}", last_lines(&log, 40));
    for input in new {
        say(format!("{target}: found {}", found.join(input).display()));
    }
    say(format!("once it is mended, keep the input in fuzz/regressions/{target}: the ordinary tests run it"));
    Ok(1)
}

fn fuzzer(places: &Places, target: &str, minutes: u32, grown: &Path, found: &Path) -> Result<Command> {
    let program = built(places).join("x86_64-unknown-linux-gnu/release").join(target);
    if !program.is_file() {
        bail!("{} is not there: has {target} an entry in fuzz/Cargo.toml?", program.display());
    }
    let mut fuzzer = command(program, &[]);
    // What is new goes to the first folder; the others are only read.
    fuzzer.arg(grown).arg(places.root.join("fuzz/corpus").join(target));
    let kept = places.root.join("fuzz/regressions").join(target);
    fuzzer.args(kept.is_dir().then_some(kept));
    fuzzer.arg(format!("-artifact_prefix={}/", found.display()));
    fuzzer.arg(format!("-max_total_time={}", u64::from(minutes) * 60));
    fuzzer.args([format!("-timeout={TIMEOUT_SECONDS}"), format!("-rss_limit_mb={MOST_MIB}")]);
    fuzzer.args([format!("-max_len={MOST_BYTES}"), "-print_final_stats=1".to_owned()]);
    Ok(fuzzer)
}
