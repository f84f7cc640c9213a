//! [`Ids`]: run ids and the other random choices of the engine, from a seed.

use uuid::Uuid;

use super::Time;

/// A source of ids. The same seed gives the same ids, so a simulation can be run again.
#[derive(Debug)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Where the source stands, for [`Self::resume`].
    pub(crate) fn state(&self) -> u64 {
        self.state
    }

    /// Goes on where another source stood.
    pub(crate) fn resume(&mut self, state: u64) {
        self.state = state;
    }

    /// The id of a run that somebody starts: of version 7, so that ids sort as the runs have begun. The runs that follow
    /// it by themselves have ids of version 4, as those of Temporal's server have.
    pub(crate) fn run_id(&mut self, now: Time) -> Uuid {
        let millis = u64::try_from(now.unix_nanos() / 1_000_000).unwrap_or_default();
        let random = u128::from(self.draw()) << 64 | u128::from(self.draw());
        let [_, _, _, _, _, _, random @ ..] = random.to_be_bytes();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let bits = u128::from(self.draw()) << 64 | u128::from(self.draw());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn fraction(&mut self) -> f64 {
        // 53 bits fill a double's mantissa.
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", 2014.
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut one, mut other) = (Ids::new(7), Ids::new(7));
        assert_eq!(one.uuid(), other.uuid());
        assert_ne!(one.uuid(), one.uuid());
        assert_eq!(one.uuid().get_version_num(), 4);
        let (now, later) = (Time::from_unix_nanos(1_000_000), Time::from_unix_nanos(2_000_000));
        let (first, next) = (one.run_id(now), one.run_id(later));
        assert_eq!((first.get_version_num(), first < next), (7, true));
        assert_ne!(one.run_id(now), first);
    }
}
