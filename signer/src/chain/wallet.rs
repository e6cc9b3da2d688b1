//! The group's coins and the going fee rate, as a node shows them.

use std::time::Duration;

use igra_tx::{Coin, FeeRate, MINIMUM_SOMPI_PER_GRAM, kaspa};
use kaspa_addresses::Address;
use kaspa_consensus_core::tx::{TransactionOutpoint, UtxoEntry};
use kaspa_grpc_client::GrpcClient;
use kaspa_rpc_core::{RpcFeeEstimate, RpcUtxosByAddressesEntry, api::rpc::RpcApi};

use super::{NodeError, rpc::Line};

const LIMIT: Duration = Duration::from_secs(5);

/// The coins at some addresses as of one moment, in canonical order.
pub(super) async fn coins(line: &Line<'_>, addresses: &[Address]) -> Result<Vec<Coin>, NodeError> {
    let addresses = addresses.to_vec();
    let call = |client: GrpcClient| async move { client.get_utxos_by_addresses(addresses).await };
    let entries = line.ask("get_utxos_by_addresses", LIMIT, call).await?;
    let mut coins: Vec<Coin> = entries.into_iter().filter_map(coin).collect();
    coins.sort_by_key(|coin| coin.outpoint);
    Ok(coins)
}

/// What a transaction pays per gram to be taken within about a minute.
pub(super) async fn fee_rate(line: &Line<'_>) -> Result<FeeRate, NodeError> {
    let call = |client: GrpcClient| async move { client.get_fee_estimate().await };
    Ok(normal_rate(&line.ask("get_fee_estimate", LIMIT, call).await?))
}

/// None for a coin under a covenant: spending one takes more than our transactions can say.
fn coin(entry: RpcUtxosByAddressesEntry) -> Option<Coin> {
    kaspa::coin(TransactionOutpoint::from(entry.outpoint), &UtxoEntry::from(entry.utxo_entry))
}

fn normal_rate(estimate: &RpcFeeEstimate) -> FeeRate {
    let bucket = estimate.normal_buckets.first().unwrap_or(&estimate.priority_bucket);
    // A float that is no number, or negative, becomes 0 here, and then the least rate.
    FeeRate::new((bucket.feerate.ceil() as u64).max(MINIMUM_SOMPI_PER_GRAM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaspa_rpc_core::RpcFeerateBucket;

    #[test]
    fn the_rate_is_rounded_up_and_never_below_what_nodes_relay() {
        for (feerate, expected) in [(100.0, 100), (100.2, 101), (3.0, 100), (f64::NAN, 100), (1e6, 1_000_000)]
        {
            let bucket = RpcFeerateBucket { feerate, estimated_seconds: 1.0 };
            let estimate =
                RpcFeeEstimate { priority_bucket: bucket, normal_buckets: vec![bucket], low_buckets: vec![] };

            assert_eq!(normal_rate(&estimate), FeeRate::new(expected), "{feerate}");
        }
    }
}
