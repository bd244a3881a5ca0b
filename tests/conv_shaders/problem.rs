//! The shapes that the shaders are tested on, and what they read in each: values that are neither symmetric nor round,
//! signs of gamma of all sorts, ties inside windows.

use tagwalk::device::gpu::{Gpu, Options, adapters, open, run_alone};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::kernels::conv::{Conv, Source};
use tagwalk::kernels::conv_backward::ConvBackward;
use tagwalk::kernels::conv_forward::ConvForward;
use tagwalk::kernels::pack_weights::Layout;
use tagwalk::kernels::{Choice, Family, Kernel};
use tagwalk::network::{Layer, Lengths, PoolMode};

use super::plain;
use PoolMode::{Ceil, Same, Valid};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reads {
    Wave,
    /// Layer 1 with this kernel, stride, padding.
    First(usize, usize, [usize; 2]),
    Below,
}

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub clips: usize,
    /// Samples of the wave, or positions of the layer below.
    pub input: usize,
    pub cin: usize,
    pub cout: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: [usize; 2],
    pub pool: usize,
    pub mode: PoolMode,
    pub reads: Reads,
}

#[rustfmt::skip]
pub fn cases() -> Vec<Case> {
    use Reads::{Below, First, Wave};
    type Row = (usize, usize, [usize; 2], usize, usize, [usize; 2], usize, PoolMode, Reads);
    let rows: &[Row] = &[
        // clips, input, [cin, cout], kernel, stride, padding, pool, mode, reads
        (2, 100, [1, 5], 3, 3, [0, 1], 3, Same, Wave),
        (1, 500, [1, 70], 81, 81, [0, 0], 1, Valid, Wave),
        (2, 83, [1, 33], 5, 1, [4, 3], 4, Same, Wave),
        (2, 103, [66, 9], 3, 2, [2, 0], 3, Ceil, First(9, 4, [3, 8])),
        (3, 27, [4, 8], 3, 1, [1, 1], 3, Valid, Below),
        (2, 29, [7, 5], 3, 1, [1, 1], 3, Ceil, Below),
        (2, 2, [3, 130], 3, 1, [1, 1], 2, Same, Below),
        (2, 63, [6, 6], 5, 3, [4, 4], 3, Same, Below),
        (3, 50, [9, 11], 3, 2, [1, 1], 1, Valid, Below),
        (1, 200, [3, 4], 40, 1, [20, 19], 7, Same, Below),
        (1, 150, [3, 4], 3, 1, [1, 1], 30, Same, Below),
        (9, 7, [7, 3], 3, 1, [1, 1], 3, Valid, Below),
        // In fours, as the register family wants them.
        (2, 103, [68, 12], 3, 1, [2, 0], 3, Ceil, First(9, 4, [3, 8])),
        (2, 2, [4, 132], 3, 1, [1, 1], 2, Same, Below),
        (1, 200, [4, 8], 40, 1, [20, 19], 7, Same, Below),
        (1, 150, [4, 4], 3, 1, [1, 1], 30, Same, Below),
        (5, 7, [8, 4], 3, 1, [0, 2], 3, Valid, Below),
    ];
    let case = |&(clips, input, [cin, cout], kernel, stride, padding, pool, mode, reads): &Row| {
        Case { clips, input, cin, cout, kernel, stride, padding, pool, mode, reads }
    };
    rows.iter().map(case).collect()
}

pub fn gpu(max_binding: Option<u64>) -> Gpu {
    assert!(
        !adapters::list().is_empty(),
        "these tests need a Vulkan adapter; software will do: install mesa-vulkan-drivers and libvulkan1"
    );
    let selection = Selection { device: DeviceKind::Gpu, adapter: Some("0".into()) };
    open(&selection).unwrap().with(Options { checked: true, max_binding, ..Options::default() })
}

/// Values that are not symmetric and differ in size: a fixed sequence, no two alike.
fn values(n: usize, seed: u64, low: f64, high: f64) -> Vec<f32> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (low + (high - low) * (x >> 11) as f64 / (1u64 << 53) as f64) as f32
        })
        .collect()
}

/// A case made into a convolution with all that it reads.
pub struct Problem {
    pub conv: Conv,
    pub source: Source,
    pub inputs: plain::Inputs,
    /// `[tap, cin, cout]`
    pub weights: Vec<f32>,
    /// A third negative, a few zero.
    pub gamma: Vec<f32>,
}

impl Problem {
    pub fn new(case: &Case) -> Problem {
        let layer =
            |cin, cout, kernel, stride, padding, pool, pool_mode| Layer { cin, cout, kernel, stride, padding, pool, pool_mode };
        let own = layer(case.cin, case.cout, case.kernel, case.stride, case.padding, case.pool, case.mode);
        let samples = case.input;
        let stride = samples.next_multiple_of(2);
        let (source, input) = match case.reads {
            Reads::Wave => (Source::Wave { stride }, samples),
            Reads::Below => (Source::Below, case.input),
            Reads::First(kernel, first_stride, padding) => {
                let first = layer(1, case.cin, kernel, first_stride, padding, 1, Valid);
                let input = first.conv_length(samples).unwrap();
                (Source::FirstLayer { layer: first, samples, stride }, input)
            }
        };
        let conv_length = own.conv_length(input).unwrap();
        let lengths = Lengths { input, conv: conv_length, output: own.pooled_length(conv_length) };
        let conv = Conv::new(&own, lengths, case.clips);
        let c = case.cin;
        let scale = values(c, 11, -1.0, 2.0);
        let norm = [scale, values(c, 12, -0.4, 0.6), values(c, 13, -0.5, 0.5), values(c, 14, 0.5, 2.0)].concat();
        let inputs = plain::Inputs {
            wave: values(case.clips * stride, 15, -32768.0, 32767.0).iter().map(|&v| v as i16).collect(),
            first_weights: values(9 * c, 16, -1.0, 1.0),
            below: values(case.clips * input * c, 17, -1.0, 1.5),
            norm,
        };
        let weights = values(case.kernel * c * case.cout, 18, -0.8, 0.7);
        let gamma = (0..case.cout).map(|o| [1.5, -0.5, 0.7, 0.0, 1.0][(o + 1) % 5]).collect();
        Problem { conv, source, inputs, weights, gamma }
    }

    fn first_weights(&self) -> &[f32] {
        let taps = if let Source::FirstLayer { layer, .. } = &self.source { layer.kernel } else { 0 };
        &self.inputs.first_weights[..taps * self.conv.cin]
    }

    pub fn run(&self, gpu: &Gpu, kernel: &dyn Kernel, more: &[(&str, &[f32])]) -> Vec<Vec<f32>> {
        let bytes = |name: &str| match name {
            "wave" => Some(bytemuck::cast_slice(&self.inputs.wave).to_vec()),
            "first_weights" => Some(bytemuck::cast_slice(self.first_weights()).to_vec()),
            "first_norm" | "below_norm" => Some(bytemuck::cast_slice(&self.inputs.norm).to_vec()),
            "below" => Some(bytemuck::cast_slice(&self.inputs.below).to_vec()),
            "gamma" => Some(bytemuck::cast_slice(&self.gamma).to_vec()),
            _ => more.iter().find(|(n, _)| *n == name).map(|(_, v)| bytemuck::cast_slice(v).to_vec()),
        };
        let results = run_alone(gpu, kernel, &|o| bytes(o.name)).unwrap();
        results.iter().map(|b| bytemuck::pod_collect_to_vec(b)).collect()
    }

    pub fn forward(&self, family: Family, keep_z: bool, statistics: bool) -> ConvForward {
        let choice = Choice::gpu(family);
        ConvForward { conv: self.conv.clone(), source: self.source.clone(), keep_z, statistics, choice }
    }

    pub fn backward(&self, family: Family) -> ConvBackward {
        ConvBackward { conv: self.conv.clone(), source: self.source.clone(), choice: Choice::gpu(family) }
    }

    /// Runs backward on z, whose p is selected from it, on dy and coefficients.
    pub fn run_backward(
        &self,
        gpu: &Gpu,
        kernel: &ConvBackward,
        z: &[f32],
        p: &[f32],
        dy: &[f32],
        coefficients: &[f32],
    ) -> Vec<Vec<f32>> {
        let (taps, cin, cout) = (self.conv.taps, self.conv.cin, self.conv.cout);
        // [tap, cout, cin], the taps in order or in reverse.
        let turned = |reversed: bool| -> Vec<f32> {
            let tap = |n: usize| if reversed { taps - 1 - n / cin / cout } else { n / cin / cout };
            (0..self.weights.len()).map(|n| self.weights[(tap(n) * cin + n % cin) * cout + n / cin % cout]).collect()
        };
        let weights = &match kernel.packing().layout {
            Layout::AsIs => self.weights.clone(),
            Layout::Turned => turned(false),
            Layout::Panels { width } if width == cin => turned(true),
            other => panic!("{other:?}"),
        };
        self.run(gpu, kernel, &[("z", z), ("p", p), ("dy", dy), ("coefficients", coefficients), ("weights", weights)])
    }
}

/// What backward is given: z with ties inside windows, the places of its p, p, dy, coefficients.
pub type Upstream = (Vec<f32>, Vec<usize>, Vec<f32>, Vec<f32>, Vec<f32>);

pub fn upstream(problem: &Problem) -> Upstream {
    let conv = &problem.conv;
    let mut z = values(conv.positions() * conv.cout, 21, -1.0, 1.2);
    for n in conv.cout..z.len() {
        if n % 4 == 0 {
            z[n] = z[n - conv.cout];
        }
    }
    let selected = plain::selected(conv, &z, &problem.gamma);
    let at = |n: usize, l: usize| (n / conv.cout / conv.windows.count * conv.length() + l) * conv.cout + n % conv.cout;
    let p = selected.iter().enumerate().map(|(n, &l)| z[at(n, l)]).collect();
    let dy = values(selected.len(), 22, -1.0, 1.0);
    let coefficients = values(4 * conv.cout, 23, -1.0, 1.0);
    (z, selected, p, dy, coefficients)
}
