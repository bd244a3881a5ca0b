//! Made-up inputs of a step: white noise for music, tags with probability 1/10, half of the songs
//! lent to. The time of a step does not depend on what is in them.

use rand::RngExt;

use crate::device::Program;
use crate::error::Result;
use crate::network::{Network, Parameters};
use crate::plan::build::names;
use crate::random::{Purpose, generator};

/// Inputs of one training step, in the shapes of the plan's tensors of the same names.
pub struct Inputs {
    /// i16 `[clip, wave_stride]`
    pub wave: Vec<i16>,
    /// `[taps + 1, taps]`; empty where layer 1 is stored.
    pub patches: Vec<f32>,
    /// `[clip, tag]`
    pub own: Vec<f32>,
    /// `[clip, tag]`
    pub propagated: Vec<f32>,
    /// `[2, clip]`
    pub weights: Vec<f32>,
    /// `[clip, feature]`: 0 or 1/(1 - dropout).
    pub mask: Vec<f32>,
}

/// Makes step `step`'s inputs: the same for the same seed.
pub fn inputs(network: &Network, batch: usize, seed: u64, step: u64) -> Result<Inputs> {
    let mut random = generator(seed, Purpose::Synthetic, [step, 0, 0]);
    let stride = network.wave_stride();
    let wave: Vec<i16> = (0..batch * stride).map(|_| random.random_range(-20_000..20_000)).collect();
    let patches = if network.recomputes_first_layer() { moments(network, batch, &wave)? } else { Vec::new() };
    let mut bits = |n: usize, p: f64| -> Vec<f32> { (0..n).map(|_| f32::from(u8::from(random.random_bool(p)))).collect() };
    let own = bits(batch * network.tags, 0.1);
    let propagated = bits(batch * network.tags, 0.1);
    let lent = bits(batch, 0.5);
    let weights = std::iter::repeat_n(1.0, batch).chain(lent).collect();
    let keep = 1.0 - network.dropout;
    let mask = bits(batch * network.features()?, keep).iter().map(|m| m / keep as f32).collect();
    Ok(Inputs { wave, patches, own, propagated, weights, mask })
}

/// Mean and covariance of layer 1's patches over the batch: row 0, then `[taps, taps]`.
fn moments(network: &Network, batch: usize, wave: &[i16]) -> Result<Vec<f32>> {
    let layer = &network.layers[0];
    let taps = layer.kernel;
    let positions = network.lengths()?[0].conv;
    let mut sums = vec![0i64; taps];
    let mut products = vec![0i64; taps * taps];
    let mut patch = vec![0i64; taps];
    for clip in wave.chunks_exact(network.wave_stride()) {
        for position in 0..positions {
            for (k, value) in patch.iter_mut().enumerate() {
                let at = (position * layer.stride + k).checked_sub(layer.padding[0]);
                *value = at.filter(|&at| at < network.clip_length).map_or(0, |at| i64::from(clip[at]));
            }
            for (j, &x) in patch.iter().enumerate() {
                sums[j] += x;
                for (product, &y) in products[j * taps..].iter_mut().zip(&patch) {
                    *product += x * y;
                }
            }
        }
    }
    let n = (batch * positions) as f64;
    let mean = |k: usize| sums[k] as f64 / n;
    let covariance = (0..taps * taps).map(|i| products[i] as f64 / n - mean(i / taps) * mean(i % taps));
    Ok((0..taps).map(|k| mean(k) / 32_768.0).chain(covariance.map(|c| c / (32_768.0 * 32_768.0))).map(|v| v as f32).collect())
}

impl Inputs {
    /// Uploads them to a program whose plan is of the same network and batch.
    pub fn upload(&self, program: &mut dyn Program) -> Result<()> {
        let all: [(&str, &[u8]); 6] = [
            (names::WAVE, bytemuck::cast_slice(&self.wave)),
            (names::PATCHES, bytemuck::cast_slice(&self.patches)),
            (names::OWN, bytemuck::cast_slice(&self.own)),
            (names::PROPAGATED, bytemuck::cast_slice(&self.propagated)),
            (names::WEIGHTS, bytemuck::cast_slice(&self.weights)),
            (names::MASK, bytemuck::cast_slice(&self.mask)),
        ];
        for (name, bytes) in all {
            if let Some(tensor) = program.plan().find(name) {
                program.upload(tensor, bytes)?;
            }
        }
        Ok(())
    }
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
