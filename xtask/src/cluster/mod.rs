//! A whole Kubernetes cluster of one node on this machine, in a network namespace of its own: up in seconds, gone
//! without a trace. A [`Cluster`] takes itself down when it is dropped, unless it is kept.

mod cgroups;
mod control_plane;
mod daemons;
mod keys;
mod leftovers;
mod network;
mod node;
mod plan;
mod volumes;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::places::{self, Places};
use crate::programs::{output, succeeds};
use crate::progress::{say, shown};
use crate::setup::{ImageStore, Tools};
use crate::signals;
use daemons::Daemons;
use plan::Plan;

/// A running cluster.
pub struct Cluster {
    plan: Plan,
    tools: Tools,
    daemons: Daemons,
    keep: bool,
    _lock: File,
}

impl Cluster {
    /// Starts the cluster of a run, after taking away what an earlier one left.
    ///
    /// # Errors
    /// This user is not root, another xtask uses the run, or a program of the cluster did not start.
    pub fn up(places: &Places, tools: &Tools, name: &str) -> Result<Cluster> {
        let plan = Plan::new(places, name)?;
        let lock = lock(&plan)?;
        need_root()?;
        if leftovers::foreign_node() {
            bail!(
                "this machine is a Kubernetes node already: a second kubelet would disturb it (use --cluster current)"
            );
        }
        clean_up(&plan)?;
        let mut cluster =
            Cluster { plan, tools: tools.clone(), daemons: Daemons::default(), keep: false, _lock: lock };
        cluster.start(&ImageStore::of(places))?;
        Ok(cluster)
    }

    /// Leaves the cluster running when this value goes.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plan.kubeconfig()
    }

    /// The address under which pods reach what runs on this machine.
    pub fn host_address(&self) -> String {
        self.plan.host_address()
    }

    /// The folder of the logs, which outlives the cluster.
    pub fn logs(&self) -> PathBuf {
        self.plan.at("log")
    }

    /// Loads an image into the node.
    pub fn import(&self, archive: &Path) -> Result<()> {
        node::import_image(&self.plan, archive)
            .with_context(|| format!("could not load {} into the node", archive.display()))
    }

    /// Writes down the program that uses the cluster, so that it ends with it even if we cannot see to it.
    pub fn adopt(&self, pid: u32) -> Result<()> {
        daemons::record(&self.plan, leftovers::SCENARIOS, pid)
    }

    /// Writes down how everything in the cluster stands, for whoever looks into a failure. Returns the file.
    pub fn describe(&self) -> PathBuf {
        let file = self.plan.at("log/objects.txt");
        let questions: [&[&str]; 4] = [
            &["get", "pods,services,persistentvolumeclaims", "--all-namespaces", "--output=wide"],
            &["get", "igra", "--all-namespaces", "--output=yaml"],
            &["get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"],
            &["describe", "pods", "--all-namespaces"],
        ];
        let answers = questions.map(|question| {
            let asked = output(&mut control_plane::kubectl(&self.plan, &self.tools, question));
            format!(
                "$ kubectl {}\n{}\n",
                question.join(" "),
                asked.unwrap_or_else(|error| format!("{error:#}\n"))
            )
        });
        // What cannot be written is missed by whoever looks for it, and hides no failure.
        let _unwritten = places::write(&file, answers.concat());
        file
    }

    fn start(&mut self, images: &ImageStore) -> Result<()> {
        let started = Instant::now();
        let (plan, tools) = (&self.plan, &self.tools);
        places::made(plan.at("log"))?;
        // Before anything else exists: from here on the run counts as one to be cleaned up.
        daemons::begin(plan)?;
        network::create(plan)?;
        cgroups::create(plan)?;
        keys::create(plan)?;
        control_plane::start(plan, tools, &mut self.daemons)?;
        say(format!("cluster {}: API server ready ({})", plan.name, shown(started.elapsed())));
        volumes::create(plan, tools)?;
        node::start(plan, tools, images, &mut self.daemons)?;
        control_plane::wait_for(plan, &mut self.daemons, "the default service account", || {
            let account = ["get", "serviceaccount", "default"];
            succeeds(&mut control_plane::kubectl(plan, tools, &account))
        })?;
        say(format!("cluster {}: node ready, {} ({})", plan.name, plan.server(), shown(started.elapsed())));
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let started = Instant::now();
        match leftovers::remove(&self.plan) {
            Ok(()) => say(format!("cluster {}: gone ({})", self.plan.name, shown(started.elapsed()))),
            Err(error) => say(format!("cluster {}: could not be removed whole: {error:#}", self.plan.name)),
        }
    }
}

/// Takes a run's cluster away. Nothing to do is no error.
///
/// # Errors
/// Another xtask uses it.
pub fn down(places: &Places, name: &str) -> Result<()> {
    let plan = Plan::new(places, name)?;
    let lock = lock(&plan)?;
    take_away(&plan, lock)
}

/// As [`down`]; another xtask that uses the cluster is asked to stop first.
pub fn down_whoever_uses_it(places: &Places, name: &str) -> Result<()> {
    let plan = Plan::new(places, name)?;
    let lock = places::lock_taking_over(&lock_file(&plan), &format!("cluster {name}"))?;
    take_away(&plan, lock)
}

fn take_away(plan: &Plan, _lock: File) -> Result<()> {
    if !leftovers::any(plan) {
        say(format!("cluster {}: not there", plan.name));
        return Ok(());
    }
    need_root()?;
    leftovers::remove(plan)?;
    say(format!("cluster {}: gone", plan.name));
    Ok(())
}

/// Prints what runs.
pub fn status(places: &Places, name: &str) -> Result<()> {
    let plan = Plan::new(places, name)?;
    if !leftovers::any(&plan) {
        println!("cluster {name} is not there");
        return Ok(());
    }
    println!("cluster {name}: {}, kubeconfig {}", plan.server(), plan.kubeconfig().display());
    println!("the host as pods see it: {}; logs: {}", plan.host_address(), plan.text("log"));
    for process in daemons::recorded(&plan) {
        let state = if process.runs() { "runs" } else { "has ended" };
        println!("  {:<20} {:>7}  {state}", process.name, process.pid);
    }
    Ok(())
}

/// The kubeconfig of a cluster that is up.
pub fn kubeconfig(places: &Places, name: &str) -> Result<PathBuf> {
    let file = Plan::new(places, name)?.kubeconfig();
    if !file.exists() {
        bail!("cluster {name} is not there: cargo xtask cluster up --name {name}");
    }
    Ok(file)
}

/// Loads an image into a cluster that is up.
pub fn import(places: &Places, name: &str, archive: &Path) -> Result<()> {
    node::import_image(&Plan::new(places, name)?, archive)
}

fn lock(plan: &Plan) -> Result<File> {
    places::lock_or_stop(&lock_file(plan), &format!("cluster {}", plan.name))
}

fn lock_file(plan: &Plan) -> PathBuf {
    plan.folder.with_extension("lock")
}

fn need_root() -> Result<()> {
    if !signals::is_root() {
        bail!("a cluster of our own needs root: it makes a network namespace and control groups");
    }
    Ok(())
}

fn clean_up(plan: &Plan) -> Result<()> {
    if leftovers::any(plan) {
        say(format!("cluster {}: taking away what an earlier run left", plan.name));
        leftovers::remove(plan).context("could not clean up after an earlier run")?;
    }
    places::remove(&plan.folder)
}
