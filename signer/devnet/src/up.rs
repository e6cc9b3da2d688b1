//! `igra-devnet up`: a node and three signers on this machine, and one event from its request to its coin.

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use igra_config::{PolicyFile, TimingConfig};
use igra_group::Sompi;
use kaspa_addresses::{Address, Prefix, Version};
use secp256k1::{Keypair, SECP256K1, rand::thread_rng};
use serde_json::Value;
use tokio::time::sleep;

use crate::{ApiClient, Fleet, FleetOptions, Node, NodeOptions, Seen, progress::Progress, signer_binary};

const BLOCK_INTERVAL: Duration = Duration::from_millis(200);
const READY_WITHIN: Duration = Duration::from_secs(60);
const PAID_WITHIN: Duration = Duration::from_secs(90);
const FUNDS: Sompi = Sompi(1_000 * igra_group::SOMPI_PER_KAS);
const AMOUNT: Sompi = Sompi(25 * igra_group::SOMPI_PER_KAS);

/// What the command line says.
#[derive(Clone, Debug)]
pub struct UpOptions {
    pub keep: bool,
    pub signer_bin: Option<PathBuf>,
    pub folder: Option<PathBuf>,
}

/// Runs until the payment is shown, or until `stop` where it is kept; stops everything it started in any case.
pub async fn run(options: UpOptions, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut stop = pin!(stop);
    let progress = Progress::start();
    let signer_bin = signer_binary(options.signer_bin.clone())?;
    let node =
        Node::start(NodeOptions { block_interval: Some(BLOCK_INTERVAL), ..NodeOptions::default() }).await?;
    progress.say(format!("a Kaspa node on simnet is up at {}", node.rpc_url()));
    let mut fleet = None;
    let shown = tokio::select! {
        shown = show(&options, signer_bin, &node, &mut fleet, progress) => shown,
        () = &mut stop => Ok(()),
    };
    if options.keep && shown.is_ok() {
        stop.await;
    }
    progress.say("stopping");
    let stopped = match fleet {
        Some(fleet) => fleet.stop().await,
        None => Ok(()),
    };
    node.stop().await?;
    progress.say("all stopped");
    shown.and(stopped)
}

async fn show(
    options: &UpOptions,
    signer_bin: PathBuf,
    node: &Node,
    started: &mut Option<Fleet>,
    progress: Progress,
) -> anyhow::Result<()> {
    let recipient = fresh_address();
    let fleet = started.insert(Fleet::start(fleet_options(options, signer_bin, node, &recipient)).await?);
    progress.say(format!(
        "three signers started, any two of them can pay; files in {}",
        fleet.folder().display()
    ));
    progress.say(format!("the group's address is {}", fleet.address()));
    fleet.await_ready(READY_WITHIN).await?;
    progress.say("all signers are ready");
    let funding = node.fund(&fleet.address(), FUNDS).await?;
    fleet.await_coins(1, READY_WITHIN).await?;
    progress.say(format!("the group was given {FUNDS} by transaction {funding}"));
    let first = fleet.signers[0].api.clone();
    let transaction = pay(&first, &recipient, progress).await?;
    let coins = node.utxos(&recipient).await?;
    let coin = coins
        .iter()
        .find(|coin| coin.transaction == transaction)
        .context("the node shows no coin at the recipient")?;
    progress.say(format!("{recipient} holds {}", Sompi(coin.amount_sompi)));
    if let Seen::Accepted(accepted) = node.transaction(&transaction).await? {
        progress.say(format!("transaction {transaction} was accepted by block {}", accepted.block));
    }
    if options.keep {
        progress.say(how_to_send(&first, &recipient));
    }
    Ok(())
}

fn fleet_options(options: &UpOptions, signer_bin: PathBuf, node: &Node, recipient: &str) -> FleetOptions {
    FleetOptions {
        threshold: 2,
        members: 3,
        quorum: None,
        kaspa_node: node.rpc_url(),
        own_nodes: BTreeMap::new(),
        allow: vec![recipient.to_owned()],
        policy: PolicyFile::default(),
        folder: options.folder.clone(),
        signer_bin,
        environment: vec![],
        timing: TimingConfig::default(),
        log_level: "info".to_owned(),
        predecessor: None,
    }
}

/// Sends one event and follows it until it is paid for good. Gives the transaction.
async fn pay(signer: &ApiClient, recipient: &str, progress: Progress) -> anyhow::Result<String> {
    let body = ApiClient::request(Fleet::SOURCE, "first-payment", recipient, AMOUNT);
    let receipt = signer.post_event(&body).await?;
    if !receipt.status.is_success() {
        bail!("the event was not taken: {} {}", receipt.status, receipt.body);
    }
    let event = text(&receipt.body, "event").context("the receipt names no event")?;
    progress.say(format!("asked to pay {AMOUNT}: event {event}"));
    let deadline = Instant::now() + PAID_WITHIN;
    let mut last = String::new();
    loop {
        let view = signer.event(&event).await?.body;
        let state = text(&view, "state").unwrap_or_default();
        if state != last {
            progress.say(format!("  {state}"));
            last.clone_from(&state);
        }
        if state == "paid" {
            return text(&view, "transaction").context("a paid event has a transaction");
        }
        if Instant::now() > deadline {
            bail!("the event was not paid in time: {view}");
        }
        sleep(Duration::from_millis(5)).await;
    }
}

fn how_to_send(signer: &ApiClient, recipient: &str) -> String {
    let body = ApiClient::request(Fleet::SOURCE, "second-payment", recipient, AMOUNT);
    let url = signer.url();
    format!(
        "staying up until Ctrl-C. Send another event, and see how it goes, with\n\n  \
         curl -sS -X POST {url}/v1/events -H 'content-type: application/json' -d '{body}'\n  \
         curl -sS {url}/v1/events\n"
    )
}

/// An address whose key nobody keeps.
pub fn fresh_address() -> String {
    let key = Keypair::new(SECP256K1, &mut thread_rng()).x_only_public_key().0.serialize();
    Address::try_new(Prefix::Simnet, Version::PubKey, &key).expect("an x-only key has 32 bytes").to_string()
}

fn text(body: &Value, field: &str) -> Option<String> {
    body.get(field)?.as_str().map(str::to_owned)
}
