//! From a network to a plan: the calls of a training step and of an evaluation, in order.

mod backward;

use serde::{Deserialize, Serialize};

use super::{Plan, Run, Section, TensorId, View, names};
use crate::error::{Error, Result};
use crate::kernels::batch_norm_forward::{BatchNormForward, From};
use crate::kernels::conv::{Conv, Source};
use crate::kernels::conv_forward::ConvForward;
use crate::kernels::dense_forward::DenseForward;
use crate::kernels::family::LARGEST_WINDOW;
use crate::kernels::loss::Loss;
use crate::kernels::pack_weights::PackWeights;
use crate::kernels::sgd::{BLOCK, Sgd};
use crate::kernels::tiles::LARGEST_LOSS_SCALE;
use crate::kernels::{Choice, Product};
use crate::network::{Network, Parameters};
use crate::tensor::{DType, Role};

/// Binary orders by which a loss scale does more than undo the mean. Measured at the start of the released network, dy
/// times clips times tags lies between 4e-3 (its first hundredth) and 6, alike in all layers; 2^4 times that is as far from
/// f16's smallest normal number, 6e-5, as from its largest, 65504: gradients may shrink or grow five hundred times.
const HEADROOM: u32 = 4;

/// Clips a step at most: sizes in bytes stay far from overflowing.
pub const MOST_CLIPS: usize = 1 << 20;

/// What a step is beside its network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Clips a step.
    pub batch: usize,
    /// Mean over clips and tags (the released software) or their sum.
    pub mean: bool,
    /// Weight of the propagated term.
    pub lambda: f32,
    /// Running variance from the unbiased batch variance (PyTorch) or the biased one (released).
    pub unbiased_variance: bool,
    /// How kernels are computed.
    pub choice: Choice,
}

impl Settings {
    /// As the paper and its software have it: mean loss, both terms alike, biased running variance.
    pub fn new(batch: usize, choice: Choice) -> Settings {
        Settings { batch, mean: true, lambda: 1.0, unbiased_variance: false, choice }
    }

    /// Checks that its numbers can be; call it on anything from outside.
    pub fn check(&self) -> Result<()> {
        if !(1..=MOST_CLIPS).contains(&self.batch) {
            return Err(Error::usage("settings.batch", format!("{} is not between 1 and {MOST_CLIPS}", self.batch)));
        }
        if !(self.lambda >= 0.0 && self.lambda.is_finite()) {
            return Err(Error::usage("settings.lambda", format!("{} is not a number of 0 or more", self.lambda)));
        }
        self.choice.check()
    }

    /// The same with its loss scale settled, where the choice has f16 and says none.
    pub fn settled(&self, tags: usize) -> Settings {
        let mut settings = self.clone();
        if settings.choice.storage() == DType::F16 && settings.choice.loss_scale.is_none() {
            settings.choice.loss_scale = Some(loss_scale(if self.mean { self.batch * tags } else { 1 }));
        }
        settings
    }
}

/// A loss scale for a loss that divides by `terms`.
fn loss_scale(terms: usize) -> u32 {
    let scale = (terms.next_power_of_two() as u64) << HEADROOM;
    scale.min(LARGEST_LOSS_SCALE.into()) as u32
}

/// Builds the plan of a network: Forward, Backward, Update, and Evaluate at the same batch.
pub fn training(network: &Network, settings: &Settings) -> Result<Plan> {
    Ok(Builder::new(network, &checked(network, settings)?, Run::Train)?.build(false))
}

/// The same with one more input: weights of each clip's tags in the propagated term.
pub fn training_by_tag(network: &Network, settings: &Settings) -> Result<Plan> {
    Ok(Builder::new(network, &checked(network, settings)?, Run::Train)?.build(true))
}

/// Builds the plan of an evaluation alone: what tagging and measuring need.
pub fn evaluation(network: &Network, settings: &Settings) -> Result<Plan> {
    Ok(Builder::new(network, &checked(network, settings)?, Run::Evaluate)?.build_evaluation())
}

/// What a plan can be made of.
fn checked(network: &Network, settings: &Settings) -> Result<Settings> {
    network.check()?;
    settings.check()?;
    Ok(settings.settled(network.tags))
}

struct Builder<'a> {
    network: &'a Network,
    settings: &'a Settings,
    table: Parameters,
    convs: Vec<Conv>,
    plan: Plan,
    wave: TensorId,
    patches: Option<TensorId>,
    parameters: TensorId,
    /// Absent in a plan of evaluation alone.
    gradients: Option<TensorId>,
    running: TensorId,
}

/// See [`Builder::ends`].
struct Ends {
    own: TensorId,
    propagated: TensorId,
    weights: TensorId,
    losses: TensorId,
    probabilities: TensorId,
    logits: TensorId,
}

/// What a layer leaves for its readers and for backward.
#[derive(Clone, Copy)]
struct Kept {
    /// Absent for a recomputed layer 1.
    z: Option<TensorId>,
    p: Option<TensorId>,
    norm: TensorId,
}

impl<'a> Builder<'a> {
    fn new(network: &'a Network, settings: &'a Settings, run: Run) -> Result<Builder<'a>> {
        let training = run == Run::Train;
        let table = Parameters::new(network)?;
        let convs: Vec<Conv> =
            network.layers.iter().zip(network.lengths()?).map(|(l, n)| Conv::new(l, n, settings.batch)).collect();
        let choice = &settings.choice;
        if let Some(i) = convs.iter().position(|conv| !choice.family_for(Product::Forward, conv).has(choice.precision)) {
            let what = format!("mixed pools at most {LARGEST_WINDOW} positions on a GPU, and layer {} pools more", i + 1);
            return Err(Error::usage("settings.choice.precision", what).help("Take --precision f32, or --device cpu."));
        }
        let mut plan = Plan::default();
        let f32s = DType::F32;
        let wave = plan.tensor(names::WAVE, &[settings.batch, network.wave_stride()], DType::I16, Role::Input);
        let taps = network.layers[0].kernel;
        let patches = (training && network.recomputes_first_layer())
            .then(|| plan.tensor(names::PATCHES, &[taps + 1, taps], f32s, Role::Input));
        let parameters = plan.tensor(names::PARAMETERS, &[table.length], f32s, Role::Parameter);
        let gradients = training.then(|| plan.tensor(names::GRADIENTS, &[table.length], f32s, Role::Gradient));
        let running = plan.tensor(names::RUNNING, &[table.running_length], f32s, Role::State);
        Ok(Builder { network, settings, table, convs, plan, wave, patches, parameters, gradients, running })
    }

    fn build(mut self, by_tag: bool) -> Plan {
        let (b, f32s) = (self.settings.batch, DType::F32);
        let ends = self.ends();
        let tag_weights = by_tag.then(|| self.plan.tensor(names::TAG_WEIGHTS, &[b, self.network.tags], f32s, Role::Input));
        let mask = self.plan.tensor(names::MASK, &[b, self.table.features()], f32s, Role::Input);
        let hyper = self.plan.tensor(names::HYPER, &[2], f32s, Role::Input);
        let momenta = self.plan.tensor(names::MOMENTA, &[self.table.length], f32s, Role::State);
        let status = self.plan.tensor(names::STATUS, &[1], DType::U32, Role::Output);

        // Forward: the layers, the dense layer, the losses with their gradient.
        let kept = self.layers(Run::Train);
        self.dense(Run::Train, kept[kept.len() - 1], Some(mask), ends.logits);
        let dlogits = self.temporary("logits_gradient", &[b, self.network.heads * self.network.tags]);
        self.loss(Section::Forward, &ends, tag_weights, Some(dlogits));

        // Backward, downwards.
        self.backward(&kept, mask, dlogits);

        // Update.
        let sgd = Sgd { elements: self.table.length.next_multiple_of(BLOCK), choice: self.settings.choice.clone() };
        let gradients = self.gradients.expect("a training plan has gradients");
        let views = [gradients, hyper, self.parameters, momenta, status].map(|id| self.plan.view(id));
        self.plan.call(Section::Update, "sgd", sgd, &views);

        self.evaluate(&ends);
        self.plan
    }

    fn build_evaluation(mut self) -> Plan {
        let ends = self.ends();
        self.evaluate(&ends);
        self.plan
    }

    /// Evaluate: running statistics, no dropout, nothing kept.
    fn evaluate(&mut self, ends: &Ends) {
        let kept = self.layers(Run::Evaluate);
        self.dense(Run::Evaluate, kept[kept.len() - 1], None, ends.logits);
        self.loss(Section::Evaluate, ends, None, None);
    }

    /// Labels that go in and what comes out, of training and of evaluation.
    fn ends(&mut self) -> Ends {
        let (b, t, f32s) = (self.settings.batch, self.network.tags, DType::F32);
        Ends {
            own: self.plan.tensor(names::OWN, &[b, t], f32s, Role::Input),
            propagated: self.plan.tensor(names::PROPAGATED, &[b, t], f32s, Role::Input),
            weights: self.plan.tensor(names::WEIGHTS, &[2, b], f32s, Role::Input),
            losses: self.plan.tensor(names::LOSSES, &[b, 2], f32s, Role::Output),
            probabilities: self.plan.tensor(names::PROBABILITIES, &[b, t], f32s, Role::Output),
            logits: self.plan.tensor(names::LOGITS, &[b, self.network.heads * t], f32s, Role::Output),
        }
    }

    fn temporary(&mut self, name: impl Into<String>, shape: &[usize]) -> TensorId {
        self.plan.tensor(name, shape, DType::F32, Role::Temporary)
    }

    /// One of a layer's z, p and dy.
    fn stored(&mut self, name: impl Into<String>, shape: &[usize]) -> TensorId {
        self.plan.tensor(name, shape, self.settings.choice.storage(), Role::Temporary)
    }

    /// The range of a flat tensor that parameter `name` takes.
    fn flat(&self, tensor: TensorId, name: &str) -> View {
        let entry = self.table.entry(name);
        View { tensor, offset: entry.offset, length: entry.len() }
    }

    /// Layer `i`'s `("conv", "weight")` and so on.
    fn parameter(&self, i: usize, (kind, leaf): (&str, &str)) -> View {
        self.flat(self.parameters, &format!("{kind}{i}.{leaf}"))
    }

    /// What layer `i` reads, and the views of it.
    fn source(&self, i: usize, kept: &[Kept]) -> (Source, Vec<View>) {
        let wave = self.plan.view(self.wave);
        let stride = self.network.wave_stride();
        if i == 0 {
            return (Source::Wave { stride }, vec![wave]);
        }
        let below = kept[i - 1];
        match below.p {
            Some(p) => (Source::Below, vec![self.plan.view(p), self.plan.view(below.norm)]),
            None => {
                let layer = self.network.layers[0].clone();
                let first = Source::FirstLayer { layer, samples: self.network.clip_length, stride };
                (first, vec![wave, self.parameter(0, ("conv", "weight")), self.plan.view(below.norm)])
            }
        }
    }

    fn layers(&mut self, run: Run) -> Vec<Kept> {
        let (section, suffix) = match run {
            Run::Train => (Section::Forward, ""),
            Run::Evaluate => (Section::Evaluate, " in evaluation"),
        };
        let training = run == Run::Train;
        let mut kept: Vec<Kept> = Vec::new();
        for i in 0..self.convs.len() {
            let conv = self.convs[i].clone();
            let n = i + 1;
            let norm = self.temporary(format!("norm {n}{suffix}"), &[4, conv.cout]);
            let mut from = From::Running;
            let mut statistics = Vec::new();
            let (mut z, mut p) = (None, None);
            // In evaluation the statistics are known beforehand, in training they follow from z.
            if i == 0 && self.network.recomputes_first_layer() {
                if training {
                    from = From::Patches { taps: conv.taps };
                    statistics =
                        vec![self.plan.view(self.patches.expect("made with the builder")), self.parameter(0, ("conv", "weight"))];
                }
            } else {
                let (source, mut views) = self.source(i, &kept);
                let kernel = ConvForward {
                    conv: conv.clone(),
                    source,
                    keep_z: training,
                    statistics: training,
                    choice: self.settings.choice.clone(),
                };
                views.push(self.packed(section, n, suffix, &kernel.packing(), self.parameter(i, ("conv", "weight"))));
                if !conv.unpooled() {
                    views.push(self.parameter(i, ("bn", "weight")));
                }
                if training || conv.unpooled() {
                    let id = self.stored(format!("z {n}{suffix}"), &[conv.clips, conv.length(), conv.cout]);
                    z = Some(id);
                    views.push(self.plan.view(id));
                }
                p = z;
                if !conv.unpooled() {
                    let id = self.stored(format!("p {n}{suffix}"), &[conv.clips, conv.windows.count, conv.cout]);
                    p = Some(id);
                    views.push(self.plan.view(id));
                }
                if training {
                    let tiles = kernel.tiles();
                    let partials = self.temporary(format!("statistics {n}"), &[tiles, 3, conv.cout]);
                    views.push(self.plan.view(partials));
                    from = From::Partials { tiles };
                    statistics = vec![self.plan.view(partials)];
                }
                self.plan.call(section, format!("conv_forward {n}{suffix}"), kernel, &views);
            }
            let at = View { tensor: self.running, offset: self.table.running[i], length: 2 * conv.cout };
            let kernel = BatchNormForward {
                channels: conv.cout,
                from,
                positions: conv.positions(),
                eps: self.network.bn_eps as f32,
                momentum: self.network.bn_momentum as f32,
                unbiased: self.settings.unbiased_variance,
                choice: self.settings.choice.clone(),
            };
            statistics.extend([
                self.parameter(i, ("bn", "weight")),
                self.parameter(i, ("bn", "bias")),
                self.parameter(i, ("conv", "bias")),
                at,
                self.plan.view(norm),
            ]);
            self.plan.call(section, format!("batch_norm_forward {n}{suffix}"), kernel, &statistics);
            kept.push(Kept { z, p, norm });
        }
        kept
    }

    /// A layer's weights as a kernel wants them: the parameter itself, or a call that packs them.
    fn packed(
        &mut self,
        section: Section,
        n: usize,
        suffix: &str,
        packing: &crate::kernels::pack_weights::Packing,
        weights: View,
    ) -> View {
        if !packing.is_needed() {
            return weights;
        }
        let product = format!("{:?}", packing.product).to_lowercase();
        let id = self.plan.tensor(format!("packed {product} {n}{suffix}"), &packing.shape(), packing.dtype(), Role::Temporary);
        let view = self.plan.view(id);
        let kernel = PackWeights { packing: packing.clone(), choice: self.settings.choice.clone() };
        self.plan.call(section, format!("pack_weights {product} {n}{suffix}"), kernel, &[weights, view]);
        view
    }

    fn dense(&mut self, run: Run, last: Kept, mask: Option<TensorId>, logits: TensorId) {
        let conv = &self.convs[self.convs.len() - 1];
        let kernel = DenseForward {
            clips: conv.clips,
            positions: conv.windows.count,
            channels: conv.cout,
            outputs: self.network.heads * self.network.tags,
            masked: mask.is_some(),
            choice: self.settings.choice.clone(),
        };
        let mut views = vec![self.plan.view(last.p.expect("the last layer is stored")), self.plan.view(last.norm)];
        views.extend(mask.map(|m| self.plan.view(m)));
        views.extend([
            self.flat(self.parameters, "head.weight"),
            self.flat(self.parameters, "head.bias"),
            self.plan.view(logits),
        ]);
        let (section, label) = match run {
            Run::Train => (Section::Forward, "dense_forward"),
            Run::Evaluate => (Section::Evaluate, "dense_forward in evaluation"),
        };
        self.plan.call(section, label, kernel, &views);
    }

    fn loss(&mut self, section: Section, ends: &Ends, tag_weights: Option<TensorId>, gradient: Option<TensorId>) {
        let s = self.settings;
        let kernel = Loss {
            clips: s.batch,
            tags: self.network.tags,
            heads: self.network.heads,
            scale: if s.mean { 1.0 / (s.batch * self.network.tags) as f32 } else { 1.0 },
            lambda: s.lambda,
            gradient: gradient.is_some(),
            by_tag: tag_weights.is_some(),
            choice: s.choice.clone(),
        };
        let ids = [ends.logits, ends.own, ends.propagated, ends.weights]
            .into_iter()
            .chain(tag_weights)
            .chain(gradient)
            .chain([ends.losses, ends.probabilities]);
        let views: Vec<View> = ids.map(|id| self.plan.view(id)).collect();
        let label = if section == Section::Evaluate { "loss in evaluation" } else { "loss" };
        self.plan.call(section, label, kernel, &views);
    }
}
