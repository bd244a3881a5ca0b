//! A step's buffers, made while the device works on the step before: clips, their patches' moments,
//! own and propagated labels, weights, dropout masks.
