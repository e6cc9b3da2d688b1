//! The Kaspa node of a run: `igra-devnet node` as a child process, on an address that pods reach, steered over its
//! control port.

use std::net::{IpAddr, SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::{api::http_client, environment::Environment, process, wait::until};

/// A simnet node with a miner. It ends when the value is dropped.
pub struct Node {
    environment: Environment,
    rpc: SocketAddr,
    control: SocketAddr,
    http: reqwest::Client,
    child: Option<Child>,
}

impl Node {
    /// Starts a node and waits until it answers.
    pub async fn start(environment: &Environment) -> Result<Self> {
        let rpc = free_address(environment.host_ip)?;
        let control = free_address(IpAddr::from([127, 0, 0, 1]))?;
        let mut node =
            Self { environment: environment.clone(), rpc, control, http: http_client()?, child: None };
        node.resume().await?;
        Ok(node)
    }

    /// What a signer's config names.
    pub fn endpoint(&self) -> String {
        format!("grpc://{}", self.rpc)
    }

    /// Stops the node as an outage does: its port is closed, its data stays.
    pub async fn halt(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the node does not run")?;
        child.kill().await.context("could not stop the node")
    }

    /// Starts the node again on the same data and port.
    pub async fn resume(&mut self) -> Result<()> {
        let mut command = Command::new(&self.environment.devnet);
        command.arg("node").arg("--rpc-listen").arg(self.rpc.to_string());
        command.arg("--control").arg(self.control.to_string());
        command.arg("--data").arg(self.environment.run_dir.join("kaspa-node"));
        self.child = Some(process::keep(&mut command, &self.environment.run_dir.join("kaspa-node.log"))?);
        let mut child = self.child.take().context("it was just started")?;
        let answers = until("the Kaspa node answers", 60, async || {
            if let Some(ended) = child.try_wait()? {
                bail!("the Kaspa node ended ({ended}); its log is {}", self.log().display());
            }
            Ok(self.get("state").await.map_err(|error| format!("{error:#}")))
        })
        .await;
        self.child = Some(child);
        answers.map(drop)
    }

    /// Sends coins to an address from the miner's; gives the transaction id.
    pub async fn fund(&self, address: &str, kas: &str) -> Result<String> {
        let answer = self.post("fund", &json!({"address": address, "amountKas": kas})).await?;
        Ok(answer["transaction"].as_str().context("the node named no transaction")?.to_owned())
    }

    /// Mines blocks at once.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        self.post("mine", &json!({"blocks": blocks})).await.map(drop)
    }

    /// Coins at an address: (transaction id, sompi).
    pub async fn coins(&self, address: &str) -> Result<Vec<(String, u64)>> {
        let answer = self.get(&format!("utxos?address={address}")).await?;
        let list = answer["utxos"].as_array().context("the node gave no list of coins")?;
        list.iter()
            .map(|coin| {
                let id = coin["transaction"].as_str().context("a coin without a transaction")?;
                let amount = &coin["amountSompi"];
                let sompi = amount.as_u64().or_else(|| amount.as_str()?.parse().ok());
                Ok((id.to_owned(), sompi.context("a coin without an amount")?))
            })
            .collect()
    }

    fn log(&self) -> std::path::PathBuf {
        self.environment.run_dir.join("kaspa-node.log")
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.http.get(format!("http://{}/{path}", self.control)).send().await?;
        read(answer, path).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.http.post(format!("http://{}/{path}", self.control)).json(body).send().await?;
        read(answer, path).await
    }
}

async fn read(answer: reqwest::Response, path: &str) -> Result<Value> {
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("the Kaspa node's control port answered {status} to {path}: {text}");
    }
    serde_json::from_str(&text)
        .with_context(|| format!("the control port's answer to {path} is not JSON: {text}"))
}

/// A port that was free a moment ago.
fn free_address(ip: IpAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((ip, 0)).with_context(|| format!("could not listen on {ip}"))?;
    Ok(listener.local_addr()?)
}
