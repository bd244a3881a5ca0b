//! A step's buffers, made while the device works on the step before: clips, their patches' moments,
//! own and propagated labels, weights, dropout masks.
//!
//! | file | what |
//! |---|---|
//! | `order` | the order of an epoch's clips, as a keyed permutation that takes no memory |
//! | `moments` | mean and covariance of layer 1's patches, in exact integers |
//! | `stage` | training batches |
//! | `segments` | consecutive segments of a song, and the validation batches of first ones |

mod moments;
mod order;
mod segments;
mod stage;

pub use moments::Patches;
pub use order::Order;
pub use segments::{Segments, segments};
pub use stage::{Sampling, Stage, drop_out};

use rayon::prelude::*;

use crate::device::Program;
use crate::error::Result;
use crate::network::Network;
use crate::plan::{Plan, TensorId, names};
use moments::Moments;

/// Where a clip was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clip {
    pub song: u32,
    /// First sample.
    pub start: u64,
}

/// The inputs of one step, in the plan's layouts. Allocated once, filled again and again.
pub struct Batch {
    /// `[clip, wave_stride]`: a clip's samples, then zeros up to the stride.
    pub waves: Vec<i16>,
    /// `[taps + 1, taps]`: mean, then covariance of layer 1's patches; empty where layer 1 is stored.
    pub patches: Vec<f32>,
    /// `[clip, tag]`
    pub own: Vec<f32>,
    /// `[clip, tag]`
    pub propagated: Vec<f32>,
    /// `[2, clip]`: own, propagated.
    pub weights: Vec<f32>,
    /// `[clip, tag]`: of the propagated term, where tags are weighed one by one.
    pub tag_weights: Vec<f32>,
    /// `[clip, feature]`: 0 or 1/(1 − rate).
    pub mask: Vec<f32>,
    /// Where each clip was cut; those from `filled` on are silence with weight 0.
    pub clips: Vec<Clip>,
    /// Clips that are real. Less than all only in the last batch of an evaluation.
    pub filled: usize,
    moments: Vec<Moments>,
    sums: Vec<f64>,
}

impl Batch {
    /// A batch of `clips` clips for a network; nothing is dropped until it is filled.
    pub fn new(network: &Network, clips: usize) -> Result<Batch> {
        let patches = Patches::of(network)?;
        Ok(Batch {
            waves: vec![0; clips * network.wave_stride()],
            patches: vec![0.0; patches.as_ref().map_or(0, Patches::len)],
            own: vec![0.0; clips * network.tags],
            propagated: vec![0.0; clips * network.tags],
            weights: vec![0.0; 2 * clips],
            tag_weights: vec![1.0; clips * network.tags],
            mask: vec![1.0; clips * network.features()?],
            clips: vec![Clip::default(); clips],
            filled: 0,
            moments: vec![Moments::default(); patches.map_or(0, |_| clips)],
            sums: vec![0.0; clips * network.tags],
        })
    }

    /// Fills `patches` from `waves`. Allocates nothing.
    pub fn sum_patches(&mut self, patches: &Patches, network: &Network) {
        let clips = self.waves.par_chunks(network.wave_stride());
        clips.zip(&mut self.moments).for_each(|(clip, moments)| *moments = patches.sum(clip));
        patches.write(&self.moments, &mut self.patches);
    }
}

/// Cuts a clip: samples from `start` on, then silence.
pub(crate) fn cut(wave: &[i16], start: usize, length: usize, clip: &mut [i16]) {
    let samples = &wave[start.min(wave.len())..wave.len().min(start + length)];
    clip[..samples.len()].copy_from_slice(samples);
    clip[samples.len()..].fill(0);
}

/// The tensors of a plan that a batch fills.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    wave: TensorId,
    patches: Option<TensorId>,
    own: TensorId,
    propagated: TensorId,
    weights: TensorId,
    tag_weights: Option<TensorId>,
    mask: TensorId,
}

impl Inputs {
    /// Finds them by name; every plan that [`crate::plan::training`] builds has them.
    pub fn of(plan: &Plan) -> Inputs {
        let find = |name| plan.expect(name);
        Inputs {
            wave: find(names::WAVE),
            patches: plan.find(names::PATCHES),
            own: find(names::OWN),
            propagated: find(names::PROPAGATED),
            weights: find(names::WEIGHTS),
            tag_weights: plan.find(names::TAG_WEIGHTS),
            mask: find(names::MASK),
        }
    }
}

/// Puts a batch into a program's inputs. What was submitted before still sees the old ones.
pub fn upload(program: &mut dyn Program, inputs: &Inputs, batch: &Batch) -> Result<()> {
    program.upload(inputs.wave, bytemuck::cast_slice(&batch.waves))?;
    if let Some(patches) = inputs.patches {
        program.upload(patches, bytemuck::cast_slice(&batch.patches))?;
    }
    program.upload(inputs.own, bytemuck::cast_slice(&batch.own))?;
    program.upload(inputs.propagated, bytemuck::cast_slice(&batch.propagated))?;
    program.upload(inputs.weights, bytemuck::cast_slice(&batch.weights))?;
    if let Some(tag_weights) = inputs.tag_weights {
        program.upload(tag_weights, bytemuck::cast_slice(&batch.tag_weights))?;
    }
    program.upload(inputs.mask, bytemuck::cast_slice(&batch.mask))
}
