//! Three outputs of a kernel-3 convolution by five products instead of nine: Toom and Cook's F(3,3)
//! on the points 0, 1, −1, 2, ∞, known as a Winograd convolution (`algebra.md`, 5).
//!
//! ```text
//! forward    U = G w     V = Bᵀ a     M = V U                   z = Aᵀ M
//! backward   dM = A dz   dU = Vᵀ dM   dV = dM Uᵀ   dw = Gᵀ dU   da = B dV, overlaps added
//! ```
//!
//! A tile is three outputs: the pooling window, where there is pooling; products on a matrix unit ([`super::Way`]) are cut
//! likewise. Here are the transforms
//! (`transforms.rs`), how the CPU cuts a layer into tiles (`cut.rs`) and what a tile reads (`inputs.rs`);
//! the rooms have the products.

mod cut;
mod inputs;
mod transforms;

use super::conv::Conv;
use super::products::Isa;
use super::{Choice, Precision};

pub use cut::{Block, Cut};
pub use inputs::{TileInputs, row_values, transform_input_pairs, transform_inputs};
pub use transforms::{input_gradient, output, output_gradient, transform_weight, transform_weight_gradient};

/// The tile size of the CPU's families: outputs of a convolution that are computed together, 1 or 3. A GPU's F(3,3) takes
/// narrow layers too where it is 3, which is for checks.
pub const SIZE: &str = "OUTPUTS";
/// The CPU's tile size that says what wide layers' products are of in mixed precision: 1 of pairs of bf16, 0 of f32, made
/// from what is stored in bf16.
pub const PAIRS: &str = "PAIRS";
/// Channels that a wide layer has at least, read and written: on the CPU and on a GPU.
pub const WIDE: usize = 64;
/// Outputs of a tile.
pub const OUTPUTS: usize = 3;
/// Products of a tile, and inputs that it reads.
pub const PRODUCTS: usize = 5;
/// Whether wide layers' products are of pairs of bf16.
pub fn paired(choice: &Choice) -> bool {
    choice.precision == Precision::Mixed && choice.tiles.get(PAIRS).is_none_or(|&pairs| pairs == 1)
}

/// All ways in which this processor has a precision: direct products, then F(3,3) wherever a shape allows it, in mixed
/// precision of f32 and of pairs; a matrix unit is for products of pairs alone.
pub fn ways(precision: Precision) -> Vec<Choice> {
    let of = |isa| {
        let choice = Choice::native(isa).in_precision(precision);
        let [direct, tiles] = [1, OUTPUTS as u32].map(|outputs| choice.clone().with(SIZE, outputs));
        match precision {
            Precision::F32 => vec![direct, tiles],
            Precision::Mixed if isa.has_matrices() => vec![tiles.with(PAIRS, 1)],
            Precision::Mixed => vec![direct.with(PAIRS, 0), tiles.clone().with(PAIRS, 0), tiles.with(PAIRS, 1)],
        }
    };
    Isa::available_in(precision).into_iter().flat_map(of).collect()
}

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
