//! The GPU device: WGSL through wgpu.
