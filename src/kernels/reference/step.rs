//! A whole training step and an evaluation, out of the operations of the reference: forward, both
//! losses, backward layer by layer, the update, the running statistics.

use std::collections::BTreeMap;

use super::{
    ConvolutionGradient, Labels, Losses, Real, Shape, batch_norm, batch_norm_backward, convolution, convolution_backward, dense,
    dense_backward, losses, max_pool, max_pool_backward, nesterov, relu, relu_backward, statistics, times, update_running,
};
use crate::error::Result;
use crate::network::{Network, Parameters};

/// Tensors by the inside names and layouts of [`Parameters`]: `conv0.weight [tap, cin, cout]`, ...
pub type Tensors<T> = BTreeMap<String, Vec<T>>;

/// Takes a flat tensor (parameters, gradients, momenta) apart.
pub fn tensors<T: Real>(table: &Parameters, flat: &[f32]) -> Tensors<T> {
    let values = |offset: usize, length: usize| flat[offset..offset + length].iter().map(|&v| T::of(v.into())).collect();
    table.entries.iter().map(|e| (e.name.clone(), values(e.offset, e.len()))).collect()
}

/// Mean and variance of each layer's channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments<T> {
    pub mean: Vec<T>,
    pub variance: Vec<T>,
}

/// What a step changes.
#[derive(Clone, Debug)]
pub struct State<T> {
    pub parameters: Tensors<T>,
    pub momenta: Tensors<T>,
    /// A layer each.
    pub running: Vec<Moments<T>>,
}

/// What a step is given.
#[derive(Clone, Debug)]
pub struct Batch<T> {
    /// `[clip, sample]`, int16 / 32768.
    pub wave: Vec<T>,
    pub labels: Labels<T>,
    /// `[clip, feature]`: 0 or 1/(1 − rate).
    pub mask: Vec<T>,
}

/// How a step is computed.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The losses' mean over clips and tags, or their sum.
    pub mean: bool,
    pub lambda: f64,
    pub rate: f64,
    pub momentum: f64,
    /// Running variance from the unbiased batch variance.
    pub unbiased_variance: bool,
}

/// What a layer computed on the way up, kept for the way down. All `[clip, position, channel]`.
pub struct Layered<T> {
    /// What it read.
    pub input: Vec<T>,
    /// The convolution, bias included.
    pub z: Vec<T>,
    pub moments: Moments<T>,
    /// After batch norm.
    pub y: Vec<T>,
    /// After ReLU and pooling.
    pub output: Vec<T>,
    /// Where in `y` each output came from.
    places: Vec<usize>,
}

/// Everything a step computed, before its update.
pub struct Passed<T> {
    pub layers: Vec<Layered<T>>,
    pub logits: Vec<T>,
    pub losses: Losses<T>,
    pub gradients: Tensors<T>,
}

/// A step's convolutions and what becomes of their gradients, where they are to be other than exact: for judging what is
/// rounded on its way.
pub trait Arithmetic<T: Real> {
    /// Layer `i`'s z, with its bias.
    fn convolution(&self, _i: usize, shape: Shape, a: &[T], w: &[T], bias: &[T]) -> Vec<T> {
        convolution(shape, a, w, bias)
    }

    /// The gradients of layer `i`'s convolution.
    fn convolution_backward(&self, _i: usize, shape: Shape, a: &[T], w: &[T], dz: &[T]) -> ConvolutionGradient<T> {
        convolution_backward(shape, a, w, dz)
    }

    /// The gradient at layer `i`'s `output`, before its ReLU's mask.
    fn gradient(&self, _i: usize, gradient: Vec<T>, _output: &[T]) -> Vec<T> {
        gradient
    }
}

/// The textbook's.
pub struct Exact;

impl<T: Real> Arithmetic<T> for Exact {}

/// The layers, with the batch's statistics or with the running ones.
fn layers<T: Real>(
    arithmetic: &dyn Arithmetic<T>,
    network: &Network,
    parameters: &Tensors<T>,
    running: Option<&[Moments<T>]>,
    wave: &[T],
    clips: usize,
) -> Vec<Layered<T>> {
    let mut all: Vec<Layered<T>> = Vec::new();
    for (i, layer) in network.layers.iter().enumerate() {
        let input = all.last().map_or(wave.to_vec(), |below| below.output.clone());
        let shape = Shape { layer, clips, input: input.len() / clips / layer.cin };
        let of = |kind: &str, leaf: &str| &parameters[&format!("{kind}{i}.{leaf}")];
        let z = arithmetic.convolution(i, shape, &input, of("conv", "weight"), of("conv", "bias"));
        let moments = match running {
            Some(running) => running[i].clone(),
            None => {
                let (mean, variance) = statistics(&z, layer.cout);
                Moments { mean, variance }
            }
        };
        let y = batch_norm(&z, &moments.mean, &moments.variance, of("bn", "weight"), of("bn", "bias"), T::of(network.bn_eps));
        let (output, places) = max_pool(shape, &relu(&y));
        all.push(Layered { input, z, moments, y, output, places });
    }
    all
}

/// Forward, losses and backward; changes nothing. Fails where the network does not fit its clips.
pub fn pass<T: Real>(network: &Network, parameters: &Tensors<T>, batch: &Batch<T>, rules: &Rules) -> Result<Passed<T>> {
    pass_with(&Exact, network, parameters, batch, rules)
}

/// The same with an arithmetic of its own.
pub fn pass_with<T: Real>(
    arithmetic: &dyn Arithmetic<T>,
    network: &Network,
    parameters: &Tensors<T>,
    batch: &Batch<T>,
    rules: &Rules,
) -> Result<Passed<T>> {
    network.check()?;
    let clips = batch.labels.own_weights.len();
    let layers = layers(arithmetic, network, parameters, None, &batch.wave, clips);
    let top = layers.last().map_or(&[][..], |l| &l.output);
    let features = times(top, &batch.mask);
    let (weight, bias) = (&parameters["head.weight"], &parameters["head.bias"]);
    let logits = dense(&features, weight, bias);
    let scale = if rules.mean { 1.0 / (clips * network.tags) as f64 } else { 1.0 };
    let losses = losses(&logits, &batch.labels, network.tags, network.heads, T::of(scale), T::of(rules.lambda));

    let mut gradients = Tensors::new();
    let head = dense_backward(&features, weight, &losses.dlogits, bias.len());
    gradients.insert("head.weight".into(), head.w);
    gradients.insert("head.bias".into(), head.bias);
    let mut upstream = times(&head.x, &batch.mask);
    for (i, (layer, kept)) in network.layers.iter().zip(&layers).enumerate().rev() {
        let shape = Shape { layer, clips, input: kept.input.len() / clips / layer.cin };
        upstream = arithmetic.gradient(i, upstream, &kept.output);
        let unpooled = max_pool_backward(&kept.places, &upstream, kept.y.len());
        let dy = relu_backward(&kept.y, &unpooled);
        let norm = batch_norm_backward(&kept.z, &dy, &parameters[&format!("bn{i}.weight")], T::of(network.bn_eps));
        let conv = arithmetic.convolution_backward(i, shape, &kept.input, &parameters[&format!("conv{i}.weight")], &norm.z);
        gradients.insert(format!("bn{i}.weight"), norm.gamma);
        gradients.insert(format!("bn{i}.bias"), norm.beta);
        gradients.insert(format!("conv{i}.weight"), conv.w);
        gradients.insert(format!("conv{i}.bias"), conv.bias);
        upstream = conv.a;
    }
    Ok(Passed { layers, logits, losses, gradients })
}

/// A training step: [`pass`], the update of parameters and momenta, the running statistics.
pub fn step<T: Real>(network: &Network, state: &mut State<T>, batch: &Batch<T>, rules: &Rules) -> Result<Passed<T>> {
    let passed = pass(network, &state.parameters, batch, rules)?;
    for (name, gradient) in &passed.gradients {
        let (p, u) = (state.parameters.get_mut(name), state.momenta.get_mut(name));
        if let (Some(p), Some(u)) = (p, u) {
            nesterov(p, u, gradient, T::of(rules.rate), T::of(rules.momentum));
        }
    }
    let momentum = T::of(network.bn_momentum);
    for (running, layer) in state.running.iter_mut().zip(&passed.layers) {
        let positions = layer.z.len() / running.mean.len();
        update_running(&mut running.mean, &layer.moments.mean, momentum, None);
        update_running(&mut running.variance, &layer.moments.variance, momentum, rules.unbiased_variance.then_some(positions));
    }
    Ok(passed)
}

/// Logits `[clip, head x tag]` of an evaluation: running statistics, no dropout.
pub fn evaluate<T: Real>(network: &Network, state: &State<T>, wave: &[T]) -> Result<Vec<T>> {
    network.check()?;
    let clips = wave.len() / network.clip_length;
    let layers = layers(&Exact, network, &state.parameters, Some(&state.running), wave, clips);
    let top = layers.last().map_or(&[][..], |l| &l.output);
    Ok(dense(top, &state.parameters["head.weight"], &state.parameters["head.bias"]))
}
