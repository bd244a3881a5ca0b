//! Multiply-adds that touch nothing but registers: how fast a processor can be at most, and whether it does products of
//! pairs of bf16 faster than products of f32. Those that have the instructions differ: AMD's Zen 4 does twice as many
//! multiply-adds a second with them, Intel's Sapphire Rapids half as many. So it is measured, once a process; the two are
//! too far apart for a busy machine to mix them up.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{Isa, Simd, Work};

/// Multiply-adds of each register that are timed together: some 20 µs.
const ROUNDS: usize = 4096;
/// Times that each is timed, in turn with the other; the shortest counts.
const TRIES: usize = 7;

impl Isa {
    /// Whether products of pairs are the faster ones. Always the same within a process.
    pub fn pairs_are_faster(self) -> bool {
        static MEASURED: OnceLock<bool> = OnceLock::new();
        match self {
            // They have no others.
            Isa::Amx | Isa::AmxTwin => true,
            Isa::Avx512Bf16 => *MEASURED.get_or_init(|| self.measure_pairs()),
            // A pair takes two multiply-adds and must be unpacked; or is for tests alone.
            _ => false,
        }
    }

    /// Does `rounds` multiply-adds of f32 for every sum of a register tile, in registers alone. Gives how many operations
    /// those are, two a multiply-add.
    pub fn multiply_add(self, rounds: usize) -> usize {
        self.run(MultiplyAdds { rounds, pairs: false });
        2 * rounds * self.rows() * self.width()
    }

    fn measure_pairs(self) -> bool {
        let mut shortest = [Duration::MAX; 2];
        for _ in 0..TRIES {
            for (pairs, shortest) in [false, true].into_iter().zip(&mut shortest) {
                let start = Instant::now();
                self.run(MultiplyAdds { rounds: ROUNDS, pairs });
                *shortest = start.elapsed().min(*shortest);
            }
        }
        // An instruction does twice as many of pairs.
        let [single, paired] = shortest;
        paired < 2 * single
    }
}

/// As many sums as a register tile has, so that none waits for the one before it.
struct MultiplyAdds {
    rounds: usize,
    pairs: bool,
}

impl Work for MultiplyAdds {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller has the instructions.
        unsafe { if self.pairs { sums::<S, true>(self.rounds) } else { sums::<S, false>(self.rounds) } }
    }
}

/// # Safety
/// The processor has `S`'s instructions.
#[inline(always)]
unsafe fn sums<S: Simd, const PAIRS: bool>(rounds: usize) {
    const MOST: usize = 32;
    // SAFETY: the caller's promise; `last` holds a vector.
    unsafe {
        let (a, b) = (S::splat(std::hint::black_box(0.5)), S::splat(std::hint::black_box(0.25)));
        let mut sums = [S::splat(0.0); MOST];
        for _ in 0..rounds {
            for sum in &mut sums[..S::ROWS * S::VECTORS] {
                *sum = if PAIRS { S::dot(a, b, *sum) } else { S::fma(a, b, *sum) };
            }
        }
        let mut last = [0.0f32; 16];
        for sum in sums {
            S::store(last.as_mut_ptr(), sum);
            std::hint::black_box(&last);
        }
    }
}
