//! Logistic regression, a tag at a time: the floor beneath any network, where its inputs are statistics of songs.
//!
//! For labels y in [0, 1] and weights v it minimises Σ v (log(1 + e^z) − y z) + |w|² / 2C over z = w·x + b, as
//! scikit-learn's `LogisticRegression(C)` does for labels 0 and 1; the intercept b is not shrunk. Newton's method, which
//! draws nothing: the same input gives the same bits.

use rayon::prelude::*;

/// How it is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Inverse of the shrinkage.
    pub c: f64,
    /// Both classes of a tag weigh the same in all, as scikit-learn's `class_weight="balanced"`.
    pub balanced: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { c: 0.01, balanced: false }
    }
}

/// What is fitted for one tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub weights: Vec<f64>,
    pub intercept: f64,
}

impl Model {
    /// z of one song's inputs.
    pub fn logit(&self, inputs: &[f64]) -> f64 {
        self.intercept + self.weights.iter().zip(inputs).map(|(w, x)| w * x).sum::<f64>()
    }

    pub fn probability(&self, inputs: &[f64]) -> f64 {
        1.0 / (1.0 + (-self.logit(inputs)).exp())
    }
}

/// Where the largest element of the gradient, over the sum of weights, is below this, it has converged.
const PRECISION: f64 = 1e-10;
/// Newton's method doubles the digits; a loss this smooth takes about ten steps.
const STEPS: usize = 100;
/// Logit of a tag that all songs or none have, at most.
const CERTAIN: f64 = 12.0;

/// Fits one tag. `inputs` is `[songs, width]`, `labels` and `weights` `[songs]`. Where all labels are 0 (or 1), or
/// nothing has weight, only the intercept says so.
pub fn fit(inputs: &[f64], width: usize, labels: &[f64], weights: &[f64], options: &Options) -> Model {
    let total: f64 = weights.iter().sum();
    let positive: f64 = weights.iter().zip(labels).map(|(v, y)| v * y).sum();
    let mut model = Model { weights: vec![0.0; width], intercept: 0.0 };
    if positive <= 0.0 || positive >= total {
        model.intercept = if positive > 0.0 { CERTAIN } else { -CERTAIN };
        return model;
    }
    let (mut up, mut down) = (1.0, 1.0);
    if options.balanced {
        (up, down) = (total / (2.0 * positive), total / (2.0 * (total - positive)));
    }
    // A song's pull to 1 and to 0.
    let pulls: Vec<(f64, f64)> = weights.iter().zip(labels).map(|(v, y)| (v * y * up, v * (1.0 - y) * down)).collect();
    let problem = Problem { inputs, width, pulls, shrink: 1.0 / options.c };
    let balance = if options.balanced { 1.0 } else { positive / (total - positive) };
    model.intercept = balance.ln();
    let mut loss = problem.loss(&model);
    for _ in 0..STEPS {
        let (gradient, mut hessian) = problem.derivatives(&model);
        if gradient.iter().all(|g| g.abs() <= PRECISION * total) {
            break;
        }
        let mut step = gradient;
        solve(&mut hessian, &mut step);
        // Halved until the loss falls; near the minimum it no longer can.
        let mut share = 1.0;
        let next = loop {
            let tried = Model {
                weights: model.weights.iter().zip(&step).map(|(w, s)| w - share * s).collect(),
                intercept: model.intercept - share * step[width],
            };
            let tried_loss = problem.loss(&tried);
            if tried_loss < loss {
                break Some((tried, tried_loss));
            }
            share /= 2.0;
            if share < 1e-6 {
                break None;
            }
        };
        match next {
            Some(better) => (model, loss) = better,
            None => break,
        }
    }
    model
}

/// Fits every tag, on the threads of the pool it is called in. `labels` is `[songs, tags]`, `weights` `[songs]`.
pub fn fit_all(inputs: &[f64], width: usize, labels: &[f32], weights: &[f64], tags: usize, options: &Options) -> Vec<Model> {
    let column = |tag: usize| labels.iter().skip(tag).step_by(tags).map(|&y| f64::from(y)).collect::<Vec<f64>>();
    (0..tags).into_par_iter().map(|tag| fit(inputs, width, &column(tag), weights, options)).collect()
}

struct Problem<'a> {
    inputs: &'a [f64],
    width: usize,
    pulls: Vec<(f64, f64)>,
    shrink: f64,
}

impl Problem<'_> {
    fn loss(&self, model: &Model) -> f64 {
        let songs = self.inputs.chunks_exact(self.width).zip(&self.pulls).map(|(x, &(up, down))| {
            let z = model.logit(x);
            // log(1 + e^z) and log(1 + e^-z), without overflow.
            let softplus = z.max(0.0) + (-z.abs()).exp().ln_1p();
            down * softplus + up * (softplus - z)
        });
        songs.sum::<f64>() + 0.5 * self.shrink * model.weights.iter().map(|w| w * w).sum::<f64>()
    }

    /// Gradient `[width + 1]`, the intercept last, and the lower half of the Hessian `[width + 1, width + 1]`.
    fn derivatives(&self, model: &Model) -> (Vec<f64>, Vec<f64>) {
        let size = self.width + 1;
        let (mut gradient, mut hessian) = (vec![0.0; size], vec![0.0; size * size]);
        let mut row = vec![1.0; size];
        for (x, &(up, down)) in self.inputs.chunks_exact(self.width).zip(&self.pulls) {
            if up + down == 0.0 {
                continue;
            }
            let p = model.probability(x);
            let slope = (up + down) * p - up;
            let curve = (up + down) * p * (1.0 - p);
            row[..self.width].copy_from_slice(x);
            for i in 0..size {
                gradient[i] += slope * row[i];
                let scaled = curve * row[i];
                let line = &mut hessian[i * size..i * size + i + 1];
                line.iter_mut().zip(&row).for_each(|(h, x)| *h += scaled * x);
            }
        }
        for i in 0..self.width {
            gradient[i] += self.shrink * model.weights[i];
            hessian[i * size + i] += self.shrink;
        }
        (gradient, hessian)
    }
}

/// Solves H s = g by Cholesky's decomposition of the lower half of H, in place; g becomes s. H is positive definite but
/// for rounding, where a pivot is kept above 0.
fn solve(hessian: &mut [f64], values: &mut [f64]) {
    let n = values.len();
    for i in 0..n {
        for j in 0..=i {
            let (before, line) = hessian.split_at_mut(i * n);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
            if j < i {
                let other = &before[j * n..j * n + j + 1];
                line[j] = (line[j] - dot(&line[..j], &other[..j])) / other[j];
            } else {
                line[i] = (line[i] - dot(&line[..i], &line[..i])).max(1e-12).sqrt();
            }
        }
    }
    for i in 0..n {
        let known: f64 = (0..i).map(|j| hessian[i * n + j] * values[j]).sum();
        values[i] = (values[i] - known) / hessian[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| hessian[j * n + i] * values[j]).sum();
        values[i] = (values[i] - known) / hessian[i * n + i];
    }
}
