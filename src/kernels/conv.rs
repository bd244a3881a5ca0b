//! The shape of a convolution with its pooling, and where it reads from: shared by the
//! convolution's forward and backward rooms.

use super::pooling::Windows;
use super::{DType, Operand};
use crate::network::{Layer, Lengths, PoolMode};

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
    /// `max(scale·(p − mean) + beta, 0)` of the layer below.
    Below,
}

impl Source {
    /// Operands that come first in `conv_forward` and `conv_backward`:
    /// Wave: `wave`; FirstLayer: `wave, first_weights [tap, channel], first_norm [4, channel]`;
    /// Below: `below [clip, position, channel], below_norm [4, channel]`.
    /// `stored` is p's element type.
    pub fn operands(&self, conv: &Conv, stored: DType) -> Vec<Operand> {
        let wave = |stride: usize| Operand::new("wave", &[conv.clips, stride], DType::I16, super::Access::Read);
        match self {
            Source::Wave { stride } => vec![wave(*stride)],
            Source::FirstLayer { layer, stride, .. } => vec![
                wave(*stride),
                Operand::read("first_weights", &[layer.kernel, layer.cout]),
                Operand::read("first_norm", &[4, layer.cout]),
            ],
            Source::Below => {
                let below = Operand::read("below", &[conv.clips, conv.input, conv.cin]).stored(stored);
                vec![below, Operand::read("below_norm", &[4, conv.cin])]
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
/// `scale = gamma·r`, beta, the mean of z (without the bias), and `r = 1/sqrt(var + eps)`. Readers take
/// `scale·(z − mean) + beta`: where |mean| is many deviations, `z − mean` is exact or nearly so, while the rounding of
/// a product `scale·z` would be as large as z's own.
pub mod norm {
    pub const SCALE: usize = 0;
    pub const BETA: usize = 1;
    pub const MEAN: usize = 2;
    pub const R: usize = 3;
}

/// A shape that the convolution's rooms are checked on.
#[derive(Clone, Debug)]
pub struct Case {
    pub layer: Layer,
    pub conv: Conv,
    pub source: Source,
}

impl Case {
    fn new(clips: usize, input: usize, layer: Layer, source: Source) -> Case {
        let length = layer.conv_length(input).expect("cases are long enough");
        let lengths = Lengths { input, conv: length, output: layer.pooled_length(length) };
        Case { conv: Conv::new(&layer, lengths, clips), layer, source }
    }
}

/// Odd and even channels, lengths, taps, strides, paddings, poolings of every mode, all sources:
/// the family's own layers in small, and what no member of the family has.
pub fn cases() -> Vec<Case> {
    use PoolMode::{Ceil, Same, Valid};
    let layer = |[cin, cout]: [usize; 2], [kernel, stride, before, after]: [usize; 4], (pool, pool_mode)| Layer {
        cin,
        cout,
        kernel,
        stride,
        padding: [before, after],
        pool,
        pool_mode,
    };
    // clips, positions, [cin, cout], [taps, stride, zeros before, zeros after], pooling
    let below = [
        (1, 1, [1, 1], [1, 1, 0, 0], (1, Valid)),
        (1, 1, [3, 5], [3, 1, 1, 1], (1, Valid)),
        (2, 1, [31, 33], [1, 1, 0, 0], (1, Valid)),
        (5, 1, [7, 5], [3, 1, 1, 1], (1, Valid)),
        (23, 1, [33, 31], [1, 1, 0, 0], (1, Valid)),
        (5, 2, [5, 3], [2, 1, 0, 1], (2, Valid)),
        (5, 3, [7, 7], [3, 1, 1, 1], (3, Valid)),
        (2, 4, [1, 7], [3, 1, 1, 1], (3, Same)),
        (2, 5, [3, 1], [3, 1, 1, 1], (3, Same)),
        (3, 7, [5, 7], [3, 1, 1, 1], (3, Same)),
        (2, 8, [6, 6], [2, 1, 0, 1], (3, Ceil)),
        (2, 9, [7, 5], [3, 1, 1, 1], (3, Valid)),
        (2, 10, [5, 6], [3, 1, 1, 1], (3, Valid)),
        (2, 11, [5, 5], [3, 1, 1, 1], (3, Valid)),
        (1, 27, [31, 33], [3, 1, 1, 1], (3, Valid)),
        (2, 27, [33, 31], [3, 1, 1, 1], (1, Valid)),
        (23, 9, [16, 32], [3, 1, 1, 1], (3, Valid)),
        (23, 3, [32, 16], [3, 1, 1, 1], (3, Valid)),
        (1, 100, [3, 7], [3, 1, 1, 1], (3, Same)),
        (2, 100, [7, 3], [3, 1, 1, 1], (3, Ceil)),
        (1, 101, [8, 16], [3, 1, 1, 1], (3, Valid)),
        (2, 243, [16, 16], [3, 1, 1, 1], (3, Valid)),
        (1, 244, [33, 16], [3, 1, 1, 1], (3, Same)),
        (1, 81, [128, 128], [3, 1, 1, 1], (3, Valid)),
        (2, 27, [128, 130], [3, 1, 1, 1], (3, Valid)),
        (2, 28, [130, 100], [3, 1, 1, 1], (3, Same)),
        (1, 40, [100, 128], [3, 1, 1, 1], (1, Valid)),
        (5, 9, [64, 65], [1, 1, 0, 0], (1, Valid)),
        (2, 31, [40, 40], [1, 1, 0, 0], (3, Valid)),
        (2, 34, [24, 24], [1, 1, 0, 0], (3, Same)),
        (3, 27, [17, 17], [1, 1, 0, 0], (2, Ceil)),
        (2, 60, [33, 33], [1, 1, 0, 0], (1, Valid)),
        (2, 16, [9, 10], [2, 1, 0, 1], (2, Valid)),
        (2, 17, [10, 9], [2, 1, 1, 0], (2, Same)),
        (1, 33, [17, 15], [2, 1, 0, 1], (2, Ceil)),
        (2, 64, [12, 20], [4, 1, 1, 2], (4, Valid)),
        (1, 67, [20, 12], [4, 1, 1, 2], (4, Same)),
        (2, 25, [11, 13], [5, 1, 2, 2], (5, Valid)),
        (1, 53, [13, 11], [5, 1, 2, 2], (5, Same)),
        (1, 52, [6, 4], [5, 1, 4, 0], (5, Ceil)),
        (2, 45, [5, 7], [3, 2, 1, 1], (1, Valid)),
        (2, 46, [7, 5], [3, 3, 0, 0], (2, Valid)),
        (1, 47, [4, 6], [2, 3, 1, 0], (2, Same)),
        (1, 60, [3, 5], [9, 4, 3, 5], (3, Ceil)),
        (2, 31, [5, 5], [9, 1, 4, 4], (3, Valid)),
        (2, 33, [6, 6], [3, 1, 0, 0], (3, Same)),
        // Fours of channels, narrow and wide, begun and cut short in every way.
        (3, 29, [36, 32], [3, 1, 1, 1], (3, Same)),
        (2, 31, [32, 36], [3, 1, 1, 1], (3, Ceil)),
        (2, 30, [32, 32], [3, 1, 0, 0], (1, Valid)),
        (1, 20, [32, 40], [3, 1, 2, 0], (3, Same)),
        (2, 50, [8, 12], [5, 1, 2, 2], (5, Same)),
        (2, 19, [20, 4], [2, 1, 0, 1], (2, Same)),
        // Three taps in fours of channels, which F(3,3) takes on both devices: few and many clips, tiles of three that
        // begin before a clip and end behind it, blocks of them that are full, cut short, one or several.
        (1, 1, [4, 8], [3, 1, 1, 1], (1, Valid)),
        (5, 1, [8, 4], [3, 1, 2, 2], (3, Valid)),
        (3, 2, [8, 8], [3, 1, 1, 1], (3, Same)),
        (2, 3, [12, 8], [3, 1, 1, 1], (1, Valid)),
        (23, 3, [8, 12], [3, 1, 1, 1], (3, Valid)),
        (2, 4, [8, 8], [3, 1, 0, 0], (1, Valid)),
        (3, 5, [16, 4], [3, 1, 0, 2], (3, Ceil)),
        (23, 7, [4, 4], [3, 1, 1, 1], (3, Same)),
        (2, 8, [20, 12], [3, 1, 2, 0], (3, Valid)),
        (5, 9, [12, 20], [3, 1, 1, 1], (3, Valid)),
        (3, 11, [8, 16], [3, 1, 0, 0], (3, Valid)),
        (2, 13, [24, 8], [3, 1, 2, 2], (3, Ceil)),
        (4, 17, [8, 8], [3, 1, 0, 1], (3, Valid)),
        (2, 27, [64, 64], [3, 1, 1, 1], (3, Valid)),
        (3, 30, [64, 68], [3, 1, 1, 1], (3, Same)),
        (5, 10, [68, 64], [3, 1, 1, 1], (1, Valid)),
        (2, 48, [8, 4], [3, 1, 1, 1], (3, Valid)),
        (3, 49, [4, 8], [3, 1, 1, 1], (3, Same)),
        (2, 51, [16, 16], [3, 1, 2, 0], (1, Valid)),
        (1, 96, [8, 8], [3, 1, 1, 1], (3, Valid)),
        (2, 97, [12, 4], [3, 1, 1, 1], (3, Ceil)),
        (2, 145, [4, 12], [3, 1, 1, 1], (3, Valid)),
        (3, 160, [8, 8], [3, 1, 0, 2], (1, Valid)),
        (1, 300, [16, 8], [3, 1, 1, 1], (3, Same)),
        (7, 33, [8, 20], [3, 1, 1, 1], (3, Valid)),
        // Wide, and for one reason each not for F(3,3).
        (2, 9, [64, 64], [1, 1, 0, 0], (1, Valid)),
        (2, 18, [64, 64], [3, 1, 1, 1], (2, Valid)),
        (2, 20, [64, 64], [2, 1, 0, 1], (1, Valid)),
        (1, 30, [64, 64], [3, 3, 0, 0], (1, Valid)),
    ];
    let mut all: Vec<Case> = Vec::new();
    all.extend(
        below.map(|(clips, input, channels, taps, pool)| Case::new(clips, input, layer(channels, taps, pool), Source::Below)),
    );
    // clips, samples, channels, [taps, ...], pooling: the wave, read by a stored first layer.
    let wave = [
        (3, 306, 5, [9, 9, 0, 0], (1, Valid)),
        (2, 1215, 16, [81, 81, 0, 0], (1, Valid)),
        (1, 270, 33, [27, 27, 0, 0], (1, Valid)),
        (2, 101, 7, [10, 7, 2, 3], (3, Same)),
        (2, 99, 128, [3, 1, 1, 1], (3, Valid)),
        (1, 64, 3, [16, 5, 0, 0], (2, Ceil)),
        (5, 55, 1, [5, 5, 0, 0], (1, Valid)),
    ];
    all.extend(wave.map(|(clips, input, cout, taps, pool)| {
        // A pair more than is needed: reading on past a clip must be seen.
        let source = Source::Wave { stride: usize::next_multiple_of(input, 2) + 2 };
        Case::new(clips, input, layer([1, cout], taps, pool), source)
    }));
    // clips, samples, layer 1's [taps, stride, zeros before, after], channels, layer 2's taps, pooling
    let first = [
        (3, 81, [3, 3, 0, 0], [4, 4], [3, 1, 1, 1], (3, Valid)),
        (2, 100, [3, 3, 0, 0], [5, 7], [3, 1, 1, 1], (3, Same)),
        (4, 46, [3, 3, 1, 1], [6, 6], [2, 1, 0, 1], (2, Valid)),
        (2, 99, [2, 2, 0, 0], [7, 9], [2, 1, 0, 1], (2, Ceil)),
        (1, 243, [3, 3, 0, 0], [128, 128], [3, 1, 1, 1], (3, Valid)),
        (2, 250, [3, 3, 0, 1], [33, 31], [3, 1, 1, 1], (3, Same)),
        (2, 128, [4, 4, 0, 0], [16, 16], [4, 1, 1, 2], (4, Valid)),
        (2, 130, [5, 5, 0, 0], [8, 10], [5, 1, 2, 2], (5, Valid)),
        (1, 120, [9, 9, 0, 0], [5, 6], [3, 1, 1, 1], (3, Same)),
        (2, 61, [3, 2, 1, 0], [5, 3], [3, 1, 1, 1], (1, Valid)),
        (23, 27, [3, 3, 0, 0], [16, 16], [3, 1, 1, 1], (3, Valid)),
        (2, 190, [3, 3, 0, 1], [36, 32], [3, 1, 1, 1], (3, Same)),
        (1, 120, [9, 9, 0, 0], [8, 12], [3, 1, 1, 1], (3, Same)),
        (2, 81, [3, 3, 0, 0], [64, 64], [3, 1, 1, 1], (3, Valid)),
        (3, 151, [3, 3, 0, 0], [8, 8], [3, 1, 1, 1], (3, Same)),
        (23, 30, [3, 3, 0, 0], [8, 4], [3, 1, 1, 1], (3, Valid)),
        (2, 299, [3, 3, 1, 0], [4, 12], [3, 1, 0, 0], (3, Ceil)),
        (5, 45, [3, 3, 0, 0], [12, 8], [3, 1, 2, 0], (1, Valid)),
    ];
    all.extend(first.map(|(clips, samples, reads, [middle, cout], taps, pool)| {
        let below = layer([1, middle], reads, (1, Valid));
        let input = below.conv_length(samples).expect("cases are long enough");
        let source = Source::FirstLayer { layer: below, samples, stride: usize::next_multiple_of(samples, 2) };
        Case::new(clips, input, layer([middle, cout], taps, pool), source)
    }));
    all
}
