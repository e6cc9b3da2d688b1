//! See [`igra_fuzz::messages::body`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::messages::body(bytes));
