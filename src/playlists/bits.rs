//! A set of songs, one bit each: who can lend, whose tags are hidden.

/// A set of numbers below a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    length: usize,
}

impl Bits {
    /// The empty set of numbers below `length`.
    pub fn none(length: usize) -> Bits {
        Bits { words: vec![0; length.div_ceil(64)], length }
    }

    /// The numbers below `length` for which `member` says yes.
    pub fn from_fn(length: usize, mut member: impl FnMut(usize) -> bool) -> Bits {
        let mut bits = Bits::none(length);
        for i in 0..length {
            if member(i) {
                bits.insert(i);
            }
        }
        bits
    }

    /// The bound, not the number of members.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&w| w == 0)
    }

    /// Number of members.
    pub fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    #[inline]
    pub fn contains(&self, i: usize) -> bool {
        debug_assert!(i < self.length);
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    pub fn insert(&mut self, i: usize) {
        debug_assert!(i < self.length);
        self.words[i / 64] |= 1 << (i % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_at_word_boundaries() {
        let bits = Bits::from_fn(130, |i| matches!(i, 0 | 63 | 64 | 129));
        let members: Vec<usize> = (0..130).filter(|&i| bits.contains(i)).collect();
        assert_eq!(members, [0, 63, 64, 129]);
        assert_eq!((bits.count(), bits.len()), (4, 130));
        assert!(Bits::none(130).is_empty() && !bits.is_empty());
    }
}
