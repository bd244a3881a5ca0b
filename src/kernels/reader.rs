//! What a convolution on the CPU reads: the wave, layer 1 computed from it, or the layer below through
//! its batch norm and ReLU.

use super::bf16::Element;
use super::conv::{Conv, Source, norm};
use super::cpu::Arguments;
use crate::network::MOST_FIRST_TAPS;

/// What a convolution reads, with its operands in hand.
pub enum Reader<'a, E> {
    Wave {
        wave: &'a [i16],
        stride: usize,
    },
    FirstLayer {
        wave: &'a [i16],
        stride: usize,
        samples: usize,
        layer: &'a crate::network::Layer,
        weights: &'a [f32],
        norm: &'a [f32],
    },
    Below {
        below: &'a [E],
        norm: &'a [f32],
    },
}

impl<'a, E: Element> Reader<'a, E> {
    pub fn new(source: &'a Source, conv: &Conv, args: &Arguments<'a>) -> Reader<'a, E> {
        match source {
            Source::Wave { stride } => Reader::Wave { wave: args.samples(0), stride: *stride },
            Source::FirstLayer { layer, samples, stride } => Reader::FirstLayer {
                wave: args.samples(0),
                stride: *stride,
                samples: *samples,
                layer,
                weights: args.read(1),
                norm: args.read(2),
            },
            Source::Below => Reader::Below { below: args.slice(0), norm: args.read(1) },
        }
        .checked(conv)
    }

    /// What is read by pointers is as long as the layer says.
    fn checked(self, conv: &Conv) -> Reader<'a, E> {
        let norms = 4 * conv.cin;
        match &self {
            Reader::Wave { wave, stride } => assert!(wave.len() == conv.clips * stride),
            Reader::FirstLayer { wave, stride, weights, norm, layer, .. } => {
                assert!(wave.len() == conv.clips * stride && norm.len() == norms && weights.len() == layer.kernel * conv.cin);
            }
            Reader::Below { below, norm } => {
                assert!(below.len() == conv.clips * conv.input * conv.cin && norm.len() == norms);
            }
        }
        self
    }

    /// The samples of layer 1's patch at position `j` of `clip`; padded ones are 0.
    #[inline(always)]
    pub fn patch(&self, clip: usize, j: usize, patch: &mut [f32]) {
        let Reader::FirstLayer { wave, stride, samples, layer, .. } = self else { return };
        let wave = &wave[clip * stride..clip * stride + samples];
        let start = (j * layer.stride) as isize - layer.padding[0] as isize;
        for (k, x) in patch.iter_mut().enumerate() {
            *x = wave.get((start + k as isize) as usize).map_or(0.0, |&s| f32::from(s) * (1.0 / 32768.0));
        }
    }

    /// Row `j` of `clip`: `cin` values after batch norm and ReLU. `j` is a real position.
    #[inline(always)]
    pub fn row(&self, clip: usize, j: usize, conv: &Conv, row: &mut [f32]) {
        let c = conv.cin;
        match self {
            Reader::Wave { wave, stride } => row[0] = f32::from(wave[clip * stride + j]) * (1.0 / 32768.0),
            Reader::FirstLayer { layer, weights, norm, .. } => {
                let mut patch = [0.0f32; MOST_FIRST_TAPS];
                let patch = &mut patch[..layer.kernel];
                self.patch(clip, j, patch);
                let [scale, beta, mean] = [norm::SCALE, norm::BETA, norm::MEAN].map(|k| &norm[k * c..][..c]);
                let row = &mut row[..c];
                if let [x0, x1, x2] = *patch {
                    // The released network's case, one pass over the channels.
                    let (w0, w1, w2) = (&weights[..c], &weights[c..][..c], &weights[2 * c..][..c]);
                    for i in 0..c {
                        let z = x0 * w0[i] + x1 * w1[i] + x2 * w2[i];
                        row[i] = (scale[i] * (z - mean[i]) + beta[i]).max(0.0);
                    }
                } else {
                    row.fill(0.0);
                    for (x, w) in patch.iter().zip(weights.chunks_exact(c)) {
                        for i in 0..c {
                            row[i] += x * w[i];
                        }
                    }
                    for i in 0..c {
                        row[i] = (scale[i] * (row[i] - mean[i]) + beta[i]).max(0.0);
                    }
                }
            }
            Reader::Below { below, norm } => {
                let p = &below[(clip * conv.input + j) * c..][..c];
                let [scale, beta, mean] = [norm::SCALE, norm::BETA, norm::MEAN].map(|k| &norm[k * c..][..c]);
                let row = &mut row[..c];
                for i in 0..c {
                    row[i] = (scale[i] * (p[i].into() - mean[i]) + beta[i]).max(0.0);
                }
            }
        }
    }

    /// The same where `j` may lie in the padding, which reads 0.
    #[inline(always)]
    pub fn row_or_zeros(&self, clip: usize, j: isize, conv: &Conv, row: &mut [f32]) {
        if j >= 0 && (j as usize) < conv.input {
            self.row(clip, j as usize, conv, row);
        } else {
            row.fill(0.0);
        }
    }
}
