//! Measuring: kernels against the reference.

pub mod check;
