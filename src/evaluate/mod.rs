//! Segments, metrics, bootstrap.
