//! How many jobs the CPU makes of a convolution's blocks: by the layer's shape alone, so that the
//! number of threads changes no sum.

use std::ops::Range;

use super::conv::Conv;

/// Operations that make a job worth its part of the weights' gradient.
const WORTH: u64 = 64 << 20;
const MOST: usize = 64;

/// Jobs for `blocks` blocks.
pub fn jobs(conv: &Conv, blocks: usize) -> usize {
    usize::try_from(conv.product_flops() / WORTH).unwrap_or(MOST).clamp(2, MOST).min(blocks)
}

/// Blocks of job `j` of `jobs`, in order.
pub fn share(blocks: usize, jobs: usize, j: usize) -> Range<usize> {
    blocks * j / jobs..blocks * (j + 1) / jobs
}
