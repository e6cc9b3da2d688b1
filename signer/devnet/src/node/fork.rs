//! Two nodes that for a while know nothing of one another, so that members who ask different ones see different coins.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::time::sleep;

use super::{Node, NodeOptions};

const CONNECTED_WITHIN: Duration = Duration::from_secs(20);

impl Node {
    /// A second node that has all blocks of this one and hears nothing more of it. It makes blocks on request only, and
    /// its faucet has the same coins: pay from one of the two alone.
    pub async fn fork(&self) -> anyhow::Result<Self> {
        let options =
            NodeOptions { coinbase_maturity: self.inner.coinbase_maturity, ..NodeOptions::default() };
        let _chain = self.inner.chain.lock().await;
        Self::start_with(options, Some(self.rpc().await?)).await
    }

    /// From now on each of the two hears of the other's blocks and transactions; of older blocks with the next one.
    pub async fn connect(&self, other: &Self) -> anyhow::Result<()> {
        let address = other.options.p2p.context("a started node has an address for others")?;
        let rpc = self.rpc().await?;
        rpc.add_peer(address.to_string().parse()?, true).await?;
        let deadline = Instant::now() + CONNECTED_WITHIN;
        while rpc.get_connected_peer_info().await?.peer_info.is_empty() {
            if Instant::now() > deadline {
                bail!("the nodes did not connect");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
