//! What `cargo xtask` hands to these programs: the cluster, the images, and where the host's binaries lie.

use std::{env, net::IpAddr, path::PathBuf};

use anyhow::{Context, Result};

/// Everything outside this program, read once at start.
#[derive(Clone, Debug)]
pub struct Environment {
    pub kubectl: PathBuf,
    pub helm: PathBuf,
    pub kubeconfig: PathBuf,
    pub chart: PathBuf,
    pub samples: PathBuf,
    /// `repository:tag` of the operator's and the signer's image.
    pub operator_image: String,
    pub signer_image: String,
    pub signer: PathBuf,
    pub devnet: PathBuf,
    /// Where a Kaspa node on this host can listen so that pods reach it.
    pub host_ip: IpAddr,
    /// Files and logs of this run.
    pub run_dir: PathBuf,
}

impl Environment {
    /// Reads the `IGRA_…` variables that `cargo xtask demo` and `cargo xtask test` set.
    pub fn read() -> Result<Self> {
        let chart = path("IGRA_CHART")?;
        let samples = chart.join("../../manifests/samples");
        let this = Self {
            kubectl: path("IGRA_KUBECTL")?,
            helm: path("IGRA_HELM")?,
            kubeconfig: path("KUBECONFIG")?,
            samples,
            chart,
            operator_image: text("IGRA_OPERATOR_IMAGE")?,
            signer_image: text("IGRA_SIGNER_IMAGE")?,
            signer: path("IGRA_SIGNER_BIN")?,
            devnet: path("IGRA_DEVNET_BIN")?,
            host_ip: text("IGRA_HOST_IP")?.parse().context("IGRA_HOST_IP is not an address")?,
            run_dir: path("IGRA_RUN_DIR")?,
        };
        std::fs::create_dir_all(&this.run_dir)
            .with_context(|| format!("could not make {}", this.run_dir.display()))?;
        Ok(this)
    }
}

fn text(name: &str) -> Result<String> {
    env::var(name).with_context(|| {
        format!("{name} is not set: start this program by `cargo xtask demo` or `cargo xtask test`")
    })
}

fn path(name: &str) -> Result<PathBuf> {
    text(name).map(PathBuf::from)
}
