//! See [`igra_fuzz::records::rows`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| igra_fuzz::records::rows(bytes));
