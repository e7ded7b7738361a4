//! CRC-32C of whole words, for the hot path: one instruction a word where the processor has it.
//!
//! The crate `crc32c` uses the same instruction, but its preparations for lengths and alignments of every kind cost as much again for a record of 128 bytes.

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of words as they lie in memory, going on from `seed`: the CRC of what came before.
#[inline]
pub(crate) fn crc32c_words(seed: u32, words: &[u64]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has SSE 4.2, as has just been asked.
        return unsafe { with_instruction(seed, words) };
    }
    crc32c::crc32c_append(seed, bytemuck::cast_slice(words))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn with_instruction(seed: u32, words: &[u64]) -> u32 {
    use std::arch::x86_64::_mm_crc32_u64;
    let before = u64::from(!seed);
    // The upper half of the instruction's result is zero.
    !(words.iter().fold(before, |crc, word| _mm_crc32_u64(crc, *word)) as u32)
}

#[cfg(test)]
mod tests {
    use super::crc32c_words;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_have_the_crc_of_their_bytes(seed: u32, words in prop::collection::vec(any::<u64>(), 0..40)) {
            prop_assert_eq!(crc32c_words(seed, &words), crc32c::crc32c_append(seed, bytemuck::cast_slice(&words)));
        }
    }

    #[test]
    fn the_check_value_of_rfc_3720() {
        // Appendix B.4: 32 bytes of zeros, 32 bytes of ones, 32 bytes counting up.
        assert_eq!(crc32c_words(0, &[0; 4]), 0x8a91_36aa);
        assert_eq!(crc32c_words(0, &[u64::MAX; 4]), 0x62a8_ab43);
        let counting: [u8; 32] = std::array::from_fn(|index| index as u8);
        let words: Vec<u64> =
            counting.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        assert_eq!(crc32c_words(0, &words), 0x46dd_794e);
    }
}
