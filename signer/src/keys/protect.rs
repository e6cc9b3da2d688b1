//! Keeps the process's memory out of core dumps, and out of reach of other programs of the same user.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core dumps of this process for the rest of its life; where that fails, the log has a warning.
pub fn forbid_core_dumps() {
    if let Err(error) = forbid() {
        tracing::warn!(%error, "could not forbid core dumps, which would hold the keys");
    }
}

fn forbid() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{dumpable_behavior, getrlimit};

    #[test]
    fn afterwards_the_kernel_says_that_no_dump_is_made() {
        forbid_core_dumps();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
