//! `igra-signer`: see `igra-signer --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    igra_signer::cli::main()
}
