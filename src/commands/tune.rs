//! `tagwalk tune`: finds the tile sizes that are fastest on a GPU, and keeps them for every later run.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::flags::DeviceFlags;
use super::{Outcome, print};
use crate::device::gpu::{self, Gpu};
use crate::device::{Device, select::HELP};
use crate::error::{Error, Result};
use crate::format::table::{Align, Table};
use crate::kernels::{Choice, Precision};
use crate::measure::tune::cache::{Cache, Entry, Key};
use crate::measure::tune::{self, Candidate, Event, Problem, Rig, candidates};
use crate::network::{Network, family};
use crate::train::options::Config;

/// Seconds that a first training run may spend.
const FIRST_RUN: f64 = 10.0;

/// Find the tile sizes that are fastest on this GPU, and keep them for later runs
///
/// Times candidates at the network's own shapes (on software Vulkan at its small ones), checks what is
/// faster against the reference and in a whole step, and keeps the winners in a file, by adapter, driver and shaders. Later
/// runs take them unless --family or --no-tune says otherwise; a run that is resumed keeps its own.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Member of the family whose shapes are timed
    #[arg(long, default_value = family::RELEASED, value_name = "NAME")]
    pub network: String,
    /// Clips a step
    #[arg(long, default_value_t = 23, value_name = "CLIPS")]
    pub batch: usize,
    /// Begin no further candidate after this time
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    pub seconds: f64,
    /// Show what is kept, and end
    #[arg(long, conflicts_with = "reset")]
    pub show: bool,
    /// Forget what is kept, and end
    #[arg(long)]
    pub reset: bool,
    /// One JSON object a candidate, winner, or entry that is kept
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceFlags,
}

pub fn run(args: Args) -> Result<Outcome> {
    let nowhere = || Error::usage("--cache", "there is no folder of caches to keep it in").help("Name a file: --cache FILE.");
    let path = args.device.cache_path().ok_or_else(nowhere)?;
    if args.show {
        return show(&path, args.json);
    }
    if args.reset {
        return reset(&path);
    }
    if !(0.0..1e6).contains(&args.seconds) {
        return Err(Error::usage("--seconds", "must be 0 or more"));
    }
    if args.device.family.is_some() || args.device.no_tune {
        return Err(Error::usage("--family", "tuning chooses the family itself: leave out --family and --no-tune"));
    }
    let network = family::member(&args.network, 50)?;
    let Device::Gpu(gpu) = args.device.open_device()? else {
        return Err(Error::device("there is nothing to tune on the CPU, and no GPU was found").help(HELP));
    };
    print::note(format_args!("tuning {} for {}, batch {}", gpu.adapter.name, args.network, args.batch));
    let precision = args.device.precision.resolve();
    let choice = tuned(&gpu, precision, &network, args.batch, args.seconds, &mut |event| tell(&event, args.json))?;
    keep(&path, &gpu, &args.network, args.batch, &choice)?;
    print::note(format_args!("{}: kept in {}", described(&choice), path.display()));
    Ok(Outcome::Done)
}

/// Tunes for a run that begins on a GPU that has not been tuned, unless flags decide; what goes wrong
/// costs a note, and the run begins untuned.
pub fn before_a_first_run(flags: &DeviceFlags, device: &Device, config: &Config, network: &str) -> Result<Option<Choice>> {
    let (Device::Gpu(gpu), None, false) = (device, flags.family, flags.no_tune) else { return Ok(None) };
    let Some(path) = flags.cache_path() else { return Ok(None) };
    let precision = config.settings.choice.precision;
    if Cache::read(&path).0.find_in(precision, &Key::of(&gpu.adapter)).is_some() {
        return Ok(None);
    }
    print::note(format_args!(
        "the first run on {}: tuning its shaders for some {FIRST_RUN} seconds (--no-tune goes without)",
        gpu.adapter.name
    ));
    let batch = config.settings.batch;
    let choice = match tuned(gpu, precision, &config.network, batch, FIRST_RUN, &mut |_| Ok(())) {
        Ok(choice) => choice,
        Err(e) => {
            print::note(format_args!("tuning failed, so the run begins untuned: {e}"));
            return Ok(None);
        }
    };
    match keep(&path, gpu, network, batch, &choice) {
        Ok(()) => print::note(format_args!("{}: kept in {}", described(&choice), path.display())),
        Err(e) => print::note(format_args!("what was tuned is for this run only: {e}")),
    }
    Ok(Some(choice))
}

fn tuned(
    gpu: &Gpu,
    precision: Precision,
    network: &Network,
    batch: usize,
    seconds: f64,
    tell: &mut dyn FnMut(Event) -> Result<()>,
) -> Result<Choice> {
    let rig = Rig {
        load: &|plan| gpu.load(plan),
        alone: &|kernel, inputs| gpu::run_alone(gpu, kernel, inputs),
        software: gpu.is_software(),
    };
    let candidates = |room: &str| match precision {
        Precision::F32 => candidates::of(room, gpu.is_software()),
        Precision::Mixed => candidates::mixed(room, gpu.cooperative_sizes()),
    };
    let problem = Problem { network, batch, budget: Duration::from_secs_f64(seconds), candidates: &candidates };
    let mut told = Ok(());
    let choice = tune::tune_in(precision, &rig, &problem, &mut |event| {
        if told.is_ok() {
            told = tell(event);
        }
    })?;
    told.map(|()| choice)
}

/// Puts a choice into the file, whatever was wrong with the file.
fn keep(path: &Path, gpu: &Gpu, network: &str, batch: usize, choice: &Choice) -> Result<()> {
    let (mut cache, _) = Cache::read(path);
    cache.insert(Entry { key: Key::of(&gpu.adapter), network: network.into(), batch, choice: choice.clone() });
    cache.write(path)
}

fn show(path: &Path, as_json: bool) -> Result<Outcome> {
    let (cache, note) = Cache::read(path);
    if let Some(note) = note {
        print::note(note);
    }
    if as_json {
        cache.entries.iter().try_for_each(print::json)?;
        return Ok(Outcome::Done);
    }
    let columns = ["adapter", "driver", "tuned for", "choice", ""].map(|title| (title, Align::Left));
    let mut table = Table::new(&columns);
    for e in &cache.entries {
        let state = if e.key.is_current() { "" } else { "of other shaders: not used" };
        let driver = format!("{} {}", e.key.backend, e.key.driver);
        table.row([
            e.key.adapter.clone(),
            driver,
            format!("{}, batch {}, {}", e.network, e.batch, e.choice.precision.name()),
            described(&e.choice),
            state.into(),
        ]);
    }
    print::note(format_args!("{} entries in {}", cache.entries.len(), path.display()));
    if cache.entries.is_empty() { Ok(Outcome::Done) } else { print::line(table).map(|()| Outcome::Done) }
}

fn reset(path: &Path) -> Result<Outcome> {
    match std::fs::remove_file(path) {
        Ok(()) => print::note(format_args!("{} is removed", path.display())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => print::note(format_args!("nothing was kept in {}", path.display())),
        Err(e) => return Err(Error::io(path, "cannot remove", e)),
    }
    Ok(Outcome::Done)
}

/// A choice with all that it sets.
fn described(choice: &Choice) -> String {
    let rooms = choice.rooms.iter().map(|(room, family)| format!("{room} {family}"));
    let tiles = choice.tiles.iter().map(|(name, size)| format!("{name} {size}"));
    let all: Vec<String> = rooms.chain(tiles).collect();
    if all.is_empty() { format!("{choice}, as they stand") } else { all.join(", ") }
}

fn sizes(candidate: &Candidate) -> String {
    let tiles = candidate.tiles.iter().map(|(name, size)| format!(" {name} {size}"));
    std::iter::once(candidate.family.to_string()).chain(tiles).collect()
}

/// On stderr what matters; as objects everything.
fn tell(event: &Event, as_json: bool) -> Result<()> {
    if as_json {
        return print::json(&match event {
            Event::Timed { room, candidate, seconds, untuned } => {
                json!({"kind": "timed", "room": room, "candidate": sizes(candidate), "seconds": seconds, "untuned": untuned})
            }
            Event::Rejected { room, candidate, why } => {
                json!({"kind": "rejected", "room": room, "candidate": sizes(candidate), "why": why})
            }
            Event::Untried { room, candidates } => json!({"kind": "untried", "room": room, "candidates": candidates}),
            Event::Won { room, candidate, share } => {
                json!({"kind": "won", "room": room, "candidate": sizes(candidate), "share": share})
            }
        });
    }
    match event {
        Event::Timed { .. } => {}
        Event::Rejected { room, candidate, why } => print::note(format_args!("{room}, {}: {why}", sizes(candidate))),
        Event::Untried { room, candidates } => {
            print::note(format_args!("{room}: {candidates} candidates were not tried for lack of time (--seconds)"))
        }
        Event::Won { room, candidate, share } => {
            print::note(format_args!("{room}, {}: {share:.2} of the untuned time", sizes(candidate)))
        }
    }
    Ok(())
}
