//! `batch_norm_forward` in Rust. A few thousand numbers: one thread, the joins in f64.

use super::{Arguments, BatchNormForward, From};
use crate::kernels::conv::norm;

pub fn run(kernel: &BatchNormForward, args: &Arguments) {
    let c = kernel.channels;
    let first = match kernel.from {
        From::Partials { .. } => 1,
        From::Patches { .. } => 2,
        From::Running => 0,
    };
    let [gamma, beta, bias] = [0, 1, 2].map(|i| args.read(first + i));
    // SAFETY: the only slices of these operands (running is only read in evaluation).
    let out = unsafe { args.write(first + 4).all() };
    for i in 0..c {
        // Mean of z, which has no bias, and variance.
        let (mean, var) = match kernel.from {
            From::Partials { tiles } => joined(args.read(0), tiles, c, i),
            From::Patches { taps } => of_patches(args.read(0), args.read(1), taps, c, i),
            From::Running => {
                let running = args.read(first + 3);
                (f64::from(running[i]) - f64::from(bias[i]), f64::from(running[c + i]))
            }
        };
        if kernel.from != From::Running {
            // SAFETY: as above.
            let running = unsafe { args.write(first + 3).all() };
            let n = kernel.positions as f64;
            let kept = if kernel.unbiased { var * n / (n - 1.0).max(1.0) } else { var };
            let m = f64::from(kernel.momentum);
            running[i] = ((1.0 - m) * f64::from(running[i]) + m * (mean + f64::from(bias[i]))) as f32;
            running[c + i] = ((1.0 - m) * f64::from(running[c + i]) + m * kept) as f32;
        }
        let r = 1.0 / (var + f64::from(kernel.eps)).sqrt();
        out[norm::SCALE * c + i] = (f64::from(gamma[i]) * r) as f32;
        out[norm::BETA * c + i] = beta[i];
        out[norm::MEAN * c + i] = mean as f32;
        out[norm::R * c + i] = r as f32;
    }
}

/// Mean and biased variance of channel `i` from tiles of (count, mean, squared deviations):
/// Chan, Golub and LeVeque 1983, in the order of the tiles.
fn joined(partials: &[f32], tiles: usize, c: usize, i: usize) -> (f64, f64) {
    let (mut count, mut mean, mut squares) = (0.0f64, 0.0f64, 0.0f64);
    for t in 0..tiles {
        let [n, m, s] = [0, 1, 2].map(|k| f64::from(partials[(t * 3 + k) * c + i]));
        if n == 0.0 {
            continue;
        }
        let d = m - mean;
        let total = count + n;
        mean += d * n / total;
        squares += s + d * d * count * n / total;
        count = total;
    }
    (mean, squares / count)
}

/// mean = wᵀμ, var = wᵀCw for channel `i` of a recomputed layer 1.
fn of_patches(patches: &[f32], weights: &[f32], taps: usize, c: usize, i: usize) -> (f64, f64) {
    let w = |k: usize| f64::from(weights[k * c + i]);
    let mean = (0..taps).map(|k| w(k) * f64::from(patches[k])).sum();
    let var: f64 = (0..taps).map(|k| (0..taps).map(|l| w(k) * w(l) * f64::from(patches[(k + 1) * taps + l])).sum::<f64>()).sum();
    (mean, var.max(0.0))
}
