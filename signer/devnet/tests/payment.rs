//! Three signers as processes of their own, a real node, one event: it is paid once, whoever falls silent.

use std::time::{Duration, Instant};

use igra_config::TimingConfig;
use igra_devnet::{
    ApiClient, Fleet, FleetOptions, Node, NodeOptions, Seen, signer_binary, up::fresh_address,
};
use igra_group::{Network, Sompi};
use igra_tx::EventKey;
use serde_json::Value;
use tokio::time::sleep;

const FUNDS: Sompi = Sompi(1_000 * igra_group::SOMPI_PER_KAS);
const AMOUNT: Sompi = Sompi(25 * igra_group::SOMPI_PER_KAS);
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_signers_pay_an_event() {
    let world = World::start(&[]).await;

    let transaction = world.pay("one", 0).await;

    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_event_again_is_the_same_payment_and_another_amount_is_a_replay() {
    let world = World::start(&[]).await;
    let transaction = world.pay("one", 0).await;

    let again = world.fleet.signers[1].api.post_event(&world.request("one", AMOUNT)).await.unwrap();
    let other =
        world.fleet.signers[1].api.post_event(&world.request("one", Sompi(AMOUNT.0 + 1))).await.unwrap();

    assert!(again.status.is_success(), "{}", again.body);
    assert_eq!(other.status.as_u16(), 409, "{}", other.body);
    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_killed_before_it_answers_is_not_missed_and_catches_up() {
    let mut world = World::start(&[]).await;
    world.fleet.signers[2].kill().await.unwrap();

    let transaction = world.pay("one", 0).await;

    assert_eq!(world.coins_of_recipient().await, vec![(transaction.clone(), AMOUNT.0)]);
    world.fleet.signers[2].start().unwrap();
    assert_eq!(world.paid_at("one", 2).await, transaction);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_gossip_the_streams_carry_the_payment() {
    let world = World::start(&[("IGRA_TEST_DROP_GOSSIP", "1")]).await;

    let transaction = world.pay("one", 0).await;

    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_above_the_threshold_pays_after_its_certificate() {
    let world = World::start_with(Some(3), &[]).await;

    let transaction = world.pay("one", 0).await;

    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_a_reorganisation_undoes_is_paid_all_the_same_and_once() {
    let world = World::start(&[]).await;
    let receipt = world.fleet.signers[0].api.post_event(&world.request("one", AMOUNT)).await.unwrap();
    assert!(receipt.status.is_success(), "{} {}", receipt.status, receipt.body);
    let first = world.until("one", 0, |view| view["state"] == "accepted").await["transaction"].clone();
    let before = world.accepting_block(&first).await.expect("the node has what its signer saw");

    world.node.reorg(10, &[]).await.unwrap();
    let transaction = world.paid_at("one", 0).await;

    assert_eq!(first, transaction.as_str());
    assert_ne!(
        world.accepting_block(&first).await,
        Some(before),
        "the reorganisation did not reach the payment"
    );
    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

struct World {
    node: Node,
    fleet: Fleet,
    recipient: String,
}

impl World {
    async fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_with(None, environment).await
    }

    async fn start_with(quorum: Option<u8>, environment: &[(&str, &str)]) -> Self {
        let block_interval = Some(Duration::from_millis(100));
        let node = Node::start(NodeOptions { block_interval, ..NodeOptions::default() }).await.unwrap();
        let recipient = fresh_address();
        let options = FleetOptions {
            threshold: 2,
            members: 3,
            quorum,
            kaspa_node: node.rpc_url(),
            allow: vec![recipient.clone()],
            folder: None,
            signer_bin: signer_binary(None).unwrap(),
            environment: environment
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            timing: TimingConfig::default(),
            log_level: "info,igra_signer=debug".to_owned(),
        };
        let fleet = Fleet::start(options).await.unwrap();
        let world = Self { node, fleet, recipient };
        if let Err(error) = world.fleet.await_ready(PATIENCE).await {
            panic!("{error:#}\n{}", world.logs());
        }
        world.node.fund(&world.fleet.address(), FUNDS).await.unwrap();
        world
    }

    fn request(&self, id: &str, amount: Sompi) -> Value {
        ApiClient::request(Fleet::SOURCE, id, &self.recipient, amount)
    }

    /// Sends an event to one signer and waits until it says that it is paid for good. Gives the transaction.
    async fn pay(&self, id: &str, signer: usize) -> String {
        let receipt = self.fleet.signers[signer].api.post_event(&self.request(id, AMOUNT)).await.unwrap();
        assert!(receipt.status.is_success(), "{} {}\n{}", receipt.status, receipt.body, self.logs());
        self.paid_at(id, signer).await
    }

    /// Waits until a signer says that the event is paid for good.
    async fn paid_at(&self, id: &str, signer: usize) -> String {
        let view = self.until(id, signer, |view| view["state"] == "paid").await;
        view["transaction"].as_str().expect("a paid event has a transaction").to_owned()
    }

    /// Waits until a signer's view of the event fits.
    async fn until(&self, id: &str, signer: usize, fits: impl Fn(&Value) -> bool) -> Value {
        let api = &self.fleet.signers[signer].api;
        let key = EventKey::derive(Network::Simnet, "request", Fleet::SOURCE, id.as_bytes()).to_string();
        let start = Instant::now();
        loop {
            // A signer that was just started may not listen yet.
            let view = api.event(&key).await.map(|answer| answer.body).unwrap_or_default();
            if fits(&view) {
                return view;
            }
            assert!(start.elapsed() < PATIENCE, "not in time: {view}\n{}", self.logs());
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn accepting_block(&self, transaction: &Value) -> Option<String> {
        let id = transaction.as_str().expect("an accepted event has a transaction");
        match self.node.transaction(id).await.unwrap() {
            Seen::Accepted(accepted) => Some(accepted.block),
            Seen::Mempool | Seen::Unknown => None,
        }
    }

    async fn coins_of_recipient(&self) -> Vec<(String, u64)> {
        let coins = self.node.utxos(&self.recipient).await.unwrap();
        coins.into_iter().map(|coin| (coin.transaction, coin.amount_sompi)).collect()
    }

    /// The last lines of every signer's log, for a failure's message.
    fn logs(&self) -> String {
        let tail = |file: &std::path::Path| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(30)..].join("\n")
        };
        self.fleet
            .signers
            .iter()
            .map(|signer| format!("--- {}\n{}\n", signer.name, tail(&signer.log_file)))
            .collect()
    }

    async fn stop(self) {
        self.fleet.stop().await.unwrap();
        self.node.stop().await.unwrap();
    }
}
