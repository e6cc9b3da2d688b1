//! A signer as a process: signals, exit codes, and the last word where Kubernetes shows it.

use std::{fs::OpenOptions, future::Future, io::Write, process::ExitCode, time::Duration};

use igra_config::Config;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    error::{RunError, in_one_line},
    run,
};
use crate::keys;

/// Kubernetes shows what stands in this file as the reason why a container ended.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Most time at the end for what runs beside the runtime's tasks.
const LINGER: Duration = Duration::from_secs(1);

/// Runs a signer until SIGTERM or SIGINT. Logging must have been set up. Must be called outside a runtime.
pub fn run_process(config: Config) -> ExitCode {
    keys::forbid_core_dumps();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("igra-signer: could not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    // As a task of its own the loop is woken on the runtime's threads, beside the edges that wake it.
    let ended = runtime.block_on(async { tokio::spawn(run(config, stop_signal())).await });
    // A call that hangs on a bad disk or resolver must not keep the process.
    runtime.shutdown_timeout(LINGER);
    match ended {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => report(&error),
        // A panic has been printed where it happened.
        Err(_) => report(&RunError::Ended("the loop")),
    }
}

fn report(error: &RunError) -> ExitCode {
    let text = in_one_line(error);
    tracing::error!(error = text, "the signer stops");
    eprintln!("igra-signer: {text}");
    write_last_word(&text);
    ExitCode::from(error.exit_code())
}

/// Says why the process ends, where somebody has made a file for it.
pub fn write_last_word(text: &str) {
    let path = std::env::var_os("IGRA_TERMINATION_LOG").unwrap_or_else(|| TERMINATION_LOG.into());
    // Without the file nobody wants to know.
    if let Ok(mut file) = OpenOptions::new().write(true).truncate(true).open(path) {
        let _ = file.write_all(text.as_bytes());
    }
}

fn stop_signal() -> impl Future<Output = ()> + Send {
    let heard = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let waits = heard
            .into_iter()
            .filter_map(Result::ok)
            .map(|mut signal| Box::pin(async move { signal.recv().await }));
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            tracing::warn!("signals cannot be heard; only SIGKILL will end this process");
            return std::future::pending().await;
        }
        futures::future::select_all(waits).await;
    }
}
