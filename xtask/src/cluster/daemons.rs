//! The cluster's processes: started into the background with a log file each, and recorded by id, so that a later
//! run can end exactly those.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::plan::Plan;
use crate::places;
use crate::programs::{last_lines, shown_command};
use crate::signals::{self, Signal};

const RECORD: &str = "processes";
/// How long a process has to end before it is made to.
const GRACE: Duration = Duration::from_secs(5);

/// A process as it was recorded: its id, and the time of its start, by which an id that was given to another
/// process since is told apart. Each is the leader of a process group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub name: String,
    pub pid: u32,
    started: u64,
}

impl Recorded {
    /// Whether this very process still runs.
    pub fn runs(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }

    /// Whether the id's process group can still be ours: its leader is this process, or has ended.
    fn may_own_group(&self) -> bool {
        start_time(self.pid).is_none_or(|started| started == self.started)
    }
}

/// The processes that this run of xtask started.
#[derive(Debug, Default)]
pub struct Daemons {
    children: Vec<(String, Child)>,
}

impl Daemons {
    /// Starts a program in the background; what it says goes to `log/NAME.log` of the run.
    pub fn start(&mut self, plan: &Plan, name: &str, command: &mut Command) -> Result<()> {
        let log = plan.at(&format!("log/{name}.log"));
        let mut file = File::create(&log).with_context(|| format!("could not create {}", log.display()))?;
        writeln!(file, "{}", shown_command(command))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = command.spawn().with_context(|| format!("could not start {name}"))?;
        record(plan, name, child.id())?;
        self.children.push((name.to_string(), child));
        Ok(())
    }

    /// An error if one of them has ended: none should while the cluster is up.
    pub fn check(&mut self, plan: &Plan) -> Result<()> {
        for (name, child) in &mut self.children {
            if let Some(status) = child.try_wait()? {
                let log = plan.at(&format!("log/{name}.log"));
                bail!("{name} ended ({status}); {} says last:\n{}", log.display(), last_lines(&log, 10));
            }
        }
        Ok(())
    }
}

impl Drop for Daemons {
    /// Collects those that were ended, so that none stays a zombie while we go on.
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _still_running = child.try_wait();
        }
    }
}

/// Begins the record of a run.
pub fn begin(plan: &Plan) -> Result<()> {
    places::write(&plan.at(RECORD), "")
}

/// Writes a process down as part of the run.
pub fn record(plan: &Plan, name: &str, pid: u32) -> Result<()> {
    let started = start_time(pid).unwrap_or_default();
    let mut file = File::options().create(true).append(true).open(plan.at(RECORD))?;
    writeln!(file, "{name} {pid} {started}").context("could not record a process")
}

/// All processes that were recorded for the run.
pub fn recorded(plan: &Plan) -> Vec<Recorded> {
    let text = fs::read_to_string(plan.at(RECORD)).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// Asks recorded processes to stop and gives them a little time.
pub fn ask_to_stop(plan: &Plan, wanted: impl Fn(&str) -> bool) {
    let ours = ours(plan, wanted);
    for one in &ours {
        signals::send_to_group(one.pid, Signal::Terminate);
    }
    let asked = Instant::now();
    while asked.elapsed() < GRACE && ours.iter().any(|one| one.runs() && !is_zombie(one.pid)) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends recorded processes with all of their groups at once. Nothing of theirs is needed any more.
pub fn end(plan: &Plan, wanted: impl Fn(&str) -> bool) {
    for one in ours(plan, wanted) {
        signals::send_to_group(one.pid, Signal::Kill);
    }
}

fn ours(plan: &Plan, wanted: impl Fn(&str) -> bool) -> Vec<Recorded> {
    recorded(plan).into_iter().filter(|one| wanted(&one.name) && one.may_own_group()).collect()
}

fn parse(line: &str) -> Option<Recorded> {
    let mut words = line.split(' ');
    let name = words.next()?.to_string();
    Some(Recorded { name, pid: words.next()?.parse().ok()?, started: words.next()?.parse().ok()? })
}

/// When the process started, in clock ticks since the machine did. `None` when there is no such process.
fn start_time(pid: u32) -> Option<u64> {
    // After the name in brackets, which may hold blanks: state is the first field, the start the twentieth.
    stat(pid)?.split(' ').nth(19)?.parse().ok()
}

fn is_zombie(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| fields.starts_with('Z'))
}

fn stat(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_knows_its_process() {
        let pid = std::process::id();
        let started = start_time(pid).expect("we run");
        let one = parse(&format!("me {pid} {started}")).expect("well formed");
        assert!(one.runs());
        assert!(!Recorded { started: started + 1, ..one.clone() }.may_own_group());
    }

    #[test]
    fn a_damaged_line_is_no_process() {
        assert_eq!(parse("etcd"), None);
        assert_eq!(parse("etcd x 1"), None);
    }
}
