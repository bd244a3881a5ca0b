//! The network as the paper writes it, in f32 or f64: slow, obvious, the judge.
