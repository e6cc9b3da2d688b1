//! The control group that holds all pods of a cluster. It is how their processes are found at the end, also when
//! the programs that started them are long gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::plan::Plan;
use crate::signals::{self, Signal};

const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the group in every hierarchy, which the kubelet expects of its root.
pub fn create(plan: &Plan) -> Result<()> {
    for hierarchy in hierarchies()? {
        let group = hierarchy.join(plan.cgroup());
        delegate(&hierarchy);
        fs::create_dir_all(&group).with_context(|| format!("could not create {}", group.display()))?;
        inherit_cpus(&hierarchy, &group);
    }
    Ok(())
}

/// Kills every process in the group and removes it.
pub fn remove(plan: &Plan) {
    let groups: Vec<_> =
        hierarchies().unwrap_or_default().iter().map(|one| one.join(plan.cgroup())).collect();
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let processes: Vec<u32> = groups.iter().flat_map(|group| processes(group)).collect();
        for pid in &processes {
            signals::send_to_process(*pid, Signal::Kill);
        }
        for group in &groups {
            remove_tree(group);
        }
        if processes.is_empty() && !groups.iter().any(|group| group.exists()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where control groups are mounted: one folder with version 2, one for each controller with version 1.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("could not read /proc/self/mountinfo")?;
    Ok(mounts.lines().filter_map(hierarchy).collect())
}

fn hierarchy(mount: &str) -> Option<PathBuf> {
    let (place, file_system) = mount.split_once(" - ")?;
    let kind = file_system.split(' ').next()?;
    (kind == "cgroup" || kind == "cgroup2").then(|| place.split(' ').nth(4).map(PathBuf::from))?
}

/// Version 2 gives a group the controllers that its parent passes on. One that is not there is not asked for again.
fn delegate(hierarchy: &Path) {
    let file = hierarchy.join("cgroup.subtree_control");
    let have = fs::read_to_string(hierarchy.join("cgroup.controllers")).unwrap_or_default();
    for controller in have.split_whitespace() {
        let _refused_is_for_the_kubelet_to_tell = fs::write(&file, format!("+{controller}"));
    }
}

/// Version 1 starts a group without processors, and such a group takes no process.
fn inherit_cpus(hierarchy: &Path, group: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let Ok(value) = fs::read(hierarchy.join(file)) {
            let _version_2_has_it_by_default = fs::write(group.join(file), value);
        }
    }
}

fn processes(group: &Path) -> Vec<u32> {
    let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let own = listed.lines().filter_map(|line| line.parse().ok());
    own.chain(children(group).iter().flat_map(|child| processes(child))).collect()
}

fn remove_tree(group: &Path) {
    for child in children(group) {
        remove_tree(&child);
    }
    let _busy_until_its_processes_are_gone = fs::remove_dir(group);
}

fn children(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(group) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_group_mounts_are_hierarchies() {
        let pids = "33 32 0:29 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids";
        let disk = "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw";
        assert_eq!(hierarchy(pids), Some(PathBuf::from("/sys/fs/cgroup/pids")));
        assert_eq!(hierarchy(disk), None);
    }
}
