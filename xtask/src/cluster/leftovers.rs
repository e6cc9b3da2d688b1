//! Taking a cluster away, whole or in pieces: what a crashed run left goes the same way as what we end ourselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::plan::Plan;
use super::{cgroups, daemons, network};
use crate::places;
use crate::programs::{command, succeeds};
use crate::signals::{self, Signal};

/// The record of the program that uses the cluster, which may have things of its own to put in order.
pub const SCENARIOS: &str = "scenarios";
/// Where containerd, its network plugins and the kubelet keep state that no setting moves.
const NETWORK_RESULTS: &str = "/var/lib/cni/results";
const POD_LOG_LINKS: &str = "/var/log/containers";
const KUBELET_FOLDER: &str = "/var/lib/kubelet";

/// Whether anything of the cluster is there.
pub fn any(plan: &Plan) -> bool {
    network::exists(plan) || plan.at("processes").exists()
}

/// Whether this machine is a node of somebody's cluster, whose kubelet ours would get in the way of.
pub fn foreign_node() -> bool {
    ["config.yaml", "pki"].iter().any(|name| Path::new(KUBELET_FOLDER).join(name).exists())
}

/// Ends and removes everything but the logs, which stay until the next start.
pub fn remove(plan: &Plan) -> Result<()> {
    daemons::ask_to_stop(plan, |name| name == SCENARIOS);
    daemons::end(plan, |name| name == SCENARIOS);
    // What starts pods goes first, then the pods, then what looks after them.
    daemons::end(plan, |name| ["kubelet", "scheduler", "controller-manager"].contains(&name));
    cgroups::remove(plan);
    daemons::end(plan, |_| true);
    end_shims(plan);
    let sockets = shim_sockets(plan);
    unmount(&plan.folder);
    network::remove(plan);
    for socket in sockets {
        let _already_gone = fs::remove_file(socket);
    }
    remove_network_results(plan);
    remove_pod_log_links(plan);
    remove_device_socket();
    remove_files(plan)
}

/// containerd's shims belong to no process group of ours, but run in our namespace.
fn end_shims(plan: &Plan) {
    let started = Instant::now();
    loop {
        let left = network::processes(plan);
        if left.is_empty() || started.elapsed() > Duration::from_secs(5) {
            return;
        }
        for pid in left {
            signals::send_to_process(pid, Signal::Kill);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Each shim listens on a socket outside of our folder, and wrote down which.
fn shim_sockets(plan: &Plan) -> Vec<PathBuf> {
    let bundles = plan.at("containerd/state/io.containerd.runtime.v2.task/k8s.io");
    let Ok(entries) = fs::read_dir(bundles) else {
        return Vec::new();
    };
    let addresses =
        entries.flatten().filter_map(|entry| fs::read_to_string(entry.path().join("address")).ok());
    addresses.filter_map(|address| address.trim().strip_prefix("unix://").map(PathBuf::from)).collect()
}

fn unmount(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
    let mut ours: Vec<_> = points.filter(|point| point.starts_with(folder)).collect();
    // The deepest first.
    ours.sort();
    for point in ours.into_iter().rev() {
        let _removal_of_the_folder_would_tell = succeeds(command("umount", &["--lazy"]).arg(point));
    }
}

/// The plugins note each pod's addresses under the name of our network, and its loopback under a name of their own.
fn remove_network_results(plan: &Plan) {
    let prefix = format!("{}-", plan.namespace());
    let pods: Vec<String> = entries(NETWORK_RESULTS)
        .filter_map(|entry| {
            Some(entry.file_name()?.to_str()?.strip_prefix(&prefix)?.strip_suffix("-eth0")?.to_string())
        })
        .collect();
    for pod in pods {
        for name in [format!("{prefix}{pod}-eth0"), format!("cni-loopback-{pod}-lo")] {
            let _already_gone = fs::remove_file(Path::new(NETWORK_RESULTS).join(name));
        }
    }
}

fn remove_pod_log_links(plan: &Plan) {
    for link in entries(POD_LOG_LINKS) {
        if fs::read_link(&link).is_ok_and(|target| target.starts_with(&plan.folder)) {
            let _already_gone = fs::remove_file(link);
        }
    }
}

/// The kubelet's socket for devices, which we have none of. The folders go if nothing else is in them.
fn remove_device_socket() {
    let devices = Path::new(KUBELET_FOLDER).join("device-plugins");
    let _already_gone = fs::remove_file(devices.join("kubelet.sock"));
    for folder in [&devices, Path::new(KUBELET_FOLDER)] {
        let _in_use = fs::remove_dir(folder);
    }
}

fn entries(folder: &str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn remove_files(plan: &Plan) -> Result<()> {
    let Ok(entries) = fs::read_dir(&plan.folder) else {
        return Ok(());
    };
    // The record of processes goes last: as long as it is there, the run counts as not cleaned up.
    let kept = ["log", "processes"];
    for entry in entries.flatten() {
        if kept.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            places::remove(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    let _was_never_written = fs::remove_file(plan.at("processes"));
    Ok(())
}
