//! A way from this host to a signer's API: `kubectl port-forward`, as a user would.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::{Duration, timeout},
};

use crate::kubectl::Kubectl;

/// An open forward. It ends when the value is dropped.
pub struct Forward {
    address: String,
    _child: Child,
}

impl Forward {
    /// Forwards a free local port to a port of a Service or pod (`service/NAME` or `pod/NAME`).
    pub async fn open(kubectl: &Kubectl, namespace: &str, target: &str, port: u16) -> Result<Self> {
        let mut command =
            kubectl.command(&["port-forward", "--namespace", namespace, target, &format!(":{port}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().context("could not start kubectl port-forward")?;
        let stdout = child.stdout.take().context("kubectl has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(Duration::from_secs(20), lines.next_line())
            .await
            .context("kubectl port-forward is silent")??;
        let line = line.with_context(|| format!("kubectl port-forward to {target} ended at once"))?;
        // "Forwarding from 127.0.0.1:40123 -> 8080"
        let address =
            line.split_whitespace().nth(2).with_context(|| format!("kubectl said \"{line}\""))?.to_owned();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { address, _child: child })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
