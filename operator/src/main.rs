//! `igra-operator`: see `igra-operator --help`.

use std::process::ExitCode;

use clap::Parser;
use igra_operator::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("igra-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}
