//! The watch over the own node: what the virtual chain accepted and undid, and the group's coins, in one round after the
//! other. The virtual chain is the truth; coins are what a proposer chooses from.

use std::time::{Duration, Instant};

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};
use igra_core::{BlockId, ChainUpdate, Input, WalletUpdate};
use igra_group::{Group, Network};
use kaspa_addresses::Address;
use kaspa_grpc_client::GrpcClient;
use kaspa_rpc_core::{GetServerInfoResponse, api::rpc::RpcApi};
use tokio::{sync::mpsc, time::sleep};

use super::{
    Node, NodeError, NodeHealth,
    accepted::{self, Spending},
    error::Refusal,
    metrics::HealthWriter,
    rpc::Line,
    wallet,
};

/// Between two rounds.
const POLL: Duration = Duration::from_millis(200);

/// How often coins are read again although the chain did not move.
const COINS_AGAIN: Duration = Duration::from_secs(1);

/// Reading coins may take this part of the time at most, so that a wallet of many coins does not keep the node busy.
const COINS_SHARE: u32 = 10;

const LIMIT: Duration = Duration::from_secs(5);

/// How long a node may know nothing of our place on the chain before we take a new one: another node of ours may only
/// be a little behind.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// One per signer; it owns the place on the chain.
pub(super) struct Watch {
    pub node: Node,
    pub network: Network,
    pub address: Address,
    pub spending: Spending,
    /// The last block of the virtual chain that the loop was told of.
    pub cursor: Option<BlockId>,
    pub inputs: mpsc::Sender<Input>,
    pub health: HealthWriter,
    pub unknown_since: Option<Instant>,
    pub coins_read: Option<CoinsRead>,
}

/// When coins were read last.
pub(super) struct CoinsRead {
    virtual_daa: u64,
    at: Instant,
    took: Duration,
}

/// Why a round ended early.
enum Stop {
    Node(NodeError),
    /// The loop takes no more inputs.
    LoopGone,
}

impl Watch {
    pub(super) fn new(
        node: Node,
        group: &Group,
        cursor: Option<BlockId>,
        inputs: mpsc::Sender<Input>,
        health: HealthWriter,
    ) -> Self {
        let wallet = group.wallet();
        let (network, address, spending) = (group.network(), wallet.address(), Spending::by(wallet));
        Self {
            node,
            network,
            address,
            spending,
            cursor,
            inputs,
            health,
            unknown_since: None,
            coins_read: None,
        }
    }

    /// Goes round until the loop is gone.
    pub(super) async fn run(mut self) {
        let mut patience = retry_policy();
        let mut down = false;
        loop {
            let pause = match self.round().await {
                Ok(()) => {
                    down = false;
                    patience.reset();
                    POLL
                }
                Err(Stop::LoopGone) => return,
                Err(Stop::Node(error)) => {
                    if !down && self.inputs.send(Input::NodeDown).await.is_err() {
                        return;
                    }
                    down = true;
                    tracing::debug!(%error, "a round with the kaspa node failed");
                    self.pause_after(&error, &mut patience)
                }
            };
            sleep(pause).await;
        }
    }

    fn pause_after(&self, error: &NodeError, patience: &mut ExponentialBackoff) -> Duration {
        self.health.down(error);
        if !error.is_transient() {
            tracing::warn!(%error, "the kaspa node gives answers that cannot be used");
            return patience.max_interval;
        }
        patience.next_backoff().unwrap_or_else(|| {
            tracing::warn!(%error, "the kaspa node has been away for a while");
            patience.reset();
            patience.max_interval
        })
    }

    async fn round(&mut self) -> Result<(), Stop> {
        let node = self.node.clone();
        let Some(line) = node.lines().into_iter().next() else {
            return Err(NodeError::NotReady("none is configured").into());
        };
        let health = server_state(&line, self.network).await?;
        line.fits(health.is_ready());
        self.health.set(health.clone());
        if !health.network_ok {
            return Err(NodeError::NotReady("it is on another network").into());
        }
        if !health.utxo_index {
            return Err(NodeError::NotReady("it runs without --utxoindex").into());
        }
        self.follow(&line, &health).await?;
        self.read_coins(&line, &health).await
    }

    /// Tells the loop what joined and left the virtual chain since the cursor.
    async fn follow(&mut self, line: &Line<'_>, health: &NodeHealth) -> Result<(), Stop> {
        let Some(mut cursor) = self.cursor else {
            return self.take_place(line, health, false).await;
        };
        loop {
            let advance = match accepted::advance(line, cursor, &self.spending).await {
                Ok(advance) => advance,
                Err(error) if error.refusal() == Some(Refusal::UnknownBlock) => {
                    return self.lost_place(line, health, error).await;
                }
                Err(error) => return Err(error.into()),
            };
            self.unknown_since = None;
            let Some(last) = advance.last else {
                return behind(line, &advance);
            };
            let (removed, added) = (advance.removed, advance.added);
            self.tell_chain(ChainUpdate {
                removed,
                added,
                cursor: last,
                virtual_daa: health.virtual_daa,
                restarted: false,
            })
            .await?;
            cursor = last;
        }
    }

    /// Nothing in the node's memory connects to the cursor: it was pruned, or never was on this node's chain.
    async fn lost_place(
        &mut self,
        line: &Line<'_>,
        health: &NodeHealth,
        error: NodeError,
    ) -> Result<(), Stop> {
        line.fits(false);
        let since = *self.unknown_since.get_or_insert_with(Instant::now);
        if since.elapsed() < UNKNOWN_FOR {
            return Err(error.into());
        }
        tracing::warn!(%error, "the place on the chain is unknown to the node; starting again from its last block");
        self.take_place(line, health, true).await
    }

    /// Takes the node's last block for the cursor, once the node is synced.
    ///
    /// For a new group that is all there is to know: it has promised nothing, so nothing that was accepted before can
    /// be one of its transactions. A signer that comes back after more than the node remembers (about 30 hours) says
    /// `restarted`: what was accepted in between is not told, and the core must learn it from peers or see that its own
    /// open transactions are submitted again.
    async fn take_place(
        &mut self,
        line: &Line<'_>,
        health: &NodeHealth,
        restarted: bool,
    ) -> Result<(), Stop> {
        if !health.synced {
            return Ok(());
        }
        let sink = line
            .ask("get_sink", LIMIT, |client: GrpcClient| async move { client.get_sink().await })
            .await?
            .sink;
        let (cursor, virtual_daa) = (accepted::block_id(&sink), health.virtual_daa);
        self.unknown_since = None;
        self.tell_chain(ChainUpdate { removed: vec![], added: vec![], cursor, virtual_daa, restarted }).await
    }

    async fn tell_chain(&mut self, update: ChainUpdate) -> Result<(), Stop> {
        let cursor = update.cursor;
        self.tell(Input::Chain(update)).await?;
        self.cursor = Some(cursor);
        Ok(())
    }

    async fn read_coins(&mut self, line: &Line<'_>, health: &NodeHealth) -> Result<(), Stop> {
        if self.coins_read.as_ref().is_some_and(|last| last.is_fresh(health.virtual_daa)) {
            return Ok(());
        }
        let start = Instant::now();
        let coins = wallet::coins(line, &self.address).await?;
        let fee_rate = wallet::fee_rate(line).await?;
        let took = start.elapsed();
        let (virtual_daa, synced) = (health.virtual_daa, health.is_ready());
        self.tell(Input::Wallet(WalletUpdate { virtual_daa, coins, fee_rate, synced })).await?;
        self.coins_read = Some(CoinsRead { virtual_daa, at: Instant::now(), took });
        Ok(())
    }

    async fn tell(&self, input: Input) -> Result<(), Stop> {
        self.inputs.send(input).await.map_err(|_| Stop::LoopGone)
    }
}

impl CoinsRead {
    fn is_fresh(&self, virtual_daa: u64) -> bool {
        let age = self.at.elapsed();
        age < self.took * COINS_SHARE || (self.virtual_daa == virtual_daa && age < COINS_AGAIN)
    }
}

/// A node whose last block lies before our cursor has nothing to tell yet.
fn behind(line: &Line<'_>, advance: &accepted::Advance) -> Result<(), Stop> {
    if advance.removed.is_empty() {
        return Ok(());
    }
    line.fits(false);
    Err(NodeError::NotReady("it is behind the chain that was seen already").into())
}

async fn server_state(line: &Line<'_>, network: Network) -> Result<NodeHealth, NodeError> {
    let start = Instant::now();
    let call = |client: GrpcClient| async move { client.get_server_info().await };
    let info: GetServerInfoResponse = line.ask("get_server_info", LIMIT, call).await?;
    Ok(NodeHealth {
        endpoint: line.endpoint().to_owned(),
        answers: true,
        network_ok: info.network_id.to_string() == network.as_str(),
        utxo_index: info.has_utxo_index,
        synced: info.is_synced,
        virtual_daa: info.virtual_daa_score,
        latency_ms: start.elapsed().as_millis() as u64,
        error: None,
        seen: Instant::now(),
    })
}

fn retry_policy() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_interval(Duration::from_secs(5))
        .with_randomization_factor(0.3)
        .with_max_elapsed_time(Some(Duration::from_secs(30)))
        .build()
}

impl From<NodeError> for Stop {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}
