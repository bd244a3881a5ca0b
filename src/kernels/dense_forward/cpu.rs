//! `dense_forward` in Rust: a clip a task.

use rayon::prelude::*;

use super::{Arguments, DenseForward};
use crate::kernels::Precision;
use crate::kernels::bf16::{Bf16, Element};
use crate::kernels::conv::norm;

pub fn run(kernel: &DenseForward, args: &Arguments) {
    match kernel.choice.precision {
        Precision::F32 => of::<f32>(kernel, args),
        Precision::Mixed => of::<Bf16>(kernel, args),
    }
}

fn of<E: Element>(kernel: &DenseForward, args: &Arguments) {
    let (c, f, o) = (kernel.channels, kernel.features(), kernel.outputs);
    let (below, normal) = (args.slice::<E>(0), args.read(1));
    let mask = kernel.masked.then(|| args.read(2));
    let first = if kernel.masked { 3 } else { 2 };
    let (weights, bias, logits) = (args.read(first), args.read(first + 1), args.write(first + 2));
    (0..kernel.clips).into_par_iter().for_each(|b| {
        // SAFETY: a clip's logits are this task's.
        let out = unsafe { logits.range(b * o..(b + 1) * o) };
        out.copy_from_slice(bias);
        for i in 0..f {
            let [scale, beta, mean] = [norm::SCALE, norm::BETA, norm::MEAN].map(|k| normal[k * c + i % c]);
            let a = (scale * (below[b * f + i].into() - mean) + beta).max(0.0) * mask.map_or(1.0, |m| m[b * f + i]);
            if a != 0.0 {
                out.iter_mut().zip(&weights[i * o..]).for_each(|(z, w)| *z += a * w);
            }
        }
    });
}
