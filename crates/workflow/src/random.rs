//! Numbers that look random and that a replay draws again.
//!
//! The generator is xoshiro256++ (Blackman and Vigna, public domain), seeded by splitmix64 from the seed of the run.
//! Which generator it is, and how many draws each type takes, is part of what replay relies on: a change here changes
//! what running workflows do.

use std::time::UNIX_EPOCH;

use uuid::Uuid;

use crate::context;

/// The generator of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Random {
    seed: u64,
    state: [u64; 4],
}

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        let mut state = seed;
        Self { seed, state: std::array::from_fn(|_| splitmix64(&mut state)) }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The generator of a stream of its own.
    fn of_stream(seed: u64, name: &str) -> Self {
        // FNV-1a, which is as fixed as the generator is.
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self::seeded(seed ^ name)
    }

    pub(crate) fn reseed(&mut self, seed: u64) {
        *self = Self::seeded(seed);
    }

    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from the run's own generator: the same at each replay, another in each run.
///
/// Integers are spread over their whole range, floats over `0.0..1.0`. Not for secrets: whoever knows the run id can
/// tell the numbers.
///
/// # Panics
///
/// Outside of workflow code; in queries, validators and conditions, because the draw would change what the workflow
/// draws next.
#[track_caller]
pub fn random<T: Draw>() -> T {
    let runtime = context::current();
    runtime.assert_writable("draw a random number");
    T::draw(&mut || runtime.random().borrow_mut().next())
}

/// A version 4 UUID from the run's own generator: the same at each replay.
///
/// # Panics
///
/// As [`random`] does.
#[track_caller]
pub fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(random::<u128>().to_be_bytes()).into_uuid()
}

/// A version 7 UUID, which sorts by time, from workflow time and the run's own generator: the same at each replay.
///
/// # Panics
///
/// As [`random`] does.
#[track_caller]
pub fn uuid_v7() -> Uuid {
    let since_epoch = crate::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    let random = random::<u128>().to_be_bytes();
    let (random, _) = random.split_first_chunk::<10>().expect("sixteen bytes are more than ten");
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

/// The seed of the run's numbers. It changes when the run is reset.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn random_seed() -> u64 {
    context::current().random().borrow().seed()
}

/// Numbers that do not depend on what else the run draws, and on which nothing else depends: for code that is shared by
/// workflows, such as a library's. Two streams of a run differ if their names do, and a run that is reset draws other
/// numbers from the reset on, as [`random`] does.
///
/// ```
/// use stead_workflow as workflow;
///
/// fn jitter() -> f64 {
///     let mut stream = workflow::random_stream("jitter");
///     stream.random::<f64>() + stream.random::<f64>()
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn random_stream(name: impl Into<Box<str>>) -> RandomStream {
    let name = name.into();
    let random = Random::of_stream(random_seed(), &name);
    RandomStream { run_seed: random_seed(), name, random }
}

/// See [`random_stream`].
#[derive(Debug)]
pub struct RandomStream {
    run_seed: u64,
    name: Box<str>,
    random: Random,
}

impl RandomStream {
    /// The next number.
    ///
    /// # Panics
    ///
    /// As [`random`](random()) does.
    #[track_caller]
    pub fn random<T: Draw>(&mut self) -> T {
        let runtime = context::current();
        runtime.assert_writable("draw a random number");
        let run_seed = runtime.random().borrow().seed();
        if self.run_seed != run_seed {
            *self = Self { run_seed, name: std::mem::take(&mut self.name), random: Random::seeded(0) };
            self.random = Random::of_stream(run_seed, &self.name);
        }
        T::draw(&mut || self.random.next())
    }
}

/// What [`random`] can draw.
pub trait Draw: sealed::Sealed {
    #[doc(hidden)]
    fn draw(next: &mut dyn FnMut() -> u64) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! draw {
    ($($type:ty => |$next:ident| $value:expr;)*) => {
        $(
            impl sealed::Sealed for $type {}

            impl Draw for $type {
                fn draw($next: &mut dyn FnMut() -> u64) -> Self {
                    $value
                }
            }
        )*
    };
}

// The high bits are the better ones.
draw! {
    u8 => |next| (next() >> 56) as u8;
    i8 => |next| (next() >> 56) as i8;
    u16 => |next| (next() >> 48) as u16;
    i16 => |next| (next() >> 48) as i16;
    u32 => |next| (next() >> 32) as u32;
    i32 => |next| (next() >> 32) as i32;
    u64 => |next| next();
    i64 => |next| next() as i64;
    u128 => |next| (u128::from(next()) << 64) | u128::from(next());
    i128 => |next| u128::draw(next) as i128;
    usize => |next| next() as usize;
    isize => |next| next() as isize;
    bool => |next| next() >> 63 == 1;
    f32 => |next| (next() >> 40) as f32 / (1u32 << 24) as f32;
    f64 => |next| (next() >> 11) as f64 / (1u64 << 53) as f64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut random = Random::seeded(42);
        let drawn: [u64; 3] = std::array::from_fn(|_| random.next());
        assert_eq!(drawn, [15_021_278_609_987_233_951, 5_881_210_131_331_364_753, 18_149_643_915_985_481_100]);
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(Random::seeded(1).next(), Random::seeded(2).next());
        assert_ne!(Random::seeded(0).next(), 0);
    }

    #[test]
    fn floats_stay_below_one() {
        assert!(f64::draw(&mut || u64::MAX) < 1.0);
        assert!(f32::draw(&mut || u64::MAX) < 1.0);
        assert_eq!(f64::draw(&mut || 0), 0.0);
    }
}
