//! Golden problems: three training steps and an evaluation, computed by PyTorch in float64, against
//! the reference and against a plan on every device, all within the bounds that the problems state.

mod common;

use common::golden::{Comparison, Golden, all, assert_all};
use tagwalk::device::{Program, cpu, gpu, select};
use tagwalk::error::Result;
use tagwalk::kernels::conv::Conv;
use tagwalk::kernels::conv::norm::{BETA, MEAN, SCALE};
use tagwalk::kernels::product::Product;
use tagwalk::kernels::products::Isa;
use tagwalk::kernels::reference::step::{Batch, Moments, Rules, State, evaluate, step, tensors};
use tagwalk::kernels::reference::{Labels, Real, Shape, convolution, patches, sigmoid};
use tagwalk::kernels::{Choice, Family, winograd};
use tagwalk::network::Parameters;
use tagwalk::plan::names;
use tagwalk::plan::{Plan, Run, Settings, training};

const EVALUATED: usize = 4;

fn reals<T: Real>(values: &[f32]) -> Vec<T> {
    values.iter().map(|&v| T::of(v.into())).collect()
}

fn wave<T: Real>(samples: &[i16]) -> Vec<T> {
    samples.iter().map(|&s| T::of(f64::from(s) / 32768.0)).collect()
}

fn singles<T: Real>(values: &[T]) -> Vec<f32> {
    values.iter().map(|v| v.value() as f32).collect()
}

/// `[clip, position, channel]` as the files' `[clip, channel, position]`.
fn channels_first(values: &[f32], clips: usize, channels: usize) -> Vec<f32> {
    let positions = values.len() / clips / channels;
    let at = |j: usize| (j / (channels * positions), j / positions % channels, j % positions);
    (0..values.len()).map(at).map(|(b, c, l)| values[(b * positions + l) * channels + c]).collect()
}

/// A row of outputs as `logits` and `logits.prop`: head `h`.
fn head(logits: &[f32], heads: usize, tags: usize, h: usize) -> Vec<f32> {
    logits.chunks_exact(heads * tags).flat_map(|row| row[h * tags..][..tags].to_vec()).collect()
}

/// One tensor of outside name and layout out of the reference's, put into a flat one.
fn flat<T: Real>(table: &Parameters, values: &tagwalk::kernels::reference::step::Tensors<T>) -> Vec<f32> {
    let mut all = vec![0.0; table.length];
    for e in &table.entries {
        all[e.offset..e.offset + e.len()].copy_from_slice(&singles(&values[&e.name]));
    }
    all
}

fn flat_running<T: Real>(table: &Parameters, running: &[Moments<T>]) -> Vec<f32> {
    let mut all = vec![0.0; table.running_length];
    for (&at, moments) in table.running.iter().zip(running) {
        let both: Vec<f32> = singles(&moments.mean).into_iter().chain(singles(&moments.variance)).collect();
        all[at..at + both.len()].copy_from_slice(&both);
    }
    all
}

/// Everything that a problem names, from the reference.
fn reference<T: Real>(golden: &Golden, unbiased: bool) -> Vec<Comparison> {
    let (network, table) = (&golden.network, Parameters::new(&golden.network).unwrap());
    let running = golden.running(&table, "before.", unbiased);
    let moments = |(i, at): (usize, &usize)| {
        let c = network.layers[i].cout;
        Moments { mean: reals(&running[*at..at + c]), variance: reals(&running[at + c..at + 2 * c]) }
    };
    let mut state: State<T> = State {
        parameters: tensors(&table, &golden.parameters(&table, "before.")),
        momenta: tensors(&table, &vec![0.0; table.length]),
        running: table.running.iter().enumerate().map(moments).collect(),
    };
    let rules = Rules {
        mean: golden.mean,
        lambda: golden.lambda.into(),
        rate: golden.hyper.lr.into(),
        momentum: golden.hyper.momentum.into(),
        unbiased_variance: unbiased,
    };
    let mut found = Vec::new();
    let mut losses = Vec::new();
    for k in 0..golden.hyper.steps {
        let batch = Batch {
            wave: wave(&golden.wave(Some(k))),
            labels: Labels {
                own: reals(golden.step("tags.own", k)),
                propagated: reals(golden.step("tags.prop", k)),
                own_weights: reals(golden.step("weights.own", k)),
                propagated_weights: reals(golden.step("weights.prop", k)),
            },
            mask: reals(golden.step("dropout.mask", k)),
        };
        let passed = step(network, &mut state, &batch, &rules).unwrap();
        let own = [passed.losses.own, passed.losses.propagated, passed.losses.total];
        losses.extend(singles(&own));
        if k > 0 {
            continue;
        }
        for (i, layer) in passed.layers.iter().enumerate().filter(|(i, _)| golden.has(&format!("act.{i}"))) {
            let act = channels_first(&singles(&layer.output), golden.batch, network.layers[i].cout);
            found.push(golden.compare(&format!("act.{i}"), &act));
        }
        for (h, name) in ["logits", "logits.prop"].iter().enumerate().take(network.heads) {
            found.push(golden.compare(name, &head(&singles(&passed.logits), network.heads, network.tags, h)));
        }
        found.extend(golden.compare_parameters(&table, "grad.", &flat(&table, &passed.gradients)));
        found.extend(golden.compare_parameters(&table, "after1.", &flat(&table, &state.parameters)));
        found.extend(golden.compare_running(&table, "after1.", unbiased, &flat_running(&table, &state.running)));
    }
    found.push(golden.compare("losses.steps", &losses));
    found.extend(golden.compare_parameters(&table, "after.", &flat(&table, &state.parameters)));
    found.extend(golden.compare_parameters(&table, "after.momentum.", &flat(&table, &state.momenta)));
    found.extend(golden.compare_running(&table, "after.", unbiased, &flat_running(&table, &state.running)));
    let logits =
        head(&singles(&evaluate(network, &state, &wave::<T>(&golden.wave(None))).unwrap()), network.heads, network.tags, 0);
    assert_eq!(logits.len(), EVALUATED * network.tags);
    if unbiased {
        found.push(golden.compare("eval.logits", &logits));
    }
    let probabilities: Vec<f32> = logits.iter().map(|&x| sigmoid(x)).collect();
    found.push(golden.compare(if unbiased { "eval.probs" } else { "eval.probs_biased" }, &probabilities));
    found
}

/// Operations of a problem's training step.
fn flops(golden: &Golden) -> u64 {
    let settings = Settings::new(golden.batch, Choice::native(Isa::Portable));
    training(&golden.network, &settings).unwrap().flops(Run::Train)
}

/// Problems that every device computes in reasonable time; the others are of the real network's size.
fn is_small(golden: &Golden) -> bool {
    flops(golden) < 20_000_000_000
}

/// Problems that come with the project: bounds of the reference's own were set on these.
fn committed() -> impl Iterator<Item = Golden> {
    all().into_iter().filter(|g| ["tiny", "tiny_odd", "tiny_m2", "tiny_long"].contains(&g.name.as_str()))
}

#[test]
fn the_reference_in_f64() {
    for golden in committed() {
        for unbiased in [true, false] {
            let found = reference::<f64>(&golden, unbiased);
            assert_all(&found);
            // What is left is the rounding of the files' numbers and of the rate to f32.
            for c in found.iter().filter(|c| c.measure == "relative L2") {
                assert!(c.error < 5e-7, "{c}");
            }
        }
    }
}

/// In f32 the reference is only an example of plain sums: it may stray from f64 further than the
/// problems allow a program, but not far.
#[test]
fn the_reference_in_f32() {
    for golden in committed() {
        for c in reference::<f32>(&golden, true) {
            assert!(c.error <= 10.0 * c.bound, "{c}");
        }
    }
}

/// A device under test: how it takes a plan, and with which kernels.
struct Subject<'a> {
    load: &'a dyn Fn(Plan) -> Result<Box<dyn Program>>,
    choice: Choice,
    pace: Pace,
}

/// What a device manages of the problems of the real network's size.
#[derive(Clone, Copy, PartialEq)]
enum Pace {
    /// Everything.
    Fast,
    /// Step 0 of one variance: software Vulkan takes minutes for it.
    Slow,
    /// Nothing: another subject of the same device has them.
    None,
}

fn upload<T: bytemuck::Pod>(program: &mut dyn Program, name: &str, values: &[T]) {
    // A plan has no tensor of patches where layer 1 is stored.
    if let Some(id) = program.plan().find(name) {
        program.upload(id, bytemuck::cast_slice(values)).unwrap();
    }
}

fn download(program: &mut dyn Program, name: &str) -> Vec<f32> {
    let id = program.plan().find(name).unwrap_or_else(|| panic!("the plan has no {name}"));
    let mut values = vec![0.0f32; program.plan().tensors[id.0].len()];
    program.download(id, bytemuck::cast_slice_mut(&mut values)).unwrap();
    values
}

impl Subject<'_> {
    /// A plan of the problem's network for `batch` clips, its activations readable.
    fn program(&self, golden: &Golden, batch: usize, unbiased: bool) -> Box<dyn Program> {
        let settings = Settings {
            batch,
            mean: golden.mean,
            lambda: golden.lambda,
            unbiased_variance: unbiased,
            choice: self.choice.clone(),
        };
        let mut plan = training(&golden.network, &settings).unwrap();
        let kept: Vec<String> =
            (1..=golden.network.layers.len()).flat_map(|n| ["z", "p", "norm"].map(|kind| format!("{kind} {n}"))).collect();
        if golden.has("act.0") {
            plan.expose(&kept.iter().map(String::as_str).collect::<Vec<_>>());
        }
        (self.load)(plan).unwrap()
    }

    fn upload_wave(&self, program: &mut dyn Program, golden: &Golden, samples: &[i16]) {
        let (length, stride) = (golden.network.clip_length, golden.network.wave_stride());
        // Between clips lies what no kernel may read.
        let mut padded = vec![i16::MAX; samples.len() / length * stride];
        for (to, from) in padded.chunks_exact_mut(stride).zip(samples.chunks_exact(length)) {
            to[..length].copy_from_slice(from);
        }
        upload(program, names::WAVE, &padded);
        let shape = Shape { layer: &golden.network.layers[0], clips: samples.len() / length, input: length };
        let (mean, covariance) = patches(shape, &wave::<f64>(samples));
        upload(program, names::PATCHES, &singles(&[mean, covariance].concat()));
    }

    /// Layer i's activations as the files have them, from what the plan keeps.
    fn activations(&self, program: &mut dyn Program, golden: &Golden, i: usize) -> Vec<f32> {
        let (layer, n) = (&golden.network.layers[i], i + 1);
        let stored = ["p", "z"].into_iter().map(|kind| format!("{kind} {n}")).find(|name| program.plan().find(name).is_some());
        let values: Vec<f32> = match stored {
            Some(name) => download(program, &name),
            None => {
                // Layer 1, which its readers compute: the convolution here, the batch norm from the plan.
                let table = Parameters::new(&golden.network).unwrap();
                let weights = &tensors::<f64>(&table, &golden.parameters(&table, "before."))["conv0.weight"];
                let shape = Shape { layer, clips: golden.batch, input: golden.network.clip_length };
                singles(&convolution(shape, &wave(&golden.wave(Some(0))), weights, &vec![0.0; layer.cout]))
            }
        };
        let norm = download(program, &format!("norm {n}"));
        let row = |row: usize, j: usize| norm[row * layer.cout + j % layer.cout];
        let at = |(j, v): (usize, &f32)| (row(SCALE, j) * (v - row(MEAN, j)) + row(BETA, j)).max(0.0);
        channels_first(&values.iter().enumerate().map(at).collect::<Vec<_>>(), golden.batch, layer.cout)
    }

    /// Everything that a problem names, from a plan.
    fn run(&self, golden: &Golden, unbiased: bool) -> Vec<Comparison> {
        let (network, table) = (&golden.network, Parameters::new(&golden.network).unwrap());
        let mut owned = self.program(golden, golden.batch, unbiased);
        let program = owned.as_mut();
        upload(program, names::PARAMETERS, &golden.parameters(&table, "before."));
        upload(program, names::RUNNING, &golden.running(&table, "before.", unbiased));
        upload(program, names::MOMENTA, &vec![0.0f32; table.length]);
        upload(program, names::GRADIENTS, &vec![0.0f32; table.length]);
        upload(program, names::HYPER, &[golden.hyper.lr, golden.hyper.momentum]);
        let mut found = Vec::new();
        let mut losses = Vec::new();
        let first_only = self.pace == Pace::Slow && !is_small(golden);
        for k in 0..if first_only { 1 } else { golden.hyper.steps } {
            self.upload_wave(program, golden, &golden.wave(Some(k)));
            upload(program, names::OWN, golden.step("tags.own", k));
            upload(program, names::PROPAGATED, golden.step("tags.prop", k));
            upload(program, names::WEIGHTS, &[golden.step("weights.own", k), golden.step("weights.prop", k)].concat());
            upload(program, names::MASK, golden.step("dropout.mask", k));
            program.submit(Run::Train).unwrap();
            let parts = download(program, names::LOSSES);
            let sum = |j: usize| parts.iter().skip(j).step_by(2).map(|&v| f64::from(v)).sum::<f64>();
            losses.extend([sum(0), sum(1), sum(0) + f64::from(golden.lambda) * sum(1)].map(|v| v as f32));
            if k > 0 {
                continue;
            }
            for i in (0..network.layers.len()).filter(|i| golden.has(&format!("act.{i}"))) {
                found.push(golden.compare(&format!("act.{i}"), &self.activations(program, golden, i)));
            }
            let logits = download(program, names::LOGITS);
            for (h, name) in ["logits", "logits.prop"].iter().enumerate().take(network.heads) {
                found.push(golden.compare(name, &head(&logits, network.heads, network.tags, h)));
            }
            for (j, name) in ["loss.own", "loss.prop", "loss.total"].into_iter().enumerate() {
                found.push(golden.compare(name, &losses[j..=j]));
            }
            found.extend(golden.compare_parameters(&table, "grad.", &download(program, names::GRADIENTS)));
            found.extend(golden.compare_parameters(&table, "after1.", &download(program, names::PARAMETERS)));
            found.extend(golden.compare_running(&table, "after1.", unbiased, &download(program, names::RUNNING)));
        }
        if first_only {
            return found;
        }
        found.push(golden.compare("losses.steps", &losses));
        let (parameters, running) = (download(program, names::PARAMETERS), download(program, names::RUNNING));
        found.extend(golden.compare_parameters(&table, "after.", &parameters));
        found.extend(golden.compare_parameters(&table, "after.momentum.", &download(program, names::MOMENTA)));
        found.extend(golden.compare_running(&table, "after.", unbiased, &running));

        // Evaluation: another number of clips, so another plan, with what the first one learned.
        let mut owned = self.program(golden, EVALUATED, unbiased);
        let program = owned.as_mut();
        upload(program, names::PARAMETERS, &parameters);
        upload(program, names::RUNNING, &running);
        self.upload_wave(program, golden, &golden.wave(None));
        for name in [names::OWN, names::PROPAGATED] {
            upload(program, name, &vec![0.0f32; EVALUATED * network.tags]);
        }
        upload(program, names::WEIGHTS, &[1.0f32; 2 * EVALUATED]);
        program.submit(Run::Evaluate).unwrap();
        if unbiased {
            let logits = download(program, names::LOGITS);
            found.push(golden.compare("eval.logits", &head(&logits, network.heads, network.tags, 0)));
        }
        let name = if unbiased { "eval.probs" } else { "eval.probs_biased" };
        found.push(golden.compare(name, &download(program, names::PROBABILITIES)));
        // An evaluation changes nothing.
        assert_eq!(download(program, names::PARAMETERS), parameters);
        assert_eq!(download(program, names::RUNNING), running);
        found
    }

    fn all(&self) {
        let (mut found, mut own) = (Vec::new(), 0);
        for golden in all() {
            own += self.own_layers(&golden);
            if !is_small(&golden) && self.pace != Pace::Fast {
                let left = if self.pace == Pace::Slow { "step 0 only" } else { "left to the device's best kernels" };
                println!("{}: of the real network's size, {left}", golden.name);
            }
            if !is_small(&golden) && self.pace == Pace::None {
                continue;
            }
            if self.pace == Pace::Slow && !is_small(&golden) {
                found.extend(self.run(&golden, true));
                continue;
            }
            let mut these: Vec<Comparison> = [true, false].iter().flat_map(|&unbiased| self.run(&golden, unbiased)).collect();
            if matches!(self.choice.family, Family::Winograd | Family::Native(_)) {
                let bound = TILED_LAYER * (self.own_layers(&golden) as f64).sqrt();
                these.iter_mut().filter(|c| c.is_forward()).for_each(|c| c.bound = c.bound.max(bound));
            }
            let missed: Vec<&str> = golden.results().filter(|name| !these.iter().any(|c| c.is_of(name))).collect();
            assert!(missed.is_empty(), "{}: never compared: {missed:?}", golden.name);
            found.extend(these);
        }
        assert!(own > 0, "no layer of any problem is computed in {}", self.choice);
        // All of them at once: what fails beside what holds says why.
        assert_all(&found);
    }

    /// Layers of a problem that the family, on a CPU F(3,3), computes itself: what it leaves to another shows nothing of it.
    fn own_layers(&self, golden: &Golden) -> usize {
        let layers = golden.network.layers.iter().zip(golden.network.lengths().unwrap());
        let own = |conv: Conv| match self.choice.family {
            Family::Native(_) => winograd::applies(&conv, &self.choice),
            family => self.choice.family_for(Product::Forward, &conv) == family,
        };
        layers.filter(|&(layer, lengths)| own(Conv::new(layer, lengths, golden.batch))).count()
    }
}

#[test]
fn the_cpu_device() {
    for isa in Isa::available() {
        let load = |plan| cpu::load(plan, 0).map(|p| Box::new(p) as Box<dyn Program>);
        let pace = if isa == Isa::detect() { Pace::Fast } else { Pace::None };
        Subject { load: &load, choice: Choice::native(isa), pace }.all();
    }
}

/// What a layer by F(3,3) may add to activations and logits: four times its own error, 5e-7 in L2 (its transforms magnify
/// f32's rounding: `algebra.md`, 5), where the rule for direct products is four times PyTorch's, 1e-7 to 3e-7. Layers add
/// like independent errors.
const TILED_LAYER: f64 = 4.0 * 5e-7;

/// Fails where there is no Vulkan adapter: a step in shaders is promised, not wished for.
fn on_vulkan(family: Family) {
    let adapter = gpu::adapters::list().into_iter().min_by_key(|a| a.kind).expect("a Vulkan adapter, software or not");
    let selection = select::Selection { device: select::DeviceKind::Gpu, adapter: Some(adapter.index.to_string()) };
    // With the shaders' run-time checks; `tests/kernels.rs` runs them as users do, without.
    let options = gpu::Options { checked: true, ..gpu::Options::default() };
    let device = gpu::open(&selection).unwrap().with(options);
    println!("{}", adapter.name);
    let pace = match (family == Family::Tiled, device.is_software()) {
        (true, false) => Pace::Fast,
        (true, true) => Pace::Slow,
        (false, _) => Pace::None,
    };
    Subject { load: &|plan| device.load(plan), choice: Choice::gpu(family), pace }.all();
}

#[test]
fn vulkan_with_plain_shaders() {
    on_vulkan(Family::Plain);
}

#[test]
fn vulkan_with_tiled_shaders() {
    on_vulkan(Family::Tiled);
}

#[test]
fn vulkan_with_register_shaders() {
    on_vulkan(Family::Registers);
}

#[test]
fn vulkan_with_winograd_shaders() {
    on_vulkan(Family::Winograd);
}
