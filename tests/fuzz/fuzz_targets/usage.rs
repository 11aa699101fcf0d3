#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| indelible_fuzz::usage(bytes));
