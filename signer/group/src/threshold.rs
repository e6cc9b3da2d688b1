//! How many signatures the script needs, and how many approvals the group needs first.

use borsh::BorshSerialize;
use serde::Serialize;

use crate::Network;

/// Most members of a group: a relayed P2SH input may hold 15 counted signature operations (Kaspa 2.1 mempool).
pub const MAX_MEMBERS: u8 = 15;

/// m of n: the signatures that the script needs, and the members it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, BorshSerialize)]
pub struct Threshold {
    needed: u8,
    members: u8,
}

/// Approvals that the group needs before a partial leaves: m ≤ q ≤ n and 2q > n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, BorshSerialize)]
pub struct Quorum(u8);

/// Why a threshold or quorum cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    #[error("a group has from 1 to {MAX_MEMBERS} members, not {0}")]
    Members(usize),
    #[error("threshold {needed} must be from 1 to the number of members, {members}")]
    Threshold { needed: u8, members: u8 },
    #[error("mainnet needs a threshold of at least 2")]
    MainnetAlone,
    #[error(
        "quorum {quorum} must be from {least} to {members}: at least the threshold and more than half of the members"
    )]
    Quorum { quorum: u8, least: u8, members: u8 },
}

impl Threshold {
    /// m of n on a network; mainnet asks for m ≥ 2.
    pub fn new(network: Network, needed: u8, members: usize) -> Result<Self, ThresholdError> {
        let n = u8::try_from(members)
            .ok()
            .filter(|n| (1..=MAX_MEMBERS).contains(n))
            .ok_or(ThresholdError::Members(members))?;
        if needed == 0 || needed > n {
            return Err(ThresholdError::Threshold { needed, members: n });
        }
        if network == Network::Mainnet && needed < 2 {
            return Err(ThresholdError::MainnetAlone);
        }
        Ok(Self { needed, members: n })
    }

    /// m, the signatures needed.
    pub fn needed(self) -> u8 {
        self.needed
    }

    /// n, the members.
    pub fn members(self) -> u8 {
        self.members
    }
}

impl Quorum {
    /// The given q, or max(m, ⌊n/2⌋+1) where none is given.
    pub fn new(threshold: Threshold, quorum: Option<u8>) -> Result<Self, ThresholdError> {
        let least = threshold.needed.max(threshold.members / 2 + 1);
        let quorum = quorum.unwrap_or(least);
        if quorum < least || quorum > threshold.members {
            return Err(ThresholdError::Quorum { quorum, least, members: threshold.members });
        }
        Ok(Self(quorum))
    }

    /// q, the approvals needed.
    pub fn get(self) -> u8 {
        self.0
    }

    /// f = min(m−1, 2q−n−1): members that may lie, or be rolled back unnoticed, without a second payment.
    pub fn tolerates_lying(self, threshold: Threshold) -> u8 {
        (threshold.needed - 1).min(2 * self.0 - threshold.members - 1)
    }

    /// n − q: members that may be stopped without stopping the group.
    pub fn tolerates_stopped(self, threshold: Threshold) -> u8 {
        threshold.members - self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_is_as_the_protocol_tabulates_it() {
        for (n, m, q, lying, stopped) in [
            (3, 2, 2, 0, 1),
            (3, 2, 3, 1, 0),
            (4, 3, 3, 1, 1),
            (5, 3, 3, 0, 2),
            (5, 3, 4, 2, 1),
            (7, 4, 5, 2, 2),
        ] {
            let threshold = Threshold::new(Network::Simnet, m, n).unwrap();
            let quorum = Quorum::new(threshold, Some(q)).unwrap();
            assert_eq!(
                (quorum.tolerates_lying(threshold), quorum.tolerates_stopped(threshold)),
                (lying, stopped)
            );
        }
    }

    #[test]
    fn two_quorums_always_share_a_member() {
        for n in 1..=MAX_MEMBERS {
            for m in 1..=n {
                let threshold = Threshold::new(Network::Simnet, m, n.into()).unwrap();
                for q in 0..=n + 1 {
                    if Quorum::new(threshold, Some(q)).is_ok() {
                        assert!(2 * q > n && q >= m && q <= n);
                    }
                }
                assert!(Quorum::new(threshold, None).is_ok());
            }
        }
    }

    #[test]
    fn mainnet_refuses_a_threshold_of_one() {
        assert_eq!(Threshold::new(Network::Mainnet, 1, 3), Err(ThresholdError::MainnetAlone));
    }
}
