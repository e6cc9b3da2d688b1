//! See [`igra_fuzz::messages::resealed`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::messages::resealed(bytes));
