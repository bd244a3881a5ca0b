//! `batch_norm_backward` in Rust. A few thousand numbers: one thread, the sums in f64.

use super::{Arguments, BatchNormBackward, Of};
use crate::kernels::conv::norm;

pub fn run(kernel: &BatchNormBackward, args: &Arguments) {
    let c = kernel.channels;
    let n = kernel.positions as f64;
    let (partials, normal) = (args.read(0), args.read(1));
    let rows = match kernel.of {
        Of::Stored => 2,
        Of::FirstLayer { taps } => taps + 1,
    };
    let sum = |k: usize, i: usize| -> f64 { (0..kernel.tiles).map(|t| f64::from(partials[(t * rows + k) * c + i])).sum() };
    let first = if kernel.of == Of::Stored { 2 } else { 4 };
    // SAFETY: the only slices of these operands.
    let [dgamma, dbeta, out] = [0, 1, 2].map(|k| unsafe { args.write(first + k).all() });
    for i in 0..c {
        let [s, mean, r] = [norm::SCALE, norm::MEAN, norm::R].map(|k| f64::from(normal[k * c + i]));
        match kernel.of {
            Of::Stored => {
                let (sum_dy, sum_normal) = (sum(0, i), sum(1, i));
                let c1 = -s * r * sum_normal / n;
                dgamma[i] = sum_normal as f32;
                dbeta[i] = sum_dy as f32;
                out[i] = s as f32;
                out[c + i] = (-s * sum_dy / n) as f32;
                out[2 * c + i] = c1 as f32;
                out[3 * c + i] = mean as f32;
            }
            Of::FirstLayer { taps } => {
                let (patches, weights) = (args.read(2), args.read(3));
                let w = |k: usize| f64::from(weights[k * c + i]);
                let d = |k: usize| sum(k, i);
                let sum_dy = d(taps);
                let sum_normal = r * ((0..taps).map(|k| w(k) * d(k)).sum::<f64>() - mean * sum_dy);
                let c1 = -s * r * sum_normal / n;
                dgamma[i] = sum_normal as f32;
                dbeta[i] = sum_dy as f32;
                for k in 0..taps {
                    let cw: f64 = (0..taps).map(|l| f64::from(patches[(k + 1) * taps + l]) * w(l)).sum();
                    out[k * c + i] = (s * (d(k) - f64::from(patches[k]) * sum_dy) + c1 * n * cw) as f32;
                }
            }
        }
    }
}
