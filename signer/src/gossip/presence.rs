//! Who can be reached. Links and gossip each know a part; one task puts it together, so that the loop hears of comings
//! and goings in order.

use std::collections::BTreeSet;

use igra_core::Input;
use igra_group::MemberIndex;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// What changed, and how it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A connection of our own.
    Connected(MemberIndex, bool),
    /// A neighbour in gossip.
    Neighbour(MemberIndex, bool),
}

/// Who is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Peers {
    pub(super) connected: BTreeSet<MemberIndex>,
    pub(super) neighbours: BTreeSet<MemberIndex>,
}

impl Peers {
    pub(super) fn up(&self) -> BTreeSet<MemberIndex> {
        self.connected.union(&self.neighbours).copied().collect()
    }

    /// The member's coming or going, if it is one.
    fn apply(&mut self, change: Change) -> Option<Input> {
        let (member, set, now) = match change {
            Change::Connected(member, now) => (member, &mut self.connected, now),
            Change::Neighbour(member, now) => (member, &mut self.neighbours, now),
        };
        let changed = if now { set.insert(member) } else { set.remove(&member) };
        let other = match change {
            Change::Connected(..) => self.neighbours.contains(&member),
            Change::Neighbour(..) => self.connected.contains(&member),
        };
        (changed && !other).then_some(if now { Input::PeerUp(member) } else { Input::PeerDown(member) })
    }
}

/// Starts the task. Changes go into the sender; the receiver shows the whole.
pub(super) fn spawn(
    inputs: mpsc::Sender<Input>,
    tasks: &mut JoinSet<()>,
) -> (mpsc::Sender<Change>, watch::Receiver<Peers>) {
    let (changes, mut incoming) = mpsc::channel(64);
    let (shown, peers) = watch::channel(Peers::default());
    tasks.spawn(async move {
        let mut peers = Peers::default();
        while let Some(change) = incoming.recv().await {
            let input = peers.apply(change);
            shown.send_replace(peers.clone());
            if let Some(input) = input {
                // Nobody listens once the loop has ended.
                let _ = inputs.send(input).await;
            }
        }
    });
    (changes, peers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_up_while_either_way_to_it_exists() {
        let mut peers = Peers::default();
        let member = MemberIndex(2);
        let changes = [
            (Change::Connected(member, true), Some(Input::PeerUp(member))),
            (Change::Neighbour(member, true), None),
            (Change::Connected(member, false), None),
            (Change::Connected(member, false), None),
            (Change::Neighbour(member, false), Some(Input::PeerDown(member))),
        ];
        for (change, input) in changes {
            assert_eq!(peers.apply(change), input, "{change:?}");
        }
    }
}
