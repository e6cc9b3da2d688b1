//! See [`igra_fuzz::tx::proposal`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::tx::proposal(bytes));
