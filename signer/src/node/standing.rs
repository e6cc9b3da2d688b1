//! What stands against promising, as the health checks tell it.

use std::sync::{Arc, Mutex, MutexGuard};

use igra_core::{GroupView, Missing, QuarantineView};

/// The loop writes, the checks read.
#[derive(Clone, Default)]
pub(super) struct Standing(Arc<Mutex<Against>>);

#[derive(Default)]
struct Against {
    halt: Option<String>,
    quarantine: Option<String>,
}

impl Standing {
    pub(super) fn set(&self, view: &GroupView) {
        let halt = view.halt.as_ref().map(|halt| format!("halted ({}): {}", halt.cause.as_str(), halt.text));
        *self.against() = Against { halt, quarantine: view.quarantine.as_ref().map(told) };
    }

    /// Why the signer halted, if it did.
    pub(super) fn halt(&self) -> Option<String> {
        self.against().halt.clone()
    }

    /// Why the signer is quarantined and what it waits for, if it is.
    pub(super) fn quarantine(&self) -> Option<String> {
        self.against().quarantine.clone()
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

#[cfg(test)]
mod tests {
    use super::*;
    use igra_core::{QuarantineCause, UnixSeconds};

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
