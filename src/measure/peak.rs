//! What this machine's cores can do at most, measured beside a kernel: fused multiply-adds that
//! touch nothing but registers, and copying between buffers that no cache holds.
//!
//! A shared machine's speed changes from second to second, so a figure in percent of the peak says
//! something only if both were taken in turn.

use std::time::Instant;

use memmap2::MmapMut;
use rayon::prelude::*;
use serde::Serialize;

use super::bench::Quantiles;
use crate::error::{Error, Result};
use crate::kernels::products::{Isa, Simd, Work};

/// f32 values of each of the two buffers: 256 MiB, several times the largest cache.
const LENGTH: usize = 64 << 20;
/// Values that a thread copies at once.
const PIECE: usize = 1 << 18;
/// Multiply-adds of each register: some 15 ms with AVX-512.
const ROUNDS: usize = 1 << 21;

/// What the cores reach at most, all threads together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Peaks {
    /// 10^9 operations a second, two a multiply-add, in registers.
    pub gflops_per_second: f64,
    /// 10^9 bytes a second, read and written both counted, stores past the caches.
    pub copy_gb_per_second: f64,
}

/// Measures the peaks again and again, in turn with something else.
pub struct Meter {
    isa: Isa,
    pool: rayon::ThreadPool,
    from: MmapMut,
    to: MmapMut,
    gflops: Vec<f64>,
    gb: Vec<f64>,
}

impl Meter {
    /// For the products of `isa` on `threads` threads; 0: one a core.
    pub fn new(isa: Isa, threads: usize) -> Result<Meter> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| Error::device(format!("cannot start the threads: {e}")))?;
        let buffer = || {
            let bytes = LENGTH * size_of::<f32>();
            MmapMut::map_anon(bytes).map_err(|e| Error::device(format!("cannot get {} MiB of memory: {e}", bytes >> 20)))
        };
        let (mut from, mut to) = (buffer()?, buffer()?);
        // Pages that nobody has written are all the same page of zeros, and are made at their first use.
        from.fill(1);
        to.fill(2);
        Ok(Meter { isa, pool, from, to, gflops: Vec::new(), gb: Vec::new() })
    }

    /// Measures both once, in some 50 ms.
    pub fn take(&mut self) {
        let isa = self.isa;
        let start = Instant::now();
        let flops = self.pool.broadcast(|_| isa.multiply_add(ROUNDS)).into_iter().sum::<usize>() as f64;
        self.gflops.push(flops / start.elapsed().as_secs_f64() / 1e9);

        let from: &[f32] = bytemuck::cast_slice(&self.from);
        let to: &mut [f32] = bytemuck::cast_slice_mut(&mut self.to);
        let start = Instant::now();
        self.pool.install(|| {
            let pieces = from.par_chunks(PIECE).zip(to.par_chunks_mut(PIECE));
            pieces.for_each(|(from, to)| isa.run(Copying { from, to }));
        });
        self.gb.push(2.0 * size_of_val(from) as f64 / start.elapsed().as_secs_f64() / 1e9);
    }

    /// Medians of what was taken; `None` before the first time.
    pub fn peaks(&self) -> Option<Peaks> {
        let median = |values: &[f64]| (!values.is_empty()).then(|| Quantiles::of(values.to_vec()).median);
        Some(Peaks { gflops_per_second: median(&self.gflops)?, copy_gb_per_second: median(&self.gb)? })
    }
}

/// Copies a piece with stores that leave the caches alone: a store that goes through them reads what
/// it is about to overwrite.
struct Copying<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
}

impl Work for Copying<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        assert!(self.from.len() == self.to.len() && self.from.len().is_multiple_of(S::LANES));
        assert!(self.to.as_ptr().align_offset(64) == 0);
        // SAFETY: inside both slices by the lines above; a piece begins at a multiple of its length, in
        // whole pages, so every vector is aligned.
        unsafe {
            let (from, to) = (self.from.as_ptr(), self.to.as_mut_ptr());
            let mut at = 0;
            while at < self.from.len() {
                S::stream(to.add(at), S::load(from.add(at)));
                at += S::LANES;
            }
            S::fence();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_has_peaks_and_copies_whole() {
        for isa in Isa::available() {
            let mut meter = Meter::new(isa, 2).unwrap();
            assert_eq!(meter.peaks(), None);
            meter.take();
            let peaks = meter.peaks().unwrap();
            assert!(peaks.gflops_per_second > 0.0 && peaks.copy_gb_per_second > 0.0, "{isa:?}: {peaks:?}");
            assert!(meter.to[..] == meter.from[..], "{isa:?}");
        }
    }
}
