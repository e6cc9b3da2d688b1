//! `cargo xtask demo`: from nothing to a payment on a cluster, and back to nothing.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::cluster::{self, Cluster};
use crate::images::{self, Images};
use crate::places::{self, Places};
use crate::programs::{command, logged, on_path, output};
use crate::progress::say;
use crate::scenarios::{self, Stage};
use crate::setup::{self, Scope, Tools};
use crate::workspace;

/// The name of the run, and of the kind cluster.
const RUN: &str = "demo";
const KIND: &str = "igra-demo";

/// Shows a group on a cluster paying an event on a real Kaspa node.
#[derive(Args, Debug)]
pub struct Demo {
    /// Which cluster to use.
    #[arg(long, value_enum, default_value_t = Where::Own)]
    cluster: Where,
    /// Leave everything running at the end.
    #[arg(long)]
    keep: bool,
    /// End a demo that was kept, and do nothing else.
    #[arg(long, conflicts_with = "keep")]
    down: bool,
    /// The operator's image, where your cluster can pull it (--cluster current).
    #[arg(long, required_if_eq("cluster", "current"))]
    operator_image: Option<String>,
    /// The signer's image, where your cluster can pull it (--cluster current).
    #[arg(long, required_if_eq("cluster", "current"))]
    signer_image: Option<String>,
    /// The address of this machine that pods can reach (--cluster current; otherwise known).
    #[arg(long)]
    host_ip: Option<String>,
}

/// Where the demo runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Where {
    /// A cluster of one node on this machine, made for the demo and removed after it. Needs root.
    Own,
    /// The cluster of your kubeconfig.
    Current,
    /// A cluster made by `kind`, which has to be installed.
    Kind,
}

impl Demo {
    /// # Errors
    /// A step failed; everything that was started has been ended again.
    pub fn run(&self, places: &Places) -> Result<()> {
        if self.down {
            return self.end(places);
        }
        let scope = if self.cluster == Where::Current { Scope::Build } else { Scope::Cluster };
        let tools = setup::setup(places, scope)?;
        workspace::build(places)?;
        match self.cluster {
            Where::Own => self.on_our_own(places, &tools),
            Where::Current => self.on_the_current(places, &tools),
            Where::Kind => self.on_kind(places, &tools),
        }
    }

    fn on_our_own(&self, places: &Places, tools: &Tools) -> Result<()> {
        let images = images::make(places)?;
        let mut cluster = Cluster::up(places, tools, RUN)?;
        let stage = Stage::on(&cluster, &images)?;
        say("images loaded");
        let done = scenarios::run_on(places, tools, &cluster, &stage, &self.arguments());
        if done.is_ok() && self.keep {
            cluster.keep();
            say("kept. End it with: cargo xtask demo --down");
            println!("\n    export KUBECONFIG={}", cluster.kubeconfig().display());
        }
        done
    }

    fn on_the_current(&self, places: &Places, tools: &Tools) -> Result<()> {
        let stage = Stage {
            kubeconfig: current_kubeconfig()?,
            operator_image: self.operator_image.clone().context("--operator-image is needed")?,
            signer_image: self.signer_image.clone().context("--signer-image is needed")?,
            host_address: self.host_ip.clone().map_or_else(own_address, Ok)?,
            folder: places::made(places.run("current"))?,
        };
        say(format!("pods are to reach this machine at {} (--host-ip says otherwise)", stage.host_address));
        scenarios::run(places, tools, &stage, &self.arguments())
    }

    fn on_kind(&self, places: &Places, tools: &Tools) -> Result<()> {
        let images = images::make(places)?;
        let kind = KindCluster::up(places, self.keep)?;
        kind.load(&images)?;
        let stage = Stage {
            kubeconfig: kind.kubeconfig.clone(),
            operator_image: images.operator.name,
            signer_image: images.signer.name,
            host_address: self.host_ip.clone().map_or_else(kind_gateway, Ok)?,
            folder: places::made(places.run("kind"))?,
        };
        scenarios::run(places, tools, &stage, &self.arguments())
    }

    fn end(&self, places: &Places) -> Result<()> {
        match self.cluster {
            Where::Own => cluster::down_whoever_uses_it(places, RUN),
            Where::Kind => delete_kind(),
            Where::Current => {
                bail!("what runs on your cluster is ended there: helm uninstall, kubectl delete")
            }
        }
    }

    fn arguments(&self) -> Vec<&'static str> {
        match (self.keep, self.cluster) {
            (true, _) => vec!["demo", "--keep"],
            // The others go as a whole.
            (false, Where::Current) => vec!["demo", "--clean-up"],
            (false, Where::Own | Where::Kind) => vec!["demo"],
        }
    }
}

/// A cluster made by kind. Dropped, it is deleted, unless it is kept.
struct KindCluster {
    kubeconfig: PathBuf,
    keep: bool,
}

impl KindCluster {
    fn up(places: &Places, keep: bool) -> Result<KindCluster> {
        if !on_path("kind") {
            bail!("kind is not installed (without --cluster kind the demo makes its own cluster)");
        }
        delete_kind()?;
        let kubeconfig = places::made(places.run("kind"))?.join("kubeconfig");
        let cluster = KindCluster { kubeconfig, keep };
        let mut create =
            command("kind", &["create", "cluster", "--name", KIND, "--wait", "2m", "--kubeconfig"]);
        logged(create.arg(&cluster.kubeconfig), &places.logs()?.join("kind.log"), "kind create cluster")?;
        Ok(cluster)
    }

    fn load(&self, images: &Images) -> Result<()> {
        for image in [&images.operator, &images.signer] {
            load_into_kind(&image.archive)?;
        }
        Ok(())
    }
}

impl Drop for KindCluster {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = delete_kind()
        {
            say(format!("the kind cluster could not be deleted: {error:#}"));
        }
    }
}

fn load_into_kind(archive: &Path) -> Result<()> {
    output(command("kind", &["load", "image-archive", "--name", KIND]).arg(archive)).map(drop)
}

fn delete_kind() -> Result<()> {
    output(&mut command("kind", &["delete", "cluster", "--name", KIND])).map(drop)
}

/// The gateway of the network that kind's nodes are in is this machine.
fn kind_gateway() -> Result<String> {
    let format = "{{range .IPAM.Config}}{{.Gateway}} {{end}}";
    let gateways = output(&mut command("docker", &["network", "inspect", "kind", "--format", format]))?;
    let gateway = gateways.split_whitespace().find(|address| address.contains('.'));
    gateway.map(str::to_string).context("kind's network has no IPv4 gateway: give --host-ip")
}

fn current_kubeconfig() -> Result<PathBuf> {
    if let Some(file) = std::env::var_os("KUBECONFIG") {
        return Ok(file.into());
    }
    let home = std::env::var_os("HOME").context("neither KUBECONFIG nor HOME is set")?;
    let file = PathBuf::from(home).join(".kube/config");
    if !file.exists() {
        bail!(
            "--cluster current needs a kubeconfig: KUBECONFIG is not set and {} is not there",
            file.display()
        );
    }
    Ok(file)
}

/// The address that this machine would speak from to the outside. Nothing is sent.
fn own_address() -> Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // An address kept for documentation: any that needs the default route will do.
    socket.connect("192.0.2.1:9").context("this machine has no address of its own: give --host-ip")?;
    Ok(socket.local_addr()?.ip().to_string())
}
