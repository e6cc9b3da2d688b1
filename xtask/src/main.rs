//! `cargo xtask`: sets a machine up, tests the project on it, and shows it. The first program that a fresh machine
//! builds, so it depends on nothing that it is there to install.

mod checks;
mod cli;
mod cluster;
mod demo;
mod fuzz;
mod generate;
mod images;
mod places;
mod programs;
mod progress;
mod scenarios;
mod setup;
mod signals;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    progress::start();
    let cli = cli::Cli::parse();
    signals::catch_interrupts();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<programs::Interrupted>() => {
            eprintln!("interrupted; what was started has been ended");
            ExitCode::from(130)
        }
        Err(error) if error.is::<checks::ChecksFailed>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
