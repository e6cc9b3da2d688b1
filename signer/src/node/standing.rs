//! What stands against promising, as the health checks tell it.

use std::sync::{Arc, Mutex, MutexGuard};

use igra_core::{Awaited, GroupView, Missing, PredecessorView, QuarantineView};

/// The loop writes, the checks read.
#[derive(Clone, Default)]
pub(super) struct Standing(Arc<Mutex<Against>>);

#[derive(Default)]
struct Against {
    halt: Option<String>,
    quarantine: Option<String>,
    predecessor: Option<String>,
}

impl Standing {
    pub(super) fn set(&self, view: &GroupView) {
        let halt = view.halt.as_ref().map(|halt| format!("halted ({}): {}", halt.cause.as_str(), halt.text));
        let predecessor = view.predecessor.as_ref().filter(|from| from.begun.is_none()).map(awaits);
        *self.against() = Against { halt, quarantine: view.quarantine.as_ref().map(told), predecessor };
    }

    /// Why the signer halted, if it did.
    pub(super) fn halt(&self) -> Option<String> {
        self.against().halt.clone()
    }

    /// Why the signer is quarantined and what it waits for, if it is.
    pub(super) fn quarantine(&self) -> Option<String> {
        self.against().quarantine.clone()
    }

    /// What the signer waits for whose coins come from another group, if it does.
    pub(super) fn predecessor(&self) -> Option<String> {
        self.against().predecessor.clone()
    }

    fn against(&self) -> MutexGuard<'_, Against> {
        self.0.lock().expect("nothing panics while it holds what stands against promising")
    }
}

fn told(view: &QuarantineView) -> String {
    let causes: Vec<&str> = view.causes.iter().map(|cause| cause.as_str()).collect();
    let missing: Vec<String> = view.missing.iter().map(waits_for).collect();
    let missing =
        if missing.is_empty() { "the next word of its node".to_owned() } else { missing.join(", ") };
    format!("quarantined ({}): waits for {missing}", causes.join(", "))
}

fn waits_for(missing: &Missing) -> String {
    match missing {
        Missing::Hello => "hello from enough others".to_owned(),
        Missing::Node => "a synced node".to_owned(),
        Missing::Tag => "a tag of its own".to_owned(),
        Missing::Coins { unwashed, of } => format!("{unwashed} of {of} coins to be washed"),
        Missing::History => "what was paid while no node remembers it".to_owned(),
        Missing::Tombstone { event } => format!("event {event} to be final"),
    }
}

fn awaits(view: &PredecessorView) -> String {
    let awaited: Vec<String> = view.awaited.iter().map(told_of).collect();
    let awaited =
        if awaited.is_empty() { "the next word of its node".to_owned() } else { awaited.join(", ") };
    format!("promises nothing before the coins of {} have moved here: waits for {awaited}", view.address)
}

fn told_of(awaited: &Awaited) -> String {
    match awaited {
        Awaited::Node => "a synced node".to_owned(),
        Awaited::Migration => "a migration at final depth".to_owned(),
        Awaited::Elsewhere => "an administrator, since coins moved to another group".to_owned(),
        Awaited::Coins { unmoved } => format!("{unmoved} coins to be moved at final depth"),
        Awaited::History => {
            "an administrator, since the node does not show all that the old group paid".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use igra_core::{QuarantineCause, UnixSeconds};

    #[test]
    fn a_signer_that_waits_for_another_groups_coins_says_whose_and_for_what() {
        let view = PredecessorView {
            group: igra_group::GroupId::from_bytes([1; 32]),
            address: "kaspasim:pq".to_owned(),
            begun: None,
            awaited: vec![Awaited::Coins { unmoved: 2 }],
        };
        let expected = "promises nothing before the coins of kaspasim:pq have moved here: waits for 2 coins to be \
                        moved at final depth";
        assert_eq!(awaits(&view), expected);
    }

    #[test]
    fn a_quarantine_is_told_with_its_causes_and_what_it_waits_for() {
        let view = |missing| QuarantineView {
            causes: [QuarantineCause::Backup, QuarantineCause::StoreEmpty].into(),
            since: UnixSeconds(5),
            tag: None,
            missing,
        };
        let told_of = told(&view(vec![Missing::Tag, Missing::Coins { unwashed: 2, of: 3 }]));
        let expected =
            "quarantined (store_empty, backup): waits for a tag of its own, 2 of 3 coins to be washed";
        assert_eq!(told_of, expected);
        assert!(told(&view(vec![])).ends_with("waits for the next word of its node"));
    }
}
