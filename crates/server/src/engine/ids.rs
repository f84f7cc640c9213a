//! [`Ids`]: run ids and the other random choices of the engine, from a seed.

use uuid::Uuid;

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
    }
}
