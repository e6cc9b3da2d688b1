//! `igra-prove`: runs the table of cases and ends with 1 if one comes out otherwise than it must.

use std::process::ExitCode;

use clap::Parser;
use igra_prove::{
    cases::{Case, Expected, Length, Question, Verdict, cases},
    search::Finding,
};

/// Searches every schedule of small groups for a second payment and for states without a way out.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Only the cases of the ordinary tests.
    #[arg(long)]
    quick: bool,
    /// Only this case; may stand several times.
    #[arg(long)]
    case: Vec<String>,
    /// A line of JSON for each case instead of text.
    #[arg(long)]
    json: bool,
    /// Only the names of the cases, and what each is about.
    #[arg(long)]
    list: bool,
    /// Most states that one search keeps; 100 bytes each are a fair guess.
    #[arg(long, default_value_t = 60_000_000)]
    most_states: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let chosen: Vec<Case> = cases().into_iter().filter(|case| is_chosen(case, &args)).collect();
    if let Some(unknown) = args.case.iter().find(|name| chosen.iter().all(|case| case.name != **name)) {
        eprintln!("no case is called {unknown}; see --list");
        return ExitCode::from(2);
    }
    if args.list {
        chosen.iter().for_each(|case| println!("{:<24} {}", case.name, case.about));
        return ExitCode::SUCCESS;
    }
    let unexpected: Vec<&str> = chosen
        .iter()
        .enumerate()
        .filter(|(place, case)| !ran(case, *place + 1, chosen.len(), &args))
        .map(|(_, case)| case.name)
        .collect();
    summary(&chosen, &unexpected)
}

fn is_chosen(case: &Case, args: &Args) -> bool {
    let named = args.case.iter().any(|name| name == case.name);
    if args.case.is_empty() { !args.quick || case.length == Length::Quick } else { named }
}

/// Runs and prints one case; whether it came out as it must.
fn ran(case: &Case, place: usize, all: usize, args: &Args) -> bool {
    eprintln!("[{place} of {all}] {}: {}", case.name, case.about);
    let verdict = case.run(args.most_states);
    if args.json {
        println!("{}", json(case, &verdict))
    } else {
        print(case, &verdict)
    }
    verdict.as_expected
}

fn print(case: &Case, verdict: &Verdict) {
    let outcome = &verdict.outcome;
    println!(
        "{:<24} {}  {:>2} transactions {:>2} coins {:>10} states {:>11} edges  depth {:>2} {:>7.1} s  {}{}",
        case.name,
        shape(case),
        verdict.transactions,
        verdict.coins,
        outcome.states,
        outcome.edges,
        outcome.depth,
        outcome.seconds,
        result(&outcome.finding),
        if verdict.as_expected { must(case.expected) } else { "  UNEXPECTED" },
    );
    println!("    coins {} and what is made; {}", case.lines.0, case.lines.1.join("; "));
    verdict.story.iter().for_each(|line| println!("    {line}"));
}

fn shape(case: &Case) -> String {
    let shape = case.shape;
    format!("{}/{}/{} with {} lying", shape.n, shape.m, shape.q, shape.liars)
}

fn result(finding: &Finding) -> &'static str {
    match finding {
        Finding::Nothing => "nothing wrong",
        Finding::EndedTwice { .. } => "ended twice",
        Finding::Stuck { .. } => "stuck",
        Finding::Unfinished => "unfinished",
    }
}

fn must(expected: Expected) -> &'static str {
    match expected {
        Expected::Nothing => "",
        Expected::Found => ", as it must be",
        Expected::Residual => ", a risk that the threat model names",
    }
}

fn json(case: &Case, verdict: &Verdict) -> serde_json::Value {
    let outcome = &verdict.outcome;
    let question = match case.question {
        Question::Twice => "ended twice",
        Question::Stuck { .. } => "stuck",
    };
    serde_json::json!({
        "case": case.name,
        "about": case.about,
        "n": case.shape.n,
        "m": case.shape.m,
        "q": case.shape.q,
        "liars": case.shape.liars,
        "rollbacks": case.world.rollbacks,
        "stepwise": case.world.stepwise,
        "bend": case.bend.map(|bend| format!("{bend:?}")),
        "question": question,
        "old_coins": case.lines.0.split_whitespace().collect::<Vec<_>>(),
        "transactions": case.lines.1,
        "coins": verdict.coins,
        "states": outcome.states,
        "edges": outcome.edges,
        "depth": outcome.depth,
        "seconds": outcome.seconds,
        "result": result(&outcome.finding),
        "as_expected": verdict.as_expected,
        "story": verdict.story,
    })
}

fn summary(chosen: &[Case], unexpected: &[&str]) -> ExitCode {
    if unexpected.is_empty() {
        eprintln!("{} cases came out as they must", chosen.len());
        return ExitCode::SUCCESS;
    }
    eprintln!("unexpected: {}", unexpected.join(", "));
    ExitCode::FAILURE
}
