//! See [`igra_fuzz::tx::last_push`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::tx::last_push(bytes));
