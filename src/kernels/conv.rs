//! The shape of a convolution with its pooling, and where it reads from: shared by the
//! convolution's forward and backward rooms.

use super::pooling::Windows;
use super::{DType, Operand};
use crate::network::{Layer, Lengths};

/// A convolution over `[clip, position, channel]` with weights `[tap, cin, cout]`, and the
/// pooling behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    pub clips: usize,
    /// Positions a clip of what it reads.
    pub input: usize,
    pub cin: usize,
    pub cout: usize,
    pub taps: usize,
    pub stride: usize,
    /// Zeros before and after.
    pub padding: [usize; 2],
    pub windows: Windows,
}

impl Conv {
    pub fn new(layer: &Layer, lengths: Lengths, clips: usize) -> Conv {
        Conv {
            clips,
            input: lengths.input,
            cin: layer.cin,
            cout: layer.cout,
            taps: layer.kernel,
            stride: layer.stride,
            padding: layer.padding,
            windows: Windows::of(layer, lengths.conv),
        }
    }

    /// Positions a clip of z.
    pub fn length(&self) -> usize {
        self.windows.length
    }

    /// Whether z and p are one tensor (no pooling).
    pub fn unpooled(&self) -> bool {
        self.windows.size == 1
    }

    /// Positions of z over all clips: the N of batch norm.
    pub fn positions(&self) -> usize {
        self.clips * self.length()
    }

    /// Operations of one product over the layer, counted directly.
    pub fn product_flops(&self) -> u64 {
        2 * (self.positions() * self.taps * self.cin * self.cout) as u64
    }
}

/// What a convolution reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// int16 samples / 32768; one channel. Clips lie `stride` samples apart.
    Wave { stride: usize },
    /// Layer 1, computed from the wave while reading (`algebra.md`, 4).
    FirstLayer { layer: Layer, samples: usize, stride: usize },
    /// `max(scale·p + shift, 0)` of the layer below.
    Below,
}

impl Source {
    /// Operands that come first in `conv_forward` and `conv_backward`:
    /// Wave: `wave`; FirstLayer: `wave, first_weights [tap, channel], first_norm [4, channel]`;
    /// Below: `below [clip, position, channel], below_norm [4, channel]`.
    pub fn operands(&self, conv: &Conv) -> Vec<Operand> {
        let wave = |stride: usize| Operand::new("wave", &[conv.clips, stride], DType::I16, super::Access::Read);
        match self {
            Source::Wave { stride } => vec![wave(*stride)],
            Source::FirstLayer { layer, stride, .. } => vec![
                wave(*stride),
                Operand::read("first_weights", &[layer.kernel, layer.cout]),
                Operand::read("first_norm", &[4, layer.cout]),
            ],
            Source::Below => {
                vec![Operand::read("below", &[conv.clips, conv.input, conv.cin]), Operand::read("below_norm", &[4, conv.cin])]
            }
        }
    }

    /// How many operands that is.
    pub fn count(&self) -> usize {
        match self {
            Source::Wave { .. } => 1,
            Source::FirstLayer { .. } => 3,
            Source::Below => 2,
        }
    }
}

/// Rows of a `norm` tensor `[4, channel]`, which `batch_norm_forward` writes:
/// `scale = gamma·r`, `shift = beta − mean·scale`, the mean of z (without the bias), and
/// `r = 1/sqrt(var + eps)`.
pub mod norm {
    pub const SCALE: usize = 0;
    pub const SHIFT: usize = 1;
    pub const MEAN: usize = 2;
    pub const R: usize = 3;
}
