//! What the convolution's shaders have in common: the constants of a shape and its source, the
//! bindings of a source, and how many threads a side of a tile gets.

use super::clip_ranges::Bind;
use super::conv::{Conv, Source};
use super::gpu::{Value, numbers};

/// The constants of a shape. For the wave the taps of a patch stand where channels do: with one
/// channel, samples side by side are what is summed over.
pub fn constants(conv: &Conv, source: &Source) -> Vec<(&'static str, Value)> {
    let (taps, cin) = sides(conv, source);
    let windows = &conv.windows;
    let (kind, samples, wave_stride) = match source {
        Source::Wave { stride } => (0, conv.input, *stride),
        Source::FirstLayer { samples, stride, .. } => (1, *samples, *stride),
        Source::Below => (2, 0, 0),
    };
    let mut all = vec![
        ("SOURCE", kind),
        ("INPUT", conv.input),
        ("CIN", cin),
        ("COUT", conv.cout),
        ("TAPS", taps),
        ("STRIDE", conv.stride),
        ("PAD", conv.padding[0]),
        ("LENGTH", windows.length),
        ("POOL", windows.size),
        ("LEFT", windows.left),
        ("WINDOWS", windows.count),
        ("SAMPLES", samples),
        ("WAVE_STRIDE", wave_stride),
    ];
    if let Source::FirstLayer { layer, .. } = source {
        all.extend([("FIRST_TAPS", layer.kernel), ("FIRST_STRIDE", layer.stride), ("FIRST_PAD", layer.padding[0])]);
    }
    numbers(&all).collect()
}

/// Taps and channels as the shaders see them.
pub fn sides(conv: &Conv, source: &Source) -> (usize, usize) {
    match source {
        Source::Wave { .. } => (1, conv.taps * conv.cin),
        _ => (conv.taps, conv.cin),
    }
}

/// The shaders' first three bindings: source, first_weights, norm. `other` is any operand that is read.
pub fn binds(source: &Source, other: usize) -> [Bind; 3] {
    let data = Bind::Clips(0, "SOURCE_AT");
    match source {
        Source::Wave { .. } => [data, Bind::Unused(other), Bind::Unused(other)],
        Source::FirstLayer { .. } => [data, Bind::Whole(1), Bind::Whole(2)],
        Source::Below => [data, Bind::Unused(other), Bind::Whole(1)],
    }
}

/// Fours of channels a thread: `wanted`, or 1 where there are no more than four.
pub fn quads(channels: usize, wanted: usize) -> usize {
    wanted.clamp(1, channels.div_ceil(4))
}

/// Threads along a side: `wanted`, or as many as the side has work for.
pub fn threads(side: usize, each: usize, wanted: usize) -> usize {
    wanted.clamp(1, side.div_ceil(each))
}
