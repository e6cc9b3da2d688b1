//! See [`igra_fuzz::tx::signed_transaction`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::tx::signed_transaction(bytes));
