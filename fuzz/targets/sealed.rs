//! See [`igra_fuzz::messages::sealed`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::messages::sealed(bytes));
