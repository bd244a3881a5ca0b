//! Kernels around the convolutions by their shapes alone, for tests of the GPU side.

use tagwalk::kernels::batch_norm_forward::{BatchNormForward, From};
use tagwalk::kernels::dense_backward::DenseBackward;
use tagwalk::kernels::dense_forward::DenseForward;
use tagwalk::kernels::loss::Loss;
use tagwalk::kernels::pack_weights::{Layout, PackWeights, Packing, Product};
use tagwalk::kernels::{Choice, Family};

/// Odd sizes, ones, more than a workgroup's worth.
pub const DENSE: [[usize; 4]; 7] =
    [[1, 1, 1, 1], [2, 1, 5, 3], [23, 1, 512, 50], [3, 4, 33, 65], [17, 3, 16, 16], [5, 2, 7, 1000], [23, 1, 64, 44]];

pub fn batch_norm_forward(channels: usize, from: From, positions: usize, unbiased: bool, family: &Family) -> BatchNormForward {
    let choice = Choice::gpu(family.clone());
    BatchNormForward { channels, from, positions, eps: 1e-3, momentum: 0.01, unbiased, choice }
}

pub fn dense_forward([clips, positions, channels, outputs]: [usize; 4], masked: bool, family: &Family) -> DenseForward {
    DenseForward { clips, positions, channels, outputs, masked, choice: Choice::gpu(family.clone()) }
}

pub fn dense_backward([clips, positions, channels, outputs]: [usize; 4], family: &Family) -> DenseBackward {
    DenseBackward { clips, positions, channels, outputs, choice: Choice::gpu(family.clone()) }
}

pub fn loss(clips: usize, tags: usize, heads: usize, gradient: bool, family: &Family) -> Loss {
    Loss { clips, tags, heads, scale: 1.0 / (clips * tags) as f32, lambda: 0.3, gradient, choice: Choice::gpu(family.clone()) }
}

/// Every packing of a shape.
pub fn packings([taps, cin, cout]: [usize; 3], family: &Family) -> Vec<PackWeights> {
    let layouts = [Layout::AsIs, Layout::Turned, Layout::Panels { width: 4 }, Layout::Panels { width: 16 }];
    let mut all = Vec::new();
    for product in [Product::Forward, Product::InputGradient] {
        for layout in layouts {
            let packing = Packing { product, taps, cin, cout, layout };
            all.push(PackWeights { packing, choice: Choice::gpu(family.clone()) });
        }
    }
    all
}
