//! What is drawn at random: ids of requests, names of workers, and by how much retries are spread.
//!
//! Of the operating system, but for a simulation, which is to be the same each time.

use std::hash::{BuildHasher, RandomState};

#[cfg(feature = "simulation")]
pub use seeded::{Seeded, seed};

/// Random bits: each `RandomState` has other keys.
pub fn bits() -> u64 {
    #[cfg(feature = "simulation")]
    if let Some(bits) = seeded::next() {
        return bits;
    }
    RandomState::new().hash_one(std::process::id())
}

/// A number in `0.0..1.0`.
pub(crate) fn fraction() -> f64 {
    (bits() >> 11) as f64 / (1_u64 << 53) as f64
}

/// An id that nobody else has.
pub(crate) fn uuid() -> String {
    #[cfg(feature = "simulation")]
    if let (Some(high), Some(low)) = (seeded::next(), seeded::next()) {
        let bytes = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
        return uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
    }
    uuid::Uuid::new_v4().to_string()
}

#[cfg(feature = "simulation")]
mod seeded {
    use std::cell::Cell;
    use std::marker::PhantomData;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// What this thread draws follows from a seed, until this is dropped.
    #[derive(Debug)]
    #[must_use = "the seed is forgotten when this is dropped"]
    pub struct Seeded(PhantomData<*const ()>);

    /// What this thread draws from here on follows from `seed`.
    pub fn seed(seed: u64) -> Seeded {
        STATE.set(Some(seed));
        Seeded(PhantomData)
    }

    impl Drop for Seeded {
        fn drop(&mut self) {
            STATE.set(None);
        }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    pub(super) fn next() -> Option<u64> {
        let state = STATE.get()?.wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(Some(state));
        let bits = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(bits ^ (bits >> 31))
    }
}

#[cfg(all(test, feature = "simulation"))]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_what_is_drawn_until_it_is_dropped() {
        let draw = || (bits(), uuid(), fraction().to_bits());
        let [one, two] = [5, 5].map(|number| {
            let _seeded = seed(number);
            draw()
        });
        assert_eq!(one, two);
        assert_ne!(draw(), one);
    }
}
