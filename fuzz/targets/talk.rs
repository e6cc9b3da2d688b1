//! See [`igra_fuzz::talk::talk`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::talk::talk(bytes));
