//! The cluster's own network namespace, and the link that joins it to the host.

use std::process::Command;

use anyhow::{Context, Result};

use super::plan::Plan;
use crate::programs::{command, output, succeeds};

/// Makes the namespace, the link, and the host's routes to pods and services.
pub fn create(plan: &Plan) -> Result<()> {
    let (namespace, device) = (&plan.namespace(), &plan.host_device());
    ip(&["netns", "add", namespace])?;
    ip(&["link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", namespace])?;
    ip(&["address", "add", &format!("{}/24", plan.host_address()), "dev", device])?;
    ip(&["link", "set", device, "up"])?;
    ip(&["-n", namespace, "address", "add", &format!("{}/24", plan.node_address()), "dev", "eth0"])?;
    ip(&["-n", namespace, "link", "set", "eth0", "up"])?;
    ip(&["-n", namespace, "link", "set", "lo", "up"])?;
    ip(&["-n", namespace, "route", "add", "default", "via", &plan.host_address()])?;
    for range in [plan.pod_range(), plan.service_range()] {
        ip(&["route", "replace", &range, "via", &plan.node_address()])?;
    }
    forward_inside(plan)
}

/// Removes what [`create`] made. What is not there is not missed.
pub fn remove(plan: &Plan) {
    let _already_gone = ip(&["link", "delete", &plan.host_device()]);
    let _already_gone = ip(&["netns", "delete", &plan.namespace()]);
}

/// Whether the namespace is there.
pub fn exists(plan: &Plan) -> bool {
    succeeds(&mut command("ip", &["netns", "pids", &plan.namespace()]))
}

/// A program in the namespace. It joins the network alone: `ip netns exec` would hide the control groups too, and
/// without them the kubelet refuses to start.
pub fn inside(plan: &Plan, program: &str) -> Command {
    let mut nsenter = Command::new("nsenter");
    nsenter.arg(format!("--net=/run/netns/{}", plan.namespace())).arg("--").arg(program);
    nsenter
}

/// Every process in the namespace: the cluster's own ones and the shims that containerd left behind.
pub fn processes(plan: &Plan) -> Vec<u32> {
    let listed = ip(&["netns", "pids", &plan.namespace()]).unwrap_or_default();
    listed.lines().filter_map(|line| line.trim().parse().ok()).collect()
}

fn forward_inside(plan: &Plan) -> Result<()> {
    let script = "echo 1 > /proc/sys/net/ipv4/ip_forward
        if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
            echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
        fi";
    output(inside(plan, "sh").args(["-c", script]))
        .context("could not switch on forwarding in the namespace")?;
    Ok(())
}

fn ip(arguments: &[&str]) -> Result<String> {
    output(&mut command("ip", arguments))
}
