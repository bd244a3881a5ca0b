//! Three outputs of a kernel-3 convolution by five products instead of nine: Toom and Cook's F(3,3)
//! on the points 0, 1, −1, 2, ∞, known as a Winograd convolution (`algebra.md`, 5).
//!
//! ```text
//! forward    U = G w     V = Bᵀ a     M = V U                   z = Aᵀ M
//! backward   dM = A dz   dU = Vᵀ dM   dV = dM Uᵀ   dw = Gᵀ dU   da = B dV, overlaps added
//! ```
//!
//! A tile is three outputs: the pooling window, where there is pooling. Here are the matrices
//! (`matrices.rs`), how the CPU cuts a layer into tiles (`cut.rs`) and what a tile reads (`inputs.rs`);
//! the rooms have the products.

mod cut;
mod inputs;
mod matrices;

use super::Choice;
use super::conv::Conv;

pub use cut::{Block, Cut};
pub use inputs::{TileInputs, row_values, transform_input_pairs, transform_inputs};
pub use matrices::{input_gradient, output, output_gradient, transform_weight, transform_weight_gradient};

/// The tile size of the CPU's families: outputs of a convolution that are computed together, 1 (direct
/// products) or 3.
pub const SIZE: &str = "OUTPUTS";
/// Channels that a wide layer has at least, read and written.
pub const WIDE: usize = 64;
/// Outputs of a tile.
pub const OUTPUTS: usize = 3;
/// Products of a tile, and inputs that it reads.
pub const PRODUCTS: usize = 5;
/// Whether the CPU takes a layer this way: where its shape allows, and the choice's tile size
/// [`SIZE`], the outputs of a tile, is 3. Where the choice does not say: layers at least [`WIDE`]; in
/// narrower ones the transforms, which F(3,3) shares among the channels, cost what the products save, and
/// few terms do not average their rounding away: with 32 to 48 channels and a loss that sums, three steps
/// strayed from f64 by up to 7 times as much as PyTorch's float32.
pub fn applies(conv: &Conv, choice: &Choice) -> bool {
    let fits = (conv.taps, conv.stride) == (3, 1) && (conv.windows.size == OUTPUTS || conv.unpooled()) && conv.cin > 1;
    let outputs = match choice.tiles.get(SIZE) {
        Some(&outputs) => outputs as usize,
        None if conv.cin.min(conv.cout) >= WIDE => OUTPUTS,
        None => 1,
    };
    choice.is_native() && fits && outputs == OUTPUTS
}
