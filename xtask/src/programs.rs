//! Running other programs: their output goes to the caller, to a file, or to the terminal, and Ctrl-C ends them
//! in order. Each runs in a process group of its own, so that a Ctrl-C at the terminal reaches us alone.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::progress::{say, shown};
use crate::signals::{self, Signal};

/// How long a program has to end after it was interrupted.
const GRACE: Duration = Duration::from_secs(30);
/// How often a long build says that it is still running.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// The error of whoever was waiting when Ctrl-C came.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// A command with its arguments.
pub fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Runs to the end and returns what was printed. The error holds what went to standard error.
pub fn output(command: &mut Command) -> Result<String> {
    feed(command, "")
}

/// As [`output`], with text on standard input.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    let name = shown_command(command);
    let mut child = command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {name}"))?;
    let sent = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().with_context(|| format!("could not wait for {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name}: {}: {}", output.status, said.trim());
    }
    sent.with_context(|| format!("could not write to {name}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the program ran and ended well; what it printed is of no interest.
pub fn succeeds(command: &mut Command) -> bool {
    output(command).is_ok()
}

/// Runs a long program with its output in a file, and says each minute that it still runs.
pub fn logged(command: &mut Command, log: &Path, what: &str) -> Result<()> {
    let file = File::create(log).with_context(|| format!("could not create {}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    let mut said = Instant::now();
    let status = wait(command, |elapsed| {
        if said.elapsed() >= HEARTBEAT {
            said = Instant::now();
            say(format!("{what}: still running after {}: {}", shown(elapsed), last_line(log)));
        }
    })?;
    if !status.success() {
        bail!("{}: {status}; its output is in {}", shown_command(command), log.display());
    }
    Ok(())
}

/// Runs a program whose output goes where ours goes.
pub fn streamed(command: &mut Command) -> Result<()> {
    streamed_noting(command, |_| Ok(()))
}

/// As [`streamed`]; tells the id of the process group as soon as there is one.
pub fn streamed_noting(command: &mut Command, note: impl FnOnce(u32) -> Result<()>) -> Result<()> {
    let mut child = spawn(command)?;
    if let Err(error) = note(child.id()) {
        end(&mut child);
        return Err(error);
    }
    let status = follow(&mut child, |_| ())?;
    if !status.success() {
        bail!("{}: {status}", shown_command(command));
    }
    Ok(())
}

/// Waits between two looks at something. An error when we were asked to stop.
pub fn pause(length: Duration) -> Result<()> {
    if signals::interrupted() {
        bail!(Interrupted);
    }
    std::thread::sleep(length);
    Ok(())
}

/// Whether a program of this name can be found.
pub fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(usual).any(|folder| folder.join(name).is_file())
}

/// The end of a log.
pub fn last_lines(log: &Path, count: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The command line as a person would type it.
pub fn shown_command(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn wait(command: &mut Command, tick: impl FnMut(Duration)) -> Result<ExitStatus> {
    let mut child = spawn(command)?;
    follow(&mut child, tick)
}

fn spawn(command: &mut Command) -> Result<Child> {
    if signals::interrupted() {
        bail!(Interrupted);
    }
    command.process_group(0).stdin(Stdio::null());
    signals::end_with_us(command);
    command.spawn().with_context(|| format!("could not start {}", shown_command(command)))
}

fn follow(child: &mut Child, mut tick: impl FnMut(Duration)) -> Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return if signals::interrupted() { Err(Interrupted.into()) } else { Ok(status) };
        }
        if signals::interrupted() {
            end(child);
            bail!(Interrupted);
        }
        tick(started.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks the child's whole group to stop, waits, and in the end makes it.
fn end(child: &mut Child) {
    let asked = Instant::now();
    signals::send_to_group(child.id(), Signal::Interrupt);
    while asked.elapsed() < GRACE {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    signals::send_to_group(child.id(), Signal::Kill);
    let _reaped = child.wait();
}

fn last_line(log: &Path) -> String {
    let line = last_lines(log, 1);
    let line = if line.is_empty() { "(no output yet)" } else { line.trim() };
    line.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_what_the_program_said() {
        let error =
            output(&mut command("sh", &["-c", "echo gone wrong >&2; exit 3"])).expect_err("it exits with 3");
        assert!(error.to_string().contains("gone wrong"), "{error}");
    }

    #[test]
    fn text_goes_in_and_comes_out() {
        assert_eq!(feed(&mut command("cat", &[]), "hello").expect("cat runs"), "hello");
    }

    #[test]
    fn a_missing_program_is_not_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-as-this"));
    }
}
