//! The order of an epoch's clips: a keyed permutation of 0..n that is computed place by place, so
//! that ten million clips need no memory. A Feistel network (Luby and Rackoff 1988) permutes the
//! next power of four; places that fall outside are permuted again until they fall inside
//! (cycle walking: Black and Rogaway 2002).

use rand::Rng;

use crate::random::{Purpose, generator, mix};

const ROUNDS: usize = 6;

/// A permutation of 0..n.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    length: u64,
    half: u32,
    keys: [u64; ROUNDS],
}

impl Order {
    /// The order of an epoch. `length` is at most 2^62.
    pub fn new(length: u64, seed: u64, epoch: u64) -> Order {
        let mut random = generator(seed, Purpose::Order, [epoch, 0, 0]);
        let bits = u64::BITS - length.saturating_sub(1).leading_zeros();
        Order { length, half: bits.div_ceil(2).max(1), keys: std::array::from_fn(|_| random.next_u64()) }
    }

    /// What comes at a place, both below `length`.
    pub fn at(&self, place: u64) -> u64 {
        debug_assert!(place < self.length);
        let low = (1 << self.half) - 1;
        let mut x = place;
        loop {
            let (mut left, mut right) = (x >> self.half, x & low);
            for key in self.keys {
                (left, right) = (right, left ^ (mix(right ^ key) & low));
            }
            x = left << self.half | right;
            if x < self.length {
                return x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_permuted() {
        for n in (1..=70).chain([255, 256, 257, 1000, 4096, 4097]) {
            let order = Order::new(n, 3, 5);
            let mut seen = vec![false; n as usize];
            for i in 0..n {
                assert!(!std::mem::replace(&mut seen[order.at(i) as usize], true), "{n}: twice");
            }
        }
    }

    /// Number of fixed places and of neighbours kept are those of a random permutation: both
    /// nearly Poisson with mean 1, so over 400 epochs each sum is within 5 sd = 100 of 400.
    #[test]
    fn epochs_and_seeds_look_random() {
        for seeds in [false, true] {
            let (mut fixed, mut kept) = (0, 0);
            for i in 0..400 {
                let order = if seeds { Order::new(100, i, 0) } else { Order::new(100, 1, i) };
                fixed += (0..100).filter(|&p| order.at(p) == p).count();
                kept += (0..99).filter(|&p| order.at(p) + 1 == order.at(p + 1)).count();
            }
            assert!((300..500).contains(&fixed) && (300..500).contains(&kept), "{fixed} fixed, {kept} kept");
        }
    }
}
