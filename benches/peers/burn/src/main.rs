//! Clips a second of SampleCNN 3^9 in Burn on the CPU (backend flex, f32): the step of ../throughput.py, with the same
//! members in its JSON.
//!
//!     samplecnn-burn [--batch 23] [--steps 6] [--warm-up 2] [--mode training|inference] [--network 3^9|3^5-81]

use std::time::Instant;

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::pool::{MaxPool1d, MaxPool1dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig1d};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Distribution, Tensor};

const TAGS: usize = 50;
const RATE: f64 = 0.01;

#[derive(Module, Debug)]
struct Layer {
    conv: Conv1d,
    norm: BatchNorm,
    pool: Option<MaxPool1d>,
}

#[derive(Module, Debug)]
struct SampleCnn {
    layers: Vec<Layer>,
    dropout: Dropout,
    dense: Linear,
}

impl SampleCnn {
    /// The member module^modules with a first filter of `first` samples.
    fn new(module: usize, modules: usize, first: usize, device: &Device) -> SampleCnn {
        let layer = |cin, cout, kernel, stride, pool: Option<usize>| Layer {
            conv: Conv1dConfig::new(cin, cout, kernel)
                .with_stride(stride)
                .with_padding(PaddingConfig1d::Explicit(
                    if stride == 1 { (kernel - 1) / 2 } else { 0 },
                    if stride == 1 { kernel / 2 } else { 0 },
                ))
                .init(device),
            norm: BatchNormConfig::new(cout).with_epsilon(1e-3).with_momentum(0.01).init(device),
            pool: pool.map(|size| MaxPool1dConfig::new(size).init()),
        };
        let mut layers = vec![layer(1, 128, first, first, None)];
        let mut cin = 128;
        for i in 1..=modules {
            let cout = if i == modules {
                512
            } else if i <= 2 {
                128
            } else {
                256
            };
            layers.push(layer(cin, cout, module, 1, Some(module)));
            cin = cout;
        }
        layers.push(layer(512, 512, 1, 1, None));
        SampleCnn { layers, dropout: DropoutConfig::new(0.5).init(), dense: LinearConfig::new(512, TAGS).init(device) }
    }

    /// wave `[clip, sample]` in [-1, 1] to logits `[clip, tag]`.
    fn forward(&self, wave: Tensor<2>) -> Tensor<2> {
        let mut x = wave.unsqueeze_dim::<3>(1);
        for layer in &self.layers {
            x = relu(layer.norm.forward(layer.conv.forward(x)));
            if let Some(pool) = &layer.pool {
                x = pool.forward(x);
            }
        }
        self.dense.forward(self.dropout.forward(x.flatten::<2>(1, 2)))
    }
}

/// Cross-entropy of logits, mean over clips and tags, a weight a clip.
fn term(logits: &Tensor<2>, labels: &Tensor<2>, weights: &Tensor<2>) -> Tensor<1> {
    let softplus = logits.clone().abs().neg().exp().log1p();
    let each = relu(logits.clone()) - logits.clone() * labels.clone() + softplus;
    (each * weights.clone()).mean()
}

struct Batch {
    samples: Vec<i16>,
    own: Tensor<2>,
    propagated: Tensor<2>,
    weights: [Tensor<2>; 2],
}

/// A small generator: what is drawn does not matter here.
fn samples(count: usize, state: &mut u64) -> Vec<i16> {
    let mut draw = || {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((*state >> 33) % 40_000) as i64 as i32 - 20_000
    };
    (0..count).map(|_| draw() as i16).collect()
}

fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = given.iter().position(|arg| arg == name);
        at.and_then(|at| given.get(at + 1)).map_or(default.to_string(), String::clone)
    };
    let number = |name: &str, default: &str| flag(name, default).parse::<usize>().unwrap_or_else(|e| panic!("{name}: {e}"));
    let (batch, steps, warm_up) = (number("--batch", "23"), number("--steps", "6"), number("--warm-up", "2"));
    let (mode, network) = (flag("--mode", "training"), flag("--network", "3^9"));
    let training = mode == "training";
    let (module, modules, first): (usize, usize, usize) = match network.as_str() {
        "3^9" => (3, 9, 3),
        "3^5-81" => (3, 5, 81),
        other => panic!("--network: {other} is not written here"),
    };
    let length = first * module.pow(modules as u32);

    // Dropout and batch norm train where gradients are recorded.
    let plain = Device::flex();
    let device = if training { plain.clone().autodiff() } else { plain };
    let mut net = SampleCnn::new(module, modules, first, &device);
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0).with_nesterov(true);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();

    let mut state = 1;
    let random = |rows, p| Tensor::<2>::random([batch, rows], Distribution::Bernoulli(p), &device);
    let batches: Vec<Batch> = (0..4)
        .map(|_| Batch {
            samples: samples(batch * length, &mut state),
            own: random(TAGS, 0.1),
            propagated: random(TAGS, 0.1),
            weights: [Tensor::ones([batch, 1], &device), random(1, 0.5)],
        })
        .collect();

    let mut times = Vec::new();
    for i in 0..warm_up + steps {
        let b = &batches[i % batches.len()];
        let start = Instant::now();
        let wave: Vec<f32> = b.samples.iter().map(|&s| f32::from(s) * (1.0 / 32768.0)).collect();
        let wave = Tensor::<2>::from_data(burn::tensor::TensorData::new(wave, [batch, length]), &device);
        let logits = net.forward(wave);
        let value: f32 = if training {
            let loss = term(&logits, &b.own, &b.weights[0]) + term(&logits, &b.propagated, &b.weights[1]);
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            net = optimizer.step(RATE, net, gradients);
            loss.into_scalar()
        } else {
            sigmoid(logits).sum().into_scalar()
        };
        assert!(value.is_finite(), "step {i}: {value}");
        if i >= warm_up {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let at = q * (times.len() - 1) as f64;
        let (low, part) = (at as usize, at.fract());
        times[low] + part * (times[(low + 1).min(times.len() - 1)] - times[low])
    };
    let [least, p10, median, p90, most] = [0.0, 0.1, 0.5, 0.9, 1.0].map(quantile);
    println!(
        "{{\"schema\": 1, \"system\": \"Burn 0.22.1 flex\", \"network\": \"{network}\", \"batch\": {batch}, \"steps\": {steps}, \
         \"mode\": \"{mode}\", \"precision\": \"f32\", \"device\": \"CPU\", \"clips_per_second\": {}, \"spread\": {}, \
         \"step_ms\": {{\"least\": {least}, \"p10\": {p10}, \"median\": {median}, \"p90\": {p90}, \"most\": {most}}}, \
         \"peak_memory_mib\": {}}}",
        batch as f64 * 1e3 / median,
        (p90 - p10) / median,
        peak_memory_mib().map_or("null".into(), |mib| mib.to_string()),
    );
}
