//! The convolution's shaders, every family whose shape decides, on a Vulkan adapter (software Vulkan will do) with all
//! run-time checks on, against plain loops in f64, in the shapes that `check` has not: far paddings, many
//! taps, large windows, ties, optional outputs. Relative errors are L2.

mod plain;
mod problem;

use problem::{Case, Problem, Reads, cases, gpu, upstream};
use tagwalk::kernels::Family;
use tagwalk::kernels::conv::Source;

/// What the kernels are held to.
const BOUND: f64 = 1e-5;

/// ‖a − b‖ / ‖b‖; where b is 0, the largest |a|.
fn error(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - b).powi(2)).sum();
    let size: f64 = b.iter().map(|b| b * b).sum();
    if size == 0.0 { difference.sqrt() } else { (difference / size).sqrt() }
}

#[track_caller]
fn close(case: &Case, what: &str, a: &[f32], b: &[f64]) -> f64 {
    let e = error(a, b);
    assert!(e < BOUND, "{case:?}: {what}: relative error {e:e}");
    e
}

/// Sums over the tiles of `partials [tile, sum, channel]`.
fn added(partials: &[f32], sums: usize, channels: usize) -> Vec<f64> {
    let mut all = vec![0.0; sums * channels];
    for (n, &v) in partials.iter().enumerate() {
        all[n % (sums * channels)] += f64::from(v);
    }
    all
}

/// Mean and variance a channel from tiles of (count, mean, Σ(z − mean)²).
fn joined(partials: &[f32], channels: usize, positions: usize) -> (Vec<f32>, Vec<f32>) {
    let rows = |o: usize| {
        let value = move |tile: &[f32], row: usize| f64::from(tile[row * channels + o]);
        partials.chunks(3 * channels).map(move |t| (value(t, 0), value(t, 1), value(t, 2)))
    };
    (0..channels)
        .map(|o| {
            let count: f64 = rows(o).map(|(n, _, _)| n).sum();
            assert_eq!(count, positions as f64);
            let mean = rows(o).map(|(n, m, _)| n * m).sum::<f64>() / count;
            let deviations: f64 = rows(o).map(|(n, m, d)| d + n * (m - mean).powi(2)).sum();
            (mean as f32, (deviations / count) as f32)
        })
        .unzip()
}

fn forward_is_right(family: Family) {
    let gpu = gpu(None);
    let mut worst = 0.0f64;
    for case in cases() {
        let problem = Problem::new(&case);
        let (conv, pooled) = (&problem.conv, case.pool > 1);
        let a = plain::activations(conv, &problem.source, &problem.inputs);
        let z = plain::forward(conv, &a, &problem.weights);
        let kernel = problem.forward(family, true, true);
        let results = problem.run(&gpu, &kernel, &[("weights", &problem.weights)]);
        let places = kernel.places();
        let own = &results[places.z.unwrap()];
        worst = worst.max(close(&case, "z", own, &z));
        if let Some(p) = places.p {
            let at = |n: usize, l: usize| (n / conv.cout / conv.windows.count * conv.length() + l) * conv.cout + n % conv.cout;
            // p is taken from the stored z, to the bit; and it is the textbook's.
            let selected = plain::selected(conv, own, &problem.gamma);
            let stored: Vec<f32> = selected.iter().enumerate().map(|(n, &l)| own[at(n, l)]).collect();
            assert_eq!(results[p], stored, "{case:?}: p");
            let selected = plain::selected(conv, &z, &problem.gamma);
            let expected: Vec<f64> = selected.iter().enumerate().map(|(n, &l)| z[at(n, l)]).collect();
            worst = worst.max(close(&case, "p", &results[p], &expected));
        }
        let (mean, variance) = joined(&results[places.partials.unwrap()], conv.cout, conv.positions());
        let column = |o: usize| z.iter().skip(o).step_by(conv.cout);
        let n = conv.positions() as f64;
        let means: Vec<f64> = (0..conv.cout).map(|o| column(o).sum::<f64>() / n).collect();
        let variances: Vec<f64> = (0..conv.cout).map(|o| column(o).map(|z| (z - means[o]).powi(2)).sum::<f64>() / n).collect();
        worst = worst.max(close(&case, "mean", &mean, &means));
        worst = worst.max(close(&case, "variance", &variance, &variances));

        // What is not asked for changes nothing in what is: a pooled layer and one without.
        if (case.cin, case.cout) != (9, 11) && (case.cin, case.cout) != (7, 5) {
            continue;
        }
        for (keep_z, statistics) in [(false, false), (true, false), (false, true)] {
            let fewer = problem.forward(family, keep_z, statistics);
            let less = problem.run(&gpu, &fewer, &[("weights", &problem.weights)]);
            let there = fewer.places();
            assert_eq!((there.z.is_some(), there.partials.is_some()), (keep_z || !pooled, statistics));
            for (one, all) in [(there.z, places.z), (there.p, places.p), (there.partials, places.partials)] {
                if let Some(one) = one {
                    assert_eq!(less[one], results[all.unwrap()], "{case:?}: keep_z {keep_z}, statistics {statistics}");
                }
            }
        }
    }
    println!("worst relative error, {family:?}: {worst:.1e}");
}

#[test]
fn plain_forward_is_right() {
    forward_is_right(Family::Plain);
}

#[test]
fn tiled_forward_is_right() {
    forward_is_right(Family::Tiled);
}

/// A layer below whose values lie two thousand deviations from zero is read as exactly as one about zero.
#[test]
fn a_mean_far_from_zero_costs_no_digits() {
    let gpu = gpu(None);
    for family in [Family::Plain, Family::Tiled, Family::Registers] {
        for case in cases().iter().filter(|case| case.reads == Reads::Below) {
            let mut problem = Problem::new(case);
            let means = 2 * case.cin..3 * case.cin;
            problem.inputs.below.iter_mut().chain(&mut problem.inputs.norm[means]).for_each(|v| *v += 2000.0);
            let a = plain::activations(&problem.conv, &problem.source, &problem.inputs);
            let z = plain::forward(&problem.conv, &a, &problem.weights);
            let kernel = problem.forward(family, true, false);
            let results = problem.run(&gpu, &kernel, &[("weights", &problem.weights)]);
            close(case, "z", &results[kernel.places().z.unwrap()], &z);
        }
    }
}

#[test]
fn register_forward_is_right() {
    forward_is_right(Family::Registers);
}

fn backward_is_right(family: Family) {
    let gpu = gpu(None);
    let mut worst = 0.0f64;
    for case in cases() {
        let problem = Problem::new(&case);
        let (conv, source, inputs) = (&problem.conv, &problem.source, &problem.inputs);
        let (z, selected, p, dy, coefficients) = upstream(&problem);
        let a = plain::activations(conv, source, inputs);
        let dz = plain::dz(conv, &z, &selected, &dy, &coefficients);
        let (dw, mut da) = plain::backward(conv, &a, &dz, &problem.weights);
        let kernel = problem.backward(family);
        let results = problem.run_backward(&gpu, &kernel, &z, &p, &dy, &coefficients);
        let places = kernel.places();
        worst = worst.max(close(&case, "dw", &results[places.weights_gradient], &dw));
        let Some(partials) = places.below_partials else { continue };

        let mut sums = vec![0.0; kernel.sums() * conv.cin];
        for (n, da) in da.iter_mut().enumerate() {
            let (b, j, i) = (n / conv.cin / conv.input, n / conv.cin % conv.input, n % conv.cin);
            if !plain::open(conv, source, inputs, b, j, i) {
                *da = 0.0;
            }
            for s in 0..kernel.sums() {
                let factor = match source {
                    Source::FirstLayer { layer, samples, stride } if s < layer.kernel => {
                        let at = (j * layer.stride + s) as i64 - layer.padding[0] as i64;
                        plain::sample(inputs, *stride, *samples, b, at)
                    }
                    Source::Below if s == 1 => {
                        let value = plain::below(conv, source, inputs, b, j, i);
                        (value - plain::norm(conv, inputs, 2, i)) * plain::norm(conv, inputs, 3, i)
                    }
                    _ => 1.0,
                };
                sums[s * conv.cin + i] += *da * factor;
            }
        }
        if let Some(below_dy) = places.below_dy {
            worst = worst.max(close(&case, "dy below", &results[below_dy], &da));
        }
        let own: Vec<f32> = added(&results[partials], kernel.sums(), conv.cin).iter().map(|&v| v as f32).collect();
        worst = worst.max(close(&case, "sums below", &own, &sums));
    }
    println!("worst relative error, {family:?}: {worst:.1e}");
}

#[test]
fn plain_backward_is_right() {
    backward_is_right(Family::Plain);
}

#[test]
fn tiled_backward_is_right() {
    backward_is_right(Family::Tiled);
}

#[test]
fn register_backward_is_right() {
    backward_is_right(Family::Registers);
}
