//! The only source of chance: a generator made from (seed, purpose, counters), so that a step's
//! labels, clips and masks come out the same on any thread, in any order, in a resumed run.

use rand::SeedableRng;
pub use rand::rngs::ChaCha8Rng as Generator;

/// What a generator is for. Two purposes never share a stream; the numbers are part of the
/// run's meaning and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights; counters: layer.
    Weights = 1,
    /// The order of an epoch's clips; counters: epoch.
    Order = 2,
    /// Where a clip is cut; counters: epoch, step, example.
    Clip = 3,
    /// The walk that lends tags; counters: epoch, step, example.
    Walk = 4,
    /// Dropout masks; counters: epoch, step, example.
    Dropout = 5,
    /// Which songs fall in which split; no counters.
    Split = 6,
    /// Which training songs lose their tags; no counters.
    Removal = 7,
    /// Bootstrap resamples; counters: replicate.
    Bootstrap = 8,
    /// Synthetic data and test cases; counters: free.
    Synthetic = 9,
    /// The order of a shuffled playlist; counters: kind of context, playlist.
    Shuffle = 10,
}

/// The generator of a purpose and its counters (unused ones are 0). The 256-bit key is the five
/// numbers mixed, so that no two streams overlap by construction of a 64-bit seed alone.
pub fn generator(seed: u64, purpose: Purpose, counters: [u64; 3]) -> Generator {
    let words = [seed, purpose as u64, counters[0], counters[1], counters[2]];
    let mut state = 0x7461_6777_616c_6b00_u64; // "tagwalk"
    let mut key = [0u8; 32];
    for &w in &words {
        state = mix(state ^ w);
    }
    for (i, chunk) in key.chunks_exact_mut(8).enumerate() {
        state = mix(state ^ words[i] ^ words[4].rotate_left(17 * i as u32));
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    Generator::from_seed(key)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64 bits.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn every_counter_matters_and_the_stream_is_fixed() {
        let first = |seed, purpose, c| generator(seed, purpose, c).next_u64();
        let base = first(1, Purpose::Walk, [2, 3, 4]);
        assert_eq!(base, first(1, Purpose::Walk, [2, 3, 4]));
        for other in [
            first(2, Purpose::Walk, [2, 3, 4]),
            first(1, Purpose::Clip, [2, 3, 4]),
            first(1, Purpose::Walk, [3, 3, 4]),
            first(1, Purpose::Walk, [2, 4, 4]),
            first(1, Purpose::Walk, [2, 3, 5]),
            first(1, Purpose::Walk, [3, 2, 4]),
            first(1, Purpose::Walk, [4, 3, 2]),
        ] {
            assert_ne!(base, other);
        }
    }
}
