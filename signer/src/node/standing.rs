//! What stands against promising, as the health checks tell it.

use std::sync::{Arc, Mutex, MutexGuard};

use igra_core::GroupView;

/// The loop writes, the checks read.
#[derive(Clone, Default)]
pub(super) struct Standing(Arc<Mutex<Against>>);

#[derive(Default)]
struct Against {
    halt: Option<String>,
}

impl Standing {
    pub(super) fn set(&self, view: &GroupView) {
        let halt = view.halt.as_ref().map(|halt| format!("halted ({}): {}", halt.cause.as_str(), halt.text));
        *self.against() = Against { halt };
    }

    /// Why the signer halted, if it did.
    pub(super) fn halt(&self) -> Option<String> {
        self.against().halt.clone()
    }

    fn against(&self) -> MutexGuard<'_, Against> {
        self.0.lock().expect("nothing panics while it holds what stands against promising")
    }
}
