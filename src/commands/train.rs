//! `tagwalk train`: a network learns the tags of a dataset; a line a step and an epoch.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Outcome;
use super::flags::{DeviceFlags, TrainFlags, say};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::Run;
use crate::playlists::Mode;
use crate::run::interrupt;
use crate::train::options::Config;
use crate::train::trainer::plan_of;
use crate::train::{Cadence, Ending, Event, Session};

/// Trains a network on a dataset, with tags lent along playlists
#[derive(clap::Args, Debug)]
#[command(allow_negative_numbers = true)] // So that a wrong number is called one, and no unknown flag.
pub struct Args {
    /// A folder made by `tagwalk prepare` (not needed with --resume)
    pub dataset: Option<PathBuf>,
    /// The run's folder: configuration, log, checkpoints
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Go on with the run in --out where its last checkpoint is, with its own settings: flags that decide a run are refused
    #[arg(long, conflicts_with_all = DECIDING)]
    pub resume: bool,
    /// A checkpoint also after every N steps; 0: by time only
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub checkpoint_steps: u64,
    /// Minutes between checkpoints
    #[arg(long, default_value_t = 5.0, value_name = "MINUTES")]
    pub checkpoint_minutes: f64,
    /// Keep every checkpoint, as step-N.safetensors in the run's folder, not only the best and the last
    #[arg(long)]
    pub keep: bool,
    /// Print what would be trained, and end
    #[arg(long)]
    pub dry_run: bool,
    /// An object a line on stdout: each step, each epoch, the end. Without it nothing is printed there
    #[arg(long)]
    pub json: bool,
    /// Say nothing of steps and epochs
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub train: TrainFlags,
    #[command(flatten)]
    pub device: DeviceFlags,
}

/// Flags that decide a run, which one that goes on has its own values of; and --dry-run.
const DECIDING: &[&str] = &[
    "network",
    "clip",
    "heads",
    "dropout",
    "batch",
    "steps",
    "epochs",
    "schedule",
    "rate",
    "momentum",
    "seed",
    "clips_per_song",
    "reduction",
    "running_variance",
    "split_by",
    "split_seed",
    "top",
    "mode",
    "reading",
    "range",
    "lambda",
    "exclude_self",
    "untagged_lenders",
    "lend",
    "untagged",
    "contexts",
    "shuffle_playlists",
    "random_lenders",
    "hops",
    "alpha",
    "tag_weights",
    "range_by_category",
    "categories",
    "remove",
    "family",
    "precision",
    "dry_run",
];

pub fn run(args: Args) -> Result<Outcome> {
    if !(args.checkpoint_minutes > 0.0 && args.checkpoint_minutes < 1e6) {
        return Err(Error::usage("--checkpoint-minutes", "must be greater than 0"));
    }
    let every = Duration::from_secs_f64(args.checkpoint_minutes * 60.0);
    let cadence = Cadence { every, steps: args.checkpoint_steps, keep: args.keep };
    let dataset = match (&args.dataset, args.resume) {
        (None, false) => return Err(Error::usage("DATASET", "is missing").help("Name a folder made by `tagwalk prepare`.")),
        (Some(folder), false) => args.train.open(folder)?,
        (named, true) => {
            let config = Config::read(&args.out)?;
            Dataset::open(named.as_ref().unwrap_or(&config.dataset))?.seen(config.train.view)?
        }
    };
    if dataset.vocabulary().is_empty() {
        return Err(Error::input(dataset.folder(), "has no tags: there is nothing to learn")
            .help("Make it again with a table of tags whose songs are found (see its not-found.tsv)."));
    }
    let device = args.device.open_device()?;
    interrupt::listen("finishing this step and saving")?;
    let mut session = if args.resume {
        let session = Session::resume(&args.out, &dataset, &device, args.device.threads, cadence)?;
        say(&device, &session.config.settings.choice);
        if session.config.device != device.name() {
            super::print::note(format_args!(
                "this run began on {}: on {} its numbers go another way, from the last bits on",
                session.config.device,
                device.name()
            ));
        }
        session
    } else {
        let mut config = args.train.config(&dataset, &device, args.device.choice(&device)?)?;
        say(&device, &config.settings.choice);
        if args.dry_run {
            return dry_run(&config, &args);
        }
        if let Some(choice) = super::tune::before_a_first_run(&args.device, &device, &config, &args.train.network.network)? {
            config.settings.choice = choice;
        }
        Session::begin(&args.out, config, &dataset, &device, args.device.threads, cadence)?
    };
    introduce(&session, &dataset);
    let mut show = Show::new(&args, session.place().steps);
    let ending = session.run(&mut |event| show.event(&event))?;
    show.end(ending, session.place().steps)?;
    let steps = session.place().steps;
    match ending {
        Ending::Interrupted => {
            let again = format!("Go on with: tagwalk train --resume --out {}", args.out.display());
            Err(Error::interrupted(format!("stopped after step {steps}; everything is saved")).help(again))
        }
        Ending::Finished => {
            super::print::note(format_args!(
                "done after {steps} steps; best weights: {}\n  Next: tagwalk evaluate {}",
                args.out.join(crate::run::files::BEST).display(),
                args.out.display()
            ));
            Ok(Outcome::Done)
        }
    }
}

fn dry_run(config: &Config, args: &Args) -> Result<Outcome> {
    let plan = plan_of(config)?;
    let block = crate::plan::memory::block(&plan);
    let gflop = plan.flops(Run::Train) as f64 / 1e9;
    if args.json {
        super::print::json(&json!({"kind": "dry-run", "config": config, "memory_bytes": block.bytes, "gflop_a_step": gflop}))?;
    } else {
        super::print::line(format!(
            "{} clips of {} samples a step, {:.2} GFLOP, {} MiB; {} tags; nothing was written",
            config.settings.batch,
            config.network.clip_length,
            gflop,
            block.bytes >> 20,
            config.network.tags
        ))?;
    }
    Ok(Outcome::Done)
}

/// Says what is trained on, and what a user should know before waiting.
fn introduce(session: &Session, dataset: &Dataset) {
    let (config, stage) = (&session.config, session.trainer.stage());
    super::print::note(format_args!(
        "{} training songs ({} shorter than a clip, padded with silence), {} validation songs, {} tags; {} steps an epoch, {} parameters",
        stage.songs().len(),
        stage.short(),
        session.validation_songs(),
        dataset.vocabulary().len(),
        stage.steps(),
        session.trainer.table.count()
    ));
    let place = session.place();
    if place.steps > 0 {
        super::print::note(format_args!("going on after step {}", place.steps));
    }
    if config.train.propagation.mode != Mode::None && stage.labels().walks().contexts().lists().is_empty() {
        super::print::note("no playlist has two songs of the dataset: no tag can be borrowed; `tagwalk info` shows what it has");
    }
    let tagged = stage.songs().iter().filter(|&&song| stage.labels().tags().is_tagged(song as usize)).count();
    if tagged == 0 {
        super::print::note("no training song has a tag: there is nothing to learn from but borrowed ones");
    }
    if session.validation_songs() == 0 {
        super::print::note(format_args!(
            "no validation songs: the rate will not drop by itself, and the last weights are the best"
        ));
    }
    // Running statistics begin at 0 and 1; what is left of that after n steps is (1 - m)^n.
    let schedule = &config.train.schedule;
    let steps = [schedule.steps, schedule.epochs.saturating_mul(stage.steps())].into_iter().filter(|&s| s > 0).min();
    if let Some(steps) = steps
        && (1.0 - config.network.bn_momentum).powf(steps as f64) > 0.05
    {
        super::print::note(format_args!(
            "{steps} steps are few for the running statistics, which move by {} a step: validation and evaluation will look worse than training",
            config.network.bn_momentum
        ));
    }
}

/// Shows events on the terminal: a live line where stderr is one, else a line now and then.
struct Show {
    json: bool,
    /// What became of objects: training goes on without them, and says at its end that some are lost.
    written: Result<()>,
    quiet: bool,
    live: bool,
    last: Instant,
    began: Instant,
    first: u64,
}

impl Show {
    fn new(args: &Args, first: u64) -> Show {
        let now = Instant::now();
        let live = std::io::stderr().is_terminal() && !args.json;
        Show { json: args.json, written: Ok(()), quiet: args.quiet, live, last: now - Duration::from_secs(60), began: now, first }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { done, clips_per_second, left } => {
                if self.json {
                    self.object(&json!({"kind": "step", "epoch": done.epoch(), "step": done.number(),
                        "own": done.own, "propagated": done.propagated, "rate": done.rate, "clips_per_second": clips_per_second}));
                }
                // A live line ten times a second; in a file or a pipe a line every ten seconds, the first steps at once.
                let every = Duration::from_millis(if self.live { 100 } else { 10_000 });
                if self.quiet || (self.last.elapsed() < every && done.place.steps >= self.first + 3) {
                    return;
                }
                self.last = Instant::now();
                let left = left.map_or(String::new(), |d| format!(", {} left", duration(d)));
                let text = format!(
                    "step {} (epoch {}): own {:.4}, propagated {:.4}, rate {:.2e}, {clips_per_second:.1} clips/s{left}",
                    done.number(),
                    done.epoch(),
                    done.own,
                    done.propagated,
                    done.rate
                );
                self.say(&text, true);
            }
            Event::Epoch { epoch, own, propagated, validation, best, rate } => {
                if self.json {
                    self.object(&json!({"kind": "epoch", "epoch": epoch, "own": own, "propagated": propagated,
                        "validation": validation, "best": best, "rate": rate}));
                }
                if self.quiet {
                    return;
                }
                let validation = validation.map_or("none".into(), |v| format!("{v:.4}"));
                let best = if *best { " (kept as best)" } else { "" };
                let text = format!(
                    "epoch {epoch} done after {}: own {own:.4}, propagated {propagated:.4}, validation {validation}{best}, next rate {rate:.2e}",
                    duration(self.began.elapsed())
                );
                self.say(&text, false);
            }
            Event::Saved { .. } => {}
        }
    }

    fn object(&mut self, object: &serde_json::Value) {
        if self.written.is_ok() {
            self.written = super::print::json(object);
        }
    }

    fn say(&self, text: &str, passing: bool) {
        let mut stderr = std::io::stderr().lock();
        let _ = match (self.live, passing) {
            (true, true) => write!(stderr, "\r\x1b[K{text}"),
            (true, false) => writeln!(stderr, "\r\x1b[K{text}"),
            (false, _) => writeln!(stderr, "tagwalk: {text}"),
        };
        let _ = stderr.flush();
    }

    fn end(mut self, ending: Ending, steps: u64) -> Result<()> {
        if self.live && !self.quiet {
            let _ = writeln!(std::io::stderr());
        }
        if self.json {
            self.object(&json!({"kind": "end", "steps": steps, "finished": ending == Ending::Finished}));
        }
        self.written
    }
}

/// 1:02:03 or 2:03.
pub fn duration(d: Duration) -> String {
    let s = d.as_secs();
    if s >= 3600 { format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) } else { format!("{}:{:02}", s / 60, s % 60) }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    #[test]
    fn every_flag_that_decides_a_run_is_refused_with_resume() {
        let deciding = TrainFlags::augment_args(clap::Command::new("train"));
        let flags: Vec<&str> = deciding.get_arguments().map(|flag| flag.get_id().as_str()).collect();
        let listed: Vec<&str> =
            DECIDING.iter().copied().filter(|flag| !["family", "precision", "dry_run"].contains(flag)).collect();
        assert_eq!(flags, listed);
    }
}
