//! A Kaspa node on simnet with a miner, a faucet and reorganisations on request.

mod crowd;
mod fork;

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use igra_group::Sompi;
use kaspa_consensus_core::{Hash, tx::Transaction};
use kaspa_rpc_core::{RpcTransaction, RpcUtxosByAddressesEntry, api::rpc::RpcApi};
use serde::Serialize;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    sync::{Mutex, Notify},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    Accepted,
    daemon::{Daemon, DaemonOptions},
    faucet::Faucet,
    ledger::Ledger,
    miner::{Filling, mine_one, simnet_address},
    ports::free_port,
    reorg,
};

/// Until the RPC port of a started node takes connections.
const PORT_OPENS_WITHIN: Duration = Duration::from_secs(20);

/// How a node is set up. The default makes no blocks by itself and forgets everything when stopped.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// gRPC. None: a free port on loopback.
    pub rpc: Option<SocketAddr>,
    /// Other nodes. None: a free port on loopback.
    pub p2p: Option<SocketAddr>,
    /// None: a folder that is removed with the last copy of these options.
    pub data: Option<PathBuf>,
    /// None: blocks are made on request only.
    pub block_interval: Option<Duration>,
    /// In DAA score.
    pub coinbase_maturity: u64,
    /// The folder that is removed with the last copy; chosen by [`Node::start`] where `data` is none.
    pub folder: Option<Arc<TempDir>>,
}

/// See the head of this file. It must be stopped with [`Node::stop`].
pub struct Node {
    options: NodeOptions,
    rpc: SocketAddr,
    inner: Arc<Inner>,
    ticker: Option<JoinHandle<()>>,
}

/// A transaction as the node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Seen {
    Unknown,
    Mempool,
    Accepted(Accepted),
}

/// One coin at an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Utxo {
    pub transaction: String,
    pub index: u32,
    pub amount_sompi: u64,
    pub daa_score: u64,
    pub coinbase: bool,
}

/// The node at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeState {
    pub network: String,
    pub rpc: String,
    pub synced: bool,
    pub blocks: u64,
    pub virtual_daa_score: u64,
    pub sink: String,
    pub faucet: String,
}

/// What a reorganisation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reorganisation {
    /// Chain blocks that left the virtual chain.
    pub removed: usize,
    /// Blocks that took their place.
    pub added: usize,
}

struct Inner {
    /// None once the node is stopped.
    daemon: Mutex<Option<Daemon>>,
    rpc: Mutex<Option<Arc<dyn RpcApi>>>,
    faucet: Faucet,
    ledger: Mutex<Ledger>,
    /// Held while the chain is being made, so that a reorganisation is not overtaken by the miner.
    chain: Mutex<()>,
    stopping: Notify,
    coinbase_maturity: u64,
    /// The miner takes no transactions.
    blocks_are_empty: AtomicBool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { rpc: None, p2p: None, data: None, block_interval: None, coinbase_maturity: 10, folder: None }
    }
}

impl Node {
    /// Starts a node, makes the first blocks so that it counts as synced and the faucet has coins, and waits for its
    /// port.
    pub async fn start(options: NodeOptions) -> anyhow::Result<Self> {
        Self::start_with(options, None).await
    }

    /// The first blocks are those of another node where one is given.
    async fn start_with(mut options: NodeOptions, first: Option<Arc<dyn RpcApi>>) -> anyhow::Result<Self> {
        let data = match (&options.data, &options.folder) {
            (Some(data), _) => data.clone(),
            (None, Some(folder)) => folder.path().to_owned(),
            (None, None) => options.folder.insert(Arc::new(tempfile::tempdir()?)).path().to_owned(),
        };
        let rpc = *options.rpc.insert(chosen(options.rpc)?);
        let p2p = *options.p2p.insert(chosen(options.p2p)?);
        let coinbase_maturity = options.coinbase_maturity;
        let daemon = Daemon::start(&DaemonOptions { data, rpc: Some(rpc), p2p, coinbase_maturity }).await?;
        let inner = Arc::new(Inner {
            rpc: Mutex::new(Some(daemon.rpc().clone())),
            daemon: Mutex::new(Some(daemon)),
            faucet: Faucet::new(coinbase_maturity),
            ledger: Mutex::default(),
            chain: Mutex::default(),
            stopping: Notify::new(),
            coinbase_maturity,
            blocks_are_empty: AtomicBool::new(false),
        });
        await_port(rpc).await?;
        match first {
            Some(first) => reorg::copy_without(&*first, &*inner.rpc().await?, &BTreeSet::new()).await?,
            None => inner.mine(coinbase_maturity + 5).await?,
        }
        let ticker = options.block_interval.map(|interval| tokio::spawn(tick(inner.clone(), interval)));
        Ok(Self { options, rpc, inner, ticker })
    }

    /// What a signer's configuration asks for: `grpc://host:port`.
    pub fn rpc_url(&self) -> String {
        format!("grpc://{}", self.rpc)
    }

    /// The options with the ports and the folder that were chosen: a node started with them goes on where this one
    /// stopped.
    pub fn options(&self) -> &NodeOptions {
        &self.options
    }

    /// Makes `blocks` blocks.
    pub async fn mine(&self, blocks: u64) -> anyhow::Result<()> {
        self.inner.mine(blocks).await
    }

    /// From now on blocks hold no transactions, or again what the mempool offers.
    pub fn leave_transactions_out(&self, leave_out: bool) {
        self.inner.blocks_are_empty.store(leave_out, Ordering::Relaxed);
    }

    /// Pays from the faucet, and makes the blocks that accept it. The amount arrives as one coin.
    pub async fn fund(&self, address: &str, amount: Sompi) -> anyhow::Result<String> {
        self.inner.fund(address, amount).await
    }

    /// A payment of the faucet that is signed and handed to nobody: material for double spends.
    pub async fn unsent_payment(&self, address: &str, amount: Sompi) -> anyhow::Result<Transaction> {
        let rpc = self.inner.rpc().await?;
        self.inner.faucet.payment(rpc.as_ref(), address, amount).await
    }

    /// Says that somebody handed a payment of the faucet to a node, so that its coins are not used again.
    pub fn handed_over(&self, payment: &Transaction) {
        self.inner.faucet.handed_over(payment);
    }

    /// Hands a transaction to the node's mempool.
    pub async fn submit(&self, transaction: &Transaction) -> anyhow::Result<()> {
        let rpc = self.inner.rpc().await?;
        rpc.submit_transaction(RpcTransaction::from(transaction), false).await?;
        self.inner.faucet.handed_over(transaction);
        Ok(())
    }

    /// Replaces the last `depth` blocks of the virtual chain by a heavier branch that holds `instead` and nothing else.
    /// What the old branch had accepted comes back with the next block, unless `instead` spends the same coins.
    pub async fn reorg(&self, depth: usize, instead: &[Transaction]) -> anyhow::Result<Reorganisation> {
        self.inner.reorg(depth, instead).await
    }

    /// The coins at an address.
    pub async fn utxos(&self, address: &str) -> anyhow::Result<Vec<Utxo>> {
        self.inner.utxos(address).await
    }

    /// Where a transaction is. The id is 64 digits of hex.
    pub async fn transaction(&self, id: &str) -> anyhow::Result<Seen> {
        self.inner.transaction(id).await
    }

    pub async fn state(&self) -> anyhow::Result<NodeState> {
        let rpc = self.inner.rpc().await?;
        let (server, dag) = (rpc.get_server_info().await?, rpc.get_block_dag_info().await?);
        Ok(NodeState {
            network: server.network_id.to_string(),
            rpc: self.rpc_url(),
            synced: server.is_synced,
            blocks: dag.block_count,
            virtual_daa_score: server.virtual_daa_score,
            sink: dag.sink.to_string(),
            faucet: self.inner.faucet.address().to_string(),
        })
    }

    /// The node's whole interface, for tests that need more.
    pub async fn rpc(&self) -> anyhow::Result<Arc<dyn RpcApi>> {
        self.inner.rpc().await
    }

    /// Stops miner and node. A node started again with the options goes on from here.
    pub async fn stop(self) -> anyhow::Result<NodeOptions> {
        self.inner.stopping.notify_one();
        if let Some(ticker) = self.ticker {
            ticker.await.context("the miner broke down")?;
        }
        let _chain = self.inner.chain.lock().await;
        self.inner.rpc.lock().await.take();
        let Some(daemon) = self.inner.daemon.lock().await.take() else {
            bail!("the node was stopped already");
        };
        daemon.stop().await?;
        Ok(self.options)
    }
}

impl Inner {
    async fn rpc(&self) -> anyhow::Result<Arc<dyn RpcApi>> {
        self.rpc.lock().await.clone().context("the node is stopped")
    }

    async fn mine(&self, blocks: u64) -> anyhow::Result<()> {
        let (_chain, rpc) = (self.chain.lock().await, self.rpc().await?);
        self.mine_locked(rpc.as_ref(), blocks).await
    }

    async fn mine_locked(&self, rpc: &dyn RpcApi, blocks: u64) -> anyhow::Result<()> {
        let reward_to = self.faucet.address();
        for _ in 0..blocks {
            let empty = self.blocks_are_empty.load(Ordering::Relaxed);
            mine_one(rpc, &reward_to, if empty { Filling::Nothing } else { Filling::Mempool }).await?;
        }
        Ok(())
    }

    async fn fund(&self, address: &str, amount: Sompi) -> anyhow::Result<String> {
        let (_chain, rpc) = (self.chain.lock().await, self.rpc().await?);
        let payment = self.faucet.payment(rpc.as_ref(), address, amount).await?;
        rpc.submit_transaction(RpcTransaction::from(&payment), false)
            .await
            .context("the node took no payment of the faucet")?;
        self.faucet.handed_over(&payment);
        // The first block holds it, the second one accepts it.
        self.mine_locked(rpc.as_ref(), 2).await?;
        match self.find(rpc.as_ref(), payment.id()).await? {
            Seen::Accepted(_) => Ok(payment.id().to_string()),
            Seen::Mempool | Seen::Unknown => bail!("payment {} of the faucet was not accepted", payment.id()),
        }
    }

    async fn reorg(&self, depth: usize, instead: &[Transaction]) -> anyhow::Result<Reorganisation> {
        let (_chain, rpc) = (self.chain.lock().await, self.rpc().await?);
        let branch =
            reorg::Branch { coinbase_maturity: self.coinbase_maturity, reward_to: self.faucet.address() };
        branch.replace(rpc.as_ref(), depth, instead).await
    }

    async fn utxos(&self, address: &str) -> anyhow::Result<Vec<Utxo>> {
        let rpc = self.rpc().await?;
        let entries = rpc.get_utxos_by_addresses(vec![simnet_address(address)?]).await?;
        Ok(entries.into_iter().map(Utxo::from).collect())
    }

    async fn transaction(&self, id: &str) -> anyhow::Result<Seen> {
        let rpc = self.rpc().await?;
        let id: Hash = id.parse().with_context(|| format!("\"{id}\" is no transaction id"))?;
        self.find(rpc.as_ref(), id).await
    }

    async fn find(&self, rpc: &dyn RpcApi, id: Hash) -> anyhow::Result<Seen> {
        if let Some(accepted) = self.ledger.lock().await.find(rpc, id).await? {
            return Ok(Seen::Accepted(accepted));
        }
        let waits = rpc.get_mempool_entry(id, true, false).await.is_ok();
        Ok(if waits { Seen::Mempool } else { Seen::Unknown })
    }
}

async fn tick(inner: Arc<Inner>, interval: Duration) {
    loop {
        if timeout(interval, inner.stopping.notified()).await.is_ok() {
            return;
        }
        if let Err(error) = inner.mine(1).await {
            tracing::warn!(error = %format!("{error:#}"), "no block was made");
        }
    }
}

/// An address as it is, or with a free port for port 0, or any free port.
fn chosen(address: Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    match address {
        Some(address) if address.port() != 0 => Ok(address),
        Some(address) => Ok(SocketAddr::new(address.ip(), free_port()?.port())),
        None => free_port(),
    }
}

async fn await_port(address: SocketAddr) -> anyhow::Result<()> {
    let address =
        if address.ip().is_unspecified() { (Ipv4Addr::LOCALHOST, address.port()).into() } else { address };
    let deadline = Instant::now() + PORT_OPENS_WITHIN;
    while TcpStream::connect(address).await.is_err() {
        if Instant::now() > deadline {
            bail!("the node's RPC port at {address} did not open");
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

impl From<RpcUtxosByAddressesEntry> for Utxo {
    fn from(entry: RpcUtxosByAddressesEntry) -> Self {
        Self {
            transaction: entry.outpoint.transaction_id.to_string(),
            index: entry.outpoint.index,
            amount_sompi: entry.utxo_entry.amount,
            daa_score: entry.utxo_entry.block_daa_score,
            coinbase: entry.utxo_entry.is_coinbase,
        }
    }
}
