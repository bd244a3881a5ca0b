//! The names of a plan's inputs, state and outputs: what `batch/`, `train/` and `evaluate/` ask for.

/// Input, i16 `[clip, sample]`; clips lie `Network::wave_stride` apart.
pub const WAVE: &str = "wave";
/// `[taps + 1, taps]`: mean and covariance of layer 1's patches, if it is recomputed.
pub const PATCHES: &str = "patches";
/// `[clip, tag]`
pub const OWN: &str = "own";
/// `[clip, tag]`
pub const PROPAGATED: &str = "propagated";
/// `[2, clip]`: own, propagated.
pub const WEIGHTS: &str = "weights";
/// `[clip, tag]`: of the propagated term, in plans that weigh tags one by one.
pub const TAG_WEIGHTS: &str = "tag_weights";
/// `[clip, feature]`
pub const MASK: &str = "mask";
/// `[2]`: rate, momentum.
pub const HYPER: &str = "hyper";
/// f32 `[length]`, flat: every learned tensor a range of it, each beginning at a multiple of 64 elements and padded with zeros;
/// which ranges, [`crate::network::Parameters`] says (`entries`, `length`).
pub const PARAMETERS: &str = "parameters";
/// f32 `[length]`: of the loss by each parameter, in the same ranges.
pub const GRADIENTS: &str = "gradients";
/// f32 `[length]`: the momentum of each parameter, in the same ranges.
pub const MOMENTA: &str = "momenta";
/// f32 `[running_length]`: each layer's running means, then its running variances, where
/// [`crate::network::Parameters::running`] says they begin.
pub const RUNNING: &str = "running";
/// `[clip, 2]`: each clip's part of own and propagated loss.
pub const LOSSES: &str = "losses";
/// `[clip, tag]`
pub const PROBABILITIES: &str = "probabilities";
/// `[clip, head x tag]`
pub const LOGITS: &str = "logits";
/// u32 `[1]`
pub const STATUS: &str = "status";
