//! What a transaction weighs, what it may weigh, and what it must pay for that.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{Group, Network, Sompi};
use kaspa_consensus_core::{
    constants::MAX_SOMPI,
    mass::MassCalculator,
    tx::{PopulatedTransaction, Transaction},
};
use kaspa_txscript::pay_to_script_hash_signature_script;

use crate::{Proposal, kaspa};

/// Below this a Kaspa 2.1 node relays no transaction.
pub const MINIMUM_SOMPI_PER_GRAM: u64 = 100;

/// Bytes of one signature in a signature script: push, 64 bytes, kind of sighash.
const SIGNATURE_BYTES: usize = 66;
/// Scripts longer than this are invalid in Kaspa, and would let its mass arithmetic overflow.
const LONGEST_SCRIPT_BYTES: usize = 10_000;

/// The most that a group pays for one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FeeLimits {
    pub max_sompi_per_gram: u64,
    pub max: Sompi,
}

/// What a signed transaction weighs, in grams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masses {
    pub compute: u64,
    pub transient: u64,
    pub storage: u64,
}

/// A mass that is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverLimit {
    pub which: &'static str,
    pub found: u64,
    pub limit: u64,
}

impl FeeLimits {
    /// The highest fee for a transaction of this mass.
    pub fn most(&self, fee_mass: u64) -> Sompi {
        self.max.min(Sompi(fee_mass.saturating_mul(self.max_sompi_per_gram)))
    }
}

impl Masses {
    /// What the proposal weighs once m members have signed it. `None` for what Kaspa's arithmetic is not made for:
    /// no input, an amount of 0, amounts beyond all money there is, a script that no block may hold.
    pub fn of(group: &Group, proposal: &Proposal) -> Option<Self> {
        let scripts = vec![dummy_signature_script(group); proposal.inputs.len()];
        let transaction = kaspa::transaction(proposal, &scripts, group.threshold().members());
        let storage = storage_mass(group.network(), proposal, &transaction)?;
        let masses = calculator(group.network()).calc_non_contextual_masses(&transaction);
        Some(Self { compute: masses.compute_mass, transient: masses.transient_mass, storage })
    }

    /// The mass that the fee is paid for.
    pub fn fee_mass(&self) -> u64 {
        self.compute.max(self.transient.div_ceil(2))
    }

    /// The least fee for which a node relays it.
    pub fn minimum_fee(&self) -> Sompi {
        Sompi(self.fee_mass().saturating_mul(MINIMUM_SOMPI_PER_GRAM))
    }

    pub(crate) fn refuse_over_limit(&self, network: Network) -> Result<(), OverLimit> {
        let limits = kaspa::params(network).block_mass_limits;
        for (which, found, limit) in [
            ("compute", self.compute, limits.compute),
            ("transient", self.transient, limits.transient),
            ("storage", self.storage, limits.storage),
        ] {
            if found > limit {
                return Err(OverLimit { which, found, limit });
            }
        }
        Ok(())
    }
}

/// The storage mass of a proposal's transaction, or `None` as in [`Masses::of`].
pub(crate) fn storage_mass(network: Network, proposal: &Proposal, transaction: &Transaction) -> Option<u64> {
    if !computable(proposal) {
        return None;
    }
    let entries = proposal.inputs.iter().map(kaspa::utxo_entry).collect();
    let populated = PopulatedTransaction::new(transaction, entries);
    calculator(network).calc_contextual_masses(&populated).map(|masses| masses.storage_mass)
}

fn calculator(network: Network) -> MassCalculator {
    MassCalculator::new_with_consensus_params(&kaspa::params(network))
}

/// Kaspa divides by amounts and adds them without looking.
fn computable(proposal: &Proposal) -> bool {
    let scripts = proposal.inputs.iter().map(|coin| &coin.script);
    let mut scripts = scripts.chain(proposal.outputs.iter().map(|output| &output.script));
    !proposal.inputs.is_empty()
        && is_money(proposal.inputs.iter().map(|coin| coin.amount))
        && is_money(proposal.outputs.iter().map(|output| output.amount))
        && scripts.all(|script| script.bytes.len() <= LONGEST_SCRIPT_BYTES)
}

/// Whether all amounts are above 0 and together no more than there is.
fn is_money(mut amounts: impl Iterator<Item = Sompi>) -> bool {
    let sum =
        amounts.try_fold(Sompi::ZERO, |sum, amount| sum.checked_add(amount).filter(|_| amount > Sompi::ZERO));
    sum.is_some_and(|sum| sum.0 <= MAX_SOMPI)
}

/// As long as the signature script of m members, and worth nothing.
fn dummy_signature_script(group: &Group) -> Vec<u8> {
    signature_script(group, vec![0; SIGNATURE_BYTES * usize::from(group.threshold().needed())])
}

/// The signature script that these pushes of signatures make together with the group's redeem script.
pub(crate) fn signature_script(group: &Group, signatures: Vec<u8>) -> Vec<u8> {
    pay_to_script_hash_signature_script(group.wallet().redeem_script(), signatures)
        .expect("the redeem script of at most 15 keys fits one push")
}
