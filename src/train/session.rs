//! A run in its folder: from the beginning or from a checkpoint to its end, with validation after
//! each epoch, checkpoints now and then, and a line in the log for every step and epoch.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::options::Config;
use super::schedule::{Next, Rule, State};
use super::trainer::{Done, Place, Trainer};
use super::validation;
use crate::dataset::Dataset;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::kernels::Family;
use crate::kernels::products::Isa;
use crate::measure::check;
use crate::run::{self, Checkpoint, Log, Position, Weights, files, interrupt};

/// When checkpoints are written beside those at the end of an epoch. It changes no number of the run.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    /// After so much time.
    pub every: Duration,
    /// After so many steps of the run; 0: by time only.
    pub steps: u64,
    /// Whether each is kept, as [`files::kept`] names it, beside being the last.
    pub keep: bool,
}

/// What a session tells whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A step is done.
    Step { done: Done, clips_per_second: f64, left: Option<Left> },
    /// An epoch is done (counted from 1): means of its losses, validation loss, whether that is the best.
    Epoch { epoch: u64, own: f64, propagated: f64, validation: Option<f64>, best: bool, rate: f64 },
    /// A checkpoint was written, after so many steps.
    Saved { steps: u64 },
}

/// Time that is left at the speed of the last steps, without validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// To the run's end.
    Run(Duration),
    /// To the run's end at the latest: validation may end it before.
    AtMost(Duration),
    /// To the epoch's end: only validation, or Ctrl-C, ends the run.
    Epoch(Duration),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The schedule's end.
    Finished,
    /// Ctrl-C; everything is saved.
    Interrupted,
}

/// What the checkpoint keeps beside weights and counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    schedule: State,
    /// Sums of this epoch's losses so far.
    own: f64,
    propagated: f64,
    finished: bool,
}

/// See the module's page.
pub struct Session<'a> {
    pub config: Config,
    pub trainer: Trainer<'a>,
    validation: Vec<u32>,
    folder: run::Run,
    log: Log,
    place: Place,
    memory: Memory,
    cadence: Cadence,
}

/// The steps of a run that stopped before its end, or is still under way; None for a finished one.
pub fn stopped_after(folder: &Path) -> Result<Option<u64>> {
    let position = Checkpoint::<Memory>::read(&folder.join(run::files::LAST))?.position;
    Ok((!position.schedule.finished).then_some(position.steps))
}

impl<'a> Session<'a> {
    /// Begins a run in `folder` and writes its first checkpoint, so that it can be resumed from
    /// the first step on.
    pub fn begin(
        folder: &Path,
        config: Config,
        dataset: &'a Dataset,
        device: &Device,
        threads: usize,
        cadence: Cadence,
    ) -> Result<Session<'a>> {
        // Everything that decides the run's numbers is in its configuration.
        let config = Config { settings: config.settings.settled(config.network.tags), ..config };
        // Everything that can fail for the user's reasons fails before the folder is taken.
        let trainer = Trainer::new(dataset, device, &config, threads)?;
        let (folder, log) = run::Run::create(folder, &config)?;
        let mut session = Session {
            validation: validation::songs(dataset),
            config,
            trainer,
            folder,
            log,
            place: Place::default(),
            memory: Memory::default(),
            cadence,
        };
        session.save()?;
        Ok(session)
    }

    /// Goes on with the run in `folder` at its last checkpoint. The dataset must be the one it
    /// began with.
    pub fn resume(folder: &Path, dataset: &'a Dataset, device: &Device, threads: usize, cadence: Cadence) -> Result<Session<'a>> {
        let config = Config::read(folder)?;
        if config.fingerprint != dataset.fingerprint() {
            return Err(Error::input(dataset.folder(), "is not the dataset that this run began with: its manifest has changed")
                .help("Go on with the old dataset, or begin a new run."));
        }
        if config.settings.choice.is_native() != matches!(device, Device::Cpu) {
            return Err(Error::usage("device", format!("this run began on {}, and goes on there only", config.device))
                .help("The order of sums differs between devices. To use its weights elsewhere, see `tagwalk tag`."));
        }
        if let Family::Native(isa) = config.settings.choice.family
            && !Isa::available_in(config.settings.choice.precision).contains(&isa)
        {
            return Err(Error::usage(
                "device",
                format!("this run began on a processor with {}, which this one has not", isa.name()),
            )
            .help("The order of sums differs between instruction sets: go on with it where it began."));
        }
        if let (Some(size), Device::Gpu(gpu)) = (config.settings.choice.cooperative_size(), device)
            && check::cooperative_size(gpu)? != size
        {
            return Err(Error::usage(
                "device",
                format!("this run began on cooperative matrices of {size}, which are not right here"),
            )
            .help("The order of sums differs between them: go on with it where it began."));
        }
        // Nobody gave a flag: what cannot be is in the configuration.
        let said = folder.join(files::CONFIG);
        config.train.schedule.check().map_err(|e| e.chosen_in(&said))?;
        let mut trainer = Trainer::new(dataset, device, &config, threads).map_err(|e| e.chosen_in(&said))?;
        let (folder, checkpoint, log) = run::Run::resume::<Memory>(folder)?;
        let Checkpoint { weights, momenta, position } = checkpoint;
        let last = folder.folder().join(files::LAST);
        if weights.about != config.about() || position.step >= trainer.epoch_steps() {
            return Err(Error::input(&last, "is not a checkpoint of this run's configuration")
                .help("Take back the run's own file, or begin a new run."));
        }
        trainer.set_weights(&weights.parameters, &weights.running)?;
        trainer.set_momenta(&momenta)?;
        let place = Place { epoch: position.epoch, step: position.step, steps: position.steps };
        let memory = position.schedule;
        Ok(Session { validation: validation::songs(dataset), config, trainer, folder, log, place, memory, cadence })
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether its last step is done: running it does nothing more.
    pub fn is_finished(&self) -> bool {
        self.memory.finished
    }

    /// Validation songs.
    pub fn validation_songs(&self) -> usize {
        self.validation.len()
    }

    /// Trains to the end, or until Ctrl-C.
    pub fn run(&mut self, watch: &mut dyn FnMut(Event)) -> Result<Ending> {
        let mut saved = Instant::now();
        let mut pace = Pace::new();
        let batch = self.config.settings.batch as f64;
        while !self.memory.finished {
            let schedule = self.config.train.schedule.clone();
            if !schedule.has_step(self.place.steps) {
                return self.finish(&mut pace, watch);
            }
            let rate = schedule.rate(&self.memory.schedule, self.place.steps);
            let done = self.trainer.step(self.place, rate)?;
            schedule.stepped(&mut self.memory.schedule);
            self.place = self.trainer.after(self.place);
            let speed = pace.step(batch);
            self.note(done, speed, watch)?;
            if self.place.step == 0 {
                self.settle(&mut pace, watch)?;
                if self.end_epoch(watch)? == Next::Stop {
                    return self.finish(&mut pace, watch);
                }
                self.save_and_tell(watch)?;
                saved = Instant::now();
                pace = Pace::new();
            } else {
                let by_steps = self.cadence.steps > 0 && self.place.steps.is_multiple_of(self.cadence.steps);
                if by_steps || saved.elapsed() >= self.cadence.every {
                    self.settle(&mut pace, watch)?;
                    self.save_and_tell(watch)?;
                    saved = Instant::now();
                }
            }
            if interrupt::flag().load(Ordering::SeqCst) {
                self.settle(&mut pace, watch)?;
                self.save_and_tell(watch)?;
                return Ok(Ending::Interrupted);
            }
        }
        Ok(Ending::Finished)
    }

    /// The weights as they are now.
    pub fn weights(&mut self) -> Result<Weights> {
        self.trainer.weights(&self.config)
    }

    /// Collects what still runs.
    fn settle(&mut self, pace: &mut Pace, watch: &mut dyn FnMut(Event)) -> Result<()> {
        while let Some(done) = self.trainer.collect()? {
            self.note(Some(done), pace.speed, watch)?;
        }
        Ok(())
    }

    fn note(&mut self, done: Option<Done>, clips_per_second: f64, watch: &mut dyn FnMut(Event)) -> Result<()> {
        let Some(done) = done else { return Ok(()) };
        self.memory.own += done.own;
        self.memory.propagated += done.propagated;
        self.log.write(&StepLine {
            kind: "step",
            epoch: done.epoch(),
            step: done.number(),
            rate: done.rate,
            own: done.own,
            propagated: done.propagated,
            loss: done.own + f64::from(self.config.settings.lambda) * done.propagated,
            clips_per_second: (clips_per_second * 100.0).round() / 100.0,
        })?;
        watch(Event::Step { done, clips_per_second, left: self.left(clips_per_second) });
        Ok(())
    }

    /// `None` where the speed is not known yet, or the time is longer than a Duration.
    fn left(&self, clips_per_second: f64) -> Option<Left> {
        let schedule = &self.config.train.schedule;
        let by_steps = (schedule.steps > 0).then(|| schedule.steps.saturating_sub(self.place.steps));
        let by_epochs = (schedule.epochs > 0).then(|| {
            (schedule.epochs.saturating_mul(self.trainer.epoch_steps()))
                .saturating_sub(self.place.epoch * self.trainer.epoch_steps() + self.place.step)
        });
        let limit = [by_steps, by_epochs].into_iter().flatten().min();
        let steps = limit.unwrap_or(self.trainer.epoch_steps() - self.place.step);
        let time = Duration::try_from_secs_f64(steps as f64 * self.config.settings.batch as f64 / clips_per_second).ok()?;
        let stops_early = schedule.rule != Rule::Fixed && !self.validation.is_empty();
        Some(match (limit, stops_early) {
            (None, _) => Left::Epoch(time),
            (Some(_), true) => Left::AtMost(time),
            (Some(_), false) => Left::Run(time),
        })
    }

    /// Validation, the schedule's verdict, the best weights. The place is at the next epoch's start.
    fn end_epoch(&mut self, watch: &mut dyn FnMut(Event)) -> Result<Next> {
        let epoch = self.place.epoch - 1;
        let validation = self.validate()?;
        let schedule = self.config.train.schedule.clone();
        let (best, next) = schedule.epoch_ended(&mut self.memory.schedule, epoch, validation);
        let steps = self.trainer.epoch_steps() as f64;
        let (own, propagated) = (self.memory.own / steps, self.memory.propagated / steps);
        (self.memory.own, self.memory.propagated) = (0.0, 0.0);
        // Without validation songs the last epoch is the best there is.
        if best || validation.is_none() {
            self.save_best(epoch, validation)?;
        }
        if next == Next::Restart {
            let path = self.folder.folder().join(files::BEST);
            let weights = Weights::read(&path)?;
            if weights.about != self.config.about() {
                return Err(Error::input(&path, "holds another network's weights than this run's"));
            }
            self.trainer.set_weights(&weights.parameters, &weights.running)?;
            self.trainer.set_momenta(&vec![0.0; self.trainer.table.length])?;
        }
        let rate = schedule.rate(&self.memory.schedule, self.place.steps);
        self.log.write(&json!({
            "kind": "epoch", "epoch": epoch + 1, "steps": self.place.steps, "own": own, "propagated": propagated,
            "validation": validation, "best": best, "rate": rate,
        }))?;
        watch(Event::Epoch { epoch: epoch + 1, own, propagated, validation, best, rate });
        Ok(next)
    }

    /// The validation loss, which must be a number: running statistics may overflow where a step's
    /// own numbers do not.
    fn validate(&mut self) -> Result<Option<f64>> {
        let loss = self.trainer.validate(&self.validation, &self.config)?;
        match loss {
            Some(loss) if !loss.is_finite() => Err(Error::input(
                format!("step {}", self.place.steps),
                format!("the validation loss is {loss}; the run has stopped"),
            )
            .help("Its checkpoints are from before that. A smaller --rate usually helps.")),
            _ => Ok(loss),
        }
    }

    fn save_best(&mut self, epoch: u64, validation: Option<f64>) -> Result<()> {
        let weights = self.trainer.weights(&self.config)?;
        let loss = validation.map_or("none".into(), |l| l.to_string());
        self.folder.save_best(
            &weights,
            &[("epoch", (epoch + 1).to_string()), ("steps", self.place.steps.to_string()), ("validation_loss", loss)],
        )
    }

    /// The end: what runs is collected, an epoch that was cut short still gets its say on the best
    /// weights, the last checkpoint says that the run is finished.
    fn finish(&mut self, pace: &mut Pace, watch: &mut dyn FnMut(Event)) -> Result<Ending> {
        self.settle(pace, watch)?;
        if self.place.step > 0 {
            let validation = self.validate()?;
            let (best, _) = self.config.train.schedule.epoch_ended(&mut self.memory.schedule, self.place.epoch, validation);
            if best || validation.is_none() {
                self.save_best(self.place.epoch, validation)?;
            }
            self.log.write(&json!({"kind": "end", "steps": self.place.steps, "validation": validation}))?;
        }
        self.memory.finished = true;
        self.save_and_tell(watch)?;
        Ok(Ending::Finished)
    }

    fn save_and_tell(&mut self, watch: &mut dyn FnMut(Event)) -> Result<()> {
        self.save()?;
        watch(Event::Saved { steps: self.place.steps });
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        let rate = self.config.train.schedule.rate(&self.memory.schedule, self.place.steps) as f32;
        let position = Position {
            epoch: self.place.epoch,
            step: self.place.step,
            steps: self.place.steps,
            rate,
            best_loss: self.memory.schedule.best,
            log: self.log.sync()?,
            schedule: self.memory.clone(),
        };
        let (weights, momenta) = (self.trainer.weights(&self.config)?, self.trainer.momenta()?);
        self.folder.save_last(&Checkpoint { weights, momenta, position })?;
        if self.cadence.keep { self.folder.keep_last(self.place.steps) } else { Ok(()) }
    }
}

/// A step's line in the log: a type of its own, since a JSON value would be allocated at every step.
#[derive(Serialize)]
struct StepLine {
    kind: &'static str,
    epoch: u64,
    step: u64,
    rate: f64,
    own: f64,
    propagated: f64,
    loss: f64,
    clips_per_second: f64,
}

/// Clips a second, over the last few seconds.
struct Pace {
    last: Instant,
    speed: f64,
}

impl Pace {
    fn new() -> Pace {
        Pace { last: Instant::now(), speed: 0.0 }
    }

    fn step(&mut self, clips: f64) -> f64 {
        let now = Instant::now();
        let speed = clips / (now - self.last).as_secs_f64().max(1e-9);
        self.last = now;
        // A mean that forgets half of what is ten steps back.
        self.speed = if self.speed == 0.0 { speed } else { self.speed * 0.93 + speed * 0.07 };
        self.speed
    }
}
