//! The convolution's rooms against the reference. Forward: z, pooled values, and through the batch
//! norm that reads the sums, mean, variance and activations. Backward: given z and the gradient
//! behind ReLU's mask, the gradients of the weights and of the input; and dz itself where the
//! weights are the identity.

use super::rounded::{self, Tiles};
use super::{
    BOUND, EXACT, EXACT_F16, Inputs, Judge, PAIRED, PAIRED_F16, STORED, STORED_PAIRED_F16, bytes, double, length, single,
};
use crate::error::Result;
use crate::kernels::batch_norm_forward::{BatchNormForward, From};
use crate::kernels::conv::{Case, Source, cases, norm};
use crate::kernels::conv_backward::ConvBackward;
use crate::kernels::conv_forward::ConvForward;
use crate::kernels::pack_weights::{PackWeights, Packing};
use crate::kernels::reference::{
    ConvolutionGradient, Shape, batch_norm, batch_norm_backward, convolution, convolution_backward, max_pool, max_pool_backward,
    relu, relu_backward, statistics,
};
use crate::kernels::{Family, Product, Way, winograd};
use crate::measure::check::data::{Data, affine, undecided};
use crate::tensor::DType;

/// Fewer positions than this make dz vanish (of one position batch norm leaves nothing, of two only
/// a sign), so such cases take the three numbers of dz at random instead of from the sums.
const FEW: usize = 4;

fn shape(case: &Case) -> Shape<'_> {
    Shape { layer: &case.layer, clips: case.conv.clips, input: case.conv.input }
}

/// eps where statistics are of few positions: larger, or rounding would be all that is left.
fn eps(positions: usize) -> f64 {
    if positions < 8 { 0.1 } else { 1e-3 }
}

/// Products whose operands are rounded to 16 bits.
#[derive(Clone, Copy, PartialEq)]
enum Pairs {
    /// F(3,3) on a CPU, of bf16.
    Tiles,
    /// A CPU's matrix unit, of bf16.
    Matrices,
    /// Cooperative matrices on a GPU, of f16.
    Cooperative,
}

impl Pairs {
    /// How a product of a case is computed; `None` where it multiplies in f32.
    fn of(judge: &Judge, case: &Case, product: Product) -> Option<Pairs> {
        let choice = &judge.subject.choice;
        match Way::of(&case.conv, choice) {
            Some(Way::Matrices) => Some(Pairs::Matrices),
            Some(Way::Winograd) => winograd::paired(choice).then_some(Pairs::Tiles),
            Some(Way::Direct) => None,
            None => matches!(choice.family_for(product, &case.conv), Family::Cooperative(_)).then_some(Pairs::Cooperative),
        }
    }

    /// z, not yet rounded.
    fn forward(self, case: &Case, a: &[f64], w: &[f64]) -> Vec<f64> {
        match self {
            Pairs::Tiles => Tiles::new(&case.conv, a, w).forward(),
            Pairs::Matrices | Pairs::Cooperative => {
                let [a, w] = [a, w].map(|v| self.half(v));
                convolution(shape(case), &a, &w, &vec![0.0; case.conv.cout])
            }
        }
    }

    fn backward(self, case: &Case, a: &[f64], w: &[f64], dz: &[f64]) -> ConvolutionGradient<f64> {
        match self {
            Pairs::Tiles => Tiles::new(&case.conv, a, w).backward(dz),
            Pairs::Matrices | Pairs::Cooperative => {
                let [a, w, dz] = [a, w, dz].map(|v| self.half(v));
                convolution_backward(shape(case), &a, &w, &dz)
            }
        }
    }

    /// Operands as they are multiplied directly.
    fn half(self, values: &[f64]) -> Vec<f64> {
        let dtype = if self == Pairs::Cooperative { DType::F16 } else { DType::Bf16 };
        values.iter().map(|&v| rounded::to(dtype, v)).collect()
    }

    /// Bounds of sums in f32, of what is then stored, and of that against exact arithmetic.
    fn bounds(pairs: Option<Pairs>, judge: &Judge) -> [f64; 3] {
        match pairs {
            None => [BOUND, judge.stored_bound(), judge.half_bound()],
            Some(Pairs::Tiles | Pairs::Matrices) => [PAIRED, STORED, EXACT],
            Some(Pairs::Cooperative) => [PAIRED_F16, STORED_PAIRED_F16, EXACT_F16],
        }
    }
}

/// Weights `[tap, cin, cout]`: the identity where input and output have the same shape and tap 1,
/// so that the input's gradient is dz; else random.
fn weights(data: &mut Data, case: &Case) -> Vec<f32> {
    let c = &case.conv;
    if is_identity(case) {
        return (0..c.cin * c.cout).map(|j| f32::from(u8::from(j / c.cout == j % c.cout))).collect();
    }
    let spread = 1.0 / ((c.taps * c.cin) as f64).sqrt();
    data.values(c.taps * c.cin * c.cout, spread * data.offset() / 3.0, spread)
}

fn is_identity(case: &Case) -> bool {
    case.conv.taps == 1 && case.conv.cin == case.conv.cout && case.source == Source::Below
}

/// What a convolution reads: the operands of its source, and what they mean.
struct Read {
    inputs: Inputs,
    /// `[clip, input, cin]`
    a: Vec<f64>,
    /// `scale·(value − mean) + beta` of the layer below, whose sign is ReLU's mask; empty for a wave.
    y: Vec<f64>,
    /// Below: p `[clip, input, cin]`. FirstLayer: the wave `[clip, sample]`.
    values: Vec<f64>,
    norm: Vec<f32>,
}

fn read(judge: &Judge, data: &mut Data, case: &Case) -> Read {
    let c = &case.conv;
    match &case.source {
        Source::Wave { stride } => {
            let (inputs, values) = wave(data, c.clips, c.input, *stride);
            Read { inputs, a: values, y: vec![], values: vec![], norm: vec![] }
        }
        Source::Below => {
            let mean = data.offset();
            let mut norm = data.norm(c.cin, mean);
            if is_identity(case) {
                // Nothing masked: all of dz can be seen.
                norm[..2 * c.cin].iter_mut().enumerate().for_each(|(j, v)| *v = if j < c.cin { 1.0 } else { 4.0 });
            }
            let mut p = data.values(c.clips * c.input * c.cin, mean, 1.5);
            data.keep_off_zero(&mut p, &norm, |v| judge.given(&[v])[0]);
            let values = double(&p);
            let y = normal(&values, &norm);
            let inputs = vec![("below", bytes(&p)), ("below_norm", bytes(&norm))];
            Read { inputs, a: relu(&y), y, values, norm }
        }
        Source::FirstLayer { layer, samples, stride } => {
            let norm = data.norm(c.cin, 0.0);
            let weights = data.values(layer.kernel * c.cin, 0.2, 1.5);
            let shape = Shape { layer, clips: c.clips, input: *samples };
            // Drawn again until no mask hangs on rounding; a handful of values in a million do.
            let (mut inputs, values, y) = loop {
                let (inputs, values) = wave(data, c.clips, *samples, *stride);
                let z = convolution(shape, &values, &double(&weights), &vec![0.0; c.cin]);
                if !z.iter().enumerate().any(|(j, &z)| undecided(&norm, j, z)) {
                    let y = normal(&z, &norm);
                    break (inputs, values, y);
                }
            };
            inputs.extend([("first_weights", bytes(&weights)), ("first_norm", bytes(&norm))]);
            Read { inputs, a: relu(&y), y, values, norm }
        }
    }
}

/// Clips `stride` apart, with what no kernel may read between them, and what the samples mean.
fn wave(data: &mut Data, clips: usize, length: usize, stride: usize) -> (Inputs, Vec<f64>) {
    let samples = data.samples(clips * length);
    let mut padded = vec![i16::MAX; clips * stride];
    for (to, from) in padded.chunks_exact_mut(stride).zip(samples.chunks_exact(length)) {
        to[..length].copy_from_slice(from);
    }
    (vec![("wave", bytes(&padded))], samples.iter().map(|&s| f64::from(s) / 32768.0).collect())
}

fn normal(values: &[f64], rows: &[f32]) -> Vec<f64> {
    values.iter().enumerate().map(|(j, &v)| affine(rows, j, v)).collect()
}

/// Weights as the family wants them, packed by the device itself.
fn packed(judge: &Judge, packing: Packing, weights: &[f32]) -> Result<Vec<u8>> {
    if !packing.is_needed() {
        return Ok(bytes(weights));
    }
    let kernel = PackWeights { packing, choice: judge.subject.choice.clone() };
    let mut all = judge.run_raw(&kernel, &vec![("weights", bytes(weights))])?;
    Ok(all.remove("packed").unwrap_or_default())
}

pub fn forward(judge: &mut Judge) -> Result<usize> {
    let kernels = ConvForward::cases(&judge.subject.choice);
    let least = judge.channels;
    for (i, (case, kernel)) in
        cases().iter().zip(&kernels).enumerate().filter(|(_, (case, _))| case.conv.cin.max(case.conv.cout) >= least)
    {
        let mut data = judge.begin(i, kernel);
        let c = &case.conv;
        let mut read = read(judge, &mut data, case);
        let w = weights(&mut data, case);
        let (gamma, beta, bias) = (data.gammas(c.cout), data.values(c.cout, 0.3, 0.5), data.values(c.cout, 0.1, 0.2));
        read.inputs.push(("weights", packed(judge, kernel.packing(), &w)?));
        read.inputs.push(("gamma", bytes(&gamma)));
        let got = judge.run(kernel, &read.inputs)?;

        let exact = convolution(shape(case), &read.a, &double(&w), &vec![0.0; c.cout]);
        let pairs = Pairs::of(judge, case, Product::Forward);
        let [_, stored_bound, exact_bound] = Pairs::bounds(pairs, judge);
        let mut z = judge.stored(&pairs.map_or_else(|| exact.clone(), |p| p.forward(case, &read.a, &double(&w))));
        if let Some(found) = got.get("z") {
            judge.compare_within("z", found, &z, stored_bound);
            if judge.is_mixed() {
                judge.compare_within("z, exact", found, &exact, exact_bound);
                // What follows is judged on the stored z.
                z = double(found);
            }
        }
        let (mean, variance) = statistics(&z, c.cout);
        let eps = eps(c.positions());
        let y = batch_norm(&z, &mean, &variance, &double(&gamma), &double(&beta), eps);
        let (_, places) = max_pool(shape(case), &y);
        let pooled: Vec<f64> = places.iter().map(|&at| z[at]).collect();
        if let Some(found) = got.get("p") {
            // Selected from the stored z, or where there is none rounded like it.
            let bound = if got.contains_key("z") { BOUND } else { stored_bound };
            judge.compare_within("p", found, &pooled, bound);
        }
        let Some(partials) = got.get("partials") else { continue };

        // Momentum 1: the running statistics are the batch's.
        let reader = BatchNormForward {
            channels: c.cout,
            from: From::Partials { tiles: kernel.tiles() },
            positions: c.positions(),
            eps: eps as f32,
            momentum: 1.0,
            unbiased: false,
            choice: judge.subject.choice.clone(),
        };
        let inputs = vec![
            ("partials", bytes(partials)),
            ("gamma", bytes(&gamma)),
            ("beta", bytes(&beta)),
            ("bias", bytes(&bias)),
            ("running", bytes(&vec![0.0f32; 2 * c.cout])),
        ];
        let read = judge.run(&reader, &inputs)?;
        let deviations = length(variance.iter().map(|v| v.sqrt()));
        judge.compare_over("mean", &read["norm"][norm::MEAN * c.cout..][..c.cout], &mean, deviations);
        let biased: Vec<f64> = mean.iter().zip(&bias).map(|(m, &b)| m + f64::from(b)).collect();
        judge.compare_over("mean with bias", &read["running"][..c.cout], &biased, deviations);
        // Of a channel far from zero only so much of the deviation is left in z itself.
        let squares = length(mean.iter().zip(&variance).map(|(m, v)| m * m + v));
        judge.compare_over("variance", &read["running"][c.cout..], &variance, 1e-3 * squares);
        let p = got.get("p").unwrap_or_else(|| &got["z"]);
        let activations = single(&relu(&normal(&double(p), &read["norm"])));
        judge.compare("activations", &activations, &max_pool(shape(case), &relu(&y)).0);
    }
    Ok(kernels.len())
}

pub fn backward(judge: &mut Judge) -> Result<usize> {
    let kernels = ConvBackward::cases(&judge.subject.choice);
    let least = judge.channels;
    for (i, (case, kernel)) in
        cases().iter().zip(&kernels).enumerate().filter(|(_, (case, _))| case.conv.cin.max(case.conv.cout) >= least)
    {
        let mut data = judge.begin(i, kernel);
        let c = &case.conv;
        let mut read = read(judge, &mut data, case);
        let w = weights(&mut data, case);
        // z as a layer would have stored it: the numbers themselves, so that nobody disagrees about
        // which of a window is the largest.
        let stored = judge.given(&single(&convolution(shape(case), &read.a, &double(&w), &vec![0.0; c.cout])));
        let z = double(&stored);
        let gamma = double(&data.gammas(c.cout));
        let beta = double(&data.values(c.cout, 0.3, 0.5));
        let (mean, variance) = statistics(&z, c.cout);
        let eps = eps(c.positions());
        let y = batch_norm(&z, &mean, &variance, &gamma, &beta, eps);
        let (activations, places) = max_pool(shape(case), &relu(&y));
        let upstream = judge.given(&data.values(activations.len(), 0.2, 1.0));
        let dy_at_z = relu_backward(&y, &max_pool_backward(&places, &double(&upstream), z.len()));
        // What the kernel is handed: p and dy at the pooled positions, dy behind ReLU's mask.
        let (_, selected) = max_pool(shape(case), &y);
        let p: Vec<f32> = selected.iter().map(|&at| stored[at]).collect();
        let dy: Vec<f32> = upstream.iter().zip(&activations).map(|(&d, &a)| if a > 0.0 { d } else { 0.0 }).collect();

        let (coefficients, dz) = if c.positions() < FEW {
            let rows = data.values(4 * c.cout, 0.4, 0.5);
            let row = |r: usize, j: usize| f64::from(rows[r * c.cout + j % c.cout]);
            let dz = (0..z.len()).map(|j| row(0, j) * dy_at_z[j] + row(1, j) + row(2, j) * (z[j] - row(3, j))).collect();
            (rows.clone(), dz)
        } else {
            let gradient = batch_norm_backward(&z, &dy_at_z, &gamma, eps);
            let mut rows = vec![0.0; 4 * c.cout];
            for o in 0..c.cout {
                let r = 1.0 / (variance[o] + eps).sqrt();
                let (s, n) = (gamma[o] * r, c.positions() as f64);
                let c1 = -s * r * gradient.gamma[o] / n;
                rows[o] = s;
                rows[c.cout + o] = -s * gradient.beta[o] / n;
                rows[2 * c.cout + o] = c1;
                rows[3 * c.cout + o] = mean[o];
            }
            (single(&rows), gradient.z)
        };
        let exact = convolution_backward(shape(case), &read.a, &double(&w), &dz);
        let pairs = [Product::WeightGradient, Product::InputGradient].map(|product| Pairs::of(judge, case, product));
        let wanted = |pairs: Option<Pairs>| match pairs {
            Some(pairs) => pairs.backward(case, &read.a, &double(&w), &dz),
            None => exact.clone(),
        };
        let want_w = wanted(pairs[0]).w;
        let want_a = wanted(pairs[1]).a;

        read.inputs.extend([
            ("z", bytes(&stored)),
            ("p", bytes(&p)),
            ("dy", bytes(&dy)),
            ("coefficients", bytes(&coefficients)),
            ("weights", packed(judge, kernel.packing(), &w)?),
        ]);
        let got = judge.run(kernel, &read.inputs)?;
        let [summed, _, exact_bound] = Pairs::bounds(pairs[0], judge);
        judge.compare_within("dw", &got["weights_gradient"], &want_w, summed);
        if pairs[0].is_some() {
            judge.compare_within("dw, exact", &got["weights_gradient"], &exact.w, exact_bound);
        }
        if read.y.is_empty() {
            continue;
        }
        let mut masked = relu_backward(&read.y, &want_a);
        let sums = joined(&got["below_partials"], kernel.tiles());
        let [mut bound, stored_bound, exact_bound] = Pairs::bounds(pairs[1], judge);
        if let Some(found) = got.get("below_dy") {
            let what = if is_identity(case) { "dz" } else { "da" };
            judge.compare_within(what, found, &judge.stored(&masked), stored_bound);
            if judge.is_mixed() {
                judge.compare_within("da, exact", found, &relu_backward(&read.y, &exact.a), exact_bound);
                // The sums are of what is stored.
                (masked, bound) = (double(found), BOUND);
            }
        }
        let (sizes, wanted) = below_sums(case, &read, &masked);
        judge.compare_over("sums of the layer below", &single(&sums), &wanted, sizes);
        judge.bound(bound);
    }
    Ok(kernels.len())
}

/// Partial sums of `tiles` tiles, added up.
pub fn joined(partials: &[f32], tiles: usize) -> Vec<f64> {
    let each = partials.len() / tiles;
    (0..each).map(|j| partials.iter().skip(j).step_by(each).map(|&v| f64::from(v)).sum()).collect()
}

/// What the sums of the layer below should be, and the size of their terms. dy' `[clip, input, cin]`.
fn below_sums(case: &Case, read: &Read, dy: &[f64]) -> (f64, Vec<f64>) {
    let c = &case.conv;
    if let Source::FirstLayer { layer, samples, .. } = &case.source {
        // Σ patch·dy' is the gradient of a convolution's weights, Σ dy' of its bias.
        let shape = Shape { layer, clips: c.clips, input: *samples };
        let sums = convolution_backward(shape, &read.values, &vec![0.0; layer.kernel * c.cin], dy);
        return (length(dy.iter().copied()), [sums.w, sums.bias].concat());
    }
    let normal = |j: usize| {
        let row = |r: usize| f64::from(read.norm[r * c.cin + j % c.cin]);
        dy[j] * (read.values[j] - row(norm::MEAN)) * row(norm::R)
    };
    let mut sums = vec![0.0; 2 * c.cin];
    for (j, &d) in dy.iter().enumerate() {
        sums[j % c.cin] += d;
        sums[c.cin + j % c.cin] += normal(j);
    }
    (length(dy.iter().copied().chain((0..dy.len()).map(normal))), sums)
}
