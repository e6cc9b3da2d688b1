//! etcd, the API server, the controller manager and the scheduler.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::daemons::Daemons;
use super::network;
use super::plan::Plan;
use crate::programs::{command, pause, succeeds};
use crate::setup::Tools;

const PATIENCE: Duration = Duration::from_secs(120);

/// Starts all four and waits until the API server is ready.
pub fn start(plan: &Plan, tools: &Tools, daemons: &mut Daemons) -> Result<()> {
    daemons.start(plan, "etcd", &mut etcd(plan, tools))?;
    daemons.start(plan, "api-server", &mut api_server(plan, tools))?;
    wait_for(plan, daemons, "the API server to be ready", || {
        succeeds(&mut kubectl(plan, tools, &["get", "--raw", "/readyz"]))
    })?;
    // These two end when they are refused, as they are until the API server has made its first roles.
    daemons.start(plan, "controller-manager", &mut controller_manager(plan, tools))?;
    daemons.start(plan, "scheduler", &mut scheduler(plan, tools))
}

/// kubectl as the administrator.
pub fn kubectl(plan: &Plan, tools: &Tools, arguments: &[&str]) -> Command {
    let mut kubectl = command(tools.kube("kubectl"), &["--request-timeout=10s"]);
    kubectl.args(arguments).env("KUBECONFIG", plan.kubeconfig());
    kubectl
}

/// Waits for something that the daemons bring about; stops early if one of them has ended.
pub fn wait_for(
    plan: &Plan,
    daemons: &mut Daemons,
    what: &str,
    mut is_so: impl FnMut() -> bool,
) -> Result<()> {
    let started = Instant::now();
    while !is_so() {
        daemons.check(plan)?;
        if started.elapsed() > PATIENCE {
            bail!("waited {} s for {what}; see {}", PATIENCE.as_secs(), plan.text("log"));
        }
        pause(Duration::from_millis(100))?;
    }
    Ok(())
}

fn etcd(plan: &Plan, tools: &Tools) -> Command {
    let mut etcd = component(plan, tools, "etcd");
    etcd.arg(format!("--data-dir={}", plan.text("etcd")));
    // Nothing here has to survive the machine, and a synced write per change would be the slowest part.
    etcd.args(["--unsafe-no-fsync", "--log-level=warn"]);
    etcd.args([
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
    ]);
    etcd.arg("--listen-peer-urls=http://127.0.0.1:2380");
    etcd
}

fn api_server(plan: &Plan, tools: &Tools) -> Command {
    let mut server = component(plan, tools, "kube-apiserver");
    let key = |file: &str| plan.text(&format!("keys/{file}"));
    server.args(["--etcd-servers=http://127.0.0.1:2379", "--secure-port=6443", "--allow-privileged"]);
    server.args(["--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"]);
    server.arg(format!("--advertise-address={}", plan.node_address()));
    server.arg(format!("--service-cluster-ip-range={}", plan.service_range()));
    server.arg(format!("--tls-cert-file={}", key("api-server.crt")));
    server.arg(format!("--tls-private-key-file={}", key("api-server.key")));
    server.arg(format!("--client-ca-file={}", key("ca.crt")));
    server.arg("--service-account-issuer=https://kubernetes.default.svc");
    server.arg(format!("--service-account-signing-key-file={}", key("service-account.key")));
    server.arg(format!("--service-account-key-file={}", key("service-account.pub")));
    // For logs, exec and port-forward, which the API server fetches from the kubelet.
    server.arg("--kubelet-preferred-address-types=InternalIP");
    server.arg(format!("--kubelet-certificate-authority={}", key("ca.crt")));
    server.arg(format!("--kubelet-client-certificate={}", key("admin.crt")));
    server.arg(format!("--kubelet-client-key={}", key("admin.key")));
    server
}

fn controller_manager(plan: &Plan, tools: &Tools) -> Command {
    let mut manager = component(plan, tools, "kube-controller-manager");
    let kubeconfig = plan.text("keys/controller-manager.kubeconfig");
    manager.arg(format!("--kubeconfig={kubeconfig}"));
    manager.arg(format!("--authentication-kubeconfig={kubeconfig}"));
    manager.arg(format!("--authorization-kubeconfig={kubeconfig}"));
    manager.arg(format!("--root-ca-file={}", plan.text("keys/ca.crt")));
    manager.arg(format!("--service-account-private-key-file={}", plan.text("keys/service-account.key")));
    manager.args([
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--allocate-node-cidrs=false",
    ]);
    manager.arg(format!("--cluster-cidr={}", plan.pod_range()));
    manager
}

fn scheduler(plan: &Plan, tools: &Tools) -> Command {
    let mut scheduler = component(plan, tools, "kube-scheduler");
    let kubeconfig = plan.text("keys/scheduler.kubeconfig");
    scheduler.arg(format!("--kubeconfig={kubeconfig}"));
    scheduler.arg(format!("--authentication-kubeconfig={kubeconfig}"));
    scheduler.arg(format!("--authorization-kubeconfig={kubeconfig}"));
    scheduler.arg("--leader-elect=false");
    scheduler
}

fn component(plan: &Plan, tools: &Tools, program: &str) -> Command {
    network::inside(plan, &tools.kube(program).display().to_string())
}
