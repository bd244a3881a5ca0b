//! `dense_backward` in Rust: features in chunks for dw, clips for dy.

use rayon::prelude::*;

use super::{Arguments, DenseBackward};
use crate::kernels::Precision;
use crate::kernels::bf16::{Bf16, Element};
use crate::kernels::conv::norm;

pub fn run(kernel: &DenseBackward, args: &Arguments) {
    match kernel.choice.precision {
        Precision::F32 => of::<f32>(kernel, args),
        Precision::Mixed => of::<Bf16>(kernel, args),
    }
}

fn of<E: Element>(kernel: &DenseBackward, args: &Arguments) {
    let (c, f, o) = (kernel.channels, kernel.features(), kernel.outputs);
    let below = args.slice::<E>(0);
    let [normal, mask, weights, g] = [1, 2, 3, 4].map(|i| args.read(i));
    let [dw, dbias, partials] = [5, 6, 8].map(|i| args.write(i));
    let dy = args.share::<E>(7);
    // a before dropout.
    let affine = |b: usize, i: usize| {
        let [scale, beta, mean] = [norm::SCALE, norm::BETA, norm::MEAN].map(|k| normal[k * c + i % c]);
        scale * (below[b * f + i].into() - mean) + beta
    };
    (0..f).into_par_iter().with_min_len(16).for_each(|i| {
        // SAFETY: a feature's row is this task's.
        let row = unsafe { dw.range(i * o..(i + 1) * o) };
        row.fill(0.0);
        for b in 0..kernel.clips {
            let a = affine(b, i).max(0.0) * mask[b * f + i];
            if a != 0.0 {
                row.iter_mut().zip(&g[b * o..]).for_each(|(sum, g)| *sum += a * g);
            }
        }
    });
    // SAFETY: the only slice of the operand.
    let dbias = unsafe { dbias.all() };
    dbias.fill(0.0);
    for g in g.chunks_exact(o) {
        dbias.iter_mut().zip(g).for_each(|(sum, g)| *sum += g);
    }
    (0..kernel.clips).into_par_iter().for_each(|b| {
        // SAFETY: a clip's rows are this task's.
        let (dy, sums) = unsafe { (dy.range(b * f..(b + 1) * f), partials.range(b * 2 * c..(b + 1) * 2 * c)) };
        sums.fill(0.0);
        let g = &g[b * o..(b + 1) * o];
        for i in 0..f {
            let open = affine(b, i) > 0.0 && mask[b * f + i] != 0.0;
            let da: f32 = if open { g.iter().zip(&weights[i * o..]).map(|(g, w)| g * w).sum() } else { 0.0 };
            // The sums are of what is stored: of what the layer below reads.
            dy[i] = E::from(da * mask[b * f + i]);
            let (d, p): (f32, f32) = (dy[i].into(), below[b * f + i].into());
            sums[i % c] += d;
            sums[c + i % c] += d * (p - normal[norm::MEAN * c + i % c]) * normal[norm::R * c + i % c];
        }
    });
}
