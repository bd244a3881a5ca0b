//! The SampleCNN family as data: a table of layers (Lee et al. 2017, and `samplecnn.md`'s facts),
//! the lengths that follow from it, and its parameters by name.

pub mod family;
pub mod parameters;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
pub use parameters::{Entry, Parameters};

/// How a pooling treats a length that its size does not divide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolMode {
    /// Floor: positions left over at the end are in no window.
    #[serde(rename = "valid")]
    Valid,
    /// TensorFlow's 'same': ceil; padding split, the smaller half on the left.
    #[serde(rename = "tf_same")]
    Same,
    /// Ceil; padding on the right only (PyTorch's `ceil_mode`).
    #[serde(rename = "ceil")]
    Ceil,
}

/// One layer: convolution with bias, batch norm, ReLU, max-pooling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Channels read: 1 from a wave, else `cout` of the layer below.
    pub cin: usize,
    /// Channels written: the number of filters.
    pub cout: usize,
    /// Taps of a filter, in positions of what is read (samples, for the first layer).
    pub kernel: usize,
    /// Positions from one output of the convolution to the next.
    pub stride: usize,
    /// Zeros put before and after what is read, in its positions; each fewer than `kernel`.
    pub padding: [usize; 2],
    /// Size and stride of the pooling, in positions; 1 is none.
    pub pool: usize,
    /// What becomes of positions that `pool` does not divide.
    pub pool_mode: PoolMode,
}

/// Lengths around a layer, in positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    pub input: usize,
    pub conv: usize,
    pub output: usize,
}

/// No clip and no layer's weights are larger (1 GiB of f32): what a file says beyond it is a mistake.
const LARGEST: usize = 1 << 28;
/// Nor does a layer give more values a clip.
const LARGEST_OUTPUT: usize = 1 << 34;
const MOST_LAYERS: usize = 256;
/// Taps of the longest first layer that is computed while it is read (`algebra.md`, 4).
pub const MOST_FIRST_TAPS: usize = 9;

/// A member of the family. What `config.json` keeps, and what a golden problem's
/// `architecture` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Samples a clip.
    pub clip_length: usize,
    pub tags: usize,
    /// 1, or 2: the propagated term has its own dense layer.
    pub heads: usize,
    pub bn_eps: f64,
    /// In PyTorch's sense: running = (1 - m) running + m batch. Keras' 0.99 is 0.01.
    pub bn_momentum: f64,
    /// Probability that a feature is dropped before the dense layer.
    pub dropout: f64,
    pub layers: Vec<Layer>,
}

impl Layer {
    /// Length of the convolution's output, or `None` where the input is too short.
    pub fn conv_length(&self, input: usize) -> Option<usize> {
        let padded = input + self.padding[0] + self.padding[1];
        (padded >= self.kernel).then(|| (padded - self.kernel) / self.stride + 1)
    }

    /// Length after pooling.
    pub fn pooled_length(&self, conv: usize) -> usize {
        match self.pool_mode {
            _ if self.pool == 1 => conv,
            PoolMode::Valid => conv / self.pool,
            PoolMode::Same | PoolMode::Ceil => conv.div_ceil(self.pool),
        }
    }

    /// Positions by which the first pooling window begins before position 0.
    pub fn pool_left(&self, conv: usize) -> usize {
        match self.pool_mode {
            PoolMode::Same => (self.pooled_length(conv) * self.pool - conv) / 2,
            PoolMode::Valid | PoolMode::Ceil => 0,
        }
    }
}

impl Network {
    /// Lengths of every layer. Fails where a layer gets nothing.
    pub fn lengths(&self) -> Result<Vec<Lengths>> {
        let mut input = self.clip_length;
        let mut all = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let conv = layer.conv_length(input).unwrap_or(0);
            let output = layer.pooled_length(conv);
            if conv == 0 || output == 0 {
                return Err(Error::usage(
                    "network",
                    format!(
                        "a clip of {} samples is too short: layer {} gets {input} positions and gives none",
                        self.clip_length,
                        i + 1
                    ),
                )
                .help("Take a longer clip, or 'same' pooling (--clip, or a JSON table), which rounds up."));
            }
            all.push(Lengths { input, conv, output });
            input = output;
        }
        Ok(all)
    }

    /// Checks that the table makes a network at all; call it on anything read from a file.
    pub fn check(&self) -> Result<()> {
        let bad = |what: String| Err(Error::usage("network", what));
        if self.clip_length > LARGEST || self.layers.len() > MOST_LAYERS {
            return bad(format!(
                "{} layers over clips of {} samples are more than can be computed",
                self.layers.len(),
                self.clip_length
            ));
        }
        if self.layers.is_empty() || self.tags == 0 {
            return bad("needs at least one layer and one tag".into());
        }
        if !(1..=2).contains(&self.heads) {
            return bad(format!("{} heads: there is 1, or 2", self.heads));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return bad(format!("dropout {} is not in [0, 1)", self.dropout));
        }
        if !(self.bn_eps > 0.0 && self.bn_eps.is_finite() && (0.0..=1.0).contains(&self.bn_momentum)) {
            return bad(format!("batch norm with eps {} and momentum {}", self.bn_eps, self.bn_momentum));
        }
        let mut channels = 1;
        for (i, l) in self.layers.iter().enumerate() {
            if l.cin != channels {
                return bad(format!("layer {} reads {} channels, the one below gives {channels}", i + 1, l.cin));
            }
            if l.cout == 0 || l.kernel == 0 || l.stride == 0 || l.pool == 0 {
                return bad(format!("layer {} has a zero among channels, kernel, stride, pool", i + 1));
            }
            let weights = [l.kernel, l.cin, l.cout].iter().try_fold(1usize, |n, &d| n.checked_mul(d));
            if weights.is_none_or(|n| n > LARGEST) || l.stride > LARGEST || l.pool > LARGEST {
                return bad(format!("layer {} is larger than any that can be computed", i + 1));
            }
            if l.padding[0] >= l.kernel || l.padding[1] >= l.kernel {
                return bad(format!("layer {}'s padding is not smaller than its kernel", i + 1));
            }
            channels = l.cout;
        }
        for (i, (lengths, l)) in self.lengths()?.iter().zip(&self.layers).enumerate() {
            if lengths.conv * l.cout > LARGEST_OUTPUT {
                return bad(format!("layer {} gives more than can be computed", i + 1));
            }
        }
        let outputs = self.heads.checked_mul(self.tags).filter(|&n| n <= LARGEST);
        match self.features()?.checked_mul(outputs.unwrap_or(LARGEST)) {
            Some(weights) if outputs.is_some() && weights <= LARGEST => Ok(()),
            _ => bad(format!("{} tags are more than can be computed", self.tags)),
        }
    }

    /// Features that the dense layer reads: positions times channels of the last layer.
    pub fn features(&self) -> Result<usize> {
        Ok(self.lengths()?.last().map_or(0, |l| l.output) * self.layers.last().map_or(0, |l| l.cout))
    }

    /// Whether layer 1 is recomputed by whoever reads it instead of stored: a short filter and
    /// no pooling, so that its statistics follow from the patches alone (`algebra.md`, 4).
    pub fn recomputes_first_layer(&self) -> bool {
        self.layers.len() > 1 && self.layers[0].kernel <= MOST_FIRST_TAPS && self.layers[0].pool == 1
    }

    /// Samples from one clip to the next in memory: even, because a GPU reads them in pairs.
    pub fn wave_stride(&self) -> usize {
        self.clip_length.next_multiple_of(2)
    }
}
