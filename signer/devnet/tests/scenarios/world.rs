//! A node, three signers that any two of can pay, and somebody to be paid.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use igra_config::{PolicyFile, PredecessorConfig, TimingConfig};
use igra_devnet::{
    ApiClient, Fleet, FleetOptions, Node, NodeOptions, Seen, signer_binary, up::fresh_address,
};
use igra_group::{Network, Sompi};
use igra_tx::EventKey;
use serde_json::Value;
use tokio::time::sleep;

pub const FUNDS: Sompi = Sompi(1_000 * igra_group::SOMPI_PER_KAS);
pub const AMOUNT: Sompi = Sompi(25 * igra_group::SOMPI_PER_KAS);
const PATIENCE: Duration = Duration::from_secs(120);
const BLOCK_INTERVAL: Duration = Duration::from_millis(100);

/// In what a world differs from the plainest one.
pub struct Plan {
    pub quorum: Option<u8>,
    pub environment: Vec<(&'static str, &'static str)>,
    pub policy: PolicyFile,
    pub timing: TimingConfig,
    /// Members with a node of their own: name and URL.
    pub own_nodes: BTreeMap<String, String>,
    /// One coin of the group each.
    pub coins: Vec<Sompi>,
    /// The group whose coins move to this one.
    pub predecessor: Option<PredecessorConfig>,
}

pub struct World {
    pub node: Node,
    pub fleet: Fleet,
    recipient: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            quorum: None,
            environment: vec![],
            policy: PolicyFile::default(),
            timing: TimingConfig::default(),
            own_nodes: BTreeMap::new(),
            coins: vec![FUNDS],
            predecessor: None,
        }
    }
}

impl World {
    pub async fn start(plan: Plan) -> Self {
        Self::start_on(Self::node().await, plan).await
    }

    /// A node that makes blocks by itself.
    pub async fn node() -> Node {
        let block_interval = Some(BLOCK_INTERVAL);
        Node::start(NodeOptions { block_interval, ..NodeOptions::default() }).await.unwrap()
    }

    pub async fn start_on(node: Node, plan: Plan) -> Self {
        let recipient = fresh_address();
        let coins = plan.coins.clone();
        let fleet = Self::fleet(&node, &recipient, plan).await;
        let world = Self { fleet, node, recipient };
        world.ready().await;
        for amount in &coins {
            world.node.fund(&world.fleet.address(), *amount).await.unwrap();
        }
        world.fleet.await_coins(coins.len(), PATIENCE).await.unwrap();
        world
    }

    /// Another group beside the same node, which may pay the same recipient and has no coins yet. What was the world's
    /// group is returned, running.
    pub async fn replace_group(&mut self, plan: Plan) -> Fleet {
        let fleet = Self::fleet(&self.node, &self.recipient, plan).await;
        let before = std::mem::replace(&mut self.fleet, fleet);
        self.ready().await;
        before
    }

    async fn fleet(node: &Node, recipient: &str, plan: Plan) -> Fleet {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let options = FleetOptions {
            threshold: 2,
            members: 3,
            quorum: plan.quorum,
            kaspa_node: node.rpc_url(),
            own_nodes: plan.own_nodes,
            allow: vec![recipient.to_owned()],
            policy: plan.policy,
            folder: None,
            signer_bin: signer_binary(None).unwrap(),
            environment: plan.environment.into_iter().map(own).collect(),
            timing: plan.timing,
            log_level: "info,igra_signer=debug".to_owned(),
            predecessor: plan.predecessor,
        };
        Fleet::start(options).await.unwrap()
    }

    /// Waits until every running signer is ready.
    pub async fn ready(&self) {
        if let Err(error) = self.fleet.await_ready(PATIENCE).await {
            panic!("{error:#}\n{}", self.logs());
        }
    }

    pub fn request(&self, id: &str, amount: Sompi) -> Value {
        ApiClient::request(Fleet::SOURCE, id, &self.recipient, amount)
    }

    pub fn key(id: &str) -> String {
        EventKey::derive(Network::Simnet, "request", Fleet::SOURCE, id.as_bytes()).to_string()
    }

    /// Sends an event to one signer, which takes it. Gives its receipt.
    pub async fn post(&self, id: &str, signer: usize) -> Value {
        let api = &self.fleet.signers[signer].api;
        let receipt = api.post_event(&self.request(id, AMOUNT)).await.unwrap();
        assert!(receipt.status.is_success(), "{} {}\n{}", receipt.status, receipt.body, self.logs());
        receipt.body
    }

    /// Sends an event to one signer and waits until it says that it is paid for good. Gives the transaction.
    pub async fn pay(&self, id: &str, signer: usize) -> String {
        self.post(id, signer).await;
        self.paid_at(id, signer).await
    }

    /// Waits until a signer says that the event is paid for good.
    pub async fn paid_at(&self, id: &str, signer: usize) -> String {
        transaction(&self.until(id, signer, |view| view["state"] == "paid").await)
    }

    /// Waits until a signer's view of the event fits.
    pub async fn until(&self, id: &str, signer: usize, fits: impl Fn(&Value) -> bool) -> Value {
        let (api, key) = (&self.fleet.signers[signer].api, Self::key(id));
        // A signer that was just started may not listen yet.
        self.eventually(async || {
            let view = api.event(&key).await.map(|answer| answer.body).unwrap_or_default();
            if fits(&view) { Ok(view) } else { Err(view.to_string()) }
        })
        .await
    }

    /// Asks again and again until the answer is good.
    pub async fn eventually<T>(&self, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
        let start = Instant::now();
        loop {
            match ask().await {
                Ok(found) => return found,
                Err(seen) => {
                    assert!(start.elapsed() < PATIENCE, "not in time: {seen}\n{}", self.logs());
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The block that accepted a transaction, as the node has it now.
    pub async fn accepting_block(&self, transaction: &str) -> Option<String> {
        match self.node.transaction(transaction).await.unwrap() {
            Seen::Accepted(accepted) => Some(accepted.block),
            Seen::Mempool | Seen::Unknown => None,
        }
    }

    /// What the node shows at the recipient: every payment that was ever made, by transaction and amount.
    pub async fn coins_of_recipient(&self) -> Vec<(String, u64)> {
        self.coins_at(&self.recipient).await
    }

    pub async fn coins_of_group(&self) -> Vec<(String, u64)> {
        self.coins_at(&self.fleet.address()).await
    }

    async fn coins_at(&self, address: &str) -> Vec<(String, u64)> {
        let coins = self.node.utxos(address).await.unwrap();
        coins.into_iter().map(|coin| (coin.transaction, coin.amount_sompi)).collect()
    }

    /// The last lines of every signer's log, for a failure's message.
    fn logs(&self) -> String {
        let tail = |file: &Path| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(60)..].join("\n")
        };
        let signers = self.fleet.signers.iter();
        signers.map(|signer| format!("--- {}\n{}\n", signer.name, tail(&signer.log_file))).collect()
    }

    pub async fn stop(self) {
        self.fleet.stop().await.unwrap();
        self.node.stop().await.unwrap();
    }
}

/// The transaction that a view of an event names.
pub fn transaction(view: &Value) -> String {
    view["transaction"].as_str().unwrap_or_else(|| panic!("no transaction: {view}")).to_owned()
}
