//! The operator and its resources on a real API server: what it refuses, what the operator makes of a group, and how it
//! keeps it. One server for all cases, so this program brings its own main. Arguments are parts of case names.

mod cases;
mod server;

use std::{env, process::ExitCode};

use anyhow::Result;

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if env::var_os("IGRA_WITHOUT_CLUSTER").is_some_and(|value| value == "1") {
        println!("left out, because IGRA_WITHOUT_CLUSTER=1: the operator on a real API server");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().expect("the tests need a runtime");
    match runtime.block_on(all()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn all() -> Result<bool> {
    let filters: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let server = server::Server::start(&server::programs()?).await?;
    let stage = cases::Stage::prepare(&server).await?;
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases::all() {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        match case(&stage).await {
            Ok(()) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED\n    {error:#}");
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed");
    Ok(failed == 0)
}
