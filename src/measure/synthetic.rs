//! A step's inputs, made up: white noise for music, tags with probability 1/10, half of the songs
//! lent to. The time of a step does not depend on what is in them.

use rand::RngExt;

use crate::batch::{Batch, Patches};
use crate::device::Program;
use crate::error::Result;
use crate::network::{Network, Parameters};
use crate::plan::names;
use crate::random::{Purpose, generator};

/// Makes the inputs of step `step`: the same for the same seed.
pub fn batch(network: &Network, clips: usize, seed: u64, step: u64) -> Result<Batch> {
    let mut random = generator(seed, Purpose::Synthetic, [step, 0, 0]);
    let mut batch = Batch::new(network, clips)?;
    batch.waves.fill_with(|| random.random_range(-20_000..20_000));
    let mut bits = |values: &mut [f32], p: f64, one: f32| values.fill_with(|| if random.random_bool(p) { one } else { 0.0 });
    bits(&mut batch.own, 0.1, 1.0);
    bits(&mut batch.propagated, 0.1, 1.0);
    let (own, propagated) = batch.weights.split_at_mut(clips);
    own.fill(1.0);
    bits(propagated, 0.5, 1.0);
    let keep = 1.0 - network.dropout;
    bits(&mut batch.mask, keep, 1.0 / keep as f32);
    batch.filled = clips;
    if let Some(patches) = Patches::of(network)? {
        batch.sum_patches(&patches, network);
    }
    Ok(batch)
}

/// Puts a network as it is before the first step into a program: initial weights of `seed`, running
/// statistics, momenta of zero, and the rate and momentum.
pub fn begin(program: &mut dyn Program, table: &Parameters, seed: u64, rate: f32, momentum: f32) -> Result<()> {
    let all = [
        (names::PARAMETERS, table.initial(seed)),
        (names::RUNNING, table.initial_running()),
        (names::MOMENTA, vec![0.0; table.length]),
        (names::HYPER, vec![rate, momentum]),
    ];
    for (name, values) in all {
        let tensor = program.plan().find(name).unwrap_or_else(|| panic!("a training plan has {name}"));
        program.upload(tensor, bytemuck::cast_slice(&values))?;
    }
    Ok(())
}
