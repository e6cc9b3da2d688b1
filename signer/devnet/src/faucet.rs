//! The faucet: the miner's coins, paid to whoever asks.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard},
};

use anyhow::{Context, bail};
use igra_group::{Network, Sompi};
use igra_tx::{Script, kaspa};
use kaspa_addresses::{Address, Prefix, Version};
use kaspa_consensus_core::{
    constants::TX_VERSION,
    sign::sign,
    subnets::SUBNETWORK_ID_NATIVE,
    tx::{
        SignableTransaction, Transaction, TransactionInput, TransactionOutpoint, TransactionOutput, UtxoEntry,
    },
};
use kaspa_rpc_core::api::rpc::RpcApi;
use secp256k1::{Keypair, SECP256K1, SecretKey};

/// More inputs make a transaction too heavy for the mempool.
const MOST_INPUTS: usize = 80;

/// Ten times what nodes ask for an input; coins of simnet are worth nothing.
const FEE_PER_INPUT: u64 = 2_000_000;

/// Smaller change would cost too much storage mass; it goes to the fee.
const LEAST_CHANGE: u64 = 20_000_000;

/// A payload of so many bytes makes a payment as heavy as nodes relay, nearly, at four grams each.
const LARGE_PAYLOAD: usize = 20_000;

/// What such a payment weighs, in grams, and a little more.
const LARGE_MASS: u64 = 83_000;

/// The miner's key and coins.
pub(crate) struct Faucet {
    key: Keypair,
    coinbase_maturity: u64,
    /// The node's index of coins lags a little behind its chain.
    spent: Mutex<HashSet<TransactionOutpoint>>,
}

impl Faucet {
    /// The key is the same in every network of this program and no secret, so that a node started again on its folder
    /// still can spend what was mined there.
    pub(crate) fn new(coinbase_maturity: u64) -> Self {
        let secret = SecretKey::from_slice(&[0x1d; 32]).expect("the bytes are below the curve's order");
        Self { key: Keypair::from_secret_key(SECP256K1, &secret), coinbase_maturity, spent: Mutex::default() }
    }

    /// Where block rewards go.
    pub(crate) fn address(&self) -> Address {
        let key = self.key.x_only_public_key().0.serialize();
        Address::try_new(Prefix::Simnet, Version::PubKey, &key).expect("an x-only key has 32 bytes")
    }

    /// A signed transaction that pays `amount` to `address` from ripe coins.
    pub(crate) async fn payment(
        &self,
        rpc: &dyn RpcApi,
        address: &str,
        amount: Sompi,
    ) -> anyhow::Result<Transaction> {
        let recipient = kaspa::script_public_key(&Script::of_address(Network::Simnet, address)?);
        let coins = self.choose(rpc, amount).await?;
        let held: u64 = coins.iter().map(|(_, entry)| entry.amount).sum();
        let change = held - amount.0 - FEE_PER_INPUT * coins.len() as u64;
        let mut outputs = vec![TransactionOutput::new(amount.0, recipient)];
        if change >= LEAST_CHANGE {
            outputs.push(TransactionOutput::new(change, coins[0].1.script_public_key.clone()));
        }
        Ok(self.signed(coins, outputs, vec![]))
    }

    /// A signed payment of one ripe coin to the faucet itself that is as large as nodes relay, nearly, and pays `rate`
    /// sompi for each gram or a little more.
    pub(crate) async fn large_payment(&self, rpc: &dyn RpcApi, rate: u64) -> anyhow::Result<Transaction> {
        let mut coins = self.choose(rpc, Sompi(1)).await?;
        coins.truncate(1);
        let (coin, fee) = (&coins[0].1, rate.saturating_mul(LARGE_MASS));
        let rest = coin.amount.checked_sub(fee).context("the faucet's coin is smaller than the fee")?;
        let outputs = vec![TransactionOutput::new(rest, coin.script_public_key.clone())];
        Ok(self.signed(coins, outputs, vec![0; LARGE_PAYLOAD]))
    }

    fn signed(
        &self,
        coins: Vec<(TransactionOutpoint, UtxoEntry)>,
        outputs: Vec<TransactionOutput>,
        payload: Vec<u8>,
    ) -> Transaction {
        let (outpoints, entries): (Vec<_>, Vec<_>) = coins.into_iter().unzip();
        let inputs =
            outpoints.into_iter().map(|outpoint| TransactionInput::new(outpoint, vec![], 0, 1)).collect();
        let unsigned = Transaction::new(TX_VERSION, inputs, outputs, 0, SUBNETWORK_ID_NATIVE, 0, payload);
        sign(SignableTransaction::with_entries(unsigned, entries), self.key).tx
    }

    /// Remembers that the coins of a payment are gone.
    pub(crate) fn handed_over(&self, payment: &Transaction) {
        self.spent().extend(payment.inputs.iter().map(|input| input.previous_outpoint));
    }

    fn spent(&self) -> MutexGuard<'_, HashSet<TransactionOutpoint>> {
        self.spent.lock().expect("nobody panics while holding the faucet's list")
    }

    /// Enough ripe coins, the oldest first.
    async fn choose(
        &self,
        rpc: &dyn RpcApi,
        amount: Sompi,
    ) -> anyhow::Result<Vec<(TransactionOutpoint, UtxoEntry)>> {
        let daa_score = rpc.get_server_info().await?.virtual_daa_score;
        let coins = rpc
            .get_utxos_by_addresses(vec![self.address()])
            .await
            .context("could not read the faucet's coins")?;
        let entries = coins
            .into_iter()
            .map(|coin| (TransactionOutpoint::from(coin.outpoint), UtxoEntry::from(coin.utxo_entry)));
        let mut ripe: Vec<_> = entries.filter(|(_, entry)| self.is_ripe(entry, daa_score)).collect();
        let spent = self.spent().clone();
        ripe.retain(|(outpoint, _)| !spent.contains(outpoint));
        ripe.sort_by_key(|(outpoint, entry)| {
            (entry.block_daa_score, outpoint.transaction_id, outpoint.index)
        });
        let mut chosen = Vec::new();
        let mut needed = amount.0;
        for coin in ripe.into_iter().take(MOST_INPUTS) {
            needed = needed.checked_add(FEE_PER_INPUT).context("nobody has that much")?;
            needed = needed.saturating_sub(coin.1.amount);
            chosen.push(coin);
            if needed == 0 {
                return Ok(chosen);
            }
        }
        bail!("the faucet lacks {} of {amount}; mine some more blocks", Sompi(needed))
    }

    fn is_ripe(&self, entry: &UtxoEntry, daa_score: u64) -> bool {
        // One more than consensus asks, as the next block is meant.
        !entry.is_coinbase || entry.block_daa_score + self.coinbase_maturity < daa_score
    }
}
