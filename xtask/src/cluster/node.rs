//! containerd, the kubelet, kube-proxy and DNS: the one node.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::control_plane::{kubectl, wait_for};
use super::daemons::Daemons;
use super::network;
use super::plan::Plan;
use crate::places;
use crate::programs::{command, output, succeeds};
use crate::setup::{ImageStore, PAUSE, Tools};

/// Starts the four and waits until the node is ready for pods.
pub fn start(plan: &Plan, tools: &Tools, images: &ImageStore, daemons: &mut Daemons) -> Result<()> {
    write_configuration(plan)?;
    hold_in_memory(plan);
    let containerd = plan.text("containerd.toml");
    let mut runtime = network::inside(plan, "containerd");
    daemons.start(plan, "containerd", runtime.args(["--config", &containerd]))?;
    wait_for(plan, daemons, "containerd", || {
        Path::new(&plan.containerd()).exists() && succeeds(&mut ctr(plan, &["version"]))
    })?;
    import_image(plan, &images.pause_archive())?;
    daemons.start(plan, "kubelet", &mut kubelet(plan, tools))?;
    let proxy = tools.kube("kube-proxy").display().to_string();
    daemons.start(
        plan,
        "proxy",
        network::inside(plan, &proxy).args(["--config", &plan.text("proxy.yaml")]),
    )?;
    let dns = tools.kube("coredns").display().to_string();
    daemons.start(plan, "dns", network::inside(plan, &dns).args(["-conf", &plan.text("Corefile")]))?;
    wait_for(plan, daemons, "the node to be ready", || is_ready(plan, tools))
}

/// containerd's own client.
pub fn ctr(plan: &Plan, arguments: &[&str]) -> Command {
    let mut ctr = command("ctr", &["--address", &plan.containerd(), "--namespace", "k8s.io"]);
    ctr.args(arguments);
    ctr
}

/// Loads an archive into the node, so that pods can use the image without a registry.
pub fn import_image(plan: &Plan, archive: &Path) -> Result<()> {
    output(ctr(plan, &["images", "import", "--no-unpack=false"]).arg(archive)).map(drop)
}

fn is_ready(plan: &Plan, tools: &Tools) -> bool {
    let path = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    let asked = output(&mut kubectl(plan, tools, &["get", "node", &plan.namespace(), "--output", path]));
    asked.is_ok_and(|status| status == "True")
}

fn kubelet(plan: &Plan, tools: &Tools) -> Command {
    let mut kubelet = network::inside(plan, &tools.kube("kubelet").display().to_string());
    kubelet.arg(format!("--config={}", plan.text("kubelet.yaml")));
    kubelet.arg(format!("--kubeconfig={}", plan.text("keys/node.kubeconfig")));
    kubelet.arg(format!("--root-dir={}", plan.text("kubelet")));
    kubelet.arg(format!("--cert-dir={}", plan.text("kubelet/pki")));
    kubelet.arg(format!("--hostname-override={}", plan.namespace()));
    kubelet.arg(format!("--node-ip={}", plan.node_address()));
    kubelet
}

/// Unpacked images are thousands of files that live for minutes: half a gigabyte of memory spares the disk writing
/// and removing them, which takes longest of all on a busy one. Where it may not be mounted, the disk does.
fn hold_in_memory(plan: &Plan) {
    let mut mount = command("mount", &["-t", "tmpfs", "-o", "size=4g,mode=0711", "tmpfs"]);
    let _on_disk_then = succeeds(mount.arg(plan.at("containerd")));
}

fn write_configuration(plan: &Plan) -> Result<()> {
    for folder in ["cni", "containerd", "kubelet", "log/pods"] {
        places::made(plan.at(folder))?;
    }
    places::write(&plan.at("containerd.toml"), containerd_configuration(plan))?;
    places::write(&plan.at("cni/10-igra.conflist"), network_configuration(plan))?;
    places::write(&plan.at("kubelet.yaml"), kubelet_configuration(plan))?;
    places::write(&plan.at("proxy.yaml"), proxy_configuration(plan))?;
    places::write(&plan.at("Corefile"), dns_configuration(plan))
}

fn containerd_configuration(plan: &Plan) -> String {
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Without CAP_SYS_RESOURCE a score below our own cannot be set, and every pod would fail to start.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{networks}"
"#,
        root = plan.text("containerd/root"),
        state = plan.text("containerd/state"),
        socket = plan.containerd(),
        snapshotter = snapshotter(),
        networks = plan.text("cni"),
    )
}

/// Inside a container the root is an overlay already, and those do not stack.
fn snapshotter() -> &'static str {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let on_overlay =
        mounts.lines().any(|line| line.split(' ').nth(1) == Some("/") && line.contains(" overlay "));
    if on_overlay { "native" } else { "overlayfs" }
}

fn network_configuration(plan: &Plan) -> String {
    serde_json::json!({
        "cniVersion": "0.4.0",
        "name": plan.namespace(),
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": plan.pod_range()}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": plan.text("cni/addresses"),
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
    .to_string()
}

fn kubelet_configuration(plan: &Plan) -> String {
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: {keys}/ca.crt}}
authorization: {{mode: Webhook}}
tlsCertFile: {keys}/kubelet.crt
tlsPrivateKeyFile: {keys}/kubelet.key
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
containerRuntimeEndpoint: unix://{socket}
clusterDomain: cluster.local
clusterDNS: [{address}]
resolvConf: \"\"
podLogsDir: {logs}
volumePluginDir: {folder}/kubelet/plugins
# The machine's disk is not ours to judge: no image is removed and no pod evicted because others fill it.
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}}
# Volumes and Secrets reach pods on the next round; tests should not wait a minute for it.
syncFrequency: 5s
configMapAndSecretChangeDetectionStrategy: Watch
registerNode: true
",
        keys = plan.text("keys"),
        cgroup = plan.cgroup(),
        socket = plan.containerd(),
        address = plan.node_address(),
        logs = plan.text("log/pods"),
        folder = plan.folder.display(),
    )
}

fn proxy_configuration(plan: &Plan) -> String {
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {{kubeconfig: {}}}
mode: iptables
clusterCIDR: {}
hostnameOverride: {}
# Limits of connection tracking belong to the whole machine.
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
iptables: {{minSyncPeriod: 0s}}
",
        plan.text("keys/proxy.kubeconfig"),
        plan.pod_range(),
        plan.namespace()
    )
}

/// CoreDNS needs no address: it listens on all of the namespace.
fn dns_configuration(plan: &Plan) -> String {
    format!(
        ".:53 {{
  errors
  ready
  kubernetes cluster.local {{
    kubeconfig {}
    ttl 1
  }}
}}
",
        plan.text("keys/admin.kubeconfig")
    )
}
