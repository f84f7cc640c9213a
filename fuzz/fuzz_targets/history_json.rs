#![no_main]

libfuzzer_sys::fuzz_target!(
    init: stead_fuzz_bodies::write_seeds("history_json"),
    |data: &[u8]| stead_fuzz_bodies::history_json(data)
);
