//! `igra-sim`: runs seeds, says how far it is, and ends with 1 at the first violation.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use igra_sim::{Report, Sabotage, Shrunk, record, run, shrink};

// A failing run is shrunk in a few minutes at most.
const MOST_RUNS: u64 = 1_000;

#[derive(Parser)]
#[command(version, about = "Simulates whole groups of signers with faults, one run for each seed")]
struct Args {
    /// How many seeds to run; 200, or one where --seed names it. With --seed and --trace only that one.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the story of each run.
    #[arg(long)]
    trace: bool,
    /// Print which fault met which phase how often, and which never did.
    #[arg(long)]
    matrix: bool,
    /// Make the first failing seed smaller, and print the story of what is left.
    #[arg(long)]
    shrink: bool,
    /// Print one line of JSON in the end.
    #[arg(long)]
    json: bool,
    /// Write what is said and written in each run to this folder, as inputs for the fuzz targets.
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Break a rule on purpose.
    #[arg(long, value_enum, default_value_t = Sabotage::None)]
    sabotage: Sabotage,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(folder) = &args.corpus {
        return corpus(&args, folder);
    }
    let mut sums = Report::default();
    let mut ran = 0;
    for seed in seeds(&args) {
        let report = run(seed, args.sabotage, args.trace);
        for line in &report.trace {
            println!("{line}");
        }
        ran += 1;
        if let Some(violation) = &report.violation {
            return fail(&args, seed, violation);
        }
        sums.happenings += report.happenings;
        sums.virtual_ms += report.virtual_ms;
        sums.paid += report.paid;
        sums.crashes += report.crashes;
        sums.reorganisations += report.reorganisations;
        sums.voided += report.voided;
        sums.liars += report.liars;
        sums.matrix.add(&report.matrix);
        progress(&args, ran);
    }
    summary(&args, ran, &sums);
    ExitCode::SUCCESS
}

fn corpus(args: &Args, folder: &Path) -> ExitCode {
    match seeds(args).try_for_each(|seed| record(seed).write(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("could not write to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn seeds(args: &Args) -> std::ops::Range<u64> {
    let first = args.seed.unwrap_or(0);
    let one = args.seed.is_some() && (args.trace || args.seeds.is_none());
    let count = if one { 1 } else { args.seeds.unwrap_or(200) };
    first..first.saturating_add(count)
}

fn fail(args: &Args, seed: u64, violation: &str) -> ExitCode {
    if args.json {
        println!("{}", serde_json::json!({ "seed": seed, "violation": violation }));
    }
    eprintln!("\nseed {seed}: {violation}");
    if args.shrink {
        tell_smallest(args, seed);
    } else {
        eprintln!(
            "its story: igra-sim --seed {seed} --trace; the shortest one: igra-sim --seed {seed} --shrink"
        );
    }
    ExitCode::FAILURE
}

fn tell_smallest(args: &Args, seed: u64) {
    let Some(Shrunk { report, runs, .. }) = shrink(seed, args.sabotage, MOST_RUNS) else { return };
    for line in &report.trace {
        println!("{line}");
    }
    let violation = report.violation.unwrap_or_default();
    println!("the smallest after {runs} runs: {violation}");
}

fn progress(args: &Args, ran: u64) {
    if std::io::stderr().is_terminal() && !args.trace {
        eprint!("\r{ran} of {} seeds", seeds(args).count());
        // Only a line for the eye.
        let _ = std::io::stderr().flush();
    } else if ran.is_multiple_of(100) {
        eprintln!("{ran} seeds");
    }
}

fn summary(args: &Args, ran: u64, sums: &Report) {
    let (seconds, Report { happenings, paid, voided, crashes, reorganisations, liars, .. }) =
        (sums.virtual_ms / 1_000, sums);
    if args.json {
        let mut line = serde_json::json!({
            "seeds": ran, "violations": 0, "happenings": happenings, "virtual_seconds": seconds, "paid": paid,
            "voided": voided, "crashes": crashes, "reorganisations": reorganisations, "liars": liars,
        });
        if args.matrix {
            line["matrix"] = sums.matrix.json();
        }
        return println!("{line}");
    }
    println!(
        "\r{ran} seeds without a violation: {seconds} virtual seconds, {happenings} happenings, {paid} events paid, \
         {voided} voided, {crashes} crashes, {reorganisations} reorganisations, {liars} liars"
    );
    if args.matrix {
        println!("{}", sums.matrix.table());
    }
}
