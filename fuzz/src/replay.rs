//! Inputs in files, for the ordinary tests.

use std::{fs, path::Path};

/// Runs a target's function over every input that is kept for it. Returns how many there were.
#[allow(clippy::disallowed_methods, reason = "the inputs of a test lie in files")]
pub fn replay(target: &str, check: fn(&[u8])) -> usize {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut inputs = 0;
    for folder in ["corpus", "regressions"] {
        for file in fs::read_dir(fuzz.join(folder).join(target)).into_iter().flatten() {
            let file = file.expect("a folder can be read").path();
            // The name of the input that panics.
            println!("{}", file.display());
            check(&fs::read(&file).expect("an input can be read"));
            inputs += 1;
        }
    }
    inputs
}
