//! Batch norm's rooms against the reference: statistics and running statistics from z, gradients
//! of gamma, beta and z from the gradient at the layer's output.

use super::conv::joined;
use super::{Judge, bytes, double, length, single};
use crate::error::Result;
use crate::kernels::batch_norm_backward::{BatchNormBackward, Of};
use crate::kernels::batch_norm_forward::{BatchNormForward, From};
use crate::kernels::conv::norm;
use crate::kernels::reference::{
    Shape, batch_norm, batch_norm_backward, convolution, convolution_backward, patches, statistics, update_running,
};
use crate::measure::check::data::{Data, affine};
use crate::network::{Layer, PoolMode};

/// A first layer of `taps` samples, stride 2, so that patches overlap.
fn first(taps: usize, channels: usize) -> Layer {
    Layer { cin: 1, cout: channels, kernel: taps, stride: 2, padding: [1, 0], pool: 1, pool_mode: PoolMode::Valid }
}

/// One clip that gives `positions` patches, and what the device is told of them `[taps + 1, taps]`.
fn clip(data: &mut Data, layer: &Layer, positions: usize) -> (Vec<f64>, Vec<f32>) {
    let length = 2 * (positions - 1) + layer.kernel - layer.padding[0];
    let wave: Vec<f64> = data.samples(length).iter().map(|&s| f64::from(s) / 32768.0).collect();
    let (mean, covariance) = patches(Shape { layer, clips: 1, input: length }, &wave);
    (wave, single(&[mean, covariance].concat()))
}

/// z `[position, channel]`, channels about means of their own.
fn z(data: &mut Data, positions: usize, channels: usize) -> Vec<f64> {
    let means = data.values(channels, data.offset(), 0.5);
    let mut z = double(&data.values(positions * channels, 0.0, 1.0));
    z.iter_mut().enumerate().for_each(|(j, v)| *v += f64::from(means[j % channels]));
    z
}

pub fn forward(judge: &mut Judge) -> Result<usize> {
    let kernels = BatchNormForward::cases(&judge.subject.choice);
    for (i, kernel) in kernels.iter().enumerate() {
        let mut data = judge.begin(i, kernel);
        let c = kernel.channels;
        let (gamma, beta, bias) = (data.gammas(c), data.values(c, 0.3, 0.5), data.values(c, 0.5, 1.0));
        let running = [data.values(c, 0.2, 0.5), data.values(c, 1.5, 0.5)].concat();
        let mut inputs =
            vec![("gamma", bytes(&gamma)), ("beta", bytes(&beta)), ("bias", bytes(&bias)), ("running", bytes(&running))];
        let z = match kernel.from {
            From::Partials { tiles } => {
                let z = z(&mut data, kernel.positions, c);
                inputs.push(("partials", bytes(&partials(&mut data, &z, c, tiles))));
                z
            }
            From::Patches { taps } => {
                let layer = first(taps, c);
                let (wave, told) = clip(&mut data, &layer, kernel.positions);
                let weights = data.values(taps * c, 0.3, 1.0);
                inputs.extend([("patches", bytes(&told)), ("weights", bytes(&weights))]);
                let shape = Shape { layer: &layer, clips: 1, input: wave.len() };
                convolution(shape, &wave, &double(&weights), &vec![0.0; c])
            }
            From::Running => z(&mut data, kernel.positions, c),
        };
        let got = judge.run(kernel, &inputs)?;

        // The textbook's z has the bias, and its statistics are the batch's or the running ones.
        let full: Vec<f64> = z.iter().enumerate().map(|(j, v)| v + f64::from(bias[j % c])).collect();
        let mut wanted_running = double(&running);
        let (mean, variance) = if kernel.from == From::Running {
            (wanted_running[..c].to_vec(), wanted_running[c..].to_vec())
        } else {
            let (mean, variance) = statistics(&full, c);
            let (means, variances) = wanted_running.split_at_mut(c);
            let momentum = f64::from(kernel.momentum);
            update_running(means, &mean, momentum, None);
            update_running(variances, &variance, momentum, kernel.unbiased.then_some(kernel.positions));
            (mean, variance)
        };
        let y = batch_norm(&full, &mean, &variance, &double(&gamma), &double(&beta), kernel.eps.into());
        let rows = &got["norm"];
        let found: Vec<f64> = z.iter().enumerate().map(|(j, &v)| affine(rows, j, v)).collect();
        judge.compare("normalised z", &single(&found), &y);
        let deviations = length(variance.iter().map(|v| v.sqrt()));
        let unbiased: Vec<f64> = mean.iter().zip(&bias).map(|(m, &b)| m - f64::from(b)).collect();
        judge.compare_over("mean", &rows[norm::MEAN * c..][..c], &unbiased, deviations);
        let r: Vec<f64> = variance.iter().map(|v| 1.0 / (v + f64::from(kernel.eps)).sqrt()).collect();
        judge.compare("deviation", &rows[norm::R * c..], &r);
        if kernel.from != From::Running {
            judge.compare("running mean", &got["running"][..c], &wanted_running[..c]);
            judge.compare("running variance", &got["running"][c..], &wanted_running[c..]);
        }
    }
    Ok(kernels.len())
}

/// z's count, mean and squared deviations in `tiles` tiles of unequal length, each at least 1 long.
fn partials(data: &mut Data, z: &[f64], channels: usize, tiles: usize) -> Vec<f32> {
    let positions = z.len() / channels;
    let mut rows = Vec::new();
    let mut at = 0;
    for tile in 0..tiles {
        let left = tiles - tile - 1;
        let room = positions - at - left;
        let count = if left == 0 { room } else { 1 + data.below(room.min(2 * positions / tiles)) };
        let (mean, variance) = statistics(&z[at * channels..(at + count) * channels], channels);
        rows.extend(vec![count as f64; channels]);
        rows.extend(mean);
        rows.extend(variance.iter().map(|v| v * count as f64));
        at += count;
    }
    single(&rows)
}

pub fn backward(judge: &mut Judge) -> Result<usize> {
    let kernels = BatchNormBackward::cases(&judge.subject.choice);
    for (i, kernel) in kernels.iter().enumerate() {
        let mut data = judge.begin(i, kernel);
        let (c, n) = (kernel.channels, kernel.positions);
        let (gamma, eps) = (double(&data.gammas(c)), 1e-3);
        let dy = double(&data.values(n * c, 0.2, 1.0));
        let (z, first) = match kernel.of {
            Of::Stored => (z(&mut data, n, c), None),
            Of::FirstLayer { taps } => {
                let layer = first(taps, c);
                let (wave, told) = clip(&mut data, &layer, n);
                let weights = data.values(taps * c, 0.3, 1.0);
                let shape = Shape { layer: &layer, clips: 1, input: wave.len() };
                let z = convolution(shape, &wave, &double(&weights), &vec![0.0; c]);
                (z, Some((layer, wave, told, weights)))
            }
        };
        let (mean, variance) = statistics(&z, c);
        let r: Vec<f64> = variance.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
        let scale: Vec<f64> = gamma.iter().zip(&r).map(|(g, r)| g * r).collect();
        let mut inputs = vec![("norm", bytes(&single(&[scale, vec![0.3; c], mean.clone(), r.clone()].concat())))];

        // Each position's part of the sums, dealt out to the tiles.
        let part = |position: usize| -> Vec<f64> {
            let at = |o: usize| position * c + o;
            match &first {
                None => {
                    let normal = (0..c).map(|o| dy[at(o)] * (z[at(o)] - mean[o]) * r[o]);
                    (0..c).map(|o| dy[at(o)]).chain(normal).collect()
                }
                Some((layer, wave, ..)) => {
                    let sample = |k: usize| (2 * position + k).checked_sub(layer.padding[0]).map_or(0.0, |j| wave[j]);
                    let patch = (0..layer.kernel).flat_map(|k| (0..c).map(move |o| (k, o)));
                    patch.map(|(k, o)| sample(k) * dy[at(o)]).chain((0..c).map(|o| dy[at(o)])).collect()
                }
            }
        };
        let each = part(0).len();
        let mut tiles = vec![0.0; kernel.tiles * each];
        for position in 0..n {
            let at = position * kernel.tiles / n * each;
            tiles[at..at + each].iter_mut().zip(part(position)).for_each(|(sum, v)| *sum += v);
        }
        let tiles = single(&tiles);
        inputs.push(("partials", bytes(&tiles)));
        if let Some((_, _, told, weights)) = &first {
            inputs.extend([("patches", bytes(told)), ("weights", bytes(weights))]);
        }
        let got = judge.run(kernel, &inputs)?;

        let want = batch_norm_backward(&z, &dy, &gamma, eps);
        // Sums over positions: as large as their terms where these cancel.
        let terms = length(joined(&tiles, kernel.tiles).into_iter()).min(length(dy.iter().copied()));
        judge.compare_over("gradient of gamma", &got["gamma_gradient"], &want.gamma, terms);
        judge.compare_over("gradient of beta", &got["beta_gradient"], &want.beta, terms);
        match &first {
            None => {
                let row = |r: usize, j: usize| f64::from(got["coefficients"][r * c + j % c]);
                let dz: Vec<f64> = (0..z.len()).map(|j| row(0, j) * dy[j] + row(1, j) + row(2, j) * (z[j] - row(3, j))).collect();
                judge.compare("dz", &single(&dz), &want.z);
            }
            Some((layer, wave, _, weights)) => {
                let shape = Shape { layer, clips: 1, input: wave.len() };
                let dw = convolution_backward(shape, wave, &double(weights), &want.z).w;
                judge.compare("dw", &got["weights_gradient"], &dw);
            }
        }
    }
    Ok(kernels.len())
}
