//! The convolution's shaders, both families, on a Vulkan adapter (software Vulkan will do) with all
//! run-time checks on, against plain loops in f64, in the shapes that `check` has not: far paddings, many
//! taps, large windows, ties, optional outputs, ranges of clips. Relative errors are L2.

mod plain;

use tagwalk::device::gpu::{Gpu, Options, adapters, open, run_alone};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::kernels::conv::{Conv, Source};
use tagwalk::kernels::conv_backward::ConvBackward;
use tagwalk::kernels::conv_forward::ConvForward;
use tagwalk::kernels::{Choice, Family, Kernel};
use tagwalk::network::{Layer, Lengths, PoolMode};

use PoolMode::{Ceil, Same, Valid};

/// What the kernels are held to.
const BOUND: f64 = 1e-5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    Wave,
    /// Layer 1 with this kernel, stride, padding.
    First(usize, usize, [usize; 2]),
    Below,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    clips: usize,
    /// Samples of the wave, or positions of the layer below.
    input: usize,
    cin: usize,
    cout: usize,
    kernel: usize,
    stride: usize,
    padding: [usize; 2],
    pool: usize,
    mode: PoolMode,
    reads: Reads,
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    use Reads::{Below, First, Wave};
    type Row = (usize, usize, [usize; 2], usize, usize, [usize; 2], usize, PoolMode, Reads);
    let rows: &[Row] = &[
        // clips, input, [cin, cout], kernel, stride, padding, pool, mode, reads
        (2, 100, [1, 5], 3, 3, [0, 1], 3, Same, Wave),
        (1, 500, [1, 70], 81, 81, [0, 0], 1, Valid, Wave),
        (2, 83, [1, 33], 5, 1, [4, 3], 4, Same, Wave),
        (2, 103, [66, 9], 3, 2, [2, 0], 3, Ceil, First(9, 4, [3, 8])),
        (3, 27, [4, 8], 3, 1, [1, 1], 3, Valid, Below),
        (2, 29, [7, 5], 3, 1, [1, 1], 3, Ceil, Below),
        (2, 2, [3, 130], 3, 1, [1, 1], 2, Same, Below),
        (2, 63, [6, 6], 5, 3, [4, 4], 3, Same, Below),
        (3, 50, [9, 11], 3, 2, [1, 1], 1, Valid, Below),
        (1, 200, [3, 4], 40, 1, [20, 19], 7, Same, Below),
        (1, 150, [3, 4], 3, 1, [1, 1], 30, Same, Below),
        (9, 7, [7, 3], 3, 1, [1, 1], 3, Valid, Below),
    ];
    let case = |&(clips, input, [cin, cout], kernel, stride, padding, pool, mode, reads): &Row| {
        Case { clips, input, cin, cout, kernel, stride, padding, pool, mode, reads }
    };
    rows.iter().map(case).collect()
}

fn gpu(max_binding: Option<u64>) -> Gpu {
    assert!(
        !adapters::list().is_empty(),
        "these tests need a Vulkan adapter; software will do: install mesa-vulkan-drivers and libvulkan1"
    );
    let selection = Selection { device: DeviceKind::Gpu, adapter: Some("0".into()) };
    open(&selection).unwrap().with(Options { checked: true, max_binding, ..Options::default() })
}

/// Values that are not symmetric and differ in size: a fixed sequence, no two alike.
fn values(n: usize, seed: u64, low: f64, high: f64) -> Vec<f32> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (low + (high - low) * (x >> 11) as f64 / (1u64 << 53) as f64) as f32
        })
        .collect()
}

/// A case made into a convolution with all that it reads.
struct Problem {
    conv: Conv,
    source: Source,
    inputs: plain::Inputs,
    /// `[tap, cin, cout]`
    weights: Vec<f32>,
    /// A third negative, a few zero.
    gamma: Vec<f32>,
}

impl Problem {
    fn new(case: &Case) -> Problem {
        let layer =
            |cin, cout, kernel, stride, padding, pool, pool_mode| Layer { cin, cout, kernel, stride, padding, pool, pool_mode };
        let own = layer(case.cin, case.cout, case.kernel, case.stride, case.padding, case.pool, case.mode);
        let samples = case.input;
        let stride = samples.next_multiple_of(2);
        let (source, input) = match case.reads {
            Reads::Wave => (Source::Wave { stride }, samples),
            Reads::Below => (Source::Below, case.input),
            Reads::First(kernel, first_stride, padding) => {
                let first = layer(1, case.cin, kernel, first_stride, padding, 1, Valid);
                let input = first.conv_length(samples).unwrap();
                (Source::FirstLayer { layer: first, samples, stride }, input)
            }
        };
        let conv_length = own.conv_length(input).unwrap();
        let lengths = Lengths { input, conv: conv_length, output: own.pooled_length(conv_length) };
        let conv = Conv::new(&own, lengths, case.clips);
        let c = case.cin;
        let scale = values(c, 11, -1.0, 2.0);
        let norm = [scale, values(c, 12, -0.4, 0.6), values(c, 13, -0.5, 0.5), values(c, 14, 0.5, 2.0)].concat();
        let inputs = plain::Inputs {
            wave: values(case.clips * stride, 15, -32768.0, 32767.0).iter().map(|&v| v as i16).collect(),
            first_weights: values(9 * c, 16, -1.0, 1.0),
            below: values(case.clips * input * c, 17, -1.0, 1.5),
            norm,
        };
        let weights = values(case.kernel * c * case.cout, 18, -0.8, 0.7);
        let gamma = (0..case.cout).map(|o| [1.5, -0.5, 0.7, 0.0, 1.0][(o + 1) % 5]).collect();
        Problem { conv, source, inputs, weights, gamma }
    }

    fn first_weights(&self) -> &[f32] {
        let taps = if let Source::FirstLayer { layer, .. } = &self.source { layer.kernel } else { 0 };
        &self.inputs.first_weights[..taps * self.conv.cin]
    }

    fn run(&self, gpu: &Gpu, kernel: &dyn Kernel, more: &[(&str, &[f32])]) -> Vec<Vec<f32>> {
        let bytes = |name: &str| match name {
            "wave" => Some(bytemuck::cast_slice(&self.inputs.wave).to_vec()),
            "first_weights" => Some(bytemuck::cast_slice(self.first_weights()).to_vec()),
            "first_norm" | "below_norm" => Some(bytemuck::cast_slice(&self.inputs.norm).to_vec()),
            "below" => Some(bytemuck::cast_slice(&self.inputs.below).to_vec()),
            "gamma" => Some(bytemuck::cast_slice(&self.gamma).to_vec()),
            _ => more.iter().find(|(n, _)| *n == name).map(|(_, v)| bytemuck::cast_slice(v).to_vec()),
        };
        let results = run_alone(gpu, kernel, &|o| bytes(o.name)).unwrap();
        results.iter().map(|b| bytemuck::pod_collect_to_vec(b)).collect()
    }

    fn forward(&self, family: &Family, keep_z: bool, statistics: bool) -> ConvForward {
        let choice = Choice::gpu(family.clone());
        ConvForward { conv: self.conv.clone(), source: self.source.clone(), keep_z, statistics, choice }
    }

    fn backward(&self, family: &Family) -> ConvBackward {
        ConvBackward { conv: self.conv.clone(), source: self.source.clone(), choice: Choice::gpu(family.clone()) }
    }

    /// Runs backward on z, whose p is selected from it, on dy and coefficients.
    fn run_backward(
        &self,
        gpu: &Gpu,
        kernel: &ConvBackward,
        z: &[f32],
        p: &[f32],
        dy: &[f32],
        coefficients: &[f32],
    ) -> Vec<Vec<f32>> {
        let (taps, cin, cout) = (self.conv.taps, self.conv.cin, self.conv.cout);
        let turned: Vec<f32> =
            (0..self.weights.len()).map(|n| self.weights[(n / cin / cout * cin + n % cin) * cout + n / cin % cout]).collect();
        let as_is = kernel.packing().shape() == [taps, cin, cout] && !kernel.packing().is_needed();
        let weights = if as_is { &self.weights } else { &turned };
        self.run(gpu, kernel, &[("z", z), ("p", p), ("dy", dy), ("coefficients", coefficients), ("weights", weights)])
    }
}

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
        let kernel = problem.forward(&family, true, true);
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
            let fewer = problem.forward(&family, keep_z, statistics);
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
    for family in [Family::Plain, Family::Tiled] {
        for case in cases().iter().filter(|case| case.reads == Reads::Below) {
            let mut problem = Problem::new(case);
            let means = 2 * case.cin..3 * case.cin;
            problem.inputs.below.iter_mut().chain(&mut problem.inputs.norm[means]).for_each(|v| *v += 2000.0);
            let a = plain::activations(&problem.conv, &problem.source, &problem.inputs);
            let z = plain::forward(&problem.conv, &a, &problem.weights);
            let kernel = problem.forward(&family, true, false);
            let results = problem.run(&gpu, &kernel, &[("weights", &problem.weights)]);
            close(case, "z", &results[kernel.places().z.unwrap()], &z);
        }
    }
}

/// What backward is given: z with ties inside windows, the places of its p, p, dy, coefficients.
type Upstream = (Vec<f32>, Vec<usize>, Vec<f32>, Vec<f32>, Vec<f32>);

fn upstream(problem: &Problem) -> Upstream {
    let conv = &problem.conv;
    let mut z = values(conv.positions() * conv.cout, 21, -1.0, 1.2);
    for n in conv.cout..z.len() {
        if n % 4 == 0 {
            z[n] = z[n - conv.cout];
        }
    }
    let selected = plain::selected(conv, &z, &problem.gamma);
    let at = |n: usize, l: usize| (n / conv.cout / conv.windows.count * conv.length() + l) * conv.cout + n % conv.cout;
    let p = selected.iter().enumerate().map(|(n, &l)| z[at(n, l)]).collect();
    let dy = values(selected.len(), 22, -1.0, 1.0);
    let coefficients = values(4 * conv.cout, 23, -1.0, 1.0);
    (z, selected, p, dy, coefficients)
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
        let kernel = problem.backward(&family);
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

/// Every operand, to the bit (read as f32, samples may be NaN).
fn same(case: &Case, kernel: &dyn Kernel, one: &[Vec<f32>], other: &[Vec<f32>]) {
    for ((a, b), operand) in one.iter().zip(other).zip(kernel.operands()) {
        let same = a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{case:?}, {}: {}", kernel.name(), operand.name);
    }
}

/// With bindings of 8 KiB most cases need several ranges of clips, some beginning off alignment: not a
/// bit changes. Where a clip alone takes more, the dispatch is refused and the case is left out.
#[test]
fn ranges_of_clips_change_no_bit() {
    const SMALL: u64 = 8 << 10;
    let (whole, ranges) = (gpu(None), gpu(Some(SMALL)));
    let mut split = 0;
    for case in cases() {
        let case = Case { clips: 2 * case.clips + 9, ..case };
        let problem = Problem::new(&case);
        let (z, _, p, dy, coefficients) = upstream(&problem);
        for family in [Family::Plain, Family::Tiled] {
            let forward = problem.forward(&family, true, true);
            let backward = problem.backward(&family);
            let fits = |kernel: &dyn Kernel| {
                let dispatches = kernel.dispatches(&ranges.limits());
                dispatches.iter().all(|d| d.bindings.iter().all(|b| b.length <= SMALL)).then_some(dispatches.len())
            };
            if let Some(dispatches) = fits(&forward) {
                let run = |gpu: &Gpu| problem.run(gpu, &forward, &[("weights", &problem.weights)]);
                same(&case, &forward, &run(&whole), &run(&ranges));
                split += usize::from(dispatches > 1);
            }
            if let Some(dispatches) = fits(&backward) {
                let run = |gpu: &Gpu| problem.run_backward(gpu, &backward, &z, &p, &dy, &coefficients);
                same(&case, &backward, &run(&whole), &run(&ranges));
                split += usize::from(dispatches > 3);
            }
        }
    }
    assert!(split >= 20, "only {split} of the calls were split");
}
