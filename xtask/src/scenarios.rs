//! The program that holds the demo and the end-to-end tests. It is built after setup, so it is run and not linked;
//! this is all that it is told.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::images::Images;
use crate::places::{self, Places};
use crate::programs::{Interrupted, command, streamed, streamed_noting};
use crate::progress::say;
use crate::setup::Tools;
use crate::workspace;

/// Where a scenario runs, whatever kind of cluster that is.
#[derive(Clone, Debug)]
pub struct Stage {
    pub kubeconfig: PathBuf,
    pub operator_image: String,
    pub signer_image: String,
    /// The address of this machine that pods can reach.
    pub host_address: String,
    /// Files and logs of the run.
    pub folder: PathBuf,
}

impl Stage {
    /// A cluster of our own, with the images loaded.
    pub fn on(cluster: &Cluster, images: &Images) -> Result<Stage> {
        cluster.import(&images.operator.archive)?;
        cluster.import(&images.signer.archive)?;
        Ok(Stage {
            kubeconfig: cluster.kubeconfig(),
            operator_image: images.operator.name.clone(),
            signer_image: images.signer.name.clone(),
            host_address: cluster.host_address(),
            folder: places::made(cluster.logs().join("scenarios"))?,
        })
    }
}

/// Runs the program on a cluster of ours and writes it down there, so that it ends with the cluster.
pub fn run_on(
    places: &Places,
    tools: &Tools,
    cluster: &Cluster,
    stage: &Stage,
    arguments: &[&str],
) -> Result<()> {
    let done = streamed_noting(&mut program(places, tools, stage, arguments)?, |pid| cluster.adopt(pid));
    if done.as_ref().is_err_and(|error| !error.is::<Interrupted>()) {
        say(format!("how the cluster stood when it failed: {}", cluster.describe().display()));
        say(format!("logs of the cluster, of pods and of the run: {}", cluster.logs().display()));
    }
    done
}

/// Runs the program on somebody else's cluster.
pub fn run(places: &Places, tools: &Tools, stage: &Stage, arguments: &[&str]) -> Result<()> {
    streamed(&mut program(places, tools, stage, arguments)?)
}

fn program(places: &Places, tools: &Tools, stage: &Stage, arguments: &[&str]) -> Result<Command> {
    let mut program = command(workspace::built(places, "igra-e2e")?, arguments);
    program
        .current_dir(&places.root)
        .env("KUBECONFIG", &stage.kubeconfig)
        .env("IGRA_KUBECTL", tools.kube("kubectl"))
        .env("IGRA_HELM", &tools.helm)
        .env("IGRA_CHART", places.root.join("charts/igra-operator"))
        .env("IGRA_OPERATOR_IMAGE", &stage.operator_image)
        .env("IGRA_SIGNER_IMAGE", &stage.signer_image)
        .env("IGRA_OPERATOR_BIN", workspace::built(places, "igra-operator")?)
        .env("IGRA_SIGNER_BIN", workspace::built(places, "igra-signer")?)
        .env("IGRA_DEVNET_BIN", workspace::built(places, "igra-devnet")?)
        .env("IGRA_HOST_IP", &stage.host_address)
        .env("IGRA_RUN_DIR", &stage.folder);
    Ok(program)
}
