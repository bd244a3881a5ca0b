//! The network as the textbook writes it: the judge of every kernel. Slow and obvious, in f32 or
//! f64, an operation a function with its gradient written by hand beside it. It shares no algebra
//! with the kernels: convolution with bias, then batch norm, then ReLU, then pooling, each whole.
//!
//! Sources: batch norm and its gradient, Ioffe and Szegedy 2015; the losses, eqs. (1) and (3) of
//! the paper, negated; Nesterov momentum as PyTorch's SGD writes it. `step` has the whole step.

pub mod step;

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use crate::network::{Layer, PoolMode};

/// f32 or f64.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    fn of(value: f64) -> Self;
    fn value(self) -> f64;
    fn sqrt(self) -> Self;
    fn exp(self) -> Self;
    fn ln_1p(self) -> Self;
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            fn of(value: f64) -> $t {
                value as $t
            }
            fn value(self) -> f64 {
                self as f64
            }
            fn sqrt(self) -> $t {
                self.sqrt()
            }
            fn exp(self) -> $t {
                self.exp()
            }
            fn ln_1p(self) -> $t {
                self.ln_1p()
            }
        }
    };
}
real!(f32);
real!(f64);

/// A layer at work: its row of the table, how many clips, how many positions each has.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    pub layer: &'a Layer,
    pub clips: usize,
    /// Positions a clip of what the layer reads.
    pub input: usize,
}

impl Shape<'_> {
    /// Positions a clip of the convolution's output.
    pub fn length(&self) -> usize {
        let l = self.layer;
        (self.input + l.padding[0] + l.padding[1] - l.kernel) / l.stride + 1
    }

    /// Positions a clip after pooling.
    pub fn pooled(&self) -> usize {
        match self.layer.pool_mode {
            PoolMode::Valid => self.length() / self.layer.pool,
            PoolMode::Same | PoolMode::Ceil => self.length().div_ceil(self.layer.pool),
        }
    }

    /// Which input position tap `k` of output `l` reads; `None`: a padded zero.
    fn reads(&self, l: usize, k: usize) -> Option<usize> {
        (l * self.layer.stride + k).checked_sub(self.layer.padding[0]).filter(|&j| j < self.input)
    }

    /// Positions of z in pooling window `w`; fillers are left out.
    fn window(&self, w: usize) -> impl Iterator<Item = usize> + use<> {
        let (size, length) = (self.layer.pool, self.length());
        let left = match self.layer.pool_mode {
            PoolMode::Valid | PoolMode::Ceil => 0,
            PoolMode::Same => (self.pooled() * size - length) / 2,
        };
        (0..size).filter_map(move |j| (w * size + j).checked_sub(left)).filter(move |&l| l < length)
    }
}

/// `z[b,l,o] = bias[o] + Σ_k,i a[b, l·stride + k − pad, i] · w[k,i,o]`: a correlation, no tap flip.
/// a `[clip, input, cin]`, w `[tap, cin, cout]`, z `[clip, length, cout]`.
pub fn convolution<T: Real>(shape: Shape, a: &[T], w: &[T], bias: &[T]) -> Vec<T> {
    let Layer { cin, cout, kernel, .. } = *shape.layer;
    let mut z = Vec::with_capacity(shape.clips * shape.length() * cout);
    for b in 0..shape.clips {
        for l in 0..shape.length() {
            let mut row = bias.to_vec();
            for k in 0..kernel {
                let Some(j) = shape.reads(l, k) else { continue };
                for i in 0..cin {
                    let read = a[(b * shape.input + j) * cin + i];
                    for (o, sum) in row.iter_mut().enumerate() {
                        *sum += read * w[(k * cin + i) * cout + o];
                    }
                }
            }
            z.extend(row);
        }
    }
    z
}

/// Gradients of [`convolution`].
#[derive(Clone)]
pub struct ConvolutionGradient<T> {
    /// `[clip, input, cin]`
    pub a: Vec<T>,
    /// `[tap, cin, cout]`
    pub w: Vec<T>,
    /// `[cout]`
    pub bias: Vec<T>,
}

/// dz `[clip, length, cout]`.
pub fn convolution_backward<T: Real>(shape: Shape, a: &[T], w: &[T], dz: &[T]) -> ConvolutionGradient<T> {
    let Layer { cin, cout, kernel, .. } = *shape.layer;
    let zeros = |n: usize| vec![T::default(); n];
    let mut gradient = ConvolutionGradient { a: zeros(a.len()), w: zeros(w.len()), bias: zeros(cout) };
    for b in 0..shape.clips {
        for l in 0..shape.length() {
            let dz = &dz[(b * shape.length() + l) * cout..][..cout];
            for (sum, &d) in gradient.bias.iter_mut().zip(dz) {
                *sum += d;
            }
            for k in 0..kernel {
                let Some(j) = shape.reads(l, k) else { continue };
                for i in 0..cin {
                    let (at, row) = ((b * shape.input + j) * cin + i, (k * cin + i) * cout);
                    let mut da = T::default();
                    for (o, &d) in dz.iter().enumerate() {
                        da += d * w[row + o];
                        gradient.w[row + o] += a[at] * d;
                    }
                    gradient.a[at] += da;
                }
            }
        }
    }
    gradient
}

/// Mean and biased variance of each channel over clips and positions; z `[clip, position, channel]`.
pub fn statistics<T: Real>(z: &[T], channels: usize) -> (Vec<T>, Vec<T>) {
    let n = T::of((z.len() / channels) as f64);
    let mut mean = vec![T::default(); channels];
    for row in z.chunks_exact(channels) {
        for (m, &v) in mean.iter_mut().zip(row) {
            *m += v / n;
        }
    }
    let mut variance = vec![T::default(); channels];
    for row in z.chunks_exact(channels) {
        for ((s, &m), &v) in variance.iter_mut().zip(&mean).zip(row) {
            *s += (v - m) * (v - m) / n;
        }
    }
    (mean, variance)
}

/// `y = gamma·(z − mean)/sqrt(variance + eps) + beta`; statistics of the batch, or running ones.
pub fn batch_norm<T: Real>(z: &[T], mean: &[T], variance: &[T], gamma: &[T], beta: &[T], eps: T) -> Vec<T> {
    let c = gamma.len();
    z.iter().enumerate().map(|(j, &v)| gamma[j % c] * (v - mean[j % c]) / (variance[j % c] + eps).sqrt() + beta[j % c]).collect()
}

/// Gradients of [`batch_norm`] with the batch's own statistics.
pub struct BatchNormGradient<T> {
    pub z: Vec<T>,
    pub gamma: Vec<T>,
    pub beta: Vec<T>,
}

/// Ioffe and Szegedy 2015, page 4: through x̂ = (z − mean)/sqrt(variance + eps), the variance and
/// the mean, in that order. dy `[clip, position, channel]`.
pub fn batch_norm_backward<T: Real>(z: &[T], dy: &[T], gamma: &[T], eps: T) -> BatchNormGradient<T> {
    let c = gamma.len();
    let n = T::of((z.len() / c) as f64);
    let (mean, variance) = statistics(z, c);
    let (half, two) = (T::of(0.5), T::of(2.0));
    let zeros = vec![T::default(); c];
    let (mut dgamma, mut dbeta, mut dvariance) = (zeros.clone(), zeros.clone(), zeros.clone());
    let (mut dmean, mut deviations) = (zeros.clone(), zeros.clone());
    let root: Vec<T> = variance.iter().map(|&v| (v + eps).sqrt()).collect();
    for (j, (&v, &d)) in z.iter().zip(dy).enumerate() {
        let c = j % c;
        let dxhat = d * gamma[c];
        dgamma[c] += d * (v - mean[c]) / root[c];
        dbeta[c] += d;
        dvariance[c] += -(dxhat * (v - mean[c]) * half / (root[c] * root[c] * root[c]));
        dmean[c] += -(dxhat / root[c]);
        deviations[c] += v - mean[c];
    }
    for c in 0..c {
        dmean[c] += -(dvariance[c] * two * deviations[c] / n);
    }
    let dz = z.iter().zip(dy).enumerate().map(|(j, (&v, &d))| {
        let c = j % c;
        d * gamma[c] / root[c] + dvariance[c] * two * (v - mean[c]) / n + dmean[c] / n
    });
    BatchNormGradient { z: dz.collect(), gamma: dgamma, beta: dbeta }
}

/// `running = (1 − m)·running + m·batch`; for variances `unbiased` multiplies the batch's by
/// n/(n − 1) (PyTorch), where there is more than one position.
pub fn update_running<T: Real>(running: &mut [T], batch: &[T], momentum: T, unbiased_over: Option<usize>) {
    let factor = unbiased_over.filter(|&n| n > 1).map_or(1.0, |n| n as f64 / (n - 1) as f64);
    for (r, &b) in running.iter_mut().zip(batch) {
        *r = (T::of(1.0) - momentum) * *r + momentum * T::of(factor) * b;
    }
}

pub fn relu<T: Real>(y: &[T]) -> Vec<T> {
    y.iter().map(|&v| if v > T::default() { v } else { T::default() }).collect()
}

/// Gradient of [`relu`]; at 0 it is 0.
pub fn relu_backward<T: Real>(y: &[T], da: &[T]) -> Vec<T> {
    y.iter().zip(da).map(|(&v, &d)| if v > T::default() { d } else { T::default() }).collect()
}

/// Max-pooling of `[clip, length, cout]` to `[clip, window, cout]`, and for each pooled value the
/// place in the input it came from: of equals the first, as PyTorch's.
pub fn max_pool<T: Real>(shape: Shape, a: &[T]) -> (Vec<T>, Vec<usize>) {
    let c = shape.layer.cout;
    let (mut pooled, mut places) = (Vec::new(), Vec::new());
    for b in 0..shape.clips {
        for w in 0..shape.pooled() {
            for o in 0..c {
                let at = |l: usize| (b * shape.length() + l) * c + o;
                let mut window = shape.window(w).map(at);
                let mut best = window.next().expect("a window holds a real position");
                for place in window {
                    if a[place] > a[best] {
                        best = place;
                    }
                }
                pooled.push(a[best]);
                places.push(best);
            }
        }
    }
    (pooled, places)
}

/// Gradient of [`max_pool`]: all to the place the value came from. Gives `length` values.
pub fn max_pool_backward<T: Real>(places: &[usize], dp: &[T], length: usize) -> Vec<T> {
    let mut da = vec![T::default(); length];
    for (&place, &d) in places.iter().zip(dp) {
        da[place] += d;
    }
    da
}

/// `a·b`, element by element: dropout with a mask of 0 and 1/(1 − rate), and its gradient.
pub fn times<T: Real>(a: &[T], b: &[T]) -> Vec<T> {
    a.iter().zip(b).map(|(&a, &b)| a * b).collect()
}

/// `logits[b,o] = bias[o] + Σ_f x[b,f]·w[f,o]`.
pub fn dense<T: Real>(x: &[T], w: &[T], bias: &[T]) -> Vec<T> {
    let (outputs, features) = (bias.len(), w.len() / bias.len());
    let mut logits = Vec::new();
    for x in x.chunks_exact(features) {
        let mut row = bias.to_vec();
        for (f, &v) in x.iter().enumerate() {
            for (o, sum) in row.iter_mut().enumerate() {
                *sum += v * w[f * outputs + o];
            }
        }
        logits.extend(row);
    }
    logits
}

/// Gradients of [`dense`].
pub struct DenseGradient<T> {
    pub x: Vec<T>,
    pub w: Vec<T>,
    pub bias: Vec<T>,
}

/// dlogits `[clip, output]`; `outputs` is the length of a row.
pub fn dense_backward<T: Real>(x: &[T], w: &[T], dlogits: &[T], outputs: usize) -> DenseGradient<T> {
    let features = w.len() / outputs;
    let zeros = |n: usize| vec![T::default(); n];
    let mut gradient = DenseGradient { x: zeros(x.len()), w: zeros(w.len()), bias: zeros(outputs) };
    for (b, d) in dlogits.chunks_exact(outputs).enumerate() {
        for (o, &d) in d.iter().enumerate() {
            gradient.bias[o] += d;
            for f in 0..features {
                gradient.x[b * features + f] += d * w[f * outputs + o];
                gradient.w[f * outputs + o] += d * x[b * features + f];
            }
        }
    }
    gradient
}

/// `bce(x, y) = max(x, 0) − x·y + log(1 + exp(−|x|))`, the binary cross-entropy of sigmoid(x).
pub fn cross_entropy<T: Real>(x: T, y: T) -> T {
    let zero = T::default();
    let (positive, magnitude) = if x > zero { (x, x) } else { (zero, -x) };
    positive - x * y + (-magnitude).exp().ln_1p()
}

pub fn sigmoid<T: Real>(x: T) -> T {
    let one = T::of(1.0);
    if x > T::default() {
        one / (one + (-x).exp())
    } else {
        let e = x.exp();
        e / (one + e)
    }
}

/// What the losses compare logits with.
#[derive(Clone, Debug)]
pub struct Labels<T> {
    /// `[clip, tag]`
    pub own: Vec<T>,
    /// `[clip, tag]`, soft or hard.
    pub propagated: Vec<T>,
    /// `[clip]`, of each term.
    pub own_weights: Vec<T>,
    pub propagated_weights: Vec<T>,
}

/// Both losses, their gradient, the probabilities.
pub struct Losses<T> {
    pub own: T,
    /// λ not applied.
    pub propagated: T,
    /// own + λ·propagated
    pub total: T,
    /// of the total: `[clip, head x tag]`
    pub dlogits: Vec<T>,
    /// of head 0: `[clip, tag]`
    pub probabilities: Vec<T>,
}

/// Eqs. (1) and (3) of the paper, negated, each a sum times `scale` (1, or 1/(clips·tags) for the
/// mean). The own term reads head 0, the propagated one the last head. logits `[clip, head x tag]`.
pub fn losses<T: Real>(logits: &[T], labels: &Labels<T>, tags: usize, heads: usize, scale: T, lambda: T) -> Losses<T> {
    let ones = vec![T::of(1.0); labels.propagated.len()];
    losses_by_tag(logits, labels, &ones, tags, heads, scale, lambda)
}

/// The same with a weight for each clip and tag of the propagated term: tag_weights `[clip, tag]`.
pub fn losses_by_tag<T: Real>(
    logits: &[T],
    labels: &Labels<T>,
    tag_weights: &[T],
    tags: usize,
    heads: usize,
    scale: T,
    lambda: T,
) -> Losses<T> {
    let zero = T::default();
    let mut all =
        Losses { own: zero, propagated: zero, total: zero, dlogits: vec![zero; logits.len()], probabilities: Vec::new() };
    for b in 0..labels.own_weights.len() {
        for t in 0..tags {
            let (first, last) = (b * heads * tags + t, (b * heads + heads - 1) * tags + t);
            let (v, u) = (scale * labels.own_weights[b], scale * labels.propagated_weights[b] * tag_weights[b * tags + t]);
            let (own, propagated) = (labels.own[b * tags + t], labels.propagated[b * tags + t]);
            all.own += v * cross_entropy(logits[first], own);
            all.propagated += u * cross_entropy(logits[last], propagated);
            all.dlogits[first] += v * (sigmoid(logits[first]) - own);
            all.dlogits[last] += lambda * u * (sigmoid(logits[last]) - propagated);
            all.probabilities.push(sigmoid(logits[first]));
        }
    }
    all.total = all.own + lambda * all.propagated;
    all
}

/// Nesterov momentum as PyTorch's SGD: `u = m·u + g`, `p = p − rate·(g + m·u)`.
pub fn nesterov<T: Real>(parameters: &mut [T], momenta: &mut [T], gradients: &[T], rate: T, momentum: T) {
    for ((p, u), &g) in parameters.iter_mut().zip(momenta).zip(gradients) {
        *u = momentum * *u + g;
        *p = *p - rate * (g + momentum * *u);
    }
}

/// Mean `[tap]` and covariance `[tap, tap]` of the patches that a convolution of one channel
/// reads; padded samples are 0. a `[clip, input]`. What `algebra.md`, 4 calls m/N and S/N − m mᵀ/N².
pub fn patches(shape: Shape, a: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let taps = shape.layer.kernel;
    let rows: Vec<f64> = (0..shape.clips * shape.length())
        .flat_map(|j| (0..taps).map(move |k| (j / shape.length(), j % shape.length(), k)))
        .map(|(b, l, k)| shape.reads(l, k).map_or(0.0, |j| a[b * shape.input + j]))
        .collect();
    let (mean, _) = statistics(&rows, taps);
    let n = (rows.len() / taps) as f64;
    let mut covariance = vec![0.0; taps * taps];
    for row in rows.chunks_exact(taps) {
        for (j, sum) in covariance.iter_mut().enumerate() {
            *sum += (row[j / taps] - mean[j / taps]) * (row[j % taps] - mean[j % taps]) / n;
        }
    }
    (mean, covariance)
}
