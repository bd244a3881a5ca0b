//! A run's folder: configuration, weights, checkpoints, log; written so that nothing is ever half-written.
