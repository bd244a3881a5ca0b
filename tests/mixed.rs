//! What mixed precision computes, on the CPU and on a Vulkan adapter: the first step of the golden problems, layer by layer
//! against the reference in f64 with the same roundings, and as a whole against PyTorch. (Runs: `mixed_runs.rs`.)

mod common;

use std::borrow::Cow;
use std::cell::RefCell;

use common::golden::{Golden, all, relative_l2};
use tagwalk::device::gpu::{Gpu, adapters, open};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::device::{Program, cpu};
use tagwalk::kernels::bf16::Bf16;
use tagwalk::kernels::conv::Conv;
use tagwalk::kernels::products::Isa;
use tagwalk::kernels::reference::step::{Arithmetic, Batch, Rules, pass_with, tensors};
use tagwalk::kernels::reference::{ConvolutionGradient, Labels, Shape, convolution, convolution_backward, patches};
use tagwalk::kernels::sgd::{BLOCK, FINITE};
use tagwalk::kernels::{Choice, Family, Precision, Product, Way, f16, winograd};
use tagwalk::measure::check::rounded::{Tiles, to};
use tagwalk::measure::check::{BOUND, PAIRED, PAIRED_F16, STORED, STORED_F16, STORED_PAIRED_F16};
use tagwalk::network::{Lengths, Network, Parameters};
use tagwalk::plan::{Run, Settings, names, training};
use tagwalk::tensor::DType;

/// A whole step may be so many times further from PyTorch in f64 than the reference with the same roundings in f64 is:
/// the two part at near ties, after which they are two draws of the same noise, and tensors are small.
const TIMES: f64 = 2.0;

/// A plan's first step.
struct Step {
    program: Box<dyn Program>,
    /// What dy and the gradients are multiplied by.
    scale: f64,
}

/// The first adapter, software or not.
fn vulkan() -> Gpu {
    let adapter = adapters::list().into_iter().min_by_key(|a| a.kind).expect("a Vulkan adapter, software or not");
    open(&Selection { device: DeviceKind::Gpu, adapter: Some(adapter.index.to_string()) }).unwrap()
}

impl Step {
    fn of(golden: &Golden, choice: &Choice) -> Step {
        let settings = Settings {
            batch: golden.batch,
            mean: golden.mean,
            lambda: golden.lambda,
            unbiased_variance: true,
            choice: choice.clone(),
        }
        .settled(golden.network.tags);
        let mut plan = training(&golden.network, &settings).unwrap();
        let layers = 1..=golden.network.layers.len();
        let stored: Vec<String> = layers.flat_map(|n| ["z", "dy"].map(|kind| format!("{kind} {n}"))).collect();
        plan.expose(&stored.iter().map(String::as_str).collect::<Vec<_>>());
        let program = if choice.is_native() { Box::new(cpu::load(plan, 2).unwrap()) } else { vulkan().load(plan).unwrap() };
        let mut step = Step { program, scale: settings.choice.loss_scale().into() };
        let table = Parameters::new(&golden.network).unwrap();
        let (length, stride) = (golden.network.clip_length, golden.network.wave_stride());
        let samples = golden.wave(Some(0));
        let mut padded = vec![i16::MAX; golden.batch * stride];
        for (to, from) in padded.chunks_exact_mut(stride).zip(samples.chunks_exact(length)) {
            to[..length].copy_from_slice(from);
        }
        let shape = Shape { layer: &golden.network.layers[0], clips: golden.batch, input: length };
        let (mean, covariance) = patches(shape, &wave(golden));
        let moments: Vec<f32> = mean.iter().chain(&covariance).map(|&v| v as f32).collect();
        step.upload(names::WAVE, &padded);
        step.upload(names::PATCHES, &moments);
        step.upload(names::PARAMETERS, &golden.parameters(&table, "before."));
        step.upload(names::RUNNING, &golden.running(&table, "before.", true));
        step.upload(names::MOMENTA, &vec![0.0f32; table.length]);
        step.upload(names::GRADIENTS, &vec![0.0f32; table.length]);
        step.upload(names::HYPER, &[golden.hyper.lr, golden.hyper.momentum]);
        step.upload(names::OWN, golden.step("tags.own", 0));
        step.upload(names::PROPAGATED, golden.step("tags.prop", 0));
        step.upload(names::WEIGHTS, &[golden.step("weights.own", 0), golden.step("weights.prop", 0)].concat());
        step.upload(names::MASK, golden.step("dropout.mask", 0));
        step.program.submit(Run::Train).unwrap();
        step
    }

    fn upload<T: bytemuck::Pod>(&mut self, name: &str, values: &[T]) {
        // A plan has no tensor of patches where layer 1 is stored.
        if let Some(id) = self.program.plan().find(name) {
            self.program.upload(id, bytemuck::cast_slice(values)).unwrap();
        }
    }

    fn bytes(&mut self, name: &str) -> Option<Vec<u8>> {
        let id = self.program.plan().find(name)?;
        let mut bytes = vec![0; self.program.plan().tensors[id.0].bytes()];
        self.program.download(id, &mut bytes).unwrap();
        Some(bytes)
    }

    fn single(&mut self, name: &str) -> Vec<f32> {
        bytemuck::pod_collect_to_vec(&self.bytes(name).unwrap_or_else(|| panic!("no {name}")))
    }

    /// One of a layer's tensors in 16 bits, without the loss scale; `None` where it is not stored.
    fn half(&mut self, kind: &str, layer: usize) -> Option<Vec<f64>> {
        let name = format!("{kind} {layer}");
        let bytes = self.bytes(&name)?;
        let tensor = &self.program.plan().tensors[self.program.plan().find(&name)?.0];
        let values = match tensor.dtype {
            DType::F16 => f16::unpacked(&bytes, *tensor.shape.last().unwrap()),
            DType::Bf16 => bytemuck::pod_collect_to_vec::<u8, Bf16>(&bytes).into_iter().map(f32::from).collect(),
            other => panic!("{name} is {other:?}"),
        };
        let scale = if kind == "dy" { self.scale } else { 1.0 };
        Some(values.into_iter().map(|v| f64::from(v) / scale).collect())
    }
}

fn wave(golden: &Golden) -> Vec<f64> {
    golden.wave(Some(0)).iter().map(|&s| f64::from(s) / 32768.0).collect()
}

fn error(got: &[f64], want: &[f64]) -> f64 {
    let [got, want] = [got, want].map(|v| v.iter().map(|&v| v as f32).collect::<Vec<_>>());
    if want.iter().all(|&v| v == 0.0) { got.iter().map(|v| v.abs() as f64).sum() } else { relative_l2(&got, &want) }
}

/// The reference with mixed precision's roundings. Judging, it takes from the device what that stored: every layer is
/// judged on what it was given, so that a near tie in one layer is no difference in the next.
struct Stored<'a> {
    judging: bool,
    network: &'a Network,
    clips: usize,
    choice: &'a Choice,
    scale: f64,
    z: Vec<Option<Vec<f64>>>,
    dy: Vec<Option<Vec<f64>>>,
    found: RefCell<Vec<(String, f64, f64)>>,
}

impl Stored<'_> {
    fn conv(&self, i: usize, input: usize) -> Conv {
        let layer = &self.network.layers[i];
        let conv = layer.conv_length(input).unwrap();
        Conv::new(layer, Lengths { input, conv, output: layer.pooled_length(conv) }, self.clips)
    }

    /// The layer, if it is computed by F(3,3) of bf16 pairs.
    fn paired(&self, i: usize, input: usize) -> Option<Conv> {
        let conv = self.conv(i, input);
        (winograd::paired(self.choice) && Way::of(&conv, self.choice) == Some(Way::Winograd)).then_some(conv)
    }

    /// Operands as matrices multiply them, where they do; dz of a GPU's has the loss scale.
    fn operands<'v>(&self, i: usize, input: usize, values: &'v [f64], scale: f64) -> Cow<'v, [f64]> {
        let conv = self.conv(i, input);
        match self.choice.family_for(Product::Forward, &conv) {
            Family::Cooperative(_) => values.iter().map(|v| to(DType::F16, v * scale) / scale).collect(),
            _ if Way::of(&conv, self.choice) == Some(Way::Matrices) => values.iter().map(|&v| to(DType::Bf16, v)).collect(),
            _ => values.into(),
        }
    }

    /// Of what is stored.
    fn bound(&self) -> f64 {
        match (self.choice.storage(), self.choice.cooperative_size()) {
            (DType::F16, None) => STORED_F16,
            (DType::F16, Some(_)) => STORED_PAIRED_F16,
            _ => STORED,
        }
    }

    /// Of the gradients of weights.
    fn summed(&self) -> f64 {
        match (self.choice.storage(), self.choice.cooperative_size()) {
            (DType::F16, None) => BOUND,
            (DType::F16, Some(_)) => PAIRED_F16,
            _ => PAIRED,
        }
    }

    fn note(&self, what: String, got: &[f64], want: &[f64], bound: f64) {
        self.found.borrow_mut().push((what, error(got, want), bound));
    }
}

impl Arithmetic<f64> for Stored<'_> {
    fn convolution(&self, i: usize, shape: Shape, a: &[f64], w: &[f64], bias: &[f64]) -> Vec<f64> {
        let Some(stored) = &self.z[i] else { return convolution(shape, a, w, bias) };
        let z = match self.paired(i, shape.input) {
            Some(conv) => Tiles::new(&conv, a, w).forward(),
            None => {
                let [a, w] = [a, w].map(|v| self.operands(i, shape.input, v, 1.0));
                convolution(shape, &a, &w, &vec![0.0; bias.len()])
            }
        };
        let want: Vec<f64> = z.into_iter().map(|v| to(self.choice.storage(), v)).collect();
        self.note(format!("z {}", i + 1), stored, &want, self.bound());
        let z = if self.judging { stored } else { &want };
        z.iter().enumerate().map(|(j, v)| v + bias[j % bias.len()]).collect()
    }

    fn convolution_backward(&self, i: usize, shape: Shape, a: &[f64], w: &[f64], dz: &[f64]) -> ConvolutionGradient<f64> {
        match self.paired(i, shape.input).filter(|_| self.z[i].is_some()) {
            // A convolution's bias before batch norm has no gradient.
            Some(conv) => ConvolutionGradient { bias: vec![0.0; conv.cout], ..Tiles::new(&conv, a, w).backward(dz) },
            None => {
                let [a, w, dz] = [(a, 1.0), (w, 1.0), (dz, self.scale)].map(|(v, s)| self.operands(i, shape.input, v, s));
                convolution_backward(shape, &a, &w, &dz)
            }
        }
    }

    fn gradient(&self, i: usize, gradient: Vec<f64>, output: &[f64]) -> Vec<f64> {
        let Some(stored) = &self.dy[i] else { return gradient };
        let rounded = |d: f64| to(self.choice.storage(), d * self.scale) / self.scale;
        let masked = gradient.iter().zip(output).map(|(&d, &a)| if a > 0.0 { rounded(d) } else { 0.0 });
        let masked: Vec<f64> = masked.collect();
        self.note(format!("dy {}", i + 1), stored, &masked, self.bound());
        if self.judging { stored.clone() } else { masked }
    }
}

fn choices() -> Vec<Choice> {
    let gpu = vulkan();
    if gpu.cooperative_sizes().is_empty() {
        common::say("skipped, for the adapter has no cooperative matrices: their golden problems");
    }
    let cooperative = gpu.cooperative_sizes().iter().map(|&size| Family::Cooperative(size));
    let shaders = std::iter::once(Family::Tiled).chain(cooperative);
    let shaders = shaders.map(|family| Choice::gpu(family).in_precision(Precision::Mixed));
    let judged = [Isa::detect_in(Precision::Mixed), Isa::AmxTwin, Isa::Portable].map(Family::Native);
    let native = winograd::ways(Precision::Mixed).into_iter().filter(|choice| judged.contains(&choice.family));
    native.chain(shaders).collect()
}

#[test]
fn the_first_step_of_the_golden_problems() {
    let mut stored_layers = 0;
    for golden in all().into_iter().filter(|g| g.name.starts_with("tiny")) {
        let table = Parameters::new(&golden.network).unwrap();
        let parameters = golden.parameters(&table, "before.");
        for choice in choices() {
            let mut step = Step::of(&golden, &choice);
            let layers = 1..=golden.network.layers.len();
            let [z, dy] = ["z", "dy"].map(|kind| layers.clone().map(|n| step.half(kind, n)).collect());
            let (network, clips) = (&golden.network, golden.batch);
            let (scale, found) = (step.scale, RefCell::default());
            let mut stored = Stored { judging: true, network, clips, choice: &choice, scale, z, dy, found };
            stored_layers += stored.dy.iter().flatten().count();
            let doubles = |name: &str| golden.step(name, 0).iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
            let batch = Batch {
                wave: wave(&golden),
                labels: Labels {
                    own: doubles("tags.own"),
                    propagated: doubles("tags.prop"),
                    own_weights: doubles("weights.own"),
                    propagated_weights: doubles("weights.prop"),
                },
                mask: doubles("dropout.mask"),
            };
            let rules = Rules {
                mean: golden.mean,
                lambda: golden.lambda.into(),
                rate: golden.hyper.lr.into(),
                momentum: golden.hyper.momentum.into(),
                unbiased_variance: true,
            };
            let passed = pass_with(&stored, &golden.network, &tensors(&table, &parameters), &batch, &rules).unwrap();

            let widened = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
            let logits = step.single(names::LOGITS);
            stored.note("logits".into(), &widened(logits.clone()), &passed.logits, BOUND);
            let parts = widened(step.single(names::LOSSES));
            let losses = [0, 1].map(|j| parts.iter().skip(j).step_by(2).sum::<f64>());
            stored.note("losses".into(), &losses, &[passed.losses.own, passed.losses.propagated], BOUND);
            let gradients: Vec<f32> = step.single(names::GRADIENTS).iter().map(|g| g / scale as f32).collect();
            for (name, got) in tensors::<f64>(&table, &gradients) {
                // The reference's own is rounding, where it should be zero.
                let zero = name.starts_with("conv") && name.ends_with("bias");
                let want = if zero { vec![0.0; got.len()] } else { passed.gradients[&name].clone() };
                // Layer 1, where it is not stored, is summed from da of the layer above.
                let bound = if name.starts_with("conv") || name.starts_with("bn0") { stored.summed() } else { BOUND };
                stored.note(format!("gradient of {name}"), &got, &want, bound);
            }
            let context = format!("{}, {:?}, {:?}", golden.name, choice.family, choice.tiles);
            let found = stored.found.take();
            let worst = found.iter().max_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2))).unwrap();
            println!("{context}: nearest to its bound: {} {:.1e} of {:.0e}", worst.0, worst.1, worst.2);
            let failed: Vec<_> = found.iter().filter(|(_, error, bound)| error.is_nan() || error > bound).collect();
            assert!(failed.is_empty(), "{context}: {failed:?}");

            // As a whole, against PyTorch in f64; the reference's own way there beside it.
            stored.judging = false;
            let free = pass_with(&stored, &golden.network, &tensors(&table, &parameters), &batch, &rules).unwrap();
            let row = golden.network.heads * golden.network.tags;
            let exact_gradients = golden.parameters(&table, "grad.");
            let off = |logits: &[f32], loss: f64, gradients: &[f32]| {
                let own: Vec<f32> = logits.chunks_exact(row).flat_map(|r| r[..golden.network.tags].to_vec()).collect();
                let loss = golden.compare("loss.own", &[loss as f32]).error;
                [golden.compare("logits", &own).error, loss, relative_l2(gradients, &exact_gradients)]
            };
            let device = off(&logits, losses[0], &gradients);
            let mut flat = vec![0.0; table.length];
            for e in &table.entries {
                let singles = free.gradients[&e.name].iter().map(|&v| v as f32);
                flat[e.offset..e.offset + e.len()].iter_mut().zip(singles).for_each(|(to, v)| *to = v);
            }
            let unit = if choice.is_native() { 1.0 / 256.0 } else { 1.0 / 2048.0 };
            let logits: Vec<f32> = free.logits.iter().map(|&v| v as f32).collect();
            let own = off(&logits, free.losses.own, &flat);
            println!("{context}: logits, loss, gradients against exact: {device:.4?}, the reference {own:.4?}");
            for (device, own) in device.into_iter().zip(own) {
                // A single loss can be right by chance.
                assert!(device <= TIMES * own.max(unit), "{context}: {device} against {own}");
            }
            let whole = device[0];
            assert!(whole > 1e-5, "{context}: nothing was rounded");
        }
    }
    assert!(stored_layers > 20, "{stored_layers} layers were judged");
}

/// What f16 cannot hold is seen as the gradient that is not finite, and named.
#[test]
fn a_gradient_beyond_f16_stops_the_run() {
    let golden = all().into_iter().find(|g| g.name == "tiny").unwrap();
    let choice = Choice::gpu(Family::Tiled).in_precision(Precision::Mixed);
    for (scale, finite) in [(1 << 10, true), (1 << 24, false)] {
        let mut step = Step::of(&golden, &Choice { loss_scale: Some(scale), ..choice.clone() });
        let status: u32 = bytemuck::pod_read_unaligned(&step.bytes(names::STATUS).unwrap());
        assert_eq!(status == FINITE, finite, "loss scale {scale}");
        let table = Parameters::new(&golden.network).unwrap();
        // The first in the flat order that the infinity reaches.
        assert!(finite || table.holder(status as usize * BLOCK).name.starts_with("conv"), "{status}");
    }
}
