//! A tensor as a plan knows it: name, shape, element type, role. No memory: a device owns that.

use serde::{Deserialize, Serialize};

/// What an element is, and how elements lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DType {
    /// IEEE 754's 32 bits.
    F32,
    /// The upper half of an f32.
    Bf16,
    /// IEEE 754's 16 bits, two to a 32-bit word. Rows, of the last dimension, begin at whole words: an odd one is
    /// followed by a number that nobody reads.
    F16,
    /// Audio samples. On a GPU two to a 32-bit word, the earlier one in the low half.
    I16,
    /// Counts and flags: a step's status.
    U32,
}

impl DType {
    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            DType::F32 | DType::U32 => 4,
            DType::Bf16 | DType::F16 | DType::I16 => 2,
        }
    }

    /// Bytes of a tensor of this shape; in f16 with what fills up odd rows.
    pub fn size(self, shape: &[usize]) -> usize {
        let elements = match (self, shape.split_last()) {
            (DType::F16, Some((row, rows))) => rows.iter().product::<usize>() * row.next_multiple_of(2),
            _ => shape.iter().product(),
        };
        elements * self.bytes()
    }
}

/// What a tensor is to a step; decides how long it lives and who may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Uploaded before a run: clips, labels, weights, masks, rates.
    Input,
    /// Learned: kept over steps, written by `sgd` and by loading.
    Parameter,
    /// Kept from step to step because never all of it is written (biases stay zero).
    Gradient,
    /// Kept over steps: momenta, running statistics.
    State,
    /// Lives from its first writer to its last reader; shares memory with others.
    Temporary,
    /// Read back after a run: losses, probabilities, status.
    Output,
}

/// A tensor of a plan. Channels come last: `[clip, position, channel]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its own in its plan: what [`crate::plan::Plan::find`] looks for.
    pub name: String,
    /// Elements along each dimension; the last one's lie side by side.
    pub shape: Vec<usize>,
    /// What its elements are.
    pub dtype: DType,
    /// What it is to a step.
    pub role: Role,
}

impl Tensor {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all its elements.
    pub fn bytes(&self) -> usize {
        self.dtype.size(&self.shape)
    }
}
