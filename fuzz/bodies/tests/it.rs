//! Every body over its seeds, over what once was a fault, and over random bytes.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use stead_fuzz_bodies::{TARGETS, Target, seeds};

/// Where the random bytes begin. Another one for a longer search: `STEAD_FUZZ_SEED=7 STEAD_FUZZ_INPUTS=1000000`.
const SEED: u64 = 0x5eed;
/// Random inputs for each target.
const INPUTS: u64 = 4_000;
const MAX_LEN: u64 = 512;

#[test]
fn no_seed_is_a_fault() {
    for target in TARGETS {
        for (name, input) in seeds(target.name) {
            run(target, &input, &name);
        }
    }
}

#[test]
fn what_was_a_fault_is_none_any_more() {
    for target in TARGETS {
        for path in faults(target) {
            let input = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            run(target, &input, &path.display().to_string());
        }
    }
}

#[test]
fn no_random_input_is_a_fault() {
    let (seed, inputs) = (setting("STEAD_FUZZ_SEED", SEED), setting("STEAD_FUZZ_INPUTS", INPUTS));
    for target in TARGETS {
        let mut random = Random(seed);
        for number in 0..inputs {
            let input = random.input();
            run(target, &input, &format!("number {number} from seed {seed}"));
        }
    }
}

/// Seeds with a few of their bytes changed are mostly still read.
#[test]
fn no_seed_with_changed_bytes_is_a_fault() {
    let (seed, inputs) = (setting("STEAD_FUZZ_SEED", SEED), setting("STEAD_FUZZ_INPUTS", INPUTS));
    for target in TARGETS {
        let seeds = seeds(target.name);
        let mut random = Random(seed);
        for number in 0..if seeds.is_empty() { 0 } else { inputs } {
            let (name, mut input) = seeds[random.below(seeds.len() as u64) as usize].clone();
            for _ in 0..=random.below(4) {
                let at = random.below(input.len() as u64) as usize;
                input[at] = random.next() as u8;
            }
            run(target, &input, &format!("{name}, number {number} from seed {seed}"));
        }
    }
}

fn run(target: Target, input: &[u8], name: &str) {
    if catch_unwind(|| (target.body)(input)).is_err() {
        panic!("{}, {name}: {input:?}", target.name);
    }
}

fn faults(target: Target) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../faults").join(target.name);
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().filter_map(|it| Some(it.ok()?.path())).collect();
    paths.sort();
    paths
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Numbers that look random, by the mixing function of SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn input(&mut self) -> Vec<u8> {
        (0..self.below(MAX_LEN)).map(|_| self.next() as u8).collect()
    }
}
