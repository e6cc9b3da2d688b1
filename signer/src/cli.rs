//! The command line.

mod approve;
mod ask;
mod config;
mod keygen;
mod logs;
mod orders;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// A member of a Kaspa threshold-signing group.
#[derive(Debug, Parser)]
#[command(name = "igra-signer", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the signer until SIGTERM or Ctrl-C.
    #[command(after_help = run::EXAMPLES)]
    Run(run::Run),
    /// Makes a signing key and a transport key, and prints the member's entry for the group.
    #[command(after_help = keygen::EXAMPLES)]
    Keygen(keygen::Keygen),
    /// Looks at configuration files.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Signs a payment request as one of the policy's approvers.
    #[command(after_help = approve::EXAMPLES)]
    Approve(approve::Approve),
    /// Asks the signer that runs here that an event is never paid.
    #[command(after_help = orders::CANCEL_EXAMPLES)]
    Cancel(orders::Cancel),
    /// Gives up coins that vanished from the chain, so that an event which needs them can be paid from others.
    #[command(after_help = orders::LOST_EXAMPLES)]
    Lost(orders::Lost),
    /// Looks at the halt that an alarm caused, or clears it.
    #[command(subcommand, after_help = orders::HALT_EXAMPLES)]
    Halt(orders::Halt),
    /// Looks at the quarantine of the signer that runs here, or ends it.
    #[command(subcommand, after_help = orders::QUARANTINE_EXAMPLES)]
    Quarantine(orders::Quarantine),
    /// Looks at the move of another group's coins for which the signer that runs here waits, or ends the waiting.
    #[command(subcommand, after_help = orders::PREDECESSOR_EXAMPLES)]
    Predecessor(orders::Predecessor),
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people, in YAML.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Runs the program; errors go to stderr with their causes, one line.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => return run.run(),
        Command::Keygen(keygen) => keygen.run(),
        Command::Config(config) => config.run(),
        Command::Approve(approve) => approve.run(),
        Command::Cancel(cancel) => cancel.run(),
        Command::Lost(lost) => lost.run(),
        Command::Halt(halt) => halt.run(),
        Command::Quarantine(quarantine) => quarantine.run(),
        Command::Predecessor(predecessor) => predecessor.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in ["run", "keygen", "approve", "cancel", "lost", "halt", "quarantine", "predecessor"] {
            let help =
                Cli::command().find_subcommand(command).unwrap().clone().render_long_help().to_string();
            assert!(help.contains(&format!("igra-signer {command}")), "{help}");
        }
    }
}
