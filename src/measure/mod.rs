//! Checking kernels against the reference.
