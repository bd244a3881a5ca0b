//! The dense layer's rooms against the reference: logits; gradients of weights, bias and input,
//! the latter behind dropout and ReLU, with the sums of the last layer.

use super::conv::joined;
use super::{Judge, bytes, double, length, single};
use crate::error::Result;
use crate::kernels::conv::norm;
use crate::kernels::dense_backward::DenseBackward;
use crate::kernels::dense_forward::DenseForward;
use crate::kernels::reference::{dense, dense_backward, relu, relu_backward, times};
use crate::measure::check::data::{Data, affine};

/// What the dense layer reads.
struct Read {
    p: Vec<f32>,
    norm: Vec<f32>,
    mask: Vec<f32>,
    /// `scale·(p − mean) + beta`
    y: Vec<f64>,
}

fn read(judge: &Judge, data: &mut Data, clips: usize, positions: usize, channels: usize) -> Read {
    let mean = data.offset();
    let norm = data.norm(channels, mean);
    let mut p = data.values(clips * positions * channels, mean, 1.5);
    data.keep_off_zero(&mut p, &norm, |v| judge.given(&[v])[0]);
    let y = p.iter().enumerate().map(|(j, &v)| affine(&norm, j, v.into())).collect();
    let mask = (0..p.len()).map(|_| if data.below(4) == 0 { 0.0 } else { 1.0 / 0.75 }).collect();
    Read { p, norm, mask, y }
}

pub fn forward(judge: &mut Judge) -> Result<usize> {
    let kernels = DenseForward::cases(&judge.subject.choice);
    for (i, kernel) in kernels.iter().enumerate() {
        let mut data = judge.begin(i, kernel);
        let read = read(judge, &mut data, kernel.clips, kernel.positions, kernel.channels);
        let weights = data.values(kernel.features() * kernel.outputs, 0.1, 0.3);
        let bias = data.values(kernel.outputs, 0.1, 0.5);
        let inputs = vec![
            ("below", bytes(&read.p)),
            ("below_norm", bytes(&read.norm)),
            ("mask", bytes(&read.mask)),
            ("weights", bytes(&weights)),
            ("bias", bytes(&bias)),
        ];
        let got = judge.run(kernel, &inputs)?;
        let mut features = relu(&read.y);
        if kernel.masked {
            features = times(&features, &double(&read.mask));
        }
        judge.compare("logits", &got["logits"], &dense(&features, &double(&weights), &double(&bias)));
    }
    Ok(kernels.len())
}

pub fn backward(judge: &mut Judge) -> Result<usize> {
    let kernels = DenseBackward::cases(&judge.subject.choice);
    for (i, kernel) in kernels.iter().enumerate() {
        let mut data = judge.begin(i, kernel);
        let read = read(judge, &mut data, kernel.clips, kernel.positions, kernel.channels);
        let weights = data.values(kernel.features() * kernel.outputs, 0.1, 0.3);
        let dlogits = data.values(kernel.clips * kernel.outputs, 0.05, 0.3);
        let inputs = vec![
            ("below", bytes(&read.p)),
            ("below_norm", bytes(&read.norm)),
            ("mask", bytes(&read.mask)),
            ("weights", bytes(&weights)),
            ("logits_gradient", bytes(&dlogits)),
        ];
        let got = judge.run(kernel, &inputs)?;

        let mask = double(&read.mask);
        let features = times(&relu(&read.y), &mask);
        let want = dense_backward(&features, &double(&weights), &double(&dlogits), kernel.outputs);
        let dy = relu_backward(&read.y, &times(&want.x, &mask));
        judge.compare("dw", &got["weights_gradient"], &want.w);
        judge.compare_over("gradient of the bias", &got["bias_gradient"], &want.bias, length(double(&dlogits).into_iter()));
        judge.compare_within("dy", &got["dy"], &judge.stored(&dy), judge.stored_bound());
        // The sums are of what is stored.
        let dy = if judge.is_mixed() { double(&got["dy"]) } else { dy };
        let c = kernel.channels;
        let normal = |j: usize| {
            let row = |r: usize| f64::from(read.norm[r * c + j % c]);
            dy[j] * (f64::from(read.p[j]) - row(norm::MEAN)) * row(norm::R)
        };
        let mut sums = vec![0.0; 2 * c];
        for (j, &d) in dy.iter().enumerate() {
            sums[j % c] += d;
            sums[c + j % c] += normal(j);
        }
        let terms = length(dy.iter().copied().chain((0..dy.len()).map(normal)));
        judge.compare_over("sums of the last layer", &single(&joined(&got["partials"], kernel.tiles())), &sums, terms);
    }
    Ok(kernels.len())
}
