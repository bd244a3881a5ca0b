//! One definition of pooling windows and of `select`, for all sizes and paddings; the CPU's
//! kernels use it as it is, the shaders get its numbers as constants.
//!
//! Window w covers positions w·size − left .. w·size − left + size, cut to 0..length. `select`
//! takes of a window the largest if gamma > 0, the smallest if gamma < 0, the first real one if
//! gamma = 0 (`algebra.md`, 2); among equals the first, as PyTorch's pooling.

use std::ops::Range;

use crate::network::Layer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Windows {
    /// Positions of the convolution's output.
    pub length: usize,
    /// Size and stride; 1: every position is its own window.
    pub size: usize,
    /// Positions by which window 0 begins before position 0.
    pub left: usize,
    /// Number of windows.
    pub count: usize,
}

impl Windows {
    pub fn of(layer: &Layer, conv_length: usize) -> Windows {
        Windows {
            length: conv_length,
            size: layer.pool,
            left: layer.pool_left(conv_length),
            count: layer.pooled_length(conv_length),
        }
    }

    /// Real positions of window `w`; never empty.
    #[inline]
    pub fn positions(&self, w: usize) -> Range<usize> {
        (w * self.size).saturating_sub(self.left)..(w * self.size + self.size - self.left).min(self.length)
    }

    /// The window that holds position `l`; `None` for positions left over by 'valid' pooling.
    #[inline]
    pub fn window_of(&self, l: usize) -> Option<usize> {
        let w = (l + self.left) / self.size;
        (w < self.count).then_some(w)
    }
}

/// Whether `candidate`, which comes later in the window, replaces `held`.
#[inline]
pub fn replaces<T: PartialOrd + Default>(candidate: T, held: T, gamma: T) -> bool {
    let zero = T::default();
    (gamma > zero && candidate > held) || (gamma < zero && candidate < held)
}
