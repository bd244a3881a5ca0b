//! How fast a device runs a step: a few steps to warm up, then the median over the steps that count,
//! with their spread and the memory at its peak. Clips are made up, or a dataset's, prepared beside
//! the device as training does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Quantiles;
use super::calls::{self, Times, by_kernel};
use crate::batch::{self, Batch, Inputs, Patches, Sampling, Stage};
use crate::dataset::Dataset;
use crate::device::{Device, Program, Ticket};
use crate::error::Result;
use crate::measure::{memory, synthetic};
use crate::network::{Network, Parameters};
use crate::plan::names;
use crate::plan::{self, Run, Settings, TensorId};
use crate::playlists::{self, Labels};

/// Made-up batches that take turns, so that no step finds its inputs in a cache.
const BATCHES: u64 = 4;

/// What is measured.
pub struct Bench<'a> {
    pub network: Network,
    pub settings: Settings,
    /// Train: forward, two losses, backward, update. Evaluate: probabilities only.
    pub run: Run,
    /// Steps that count.
    pub steps: usize,
    /// Steps before them that do not.
    pub warm_up: usize,
    /// Threads of the CPU device; 0: one a core.
    pub threads: usize,
    /// Where clips come from; made up without one.
    pub dataset: Option<&'a Dataset>,
    /// Times each call as well. The CPU device tells them anyway; a GPU runs some more steps.
    pub calls: bool,
}

/// What came out. Times are of whole steps: upload, run, reading back the losses of the step before.
/// Of a dataset, the next step's batch is made meanwhile; made-up clips only have their patches'
/// moments summed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Clips of the batch over the median step.
    pub clips_per_second: f64,
    /// (p90 - p10) / median.
    pub spread: f64,
    /// Milliseconds a step.
    pub step_ms: Quantiles,
    /// Operations as the textbook counts them, 10^9 a second, at the median.
    pub gflops_per_second: f64,
    /// The plan's own tensors.
    pub plan_mib: f64,
    /// The process at its peak (VmHWM); absent where the system does not tell.
    pub peak_memory_mib: Option<f64>,
    /// Of a dataset: the share of the steps' time in which the device had nothing to run. On the CPU,
    /// the time outside of the kernels' calls. On a GPU, what the steps took longer than as many
    /// that were submitted one behind the other with nothing to prepare, upload or read.
    pub idle_share: Option<f64>,
    /// Milliseconds a step in each kernel, medians of its calls summed; absent where not asked for,
    /// or where the device has no timestamps.
    pub kernels: Option<BTreeMap<&'static str, f64>>,
}

/// Measures on a device. Fails where the plan does not fit it, or the dataset not the network.
pub fn run(bench: &Bench, device: &Device) -> Result<Figures> {
    memory::forget_peak();
    let mut steps = Steps::new(bench, device)?;
    let mut ms = Vec::with_capacity(bench.steps);
    let mut busy = Duration::ZERO;
    let mut times = Times::of(steps.program.plan(), bench.run);
    for step in 0..bench.warm_up + bench.steps {
        let start = Instant::now();
        let submitting = steps.step(step as u64)?;
        if step + 1 == bench.warm_up + bench.steps {
            steps.program.wait()?;
        }
        let took = start.elapsed();
        if step >= bench.warm_up {
            ms.push(took.as_secs_f64() * 1e3);
            busy += submitting;
            times.add(&steps.program.timings()?);
        }
    }
    let plan_mib = steps.program.memory() as f64 / (1 << 20) as f64;
    let peak_memory_mib = memory::peak_mib();
    let flops = steps.program.plan().flops(bench.run) as f64;
    let mut told = times.calls(steps.program.plan());

    let idle_share = match (bench.dataset, device) {
        (None, _) => None,
        (Some(_), Device::Cpu) => Some(1.0 - busy.as_secs_f64() * 1e3 / ms.iter().sum::<f64>()),
        (Some(_), Device::Gpu(_)) => Some((1.0 - steps.alone()?.as_secs_f64() * 1e3 / ms.iter().sum::<f64>()).max(0.0)),
    };
    drop(steps);
    if told.is_empty() && bench.calls {
        told = calls::measure(bench, device, &mut || {}).unwrap_or_default();
    }
    let kernels = (bench.calls && !told.is_empty()).then(|| by_kernel(&told).into_iter().collect());
    let step_ms = Quantiles::of(ms);
    Ok(Figures {
        clips_per_second: bench.settings.batch as f64 * 1e3 / step_ms.median,
        spread: step_ms.spread(),
        step_ms,
        gflops_per_second: flops / step_ms.median / 1e6,
        plan_mib,
        peak_memory_mib,
        idle_share,
        kernels,
    })
}

/// Steps one after the other, as training takes them.
struct Steps<'a> {
    program: Box<dyn Program>,
    bench: &'a Bench<'a>,
    inputs: Inputs,
    source: Source<'a>,
    losses: TensorId,
    read: Vec<u8>,
    before: Option<Ticket>,
}

/// Where batches come from.
enum Source<'a> {
    Synthetic { batches: Vec<Batch>, patches: Option<Patches> },
    Dataset(Box<Staged<'a>>),
}

/// A dataset's batches: one for the step that begins, one for the step after it.
struct Staged<'a> {
    stage: Stage<'a>,
    batch: Batch,
    next: Batch,
}

impl<'a> Steps<'a> {
    fn new(bench: &'a Bench, device: &Device) -> Result<Steps<'a>> {
        let (network, clips) = (&bench.network, bench.settings.batch);
        let plan = plan::training(network, &bench.settings)?;
        let inputs = Inputs::of(&plan);
        let mut program = device.load(plan, bench.threads)?;
        synthetic::begin(&mut *program, &Parameters::new(network)?, 0, 0.01, 0.9)?;
        let source = match bench.dataset {
            None => Source::Synthetic {
                batches: (0..BATCHES).map(|step| synthetic::batch(network, clips, 0, step)).collect::<Result<_>>()?,
                patches: Patches::of(network)?.filter(|_| bench.run == Run::Train),
            },
            Some(dataset) => {
                let labels = Labels::new(dataset, &playlists::Options::default(), 0)?;
                let stage = Stage::new(labels, network, Sampling { batch: clips, clips_per_song: 10, seed: 0 })?;
                let (mut batch, next) = (stage.batch()?, stage.batch()?);
                stage.fill(0, 0, &mut batch);
                Source::Dataset(Box::new(Staged { stage, batch, next }))
            }
        };
        let losses = program.plan().expect(names::LOSSES);
        let read = vec![0u8; program.plan().tensors[losses.0].bytes()];
        Ok(Steps { program, bench, inputs, source, losses, read, before: None })
    }

    /// Takes step `step`, the losses of the one before it and, of a dataset, the next batch. Gives the
    /// time that submitting took, which on the CPU is the time that the kernels took.
    fn step(&mut self, step: u64) -> Result<Duration> {
        let (program, run) = (&mut self.program, self.bench.run);
        let submit = |program: &mut dyn Program| {
            let start = Instant::now();
            program.submit(run).map(|ticket| (ticket, start.elapsed()))
        };
        let (ticket, took) = match &mut self.source {
            Source::Synthetic { batches, patches } => {
                let batch = &mut batches[(step % BATCHES) as usize];
                if let Some(patches) = patches {
                    batch.sum_patches(patches, &self.bench.network);
                }
                batch::upload(program.as_mut(), &self.inputs, batch)?;
                submit(program.as_mut())?
            }
            Source::Dataset(staged) => {
                let Staged { stage, batch, next } = staged.as_mut();
                batch::upload(program.as_mut(), &self.inputs, batch)?;
                let following = step + 1;
                let fill = || stage.fill(following / stage.steps(), following % stage.steps(), next);
                let (submitted, ()) = rayon::join(|| submit(program.as_mut()), fill);
                std::mem::swap(batch, next);
                submitted?
            }
        };
        if let Some(before) = self.before.replace(ticket) {
            program.output(before, self.losses, &mut self.read)?;
        }
        Ok(took)
    }

    /// The time of as many steps as count, on the inputs that are there: the device never waits.
    fn alone(&mut self) -> Result<Duration> {
        self.program.wait()?;
        let start = Instant::now();
        for _ in 0..self.bench.steps {
            self.program.submit(self.bench.run)?;
        }
        self.program.wait()?;
        Ok(start.elapsed())
    }
}
