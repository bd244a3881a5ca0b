//! The CPU device: one block of memory, the kernels in Rust.
