//! `tagwalk train`: a network learns the tags of a dataset; a line a step and an epoch.

mod show;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::flags::{DeviceFlags, TrainFlags, say};
pub use super::progress::duration;
use super::{Outcome, print};
use crate::batch::Stage;
use crate::dataset::{Dataset, Split};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::evaluate::songs;
use crate::network::{Parameters, family};
use crate::plan;
use crate::plan::memory::Footprint;
use crate::playlists::Mode;
use crate::run::{Run, files, interrupt};
use crate::train::options::Config;
use crate::train::trainer::{plan_of, stage_of};
use crate::train::{Cadence, Ending, Rule, Session, validation};
use show::Show;

/// Below so many training songs the small network is hinted at. On 369 of them it reached a ROC-AUC of 0.732 with half the
/// operations that 3^6-27 took for 0.716 (PyTorch, one seed); with more songs, or beside the released network, it was not
/// measured: the hint promises minutes, and nothing of figures.
pub const FEW_SONGS: usize = 400;
/// The flags of a run with it.
pub const SMALL: &str = "--network 3^5-81 --rate 0.05 --schedule fixed --steps 2000";
/// What to do where a side of the split has no songs.
const SIDES: &str = "prepare the dataset with --split or --split-fractions that give it some";

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
    #[arg(long, conflicts_with_all = deciding())]
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
    /// Check all that training would, print what it would be (songs, steps, memory, device), and write nothing
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

/// Flags that decide a run, of which one that goes on has its own values; and --dry-run.
fn deciding() -> impl Iterator<Item = clap::Id> {
    let flags = <TrainFlags as clap::Args>::augment_args(clap::Command::new("train"));
    let flags: Vec<clap::Id> = flags.get_arguments().map(|flag| flag.get_id().clone()).collect();
    flags.into_iter().chain(["family", "precision", "dry_run"].map(clap::Id::from))
}

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
            let dataset = Dataset::open(named.as_ref().unwrap_or(&config.dataset)).map_err(|e| match named {
                Some(_) => e,
                None => e.help(format!(
                    "It is where the run found its dataset; name its place now: tagwalk train DATASET --resume --out {}",
                    args.out.display()
                )),
            });
            dataset?.seen(config.train.view)?
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
            print::note(format_args!(
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
            return dry_run(config, &dataset, &device, &args);
        }
        if let Some(choice) = super::tune::before_a_first_run(&args.device, &device, &config, &args.train.network.network)? {
            config.settings.choice = choice;
        }
        Session::begin(&args.out, config, &dataset, &device, args.device.threads, cadence)?
    };
    if session.is_finished() {
        let what = format!(
            "{} is finished: its schedule ended after {} steps, and there is nothing to go on with",
            args.out.display(),
            session.place().steps
        );
        let more = "For a longer run begin another one: tagwalk train DATASET --out OTHER, with --steps or --epochs larger than this one's.";
        print::note(format!("{what}\n  {more}\n  Next: tagwalk evaluate {}", args.out.display()));
        return Ok(Outcome::Done);
    }
    let (stage, parameters) = (session.trainer.stage(), session.trainer.table.count());
    let songs = Songs::of(&dataset, stage);
    introduce(&session.config, stage, &songs, parameters);
    warn(&session.config, stage, &songs);
    if !args.resume {
        hint(&session.config, &songs, parameters)?;
    }
    if session.place().steps > 0 {
        print::note(format_args!("going on after step {}", session.place().steps));
    }
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
            print::note(format_args!(
                "done after {steps} steps; best weights: {}\n  Next: tagwalk evaluate {}",
                args.out.join(files::BEST).display(),
                args.out.display()
            ));
            Ok(Outcome::Done)
        }
    }
}

/// A new run as training would begin it, but for the device's memory: what can be refused is refused, and nothing is
/// written.
fn dry_run(config: Config, dataset: &Dataset, device: &Device, args: &Args) -> Result<Outcome> {
    let config = Config { settings: config.settings.settled(config.network.tags), ..config };
    let stage = stage_of(dataset, &config)?;
    let plan = plan_of(&config)?;
    Run::vacant(&args.out)?;
    let (songs, choice) = (Songs::of(dataset, &stage), &config.settings.choice);
    let parameters = Parameters::new(&config.network)?.count();
    warn(&config, &stage, &songs);
    hint(&config, &songs, parameters)?;
    let memory = Footprint::of(&plan, choice, rayon::current_num_threads());
    let flops = plan.flops(plan::Run::Train);
    if args.json {
        print::json(&json!({
            "kind": "dry-run", "config": config, "training_songs": songs.train, "validation_songs": songs.valid,
            "test_songs": songs.test, "steps_an_epoch": stage.steps(), "parameters": parameters,
            "memory_bytes": memory.bytes(), "workspace_bytes": memory.workspace, "gflop_a_step": flops as f64 / 1e9,
            "device": device.name(), "family": choice.to_string(), "precision": choice.precision.name(),
        }))?;
        return Ok(Outcome::Done);
    }
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    let (songs, tags) = (songs.to_string(), config.network.tags);
    let steps = (stage.steps(), config.settings.batch, config.network.clip_length);
    print::line(format!("{songs}, {tags} tags"))?;
    print::line(format!(
        "{} steps an epoch, of {} clips of {} samples, {:.2} GFLOP each",
        steps.0,
        steps.1,
        steps.2,
        flops as f64 / 1e9
    ))?;
    print::line(format!("{parameters} parameters; {}, {}, {}", device.name(), choice, choice.precision.name()))?;
    let of_it = format!("the plan's {:.2}, the threads' working space {:.2}", mib(memory.tensors), mib(memory.workspace));
    print::line(format!("memory: {:.2} MiB ({of_it})", mib(memory.bytes())))?;
    print::line(format!("{} is free for the run; nothing was written", args.out.display()))?;
    Ok(Outcome::Done)
}

/// Songs of a run by side.
struct Songs {
    train: usize,
    valid: usize,
    /// With audio and a tag, as those of validation.
    test: usize,
}

impl Songs {
    fn of(dataset: &Dataset, stage: &Stage<'_>) -> Songs {
        let test = songs::of_split(dataset, Split::Test).map_or(0, |chosen| chosen.songs.len());
        Songs { train: stage.songs().len(), valid: validation::songs(dataset).len(), test }
    }
}

impl std::fmt::Display for Songs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} training songs, {} validation songs, {} test songs", self.train, self.valid, self.test)
    }
}

/// Says what is trained on.
fn introduce(config: &Config, stage: &Stage<'_>, songs: &Songs, parameters: usize) {
    print::note(format_args!(
        "{} training songs ({} shorter than a clip, padded with silence), {} validation songs, {} tags; {} steps an epoch, {} parameters",
        songs.train,
        stage.short(),
        songs.valid,
        config.network.tags,
        stage.steps(),
        parameters
    ));
}

/// Where no list has two songs.
pub const NO_LISTS: &str = "no playlist has two songs of the dataset: no tag can be borrowed; `tagwalk info` shows what it has";

/// What a user should know before waiting.
fn warn(config: &Config, stage: &Stage<'_>, songs: &Songs) {
    if config.train.propagation.mode != Mode::None && stage.labels().walks().contexts().lists().is_empty() {
        print::note(NO_LISTS);
    }
    let tagged = stage.songs().iter().filter(|&&song| stage.labels().tags().is_tagged(song as usize)).count();
    if tagged == 0 {
        print::note("no training song has a tag: there is nothing to learn from but borrowed ones");
    }
    let schedule = &config.train.schedule;
    if songs.valid == 0 {
        let rate = if schedule.rule == Rule::Fixed { "" } else { ", so the rate will not drop" };
        let endless = schedule.rule == Rule::Plateau && schedule.steps == 0 && schedule.epochs == 0;
        let end = if endless { ", and only Ctrl-C ends the run (--epochs or --steps gives it an end)" } else { "" };
        print::note(format_args!(
            "no validation songs with tags, and no validation loss{rate}; the last weights are the best{end}; {SIDES}"
        ));
    }
    if songs.test == 0 {
        print::note(format_args!("no test songs with tags: `tagwalk evaluate` will have nothing to measure; {SIDES}"));
    }
    // Running statistics begin at 0 and 1; what is left of that after n steps is (1 - m)^n.
    let steps = [schedule.steps, schedule.epochs.saturating_mul(stage.steps())].into_iter().filter(|&s| s > 0).min();
    if let Some(steps) = steps
        && (1.0 - config.network.bn_momentum).powf(steps as f64) > 0.05
    {
        print::note(format_args!(
            "{steps} steps are few for the running statistics, which move by {} a step: validation and evaluation will look worse than training",
            config.network.bn_momentum
        ));
    }
}

/// Hints at the small network where there is little to learn from, before a new run.
fn hint(config: &Config, songs: &Songs, parameters: usize) -> Result<()> {
    let small = family::member(family::SMALL, config.network.tags)?;
    if songs.train < FEW_SONGS && parameters > Parameters::new(&small)?.count() {
        print::note(format_args!(
            "{} training songs are few for this network: a small one learns from as many in minutes ({SMALL})",
            songs.train
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    /// What a run that goes on may be told anew, since it changes none of its numbers.
    const AGAIN: [&str; 12] = [
        "dataset",
        "out",
        "checkpoint_steps",
        "checkpoint_minutes",
        "keep",
        "json",
        "quiet",
        "device",
        "adapter",
        "threads",
        "no_tune",
        "cache",
    ];

    #[test]
    fn every_flag_that_decides_a_run_is_refused_with_resume() {
        let train = Args::augment_args(clap::Command::new("train"));
        let resume = train.get_arguments().find(|flag| flag.get_id() == "resume").unwrap();
        let refused: Vec<&str> = train.get_arg_conflicts_with(resume).iter().map(|flag| flag.get_id().as_str()).collect();
        let others = train.get_arguments().map(|flag| flag.get_id().as_str()).filter(|&flag| flag != "resume");
        for flag in others {
            assert_ne!(refused.contains(&flag), AGAIN.contains(&flag), "{flag}");
        }
    }
}
