//! Child processes: run one to its end, or keep one until it is dropped.

use std::{
    fs::File,
    path::Path,
    process::{Output, Stdio},
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

/// Runs a command to its end and gives its standard output; a failure carries what it wrote to standard error.
pub async fn output(command: &mut Command) -> Result<String> {
    let done = run(command, None).await?;
    if !done.status.success() {
        bail!("{}", failure(command, &done));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Runs a command to its end with this standard input.
pub async fn run(command: &mut Command, input: Option<&str>) -> Result<Output> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("could not start {}", name(command)))?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(text.as_bytes()).await?;
    }
    Ok(child.wait_with_output().await?)
}

/// What a failed command said, for people.
pub fn failure(command: &Command, done: &Output) -> String {
    format!("{} failed ({}): {}", name(command), done.status, String::from_utf8_lossy(&done.stderr).trim())
}

/// Starts a command whose output goes to a file; it ends with SIGKILL when the value is dropped.
pub fn keep(command: &mut Command, log: &Path) -> Result<Child> {
    let file = File::create(log).with_context(|| format!("could not write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
    command.spawn().with_context(|| format!("could not start {}", name(command)))
}

fn name(command: &Command) -> String {
    let std = command.as_std();
    let mut words = vec![std.get_program().to_string_lossy().into_owned()];
    words.extend(std.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}
