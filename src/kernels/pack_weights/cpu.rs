//! `pack_weights` in Rust: a panel a task.

use rayon::prelude::*;

use super::super::winograd::{PRODUCTS, transform_weight};
use crate::kernels::bf16::Bf16;

use super::{Arguments, Layout, PackWeights, filled};
use crate::kernels::products::COLUMNS;

pub fn run(kernel: &PackWeights, args: &Arguments) {
    let p = &kernel.packing;
    let (weights, packed) = (args.read(0), args.write(1));
    let (reduced, given) = p.sides();
    // The weight that output `j` takes from the reduced index `k`.
    let at = |k: usize, j: usize| match p.is_turned() {
        false => k * p.cout + j,
        true => {
            let (tap, o) = (p.taps - 1 - k / p.cout, k % p.cout);
            (tap * p.cin + j) * p.cout + o
        }
    };
    match p.layout {
        // SAFETY: the only slice of the operand.
        Layout::AsIs => unsafe { packed.all() }.copy_from_slice(weights),
        Layout::Turned => {
            // SAFETY: the only slice of the operand.
            for (i, v) in unsafe { packed.all() }.iter_mut().enumerate() {
                let (tap, o, c) = (i / (p.cout * p.cin), i / p.cin % p.cout, i % p.cin);
                *v = weights[(tap * p.cin + c) * p.cout + o];
            }
        }
        Layout::Winograd { width } => (0..given.div_ceil(width)).into_par_iter().for_each(|n| {
            let plane = reduced * width;
            // SAFETY: panels are disjoint.
            let panel = unsafe { packed.range(n * PRODUCTS * plane..(n + 1) * PRODUCTS * plane) };
            for k in 0..reduced {
                for j in 0..width {
                    let given_channel = n * width + j;
                    let u = if given_channel < given {
                        let (i, o) = if p.is_turned() { (given_channel, k) } else { (k, given_channel) };
                        transform_weight([0, 1, 2].map(|tap| weights[(tap * p.cin + i) * p.cout + o]))
                    } else {
                        [0.0; PRODUCTS]
                    };
                    u.iter().enumerate().for_each(|(product, u)| panel[product * plane + k * width + j] = *u);
                }
            }
        }),
        Layout::WinogradPairs { width } => (0..given.div_ceil(width)).into_par_iter().for_each(|n| {
            let plane = reduced.div_ceil(2) * width;
            let packed = args.share::<Bf16>(1);
            // SAFETY: panels are disjoint.
            let panel = unsafe { packed.range(n * PRODUCTS * 2 * plane..(n + 1) * PRODUCTS * 2 * plane) };
            for k in 0..reduced.next_multiple_of(2) {
                for j in 0..width {
                    let given_channel = n * width + j;
                    let u = if given_channel < given && k < reduced {
                        let (i, o) = if p.is_turned() { (given_channel, k) } else { (k, given_channel) };
                        transform_weight([0, 1, 2].map(|tap| weights[(tap * p.cin + i) * p.cout + o]))
                    } else {
                        [0.0; PRODUCTS]
                    };
                    let to = 2 * (k / 2 * width + j) + k % 2;
                    u.iter().enumerate().for_each(|(product, u)| panel[product * 2 * plane + to] = Bf16::from(*u));
                }
            }
        }),
        Layout::Pairs => (0..given.div_ceil(COLUMNS)).into_par_iter().for_each(|n| {
            let (depth, packed) = (filled(reduced), args.share::<Bf16>(1));
            let each = p.taps * depth * COLUMNS;
            // SAFETY: panels are disjoint.
            let panel = unsafe { packed.range(n * each..(n + 1) * each) };
            for (k, pairs) in panel.chunks_exact_mut(2 * COLUMNS).enumerate() {
                let (tap, first) = (k / (depth / 2), 2 * (k % (depth / 2)));
                for (j, v) in pairs.iter_mut().enumerate() {
                    let (k, j) = (first + j % 2, n * COLUMNS + j / 2);
                    *v = if k < reduced && j < given { weights[at(tap * reduced + k, j)].into() } else { Bf16::ZERO };
                }
            }
        }),
        Layout::Panels { width } => (0..given.div_ceil(width)).into_par_iter().for_each(|n| {
            let reduced = p.taps * reduced;
            // SAFETY: panels are disjoint.
            let panel = unsafe { packed.range(n * reduced * width..(n + 1) * reduced * width) };
            for (k, row) in panel.chunks_exact_mut(width).enumerate() {
                for (j, v) in row.iter_mut().enumerate() {
                    let j = n * width + j;
                    *v = if j < given { weights[at(k, j)] } else { 0.0 };
                }
            }
        }),
    }
}
