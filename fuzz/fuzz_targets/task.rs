#![no_main]

libfuzzer_sys::fuzz_target!(
    init: stead_fuzz_bodies::write_seeds("task"),
    |data: &[u8]| stead_fuzz_bodies::task(data)
);
