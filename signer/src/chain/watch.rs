//! The watch over the own node: what the virtual chain accepted and undid, and the group's coins, in one round after the
//! other. The virtual chain is the truth; coins are what a proposer chooses from.

use std::time::{Duration, Instant};

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};
use igra_core::{BlockId, ChainUpdate, Input, WalletUpdate};
use igra_group::{Group, Network};
use igra_tx::{Script, kaspa};
use kaspa_addresses::Address;
use kaspa_grpc_client::GrpcClient;
use kaspa_rpc_core::{GetServerInfoResponse, api::rpc::RpcApi};
use tokio::{sync::mpsc, time::sleep};

use super::{
    Beginning, Node, NodeError, NodeHealth,
    accepted::{self, Place},
    concern::Concern,
    error::Refusal,
    metrics::HealthWriter,
    rpc::Line,
    wallet,
    watched::Watched,
};

/// Between two rounds.
const POLL: Duration = Duration::from_millis(200);

/// How often coins are read again although the chain did not move.
const COINS_AGAIN: Duration = Duration::from_secs(1);

/// Reading coins may take this part of the time at most, so that a wallet of many coins does not keep the node busy.
const COINS_SHARE: u32 = 10;

const LIMIT: Duration = Duration::from_secs(5);

/// For so long history is read before the node's state is looked at again.
const HISTORY_BITE: Duration = Duration::from_secs(2);

/// A node on the main network remembers about 30 hours, which takes minutes to read.
const HISTORY_TOLD_EVERY: Duration = Duration::from_secs(10);

/// How long a node may know nothing of our place on the chain before we take a new one: another node of ours may only
/// be a little behind.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// One per signer; it owns the place on the chain.
pub(super) struct Watch {
    pub node: Node,
    pub network: Network,
    /// The group's, and its predecessor's.
    pub addresses: Vec<Address>,
    /// Of the group's coins.
    pub script: Script,
    pub concern: Concern,
    /// The last block of the virtual chain that the loop was told of.
    pub cursor: Option<BlockId>,
    pub inputs: mpsc::Sender<Input>,
    pub health: HealthWriter,
    pub unknown_since: Option<Instant>,
    pub coins_read: Option<CoinsRead>,
    pub history: History,
}

/// How far the chain was read that the node knew when we came to it.
#[derive(Default)]
pub(super) struct History {
    /// Up to its last block.
    is_read: bool,
    /// Where the node said that its memory begins.
    begins: Option<BlockId>,
    blocks: usize,
    since: Option<Instant>,
    told: Option<Instant>,
}

/// When coins were read last.
pub(super) struct CoinsRead {
    virtual_daa: u64,
    at: Instant,
    took: Duration,
}

/// When to go round again.
enum Next {
    /// The node has more to tell.
    Now,
    Later,
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
        beginning: Beginning,
        inputs: mpsc::Sender<Input>,
        health: HealthWriter,
    ) -> Self {
        let Beginning { cursor, watched } = beginning;
        let watched = Watched::new(watched, group.depths().final_);
        let predecessor = group.predecessor().map(|predecessor| predecessor.wallet.address());
        Self {
            node,
            network: group.network(),
            addresses: std::iter::once(group.wallet().address()).chain(predecessor).collect(),
            script: Script::of_wallet(group.wallet()),
            concern: Concern::of(group, watched),
            cursor,
            inputs,
            health,
            unknown_since: None,
            coins_read: None,
            history: History::default(),
        }
    }

    /// Goes round until the loop is gone.
    pub(super) async fn run(mut self) {
        let mut patience = retry_policy();
        let mut down = false;
        loop {
            let pause = match self.round().await {
                Ok(next) => {
                    down = false;
                    patience.reset();
                    match next {
                        Next::Now => continue,
                        Next::Later => POLL,
                    }
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

    async fn round(&mut self) -> Result<Next, Stop> {
        let node = self.node.clone();
        let Some(line) = node.lines().into_iter().next() else {
            return Err(NodeError::NotReady("none is configured").into());
        };
        let mut health = server_state(&line, self.network).await?;
        health.is_read = self.history.is_read && self.coins_read.is_some();
        line.fits(health.is_of_use());
        self.health.set(health.clone());
        if !health.network_ok {
            return Err(NodeError::NotReady("it is on another network").into());
        }
        if !health.utxo_index {
            return Err(NodeError::NotReady("it runs without --utxoindex").into());
        }
        let next = self.follow(&line, &health).await?;
        if self.history.is_read {
            // Ready only when the loop has been told of the coins too.
            self.read_coins(&line, &health).await?;
            health.is_read = true;
            self.health.set(health);
        }
        Ok(next)
    }

    /// Tells the loop what joined and left the virtual chain since the cursor. All that a node remembers takes longer
    /// than a round may, so until that is read this comes back before the end.
    async fn follow(&mut self, line: &Line<'_>, health: &NodeHealth) -> Result<Next, Stop> {
        let start = Instant::now();
        let Some(mut cursor) = self.cursor else {
            return self.take_place(line, health, false).await;
        };
        loop {
            let advance = match accepted::advance(line, cursor, &self.concern).await {
                Ok(advance) => advance,
                Err(error) if error.refusal() == Some(Refusal::UnknownBlock) => {
                    return self.lost_place(line, health, error).await;
                }
                Err(error) => return Err(error.into()),
            };
            self.unknown_since = None;
            let Some(last) = advance.last else {
                behind(line, &advance)?;
                self.history.end();
                return Ok(Next::Later);
            };
            self.history.add(advance.blocks);
            self.concern.watched.remember(&advance.added, last.daa_score);
            let (removed, added) = (advance.removed, advance.added);
            self.tell_chain(ChainUpdate {
                removed,
                added,
                cursor: last.block,
                cursor_daa: last.daa_score,
                virtual_daa: health.virtual_daa,
                restarted: false,
                gapless: true,
            })
            .await?;
            cursor = last.block;
            if !self.history.is_read && start.elapsed() > HISTORY_BITE {
                return Ok(Next::Now);
            }
        }
    }

    /// Nothing in the node's memory connects to the cursor: it was pruned, or never was on this node's chain.
    async fn lost_place(
        &mut self,
        line: &Line<'_>,
        health: &NodeHealth,
        error: NodeError,
    ) -> Result<Next, Stop> {
        line.fits(false);
        let since = *self.unknown_since.get_or_insert_with(Instant::now);
        if since.elapsed() < UNKNOWN_FOR {
            return Err(error.into());
        }
        tracing::warn!(%error, "the place on the chain is unknown to the node; starting again from what it remembers");
        self.take_place(line, health, true).await
    }

    /// Takes the place where the node's memory begins, once the node is synced, so that all it knows of the group is
    /// told: a coin that was spent before shows that an empty store has forgotten something.
    ///
    /// A chain remembered from its first block on has no gap. Else what was accepted before is not told, and a signer
    /// that had a place says `restarted`: the core must learn it from peers.
    async fn take_place(
        &mut self,
        line: &Line<'_>,
        health: &NodeHealth,
        restarted: bool,
    ) -> Result<Next, Stop> {
        if !health.synced {
            return Ok(Next::Later);
        }
        let (Place { block: cursor, daa_score: cursor_daa }, gapless) = self.beginning(line).await?;
        let virtual_daa = health.virtual_daa;
        tracing::info!(block = %cursor, gapless, virtual_daa, "reading the chain from where the node's memory begins");
        self.unknown_since = None;
        self.history = History { begins: Some(cursor), ..History::default() };
        self.coins_read = None;
        let (removed, added) = (vec![], vec![]);
        self.tell_chain(ChainUpdate { removed, added, cursor, cursor_daa, virtual_daa, restarted, gapless })
            .await?;
        Ok(Next::Now)
    }

    /// Where the node's memory begins, and whether that is the chain's first block. A node that cannot tell what came
    /// after its own beginning is taken from its last block.
    async fn beginning(&self, line: &Line<'_>) -> Result<(Place, bool), NodeError> {
        let info = line
            .ask("get_block_dag_info", LIMIT, |client: GrpcClient| async move {
                client.get_block_dag_info().await
            })
            .await?;
        let pruned = accepted::block_id(&info.pruning_point_hash);
        if self.history.begins == Some(pruned) && self.cursor == Some(pruned) {
            return Ok((accepted::place_of(line, info.sink).await?, false));
        }
        let place = accepted::place_of(line, info.pruning_point_hash).await?;
        Ok((place, info.pruning_point_hash == kaspa::params(self.network).genesis.hash))
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
        let coins = wallet::coins(line, &self.addresses).await?;
        let (coins, predecessor) = coins.into_iter().partition(|coin| coin.script == self.script);
        let fee_rate = wallet::fee_rate(line).await?;
        let took = start.elapsed();
        // As of after they were read: what the core is told of the chain must not seem to be as new as newer coins.
        let virtual_daa = server_state(line, self.network).await?.virtual_daa;
        let synced = health.is_of_use();
        let update = WalletUpdate { virtual_daa, coins, predecessor, fee_rate, synced };
        self.tell(Input::Wallet(update)).await?;
        self.coins_read = Some(CoinsRead { virtual_daa: health.virtual_daa, at: Instant::now(), took });
        Ok(())
    }

    async fn tell(&self, input: Input) -> Result<(), Stop> {
        self.inputs.send(input).await.map_err(|_| Stop::LoopGone)
    }
}

impl History {
    fn add(&mut self, blocks: usize) {
        if self.is_read {
            return;
        }
        self.blocks += blocks;
        self.since.get_or_insert_with(Instant::now);
        let told = self.told.get_or_insert_with(Instant::now);
        if told.elapsed() > HISTORY_TOLD_EVERY {
            *told = Instant::now();
            tracing::info!(blocks = self.blocks, "still reading the chain that the node remembers");
        }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.is_read, true) {
            let seconds = self.since.map_or(0, |since| since.elapsed().as_secs());
            tracing::info!(blocks = self.blocks, seconds, "the chain is read up to its last block");
        }
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
        is_read: false,
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
