//! Which transactions the virtual chain accepted, read anew whenever somebody asks.

use std::collections::BTreeMap;

use anyhow::Context;
use kaspa_consensus_core::Hash;
use kaspa_rpc_core::{
    RpcDataVerbosityLevel, RpcOptionalTransaction, RpcOptionalTransactionOutput, api::rpc::RpcApi,
};
use serde::Serialize;

/// The accepted transactions of the virtual chain, from the beginning.
#[derive(Default)]
pub(crate) struct Ledger {
    cursor: Option<Hash>,
    by_block: BTreeMap<Hash, Vec<Hash>>,
    accepted: BTreeMap<Hash, Accepted>,
}

/// One accepted transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The chain block that accepted it.
    pub block: String,
    pub daa_score: u64,
    pub outputs: Vec<AcceptedOutput>,
}

/// One output of an accepted transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedOutput {
    /// Empty for a script that makes no address.
    pub address: String,
    pub amount_sompi: u64,
}

impl Ledger {
    /// The transaction as the virtual chain has it now, if it does.
    pub(crate) async fn find(&mut self, rpc: &dyn RpcApi, id: Hash) -> anyhow::Result<Option<Accepted>> {
        self.catch_up(rpc).await.context("could not follow the virtual chain")?;
        Ok(self.accepted.get(&id).cloned())
    }

    async fn catch_up(&mut self, rpc: &dyn RpcApi) -> anyhow::Result<()> {
        let mut cursor = match self.cursor {
            Some(cursor) => cursor,
            None => rpc.get_block_dag_info().await?.pruning_point_hash,
        };
        loop {
            let answer =
                rpc.get_virtual_chain_from_block_v2(cursor, Some(RpcDataVerbosityLevel::Low), None).await?;
            for block in answer.removed_chain_block_hashes.iter() {
                self.forget(*block);
            }
            let Some(last) = answer.added_chain_block_hashes.last() else {
                return Ok(());
            };
            let added =
                answer.added_chain_block_hashes.iter().zip(answer.chain_block_accepted_transactions.iter());
            for (block, accepted) in added {
                let daa_score = accepted.chain_block_header.daa_score.unwrap_or_default();
                self.remember(*block, daa_score, &accepted.accepted_transactions);
            }
            cursor = *last;
            self.cursor = Some(cursor);
        }
    }

    fn forget(&mut self, block: Hash) {
        for id in self.by_block.remove(&block).unwrap_or_default() {
            self.accepted.remove(&id);
        }
    }

    fn remember(&mut self, block: Hash, daa_score: u64, transactions: &[RpcOptionalTransaction]) {
        for transaction in transactions {
            let Some(id) = transaction.verbose_data.as_ref().and_then(|data| data.transaction_id) else {
                continue;
            };
            let accepted = Accepted { block: block.to_string(), daa_score, outputs: outputs(transaction) };
            self.by_block.entry(block).or_default().push(id);
            self.accepted.insert(id, accepted);
        }
    }
}

fn outputs(transaction: &RpcOptionalTransaction) -> Vec<AcceptedOutput> {
    let output = |output: &RpcOptionalTransactionOutput| AcceptedOutput {
        address: address_of(output).unwrap_or_default(),
        amount_sompi: output.value.unwrap_or_default(),
    };
    transaction.outputs.iter().map(output).collect()
}

fn address_of(output: &RpcOptionalTransactionOutput) -> Option<String> {
    let script = output.script_public_key.as_ref()?;
    igra_tx::kaspa::from_script_public_key(script).to_address(igra_group::Network::Simnet)
}
