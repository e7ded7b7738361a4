//! The one source of randomness: xoshiro256** 1.0 (Blackman & Vigna 2018), seeded by splitmix64, both in the public domain. Written out here
//! because the exact numbers are part of this module's contract.

/// A generator. Period 2^256 − 1.
pub(crate) struct Prng {
    state: [u64; 4],
}

impl Prng {
    pub(crate) fn new(seed: u64) -> Self {
        let mut mixer = seed;
        let mut next = || {
            mixer = mixer.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (mixer ^ mixer >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ z >> 31
        };
        Self { state: [next(), next(), next(), next()] }
    }

    /// 64 random bits.
    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        result
    }

    /// 0 to `bound` − 1 (0 if `bound` is 0). Uneven by less than bound / 2^32.
    #[inline]
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        scale(self.bits() >> 32, bound)
    }

    /// A waiting time of this mean: the exponential distribution with its logarithm taken piecewise linear between the powers of two
    /// (log2 u ≈ exponent + mantissa), in integers alone. The mean is exact but for rounding down; the error of the density is below 9 %.
    #[inline]
    pub(crate) fn wait(&mut self, mean: u64) -> u64 {
        let bits = self.bits() | 1;
        let zeros = bits.leading_zeros().min(40);
        let mantissa = (bits << (zeros + 1)) >> 48;
        let log2 = (u64::from(zeros) << 16) + (0xffff - mantissa);
        // log2 < 2^22 with mean 1.5 · 2^16; a mean of an hour is < 2^42
        mean.saturating_mul(log2) / 98_304
    }
}

/// Of 32 random bits, a number below `bound`.
#[inline]
pub(crate) fn scale(bits: u64, bound: u32) -> u32 {
    (((bits & 0xffff_ffff) * u64::from(bound)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_algorithms() {
        // splitmix64 of seed 0 begins e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f f88bb8a8724c81ec
        let mut prng = Prng::new(0);
        assert_eq!(
            prng.state,
            [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f, 0xf88b_b8a8_724c_81ec]
        );
        let second = 0x6e78_9e6a_a1b9_65f4_u64;
        assert_eq!(prng.bits(), second.wrapping_mul(5).rotate_left(7).wrapping_mul(9));
    }

    #[test]
    fn waits_have_their_mean_and_an_exponential_spread() {
        let mut prng = Prng::new(7);
        let waits: Vec<u64> = (0..1_000_000).map(|_| prng.wait(10_000)).collect();
        let mean = waits.iter().sum::<u64>() / 1_000_000;
        assert!((9_950..10_050).contains(&mean), "{mean}");
        let longer_than_mean = waits.iter().filter(|&&wait| wait > 10_000).count();
        // e^-1 = 0.368
        assert!((340_000..400_000).contains(&longer_than_mean), "{longer_than_mean}");
    }
}
