//! A network being trained on a device: while the device works on one step, the CPU prepares the
//! next one's buffers, and a step's losses are read while the one after it runs.

use std::collections::VecDeque;

use super::options::Config;
use super::validation;
use crate::batch::{self, Batch, Inputs, Sampling, Stage};
use crate::dataset::Dataset;
use crate::device::{Device, Program, Ticket};
use crate::error::{Error, Result};
use crate::kernels::sgd::{BLOCK, FINITE};
use crate::network::Parameters;
use crate::plan::names;
use crate::plan::{Plan, Run, TensorId, training, training_by_tag};
use crate::playlists::{Labels, Mode};
use crate::run::Weights;
use crate::tensor::DType;

/// Where a training run stands between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub epoch: u64,
    /// Steps done in this epoch.
    pub step: u64,
    /// Steps done in all.
    pub steps: u64,
}

/// A step that is done and known to be finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// Before the step.
    pub place: Place,
    pub rate: f64,
    /// Own loss.
    pub own: f64,
    /// Propagated loss, before its weight.
    pub propagated: f64,
}

impl Done {
    /// The step's number, from 1 over the whole run, as people and logs count.
    pub fn number(&self) -> u64 {
        self.place.steps + 1
    }

    /// The epoch's number, from 1.
    pub fn epoch(&self) -> u64 {
        self.place.epoch + 1
    }
}

/// See the module's page.
pub struct Trainer<'a> {
    pub program: Box<dyn Program>,
    pub table: Parameters,
    stage: Stage<'a>,
    inputs: Inputs,
    batch: Batch,
    next: Batch,
    /// The place that `batch` holds, once it has been filled.
    filled: Option<Place>,
    ids: Ids,
    losses: Vec<f32>,
    pending: VecDeque<(Ticket, Place, f64)>,
    momentum: f64,
}

/// The plan of a run's steps.
pub fn plan_of(config: &Config) -> Result<Plan> {
    let build = if config.train.propagation.weighs_tags() { training_by_tag } else { training };
    build(&config.network, &config.settings)
}

/// What makes a run's batches. Fails where the dataset is not the run's, or gives it nothing to learn from.
pub fn stage_of<'a>(dataset: &'a Dataset, config: &Config) -> Result<Stage<'a>> {
    if dataset.view() != config.train.view {
        return Err(Error::input(dataset.folder(), "is not seen as the run sees it: other sides or tags")
            .help("Open it as the run's config.json says (train.view)."));
    }
    let sampling = Sampling { batch: config.settings.batch, clips_per_song: config.train.clips_per_song, seed: config.seed };
    let labels = Labels::new(dataset, &config.train.propagation, config.seed)?;
    let stage = Stage::new(labels, &config.network, sampling)?;
    let tagged = |&song: &u32| stage.labels().tags().is_tagged(song as usize);
    let may_borrow = config.train.propagation.mode != Mode::None && !stage.labels().walks().contexts().lists().is_empty();
    if !may_borrow && !stage.songs().iter().any(tagged) {
        return Err(Error::input(
            dataset.folder(),
            "no training song has a tag, and none can be borrowed: there is nothing to learn",
        )
        .help(
            "`tagwalk info` shows which songs have tags; the dataset's not-found.tsv, which names of the tables had no file.",
        ));
    }
    Ok(stage)
}

struct Ids {
    hyper: TensorId,
    parameters: TensorId,
    momenta: TensorId,
    running: TensorId,
    losses: TensorId,
    status: TensorId,
}

impl<'a> Trainer<'a> {
    /// Allocates and compiles everything; initial weights by the configuration's seed.
    pub fn new(dataset: &'a Dataset, device: &Device, config: &Config, threads: usize) -> Result<Trainer<'a>> {
        let stage = stage_of(dataset, config)?;
        let plan = plan_of(config)?;
        let table = Parameters::new(&config.network)?;
        let id = |name| plan.expect(name);
        let ids = Ids {
            hyper: id(names::HYPER),
            parameters: id(names::PARAMETERS),
            momenta: id(names::MOMENTA),
            running: id(names::RUNNING),
            losses: id(names::LOSSES),
            status: id(names::STATUS),
        };
        let (batch, next) = (stage.batch()?, stage.batch()?);
        let inputs = Inputs::of(&plan);
        let mut trainer = Trainer {
            program: device.load(plan, threads)?,
            table,
            stage,
            inputs,
            batch,
            next,
            filled: None,
            ids,
            losses: vec![0.0; 2 * config.settings.batch],
            pending: VecDeque::with_capacity(2),
            momentum: config.train.schedule.momentum,
        };
        let (parameters, running) = (trainer.table.initial(config.seed), trainer.table.initial_running());
        trainer.set_weights(&parameters, &running)?;
        trainer.set_momenta(&vec![0.0; trainer.table.length])?;
        Ok(trainer)
    }

    /// The stage that makes its batches.
    pub fn stage(&self) -> &Stage<'a> {
        &self.stage
    }

    /// Steps an epoch.
    pub fn epoch_steps(&self) -> u64 {
        self.stage.steps()
    }

    /// The place after a step at `place`.
    pub fn after(&self, place: Place) -> Place {
        let (epoch, step) =
            if place.step + 1 == self.epoch_steps() { (place.epoch + 1, 0) } else { (place.epoch, place.step + 1) };
        Place { epoch, step, steps: place.steps + 1 }
    }

    /// Starts the step at `place`, prepares the next one meanwhile, and gives the step before, if
    /// one was still running.
    pub fn step(&mut self, place: Place, rate: f64) -> Result<Option<Done>> {
        if self.filled != Some(place) {
            self.stage.fill(place.epoch, place.step, &mut self.batch);
        }
        batch::upload(self.program.as_mut(), &self.inputs, &self.batch)?;
        self.program.upload(self.ids.hyper, bytemuck::cast_slice(&[rate as f32, self.momentum as f32]))?;
        let following = self.after(place);
        let (program, stage, next) = (&mut self.program, &self.stage, &mut self.next);
        let (ticket, ()) = rayon::join(|| program.submit(Run::Train), || stage.fill(following.epoch, following.step, next));
        std::mem::swap(&mut self.batch, &mut self.next);
        self.filled = Some(following);
        self.pending.push_back((ticket?, place, rate));
        if self.pending.len() > 1 { self.collect() } else { Ok(None) }
    }

    /// Waits for the oldest step that is not collected yet.
    pub fn collect(&mut self) -> Result<Option<Done>> {
        let Some((ticket, place, rate)) = self.pending.pop_front() else { return Ok(None) };
        self.program.output(ticket, self.ids.losses, bytemuck::cast_slice_mut(&mut self.losses))?;
        let mut status = [0u32];
        self.program.output(ticket, self.ids.status, bytemuck::cast_slice_mut(&mut status))?;
        let sum = |first: usize| self.losses.iter().skip(first).step_by(2).map(|&v| f64::from(v)).sum::<f64>();
        let done = Done { place, rate, own: sum(0), propagated: sum(1) };
        let wrong = match status[0] {
            FINITE if done.own.is_finite() && done.propagated.is_finite() => return Ok(Some(done)),
            FINITE => format!("the loss (own {}, propagated {})", done.own, done.propagated),
            block => format!("the gradient or the new value of {}", self.table.holder(block as usize * BLOCK).name),
        };
        let halves = self.program.plan().tensors.iter().any(|t| t.dtype == DType::F16);
        let more = if halves { " So may --precision f32: the f16 of mixed precision ends at 65504." } else { "" };
        Err(Error::input(format!("step {}", place.steps + 1), format!("{wrong} is not finite; the run has stopped"))
            .help(format!("Its checkpoints are from before that. A smaller --rate usually helps.{more}")))
    }

    /// Validation loss over `songs`; see [`validation::loss`].
    pub fn validate(&mut self, songs: &[u32], config: &Config) -> Result<Option<f64>> {
        validation::loss(self.program.as_mut(), self.stage.labels(), songs, &config.network, &config.settings)
    }

    /// Replaces weights and running statistics, both flat.
    pub fn set_weights(&mut self, parameters: &[f32], running: &[f32]) -> Result<()> {
        self.program.upload(self.ids.parameters, bytemuck::cast_slice(parameters))?;
        self.program.upload(self.ids.running, bytemuck::cast_slice(running))
    }

    pub fn set_momenta(&mut self, momenta: &[f32]) -> Result<()> {
        self.program.upload(self.ids.momenta, bytemuck::cast_slice(momenta))
    }

    /// Weights and running statistics as they are now. Collect every step before.
    pub fn weights(&mut self, config: &Config) -> Result<Weights> {
        let parameters = self.download(self.ids.parameters, self.table.length)?;
        let running = self.download(self.ids.running, self.table.running_length)?;
        Ok(Weights { about: config.about(), parameters, running })
    }

    pub fn momenta(&mut self) -> Result<Vec<f32>> {
        self.download(self.ids.momenta, self.table.length)
    }

    fn download(&mut self, tensor: TensorId, length: usize) -> Result<Vec<f32>> {
        assert!(self.pending.is_empty(), "steps are still running");
        let mut values = vec![0.0f32; length];
        self.program.download(tensor, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }
}
