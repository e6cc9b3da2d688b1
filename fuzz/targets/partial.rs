//! See [`igra_fuzz::tx::partial`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::tx::partial(bytes));
