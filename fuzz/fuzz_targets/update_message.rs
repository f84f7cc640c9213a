#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stead_fuzz_bodies::update_message(data));
