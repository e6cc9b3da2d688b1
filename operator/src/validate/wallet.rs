//! What the members sign for together: keys, threshold, depths, the group before this one.

use igra_config::PredecessorConfig;
use igra_crds::{NetworkName, PredecessorSpec, Scheme, SignerGroupSpec};
use igra_group::{
    Depths, Group, GroupError, MemberKey, Network, Predecessor, SignatureScheme, ThresholdError, WalletError,
};

use super::{Problems, ValidMember};

/// Wallet, members in script order, quorum, depths and predecessor, if all of it is well.
pub(super) fn wallet_and_terms(
    spec: &SignerGroupSpec,
    members: &[Option<ValidMember>],
    problems: &mut Problems,
) -> Option<Group> {
    let (network, scheme) = (network(spec.network), scheme(spec.signature_scheme));
    let mut all = Vec::new();
    for (at, (given, valid)) in spec.members.iter().zip(members).enumerate() {
        match MemberKey::from_hex(scheme, &given.public_key) {
            Ok(key) => {
                let transport = valid.as_ref()?.transport;
                all.push(igra_group::Member { name: given.name.clone(), key, transport });
            }
            Err(error) => problems.spec(format!("spec.members[{at}].publicKey"), error.to_string()),
        }
    }
    if all.len() < spec.members.len() {
        return None;
    }
    let depths = spec.depths.as_ref().map_or_else(Depths::default, |given| Depths {
        coin: given.coin,
        deposit: given.deposit,
        settled: given.settled,
        final_: given.final_,
    });
    let group = Group::new(network, scheme, spec.threshold, spec.quorum, all, depths, Group::DEFAULT_DUST)
        .map_err(|error| problems.spec(field_of(&error), error.to_string()))
        .ok()?;
    let Some(predecessor) = &spec.predecessor else { return Some(group) };
    predecessor_of(predecessor, network)
        .and_then(|predecessor| group.after(predecessor))
        .map_err(|error| problems.spec("spec.predecessor", error.to_string()))
        .ok()
}

fn predecessor_of(given: &PredecessorSpec, network: Network) -> Result<Predecessor, GroupError> {
    let PredecessorSpec { signature_scheme, threshold, public_keys } = given;
    let predecessor = PredecessorConfig {
        signature_scheme: scheme(*signature_scheme),
        threshold: *threshold,
        public_keys: public_keys.clone(),
        dust_sompi: Group::DEFAULT_DUST,
    };
    predecessor.checked(network)
}

fn field_of(error: &GroupError) -> &'static str {
    match error {
        GroupError::Wallet(WalletError::Threshold(error)) | GroupError::Threshold(error) => match error {
            ThresholdError::Members(_) => "spec.members",
            ThresholdError::Threshold { .. } | ThresholdError::MainnetAlone => "spec.threshold",
            ThresholdError::Quorum { .. } => "spec.quorum",
        },
        GroupError::Wallet(WalletError::Key(_) | WalletError::SameKey(_)) => "spec.members",
        GroupError::SameName(_) | GroupError::SameTransport(_, _) => "spec.members",
        GroupError::Depths | GroupError::MainnetFinal => "spec.depths",
        GroupError::OwnPredecessor | GroupError::ForeignPredecessor => "spec.predecessor",
    }
}

pub(super) fn network(name: NetworkName) -> Network {
    match name {
        NetworkName::Mainnet => Network::Mainnet,
        NetworkName::Testnet10 => Network::Testnet10,
        NetworkName::Devnet => Network::Devnet,
        NetworkName::Simnet => Network::Simnet,
    }
}

pub(super) fn scheme(scheme: Scheme) -> SignatureScheme {
    match scheme {
        Scheme::Schnorr => SignatureScheme::Schnorr,
        Scheme::Ecdsa => SignatureScheme::Ecdsa,
    }
}
