//! Every name and address of one cluster, derived from the name of its run, so that several can run side by side
//! and a crashed one can be found again.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::places::Places;

/// The runs with numbers of their own. Any other name gets one by its letters.
const KNOWN: [&str; 2] = ["test", "demo"];
/// Control group of all our pods, below which each cluster has one.
const CGROUP_PREFIX: &str = "igra-";

/// What one cluster is called and where it lives.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of the run: `test`, `demo`, or a developer's own.
    pub name: String,
    /// All files of the run.
    pub folder: PathBuf,
    number: u8,
}

impl Plan {
    /// # Errors
    /// The name is not 1 to 8 small letters and digits (it becomes the name of a network device).
    pub fn new(places: &Places, name: &str) -> Result<Plan> {
        let fits = (1..=8).contains(&name.len());
        if !fits || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            bail!("a cluster's name is 1 to 8 small letters and digits, not {name:?}");
        }
        Ok(Plan { name: name.to_string(), folder: places.run(name), number: number(name) })
    }

    /// The network namespace, and the node's name in Kubernetes.
    pub fn namespace(&self) -> String {
        format!("igra-{}", self.name)
    }

    /// The host's end of the link to the namespace.
    pub fn host_device(&self) -> String {
        format!("igra-{}", self.name)
    }

    /// The address of the host on that link: pods reach here what runs on the host.
    pub fn host_address(&self) -> String {
        format!("10.77.{}.1", self.number)
    }

    /// The address of the node: the API server, DNS.
    pub fn node_address(&self) -> String {
        format!("10.77.{}.2", self.number)
    }

    /// The pods' addresses.
    pub fn pod_range(&self) -> String {
        format!("10.78.{}.0/24", self.number)
    }

    /// The services' addresses.
    pub fn service_range(&self) -> String {
        format!("10.79.{}.0/24", self.number)
    }

    /// The address of the service `kubernetes.default`, always the first of the range.
    pub fn api_service_address(&self) -> String {
        format!("10.79.{}.1", self.number)
    }

    /// The address of the API server.
    pub fn server(&self) -> String {
        format!("https://{}:6443", self.node_address())
    }

    /// The control group of the cluster's pods, below the root of each hierarchy.
    pub fn cgroup(&self) -> String {
        format!("{CGROUP_PREFIX}{}", self.name)
    }

    /// A file or folder of the run.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The same as text, for configuration files.
    pub fn text(&self, path: &str) -> String {
        self.at(path).display().to_string()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.at("kubeconfig")
    }

    /// containerd's socket.
    pub fn containerd(&self) -> String {
        self.text("containerd/socket")
    }
}

fn number(name: &str) -> u8 {
    if let Some(position) = KNOWN.iter().position(|known| *known == name) {
        return position as u8 + 1;
    }
    let sum = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    // 10..=249 stays clear of the known ones.
    (sum % 240) as u8 + 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str) -> Result<Plan> {
        let folder = PathBuf::from("/nowhere");
        Plan::new(&Places { root: folder.clone(), cache: folder.clone(), target: folder }, name)
    }

    #[test]
    fn two_runs_share_no_address() {
        let (test, demo) = (plan("test").expect("fits"), plan("demo").expect("fits"));
        assert_ne!(test.node_address(), demo.node_address());
        assert_ne!(test.pod_range(), demo.pod_range());
        assert_ne!(test.folder, demo.folder);
    }

    #[test]
    fn a_name_that_is_no_device_name_is_refused() {
        for name in ["", "Test", "a-b", "ninechars", "../x"] {
            assert!(plan(name).is_err(), "{name:?}");
        }
    }
}
