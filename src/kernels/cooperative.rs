//! The convolution's shaders on cooperative matrices: f16 products, summed in f32, by all threads of a subgroup
//! together. Which layers they take, how a workgroup's work is cut, and how one text serves every size of matrices.

use super::conv::Conv;
use super::gpu::Value;

/// Rows and columns of the matrices that there are shaders for, the largest first.
pub const SIZES: [u8; 2] = [16, 8];

/// Channels, read and given, of a layer at least: of narrower ones matrices would be zeros for the most part.
const NARROWEST: usize = 32;

/// Positions a workgroup: of the output forward, of the input in its gradient.
pub const POSITIONS: usize = 48;
/// Channels given that a workgroup owns; of the weights' gradient output channels.
pub const CHANNELS: usize = 32;
/// Input channels that a workgroup of the weights' gradient owns, with all their taps.
pub const INPUT_CHANNELS: usize = 16;

/// Whether they take a layer. Pooling windows must not be cut by a workgroup's end.
pub fn suits(conv: &Conv) -> bool {
    let wide = conv.cin.min(conv.cout) >= NARROWEST;
    wide && (conv.taps, conv.stride) == (3, 1) && POSITIONS.is_multiple_of(conv.windows.size)
}

/// What makes a shader's matrices those of a size: their types cannot be made of a number in WGSL.
pub fn matrices(size: u8) -> [(&'static str, Value); 4] {
    let [a, b, accumulator] = match size {
        8 => ["coop_mat8x8<f16, A>", "coop_mat8x8<f16, B>", "coop_mat8x8<f32, C>"],
        _ => ["coop_mat16x16<f16, A>", "coop_mat16x16<f16, B>", "coop_mat16x16<f32, C>"],
    };
    [
        ("SIZE", Value::U32(size.into())),
        ("MatrixA", Value::Type(a)),
        ("MatrixB", Value::Type(b)),
        ("Accumulator", Value::Type(accumulator)),
    ]
}
