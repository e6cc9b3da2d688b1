//! Processes of pods as the host sees them, for faults that Kubernetes itself cannot make: a signer that stands still,
//! and one that is killed with SIGKILL.

use std::fs;

use anyhow::{Context, Result, bail};

/// A process of this host, by its id.
#[derive(Clone, Copy, Debug)]
pub struct HostProcess(libc::pid_t);

/// Signals that a test sends.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    Stop,
    Kill,
}

impl HostProcess {
    /// The signer of a pod: the process named `igra-signer` in the pod's control group.
    pub fn signer_of(pod_uid: &str) -> Result<Self> {
        // The kubelet writes the uid with dashes; the systemd driver replaces them.
        let names = [pod_uid.to_owned(), pod_uid.replace('-', "_")];
        for entry in fs::read_dir("/proc").context("could not read the list of processes")? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            let group = read("cgroup");
            if read("comm").trim() == "igra-signer" && names.iter().any(|name| group.contains(name)) {
                return Ok(Self(id));
            }
        }
        bail!(
            "no igra-signer runs in the pod {pod_uid} on this host; this scenario needs xtask's own cluster"
        )
    }

    /// Sends a signal.
    pub fn signal(self, signal: Signal) -> Result<()> {
        let number = match signal {
            Signal::Stop => libc::SIGSTOP,
            Signal::Kill => libc::SIGKILL,
        };
        let done = send(self.0, number);
        if done != 0 {
            bail!("could not send {signal:?} to process {}: {}", self.0, std::io::Error::last_os_error());
        }
        Ok(())
    }
}

#[allow(
    unsafe_code,
    reason = "kill(2) has no safe form in libc; it takes two integers and touches no memory"
)]
fn send(process: libc::pid_t, signal: libc::c_int) -> libc::c_int {
    unsafe { libc::kill(process, signal) }
}
