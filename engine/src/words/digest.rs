//! [`Digest`]: a running 64-bit hash of what a stage has put out. Equal digests: the same output, bit for bit.

/// A running digest. Order matters; the hash is not cryptographic (it guards against divergence, not against forgers).
///
/// Each 8-byte word `w` gives `state = fold(state ^ w, K)`, where `fold(x, y)` is the exclusive or of both halves of the 128-bit
/// product (the mixing step of wyhash and foldhash). Byte by byte the same on every host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest {
    state: u64,
    records: u64,
}

const K: u64 = 0x9E37_79B9_7F4A_7C15;

impl Digest {
    /// Of nothing.
    pub const fn new() -> Self {
        Self { state: 0x243F_6A88_85A3_08D3, records: 0 }
    }

    /// As it stood when it gave this hash of so many records.
    pub const fn resumed(value: u64, records: u64) -> Self {
        Self { state: value, records }
    }

    /// Adds one record. A tail that is not a whole word is padded with zeros; the length is mixed in.
    #[inline]
    pub fn add(&mut self, record: &[u8]) {
        let mut state = fold(self.state ^ record.len() as u64, K);
        let (words, tail) = record.as_chunks::<8>();
        for word in words {
            state = fold(state ^ u64::from_le_bytes(*word), K);
        }
        if !tail.is_empty() {
            let mut padded = [0u8; 8];
            for (to, from) in padded.iter_mut().zip(tail) {
                *to = *from;
            }
            state = fold(state ^ u64::from_le_bytes(padded), K);
        }
        self.state = state;
        self.records += 1;
    }

    /// The hash so far.
    pub const fn value(&self) -> u64 {
        self.state
    }

    /// How many records were added.
    pub const fn records(&self) -> u64 {
        self.records
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
const fn fold(x: u64, y: u64) -> u64 {
    // u64·u64 < 2^128
    let product = x as u128 * y as u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_length_and_every_bit_count() {
        let of = |records: &[&[u8]]| {
            let mut digest = Digest::new();
            records.iter().for_each(|record| digest.add(record));
            digest.value()
        };
        assert_ne!(of(&[b"a", b"b"]), of(&[b"b", b"a"]));
        assert_ne!(of(&[b"ab"]), of(&[b"a", b"b"]));
        assert_ne!(of(&[&[0; 8]]), of(&[&[0; 16]]));
        let zero = [0u8; 64];
        for bit in 0..512 {
            let mut flipped = zero;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&[&zero]), of(&[&flipped]), "bit {bit}");
        }
    }
}
