//! The kernels around the convolutions on a Vulkan adapter (software Vulkan will do), with all of the
//! shaders' run-time checks on, against plain loops in f64. Relative errors are L2, over all values of
//! a result.

mod common;

use common::kernels::{DENSE, batch_norm_forward, dense_backward, dense_forward, loss, packings};
use tagwalk::device::gpu::{Gpu, Options, adapters, open, run_alone};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::kernels::batch_norm_backward::{BatchNormBackward, Of};
use tagwalk::kernels::batch_norm_forward::From;
use tagwalk::kernels::pack_weights::{Layout, Product};
use tagwalk::kernels::sgd::{BLOCK, FINITE, Sgd};
use tagwalk::kernels::{Choice, Family, Kernel};

/// What a kernel alone is held to in f32; the same on every adapter.
const BOUND: f64 = 2e-6;

const FAMILIES: [Family; 2] = [Family::Plain, Family::Tiled];

fn gpu() -> Gpu {
    let help = "these tests need a Vulkan adapter; software will do: install mesa-vulkan-drivers and libvulkan1";
    assert!(!adapters::list().is_empty(), "{help}");
    let selection = Selection { device: DeviceKind::Gpu, adapter: Some("0".into()) };
    open(&selection).unwrap().with(Options { checked: true, ..Options::default() })
}

/// A fixed sequence of values between two bounds (xorshift, Marsaglia 2003).
fn values(n: usize, seed: u64, low: f64, high: f64) -> Vec<f32> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (low + (high - low) * (x >> 11) as f64 / (1u64 << 53) as f64) as f32
    };
    (0..n).map(|_| next()).collect()
}

/// Operands by name.
struct Ran(Vec<(&'static str, Vec<f32>)>);

impl Ran {
    fn get(&self, name: &str) -> &[f32] {
        &self.0.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no operand {name}")).1
    }
}

fn run(gpu: &Gpu, kernel: &dyn Kernel, inputs: &[(&str, &[f32])]) -> Ran {
    let bytes = |name: &str| inputs.iter().find(|(n, _)| *n == name).map(|(_, v)| bytemuck::cast_slice(v).to_vec());
    let results = run_alone(gpu, kernel, &|o| bytes(o.name)).unwrap();
    Ran(kernel.operands().iter().zip(results).map(|(o, b)| (o.name, bytemuck::pod_collect_to_vec(&b))).collect())
}

#[track_caller]
fn close(what: &str, a: &[f32], b: &[f64]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - b).powi(2)).sum();
    let size: f64 = b.iter().map(|b| b * b).sum();
    let error = difference.sqrt() / size.sqrt().max(1e-30);
    assert!(error < BOUND, "{what}: relative error {error:e}");
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

#[test]
fn batch_norm_joins_tiles_whose_mean_is_far_from_zero() {
    let gpu = gpu();
    for family in FAMILIES {
        for (channels, tiles, unbiased) in [(1, 1, false), (3, 5, true), (8, 64, true), (33, 700, false), (128, 7000, true)] {
            // Tiles of 64 positions, the last one shorter; some with nothing in them.
            let mut partials = values(tiles * 3 * channels, 1, 99.0, 101.0);
            let mut positions = 0;
            for t in 0..tiles {
                let n = if t + 1 == tiles { 7 } else { 64 * usize::from(t % 5 != 3) };
                positions += n;
                for c in 0..channels {
                    partials[t * 3 * channels + c] = n as f32;
                    let squares = &mut partials[(t * 3 + 2) * channels + c];
                    *squares = if n == 0 { 0.0 } else { (*squares - 98.0) * n as f32 };
                }
            }
            let kernel = batch_norm_forward(channels, From::Partials { tiles }, positions, unbiased, &family);
            let n = positions as f64;
            let at = |t: usize, row: usize, c: usize| f64::from(partials[(t * 3 + row) * channels + c]);
            let mean: Vec<f64> = (0..channels).map(|c| (0..tiles).map(|t| at(t, 0, c) * at(t, 1, c)).sum::<f64>() / n).collect();
            let variance: Vec<f64> = (0..channels)
                .map(|c| (0..tiles).map(|t| at(t, 2, c) + at(t, 0, c) * (at(t, 1, c) - mean[c]).powi(2)).sum::<f64>() / n)
                .collect();
            statistics(&gpu, &kernel, &[("partials", &partials)], &mean, &variance);
        }
    }
}

#[test]
fn batch_norm_of_layer_1_follows_from_its_patches() {
    let gpu = gpu();
    for (channels, taps) in [(1, 1), (5, 3), (128, 3), (70, 9)] {
        let weights = values(taps * channels, 2, -0.4, 0.6);
        let mean: Vec<f64> = wide(&values(taps, 3, -0.1, 0.2));
        // A covariance: A·Aᵀ.
        let a = wide(&values(taps * taps, 4, -0.3, 0.4));
        let covariance = |k: usize, j: usize| (0..taps).map(|i| a[k * taps + i] * a[j * taps + i]).sum::<f64>();
        let mut patches: Vec<f32> = mean.iter().map(|&m| m as f32).collect();
        patches.extend((0..taps * taps).map(|i| covariance(i / taps, i % taps) as f32));
        let w = |k: usize, c: usize| f64::from(weights[k * channels + c]);
        let of_mean: Vec<f64> = (0..channels).map(|c| (0..taps).map(|k| w(k, c) * mean[k]).sum()).collect();
        let quadratic =
            |c: usize| (0..taps * taps).map(|i| w(i / taps, c) * w(i % taps, c) * covariance(i / taps, i % taps)).sum();
        let variance: Vec<f64> = (0..channels).map(quadratic).collect();
        let kernel = batch_norm_forward(channels, From::Patches { taps }, 1234, true, &Family::Plain);
        statistics(&gpu, &kernel, &[("patches", &patches), ("weights", &weights)], &of_mean, &variance);
    }
}

/// Everything that `batch_norm_forward` makes of a mean and a variance.
fn statistics(
    gpu: &Gpu,
    kernel: &tagwalk::kernels::batch_norm_forward::BatchNormForward,
    inputs: &[(&str, &[f32])],
    mean: &[f64],
    variance: &[f64],
) {
    let c = mean.len();
    let (gamma, beta) = (values(c, 5, -1.0, 2.0), values(c, 6, -1.0, 0.5));
    let (bias, running) = (values(c, 7, -0.5, 0.5), values(2 * c, 8, 0.5, 1.5));
    let mut inputs = inputs.to_vec();
    inputs.extend([("gamma", &*gamma), ("beta", &*beta), ("bias", &*bias), ("running", &*running)]);
    let ran = run(gpu, kernel, &inputs);
    let r: Vec<f64> = variance.iter().map(|v| 1.0 / (v + f64::from(kernel.eps)).sqrt()).collect();
    let scale: Vec<f64> = (0..c).map(|i| f64::from(gamma[i]) * r[i]).collect();
    let shift: Vec<f64> = (0..c).map(|i| f64::from(beta[i]) - mean[i] * scale[i]).collect();
    for (row, (what, expected)) in
        [("scale", &scale), ("shift", &shift), ("mean", &mean.to_vec()), ("r", &r)].into_iter().enumerate()
    {
        close(&format!("{what} of {kernel:?}"), &ran.get("norm")[row * c..(row + 1) * c], expected);
    }
    let (m, n) = (f64::from(kernel.momentum), kernel.positions as f64);
    let unbiased = if kernel.unbiased { n / (n - 1.0) } else { 1.0 };
    let old = wide(&running);
    let new_mean: Vec<f64> = (0..c).map(|i| (1.0 - m) * old[i] + m * (mean[i] + f64::from(bias[i]))).collect();
    let new_variance: Vec<f64> = (0..c).map(|i| (1.0 - m) * old[c + i] + m * variance[i] * unbiased).collect();
    close(&format!("running mean of {kernel:?}"), &ran.get("running")[..c], &new_mean);
    close(&format!("running variance of {kernel:?}"), &ran.get("running")[c..], &new_variance);
}

#[test]
fn batch_norm_in_evaluation_uses_the_running_statistics_and_leaves_them() {
    let gpu = gpu();
    for c in [1, 7, 65, 512] {
        let kernel = batch_norm_forward(c, From::Running, 10, false, &Family::Plain);
        let (gamma, beta) = (values(c, 1, -1.0, 2.0), values(c, 2, -1.0, 0.5));
        let (bias, running) = (values(c, 3, -0.5, 0.5), values(2 * c, 4, 0.5, 1.5));
        let ran = run(&gpu, &kernel, &[("gamma", &gamma), ("beta", &beta), ("bias", &bias), ("running", &running)]);
        assert_eq!(ran.get("running"), running);
        // The textbook: gamma·(z + bias − running mean)·r + beta, at z = 0 and as a slope.
        let r = |i: usize| 1.0 / (f64::from(running[c + i]) + f64::from(kernel.eps)).sqrt();
        let scale: Vec<f64> = (0..c).map(|i| f64::from(gamma[i]) * r(i)).collect();
        let shift: Vec<f64> =
            (0..c).map(|i| f64::from(beta[i]) + (f64::from(bias[i]) - f64::from(running[i])) * scale[i]).collect();
        close("scale", &ran.get("norm")[..c], &scale);
        close("shift", &ran.get("norm")[c..2 * c], &shift);
    }
}

#[test]
fn batch_norm_backward_adds_up_tiles_and_gives_the_coefficients() {
    let gpu = gpu();
    for (c, tiles) in [(1, 1), (3, 5), (8, 64), (33, 700), (128, 7000)] {
        let positions = 64 * tiles;
        let kernel = BatchNormBackward { channels: c, of: Of::Stored, tiles, positions, choice: Choice::gpu(Family::Plain) };
        let (partials, norm) = (values(tiles * 2 * c, 1, -1.0, 1.5), values(4 * c, 2, -1.0, 2.0));
        let ran = run(&gpu, &kernel, &[("partials", &partials), ("norm", &norm)]);
        let sum = |row: usize, i: usize| (0..tiles).map(|t| f64::from(partials[(t * 2 + row) * c + i])).sum::<f64>();
        let beta: Vec<f64> = (0..c).map(|i| sum(0, i)).collect();
        let gamma: Vec<f64> = (0..c).map(|i| sum(1, i)).collect();
        close("beta", ran.get("beta_gradient"), &beta);
        close("gamma", ran.get("gamma_gradient"), &gamma);
        let (norm, n) = (wide(&norm), positions as f64);
        let c1: Vec<f64> = (0..c).map(|i| -norm[i] * norm[3 * c + i] * gamma[i] / n).collect();
        let c0: Vec<f64> = (0..c).map(|i| -norm[i] * beta[i] / n - c1[i] * norm[2 * c + i]).collect();
        close("s", &ran.get("coefficients")[..c], &norm[..c]);
        close("c0", &ran.get("coefficients")[c..2 * c], &c0);
        close("c1", &ran.get("coefficients")[2 * c..], &c1);
    }
}

#[test]
fn layer_1_gets_its_gradient_from_patches() {
    // A layer of one clip, whole: patches, their convolution, batch norm; the textbook's gradient.
    let gpu = gpu();
    for (c, taps, n, tiles) in [(1, 1, 7, 1), (5, 3, 100, 4), (40, 3, 1000, 37), (9, 9, 300, 10)] {
        let patch: Vec<f64> = wide(&values(n * taps, 1, -0.2, 0.3));
        let (weights, dy) = (values(taps * c, 2, -0.5, 0.6), values(n * c, 3, -1.0, 1.2));
        let gamma = values(c, 4, -1.0, 2.0);
        let (w, d) = (wide(&weights), wide(&dy));
        let mu: Vec<f64> = (0..taps).map(|k| (0..n).map(|l| patch[l * taps + k]).sum::<f64>() / n as f64).collect();
        let covariance = |k: usize, j: usize| {
            (0..n).map(|l| (patch[l * taps + k] - mu[k]) * (patch[l * taps + j] - mu[j])).sum::<f64>() / n as f64
        };
        let mut patches: Vec<f32> = mu.iter().map(|&m| m as f32).collect();
        patches.extend((0..taps * taps).map(|i| covariance(i / taps, i % taps) as f32));
        let mut norm = vec![0.0f32; 4 * c];
        let (mut dgamma, mut dbeta, mut dw) = (vec![0.0; c], vec![0.0; c], vec![0.0; taps * c]);
        for o in 0..c {
            let z: Vec<f64> = (0..n).map(|l| (0..taps).map(|k| patch[l * taps + k] * w[k * c + o]).sum()).collect();
            let mean = z.iter().sum::<f64>() / n as f64;
            let variance = z.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / n as f64;
            let r = 1.0 / (variance + 1e-3).sqrt();
            let scale = f64::from(gamma[o]) * r;
            let x: Vec<f64> = z.iter().map(|z| (z - mean) * r).collect();
            dbeta[o] = (0..n).map(|l| d[l * c + o]).sum();
            dgamma[o] = (0..n).map(|l| d[l * c + o] * x[l]).sum();
            for l in 0..n {
                // Ioffe and Szegedy 2015, section 3.
                let dz = scale * (d[l * c + o] - dbeta[o] / n as f64 - x[l] * dgamma[o] / n as f64);
                for k in 0..taps {
                    dw[k * c + o] += patch[l * taps + k] * dz;
                }
            }
            for (row, value) in [scale, 0.0, mean, r].into_iter().enumerate() {
                norm[row * c + o] = value as f32;
            }
        }
        let mut partials = vec![0.0f32; tiles * (taps + 1) * c];
        for (i, p) in partials.iter_mut().enumerate() {
            let (t, k, o) = (i / c / (taps + 1), i / c % (taps + 1), i % c);
            let tile = t * n / tiles..(t + 1) * n / tiles;
            *p = tile.map(|l| d[l * c + o] * if k < taps { patch[l * taps + k] } else { 1.0 }).sum::<f64>() as f32;
        }
        let of = Of::FirstLayer { taps };
        let kernel = BatchNormBackward { channels: c, of, tiles, positions: n, choice: Choice::gpu(Family::Plain) };
        let inputs: [(&str, &[f32]); 4] =
            [("partials", &partials), ("norm", &norm), ("patches", &patches), ("weights", &weights)];
        let ran = run(&gpu, &kernel, &inputs);
        close("beta", ran.get("beta_gradient"), &dbeta);
        close("gamma", ran.get("gamma_gradient"), &dgamma);
        close("weights", ran.get("weights_gradient"), &dw);
    }
}

#[test]
fn the_dense_layer_forwards_and_backwards() {
    let gpu = gpu();
    for family in FAMILIES {
        for shape @ [clips, positions, channels, outputs] in DENSE {
            let f = positions * channels;
            let below = values(clips * f, 1, -1.0, 2.0);
            let norm = values(4 * channels, 2, -0.5, 1.5);
            let mask: Vec<f32> = values(clips * f, 3, -1.0, 1.0).iter().map(|&v| if v > 0.0 { 2.0 } else { 0.0 }).collect();
            let (weights, bias) = (values(f * outputs, 4, -0.2, 0.3), values(outputs, 5, -1.0, 1.0));
            let (w, p, n) = (wide(&weights), wide(&below), wide(&norm));
            let affine = |i: usize| n[i % channels] * p[i] + n[channels + i % channels];
            for masked in [false, true] {
                let kernel = dense_forward(shape, masked, &family);
                let inputs: [(&str, &[f32]); 5] =
                    [("below", &below), ("below_norm", &norm), ("mask", &mask), ("weights", &weights), ("bias", &bias)];
                let ran = run(&gpu, &kernel, &inputs);
                let a = |i: usize| affine(i).max(0.0) * if masked { f64::from(mask[i]) } else { 1.0 };
                let logit =
                    |b: usize, o: usize| (0..f).map(|j| a(b * f + j) * w[j * outputs + o]).sum::<f64>() + f64::from(bias[o]);
                let expected: Vec<f64> = (0..clips * outputs).map(|i| logit(i / outputs, i % outputs)).collect();
                close(&format!("logits of {kernel:?}"), ran.get("logits"), &expected);
            }

            let kernel = dense_backward(shape, &family);
            let gradient = values(clips * outputs, 6, -0.6, 0.4);
            let inputs: [(&str, &[f32]); 5] = [
                ("below", &below),
                ("below_norm", &norm),
                ("mask", &mask),
                ("weights", &weights),
                ("logits_gradient", &gradient),
            ];
            let ran = run(&gpu, &kernel, &inputs);
            let g = wide(&gradient);
            let column = |o: usize| (0..clips).map(|b| g[b * outputs + o]).sum::<f64>();
            close("bias", ran.get("bias_gradient"), &(0..outputs).map(column).collect::<Vec<_>>());
            let a = |i: usize| affine(i).max(0.0) * f64::from(mask[i]);
            let dw = |j: usize, o: usize| (0..clips).map(|b| a(b * f + j) * g[b * outputs + o]).sum::<f64>();
            let expected: Vec<f64> = (0..f * outputs).map(|i| dw(i / outputs, i % outputs)).collect();
            close(&format!("dw of {kernel:?}"), ran.get("weights_gradient"), &expected);
            let product = |i: usize| (0..outputs).map(|o| g[i / f * outputs + o] * w[i % f * outputs + o]).sum::<f64>();
            let dy: Vec<f64> =
                (0..clips * f).map(|i| if affine(i) > 0.0 { f64::from(mask[i]) * product(i) } else { 0.0 }).collect();
            close(&format!("dy of {kernel:?}"), ran.get("dy"), &dy);
            let x = |i: usize| (p[i] - n[2 * channels + i % channels]) * n[3 * channels + i % channels];
            let sum = |b: usize, row: usize, c: usize| {
                (0..positions)
                    .map(|l| (b * positions + l) * channels + c)
                    .map(|i| if row == 0 { dy[i] } else { dy[i] * x(i) })
                    .sum::<f64>()
            };
            let expected: Vec<f64> =
                (0..clips * 2 * channels).map(|i| sum(i / channels / 2, i / channels % 2, i % channels)).collect();
            close(&format!("sums of {kernel:?}"), ran.get("partials"), &expected);
        }
    }
}

#[test]
fn losses_are_cross_entropies_even_of_what_is_well_known() {
    let gpu = gpu();
    for (clips, tags, heads) in [(1, 1, 1), (2, 3, 2), (23, 50, 1), (23, 50, 2), (5, 1000, 2), (3, 65, 1)] {
        for (low, high, known) in [(-3.0, 2.0, false), (-30.0, -8.0, true), (-60.0, 90.0, false)] {
            let logits = values(clips * heads * tags, 1, low, high);
            // Hard and soft labels; or none at all, where the logits say so clearly.
            let label = |y: f32| if known { 0.0 } else { y };
            let own: Vec<f32> = values(clips * tags, 2, 0.0, 1.0).into_iter().map(|y| label(f32::from(y > 0.8))).collect();
            let propagated: Vec<f32> = values(clips * tags, 3, 0.0, 1.0).into_iter().map(label).collect();
            let weights = values(2 * clips, 4, 0.2, 1.0);
            let inputs: [(&str, &[f32]); 4] =
                [("logits", &logits), ("own", &own), ("propagated", &propagated), ("weights", &weights)];
            let kernel = loss(clips, tags, heads, true, &Family::Plain);
            let ran = run(&gpu, &kernel, &inputs);
            let bce = |x: f64, y: f64| (1.0 - y) * softplus(x) + y * softplus(-x);
            let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
            let (scale, lambda) = (f64::from(kernel.scale), f64::from(kernel.lambda));
            let (mut losses, mut gradient) = (vec![0.0; clips * 2], vec![0.0; clips * heads * tags]);
            let mut probabilities = vec![0.0; clips * tags];
            for b in 0..clips {
                for t in 0..tags {
                    let at = b * heads * tags + t;
                    for (term, (place, labels)) in [(at, &own), (at + (heads - 1) * tags, &propagated)].into_iter().enumerate() {
                        let (x, y) = (f64::from(logits[place]), f64::from(labels[b * tags + t]));
                        let v = scale * f64::from(weights[term * clips + b]);
                        losses[2 * b + term] += v * bce(x, y);
                        gradient[place] += v * (sigmoid(x) - y) * if term == 1 { lambda } else { 1.0 };
                    }
                    probabilities[b * tags + t] = sigmoid(f64::from(logits[at]));
                }
            }
            let what = format!("{clips} clips, {tags} tags, {heads} heads, logits from {low} to {high}");
            close(&format!("losses, {what}"), ran.get("losses"), &losses);
            close(&format!("gradient, {what}"), ran.get("logits_gradient"), &gradient);
            close(&format!("probabilities, {what}"), ran.get("probabilities"), &probabilities);
            let evaluated = run(&gpu, &loss(clips, tags, heads, false, &Family::Plain), &inputs);
            assert_eq!(evaluated.get("losses"), ran.get("losses"));
            assert_eq!(evaluated.get("probabilities"), ran.get("probabilities"));
        }
    }
}

/// log(1 + exp(x)).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[test]
fn weights_are_packed_without_change() {
    let gpu = gpu();
    for shape @ [taps, cin, cout] in [[1, 1, 1], [3, 5, 7], [3, 128, 33], [4, 1, 16], [2, 16, 4]] {
        let weights = values(taps * cin * cout, 1, -1.0, 1.0);
        for kernel in packings(shape, &Family::Tiled) {
            let packing = &kernel.packing;
            let ran = run(&gpu, &kernel, &[("weights", &weights)]);
            let at = |k: usize, i: usize, o: usize| weights[(k * cin + i) * cout + o];
            let expected: Vec<f32> = match packing.layout {
                Layout::AsIs => weights.clone(),
                Layout::Turned => (0..weights.len()).map(|j| at(j / cin / cout, j % cin, j / cin % cout)).collect(),
                Layout::Panels { width } => {
                    let (reduced, given) = packing.sides();
                    let value = |r: usize, g: usize| match packing.product {
                        _ if g >= given => 0.0,
                        Product::Forward => at(r / cin, r % cin, g),
                        Product::InputGradient => at(taps - 1 - r / cout, g, r % cout),
                    };
                    let length = given.div_ceil(width) * reduced * width;
                    (0..length).map(|j| value(j / width % reduced, j / width / reduced * width + j % width)).collect()
                }
            };
            assert_eq!(ran.get("packed"), expected, "{kernel:?}");
        }
    }
}

#[test]
fn sgd_steps_as_nesterov_and_names_the_first_block_that_is_not_finite() {
    let gpu = gpu();
    for blocks in [1, 5, 300] {
        let n = blocks * BLOCK;
        let kernel = Sgd { elements: n, choice: Choice::gpu(Family::Plain) };
        let (g, p, u) = (values(n, 1, -1.0, 2.0), values(n, 2, -0.3, 0.1), values(n, 3, -3.0, 3.0));
        let step = |g: &[f32], hyper: &[f32]| {
            run(&gpu, &kernel, &[("gradients", g), ("hyper", hyper), ("parameters", &p), ("momenta", &u)])
        };
        let status = |ran: &Ran| ran.get("status")[0].to_bits();
        let hyper = [0.01f32, 0.9];
        let ran = step(&g, &hyper);
        let (rate, m) = (f64::from(hyper[0]), f64::from(hyper[1]));
        let momenta: Vec<f64> = g.iter().zip(&u).map(|(&g, &u)| m * f64::from(u) + f64::from(g)).collect();
        let parameters: Vec<f64> = (0..n).map(|i| f64::from(p[i]) - rate * (f64::from(g[i]) + m * momenta[i])).collect();
        close("momenta", ran.get("momenta"), &momenta);
        close("parameters", ran.get("parameters"), &parameters);
        assert_eq!(status(&ran), FINITE);
        for (bad, at) in [(f32::NAN, n - 1), (f32::INFINITY, n / 2), (f32::NEG_INFINITY, 0)] {
            let mut g = g.clone();
            g[at] = bad;
            g[n - 1] = bad;
            assert_eq!(status(&step(&g, &hyper)), (at / BLOCK) as u32, "{bad} at {at}");
        }
        // A finite gradient whose step is not.
        let mut g = g.clone();
        g[n - 3] = f32::MAX;
        assert_eq!(status(&step(&g, &[4.0, 0.9])), (blocks - 1) as u32);
    }
}
