//! `sgd` in Rust: blocks of the flat tensors, shared out among threads.

use rayon::prelude::*;

use super::{Arguments, BLOCK, FINITE, Sgd};

pub fn run(kernel: &Sgd, args: &Arguments) {
    let (gradients, hyper) = (args.read(0), args.read(1));
    let (rate, momentum) = (hyper[0], hyper[1]);
    let (parameters, momenta) = (args.write(2), args.write(3));
    let bad = (0..kernel.elements / BLOCK)
        .into_par_iter()
        .with_min_len(256)
        .map(|block| {
            let range = block * BLOCK..(block + 1) * BLOCK;
            // SAFETY: blocks are disjoint.
            let (p, u) = unsafe { (parameters.range(range.clone()), momenta.range(range.clone())) };
            let mut finite = true;
            for ((p, u), g) in p.iter_mut().zip(u).zip(&gradients[range]) {
                *u = momentum * *u + g;
                *p -= rate * (g + momentum * *u);
                finite &= g.is_finite() & p.is_finite();
            }
            if finite { FINITE } else { block as u32 }
        })
        .min()
        .unwrap_or(FINITE);
    // SAFETY: the only slice of the operand.
    let status = unsafe { args.write_u32(4).all() };
    status[0] = bad;
}
