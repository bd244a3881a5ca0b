//! The numbers that kernels are checked on: random, asymmetric, with means away from zero in some
//! cases, gammas of both signs and zero; and no activation so near to zero that f32 and f64 may
//! disagree about its sign.

use rand::RngExt;

use crate::kernels::conv::norm;
use crate::random::{Generator, Purpose, generator};

pub struct Data {
    random: Generator,
    case: usize,
}

impl Data {
    /// The stream of a kernel's case: the same on every device and family.
    pub fn new(kernel: &str, case: usize) -> Data {
        let name = kernel.bytes().fold(0u64, |sum, b| sum.wrapping_mul(257).wrapping_add(b.into()));
        Data { random: generator(7, Purpose::Synthetic, [name, case as u64, 0]), case }
    }

    /// A number in 0..1.
    fn unit(&mut self) -> f64 {
        self.random.random_range(0.0..1.0)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.random.random_range(0..n)
    }

    /// `n` values about `mean`, skewed to the right: from `mean − spread` to `mean + 1.5 spread`.
    pub fn values(&mut self, n: usize, mean: f64, spread: f64) -> Vec<f32> {
        let one = |u: f64| mean + spread * (2.0 * u - 1.0 + 0.5 * u * u * u);
        (0..n).map(|_| one(self.unit()) as f32).collect()
    }

    /// How far means lie from zero, in deviations: most often not at all.
    pub fn offset(&self) -> f64 {
        [0.0, 0.0, 3.0, 0.0, 0.0, 10.0, 0.0][self.case % 7]
    }

    /// Gammas: mixed signs with some zeros, and in some cases all positive, all negative or zero.
    pub fn gammas(&mut self, n: usize) -> Vec<f32> {
        let kind = self.case % 8;
        let mut gammas = self.values(n, 1.0, 0.4);
        for (c, gamma) in gammas.iter_mut().enumerate() {
            *gamma *= match (kind, c % 5) {
                (0 | 3 | 5, _) => 1.0,
                (1, _) => -1.0,
                (7, _) if self.case == 7 => 0.0,
                (_, 1 | 4) => -1.0,
                (_, 2) => 0.0,
                _ => 1.0,
            };
        }
        gammas
    }

    /// int16 samples, neither centred nor symmetric.
    pub fn samples(&mut self, n: usize) -> Vec<i16> {
        self.values(n, 0.1, 0.4).into_iter().map(|v| (v * 32768.0) as i16).collect()
    }

    /// A layer's `norm` rows `[4, channel]` for values about `mean` with deviations about 1:
    /// scales of both signs and a few zeros.
    pub fn norm(&mut self, channels: usize, mean: f64) -> Vec<f32> {
        let gammas = self.gammas(channels);
        let (betas, r) = (self.values(channels, 0.3, 0.4), self.values(channels, 1.0, 0.3));
        let means = self.values(channels, mean, 0.2);
        let mut rows = vec![0.0; 4 * channels];
        for c in 0..channels {
            rows[norm::SCALE * channels + c] = gammas[c] * r[c];
            rows[norm::BETA * channels + c] = betas[c];
            rows[norm::MEAN * channels + c] = means[c];
            rows[norm::R * channels + c] = r[c];
        }
        rows
    }

    /// Moves values that batch norm brings so near to zero that rounding decides the sign; `given` is how they are
    /// stored.
    pub fn keep_off_zero(&mut self, p: &mut [f32], norm_rows: &[f32], given: impl Fn(f32) -> f32) {
        for (j, v) in p.iter_mut().enumerate() {
            *v = given(*v);
            let mut step = 0.01;
            while undecided(norm_rows, j, (*v).into()) {
                *v = given(*v + step);
                step *= 2.0;
            }
        }
    }
}

/// `scale·(value − mean) + beta` of value `j` of a tensor whose last dimension is the channel.
pub fn affine(norm_rows: &[f32], j: usize, value: f64) -> f64 {
    let [scale, beta, mean] = of_channel(norm_rows, j);
    scale * (value - mean) + beta
}

/// Whether rounding decides the sign of [`affine`]. A sum of zeros is not undecided.
pub fn undecided(norm_rows: &[f32], j: usize, value: f64) -> bool {
    let [scale, beta, mean] = of_channel(norm_rows, j);
    let sum = affine(norm_rows, j, value).abs();
    sum > 0.0 && sum < 1e-5 * (scale.abs() * (value.abs() + mean.abs()) + beta.abs())
}

fn of_channel(norm_rows: &[f32], j: usize) -> [f64; 3] {
    let channels = norm_rows.len() / 4;
    [norm::SCALE, norm::BETA, norm::MEAN].map(|row| norm_rows[row * channels + j % channels].into())
}
