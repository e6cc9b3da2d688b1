//! A full mempool: others who pay more for a place in the next blocks.

use anyhow::Context;
use kaspa_rpc_core::RpcTransaction;

use super::Node;

impl Node {
    /// Fills the mempool with so many large payments of the faucet to itself, which pay at least `rate` sompi for each
    /// gram of their mass. Each needs a ripe coin; a block has room for about five.
    pub async fn crowd(&self, payments: usize, rate: u64) -> anyhow::Result<()> {
        let (_chain, rpc) = (self.inner.chain.lock().await, self.rpc().await?);
        for _ in 0..payments {
            let payment = self.inner.faucet.large_payment(rpc.as_ref(), rate).await?;
            rpc.submit_transaction(RpcTransaction::from(&payment), false)
                .await
                .context("the node took no large payment")?;
            self.inner.faucet.handed_over(&payment);
        }
        Ok(())
    }

    /// What the node asks a transaction to pay to be taken within about a minute, in sompi for each gram.
    pub async fn fee_rate(&self) -> anyhow::Result<f64> {
        let estimate = self.rpc().await?.get_fee_estimate().await?;
        Ok(estimate.normal_buckets.first().unwrap_or(&estimate.priority_bucket).feerate)
    }
}
