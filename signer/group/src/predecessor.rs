//! The group that the coins of another one come from.

use crate::{GroupId, Sompi, Wallet};

/// What the members of a group must know of the group whose coins move to theirs: its wallet tells its coins and its
/// transactions from others, and below its dust it never moves a coin. Its quorum, depths and transport ids do not
/// matter here: what has become of its coins is looked at in the own depths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    pub wallet: Wallet,
    /// The predecessor's own: coins below this are never an input there.
    pub dust: Sompi,
}

impl Predecessor {
    pub fn id(&self) -> GroupId {
        self.wallet.group_id()
    }
}
