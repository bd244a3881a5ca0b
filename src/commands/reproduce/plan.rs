//! Which grid the flags ask for: arms, what is chosen on validation, and each run as the flags of `tagwalk train`.

use std::path::Path;

use clap::Parser;

use super::source::Source;
use super::{Args, own};
use crate::commands::flags::{TrainFlags, say_top};
use crate::commands::print;
use crate::dataset::{Dataset, Sides, View};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::arms::Learner;
use crate::experiment::audio::{Neighbours, Statistics};
use crate::experiment::grid::{Job, Sizes, Spec};
use crate::experiment::{Arm, arms, floor};
use crate::kernels::Choice;
use crate::network::family;
use crate::playlists::UntaggedLenders;
use crate::run::interrupt;

/// The network of a quick run: the small one at half its width, so that all arms are done in minutes on two cores.
const QUICK_NETWORK: &str = "3^5-81/2";
/// Steps of a quick run: 16,000 clips, where the small network's test figures stop rising fast.
const QUICK_STEPS: u64 = 696;
/// Epochs of a full run.
const FULL_EPOCHS: u64 = 10;
/// Songs that sound alike, of those that may lend, in a song's list: about so many.
const ALIKE: f64 = 20.0;

/// The grid that the flags ask for on a dataset.
pub fn spec(args: &Args, source: &Source, sizes: &Sizes) -> Result<Spec> {
    let remove = args.remove.unwrap_or(source.remove);
    if !(0.0..1.0).contains(&remove) {
        return Err(Error::usage("--remove", format!("{remove} is not a share below 1")));
    }
    let sparse = remove > 0.0 || sizes.tagged < sizes.training;
    let length = list_length(sizes, remove);
    // By the dataset as well: another one's songs of the same names sound otherwise.
    let lists = args.out.join(format!("alike-{length}-{}.tsv", &source.dataset.fingerprint()[..8]));
    let sound = arms::audio_neighbours(remove, &lists);
    let shown = [arms::fair(remove), vec![sound.clone()], arms::floors(remove)].concat();
    let own: Vec<Arm> = args.with.iter().map(|text| own::arm(text, remove)).collect::<Result<_>>()?;
    let mut arms: Vec<Arm> = if args.arms.is_empty() {
        let fits = |arm: &Arm| {
            (sparse || !arm.is_for_sparse_tags())
                && (remove > 0.0 || *arm != arms::all_tags(remove))
                && (sizes.groups > 0 || !arm.needs_groups())
        };
        shown.into_iter().filter(fits).collect()
    } else {
        let known = [with_questions(shown, remove), own.clone()].concat();
        names(&args.arms).map(|name| named(&known, "--arms", name)).collect::<Result<_>>()?
    };
    for arm in own {
        match arms.iter().find(|other| other.slug() == arm.slug()) {
            // --arms has put it in its place.
            Some(other) if *other == arm => {}
            Some(_) => return Err(Error::usage("--with", format!("another arm is called {:?}", arm.name))),
            None => arms.push(arm),
        }
    }
    let among = |flag: &str, given: &[String], usual: &[Arm]| -> Result<Vec<String>> {
        let chosen: Vec<Arm> = match given.is_empty() {
            true => arms.iter().filter(|arm| usual.contains(arm)).cloned().collect(),
            false => names(given).map(|name| named(&arms, flag, name)).collect::<Result<_>>()?,
        };
        Ok(chosen.into_iter().map(|arm| arm.name).collect())
    };
    let proposed = if sparse { arms::walk(remove) } else { arms::as_printed(remove) };
    let scanned = among("--scan", &args.scan, &[proposed])?;
    let mut usual = vec![arms::walk(remove), arms::walk_sum(remove)];
    // A chosen rate is a gain by itself, so the baseline has the same choice.
    if arms.iter().any(|arm| usual.contains(arm)) {
        usual.extend(arms.first().filter(|arm| arm.learner == Learner::Network).cloned());
    }
    let tuned = among("--tune", &args.tune, &usual)?;
    let rates = match (args.rates.is_empty(), args.full) {
        (false, _) => args.rates.clone(),
        (true, true) => vec![0.5, 1.0, 2.0],
        (true, false) => vec![1.0, 2.0],
    };
    if let Some(wrong) = rates.iter().find(|rate| !(**rate > 0.0 && rate.is_finite())) {
        return Err(Error::usage("--rates", format!("{wrong} is not a number greater than 0")));
    }
    if let [one] = rates[..]
        && one != 1.0
    {
        return Err(Error::usage("--rates", format!("{one} alone leaves nothing to choose among"))
            .help("--rate is what all arms are trained at; --rates 1 alone chooses none."));
    }
    let network = args.network.clone().unwrap_or(if args.full { family::RELEASED } else { QUICK_NETWORK }.into());
    let mut ranges = if !args.ranges.is_empty() {
        args.ranges.clone()
    } else if args.full {
        (0..=10).map(|tenth| f64::from(tenth) / 10.0).collect()
    } else {
        vec![0.0, 0.2, 0.4, 0.6, 0.8]
    };
    if let Some(wrong) = ranges.iter().find(|r| !(0.0..=1.0).contains(*r)) {
        return Err(Error::usage("--ranges", format!("{wrong} is not between 0 and 1")));
    }
    ranges.sort_by(f64::total_cmp);
    ranges.dedup();
    let epoch = (sizes.training * args.clips_per_song).div_ceil(args.batch.max(1)) as u64;
    let steps = args.steps.unwrap_or(if args.full { (FULL_EPOCHS * epoch).max(1) } else { QUICK_STEPS });
    let seeds = args.seeds.unwrap_or(if args.full { 10 } else { 3 });
    if args.clips_per_song == 0 || args.batch == 0 {
        return Err(Error::usage("--batch, --clips-per-song", "must be greater than 0"));
    }
    args.top.iter().for_each(|top| say_top(top.0, sizes.tags));
    let mut tops: Vec<Option<usize>> = match args.top.is_empty() {
        true => source.tops.clone(),
        false => args.top.iter().map(|top| top.0.filter(|&n| n < sizes.tags)).collect(),
    };
    tops.sort_by_key(|top| top.unwrap_or(usize::MAX));
    tops.dedup();
    // Last: it writes, and everything that a flag says must be right before.
    if let Some(at) = arms.iter().position(|arm| *arm == sound) {
        make_lists(args, source, &lists, length, &mut arms[at])?;
    }
    Ok(Spec {
        arms,
        scanned,
        ranges,
        range: args.range,
        tuned,
        rates,
        seeds: args.first_seed..args.first_seed.saturating_add(seeds),
        tops,
        vocabulary: sizes.tags,
        split: args.split_by.unwrap_or(source.split),
        network,
        batch: args.batch,
        rate: args.rate.unwrap_or(if args.full { 0.01 } else { 0.05 }),
        steps,
        clips_per_song: args.clips_per_song,
    })
}

/// These arms, and those that answer what the paper leaves open.
fn with_questions(mut known: Vec<Arm>, remove: f64) -> Vec<Arm> {
    for arm in arms::questions(remove) {
        if known.iter().all(|other| other.name != arm.name) {
            known.push(arm);
        }
    }
    known
}

/// Arms that the dataset alone gives and the grid has not.
pub fn others(spec: &Spec) -> Vec<Arm> {
    let remove = spec.arms.iter().map(|arm| arm.propagation.remove).fold(0.0, f64::max);
    let mut all = with_questions([arms::fair(remove), arms::floors(remove)].concat(), remove);
    all.retain(|arm| spec.arms.iter().all(|other| other.name != arm.name));
    all
}

/// A run's flags alone, as `tagwalk train` reads them.
#[derive(clap::Parser)]
#[command(no_binary_name = true)]
pub(super) struct Alone {
    #[command(flatten)]
    train: TrainFlags,
}

impl Alone {
    /// What the flags say, or which of them is wrong.
    pub(super) fn read(flags: &[String]) -> Result<TrainFlags> {
        let read = Alone::try_parse_from(flags).map_err(|e| {
            let what = e.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
            Error::usage(flags.join(" "), what)
        })?;
        Ok(read.train)
    }
}

/// The grid's runs: each is what the parser of `tagwalk train` makes of its flags.
pub fn jobs(args: &Args, spec: &Spec, folder: &Path) -> Result<Vec<Job>> {
    let mut seen: Vec<(Option<usize>, Dataset)> = Vec::new();
    for &top in &spec.tops {
        seen.push((top, Dataset::open(folder)?.seen(View { sides: Sides::Prepared, top })?));
    }
    let choice = Choice::cpu(args.device.precision.resolve());
    spec.jobs(&|flags| {
        let read = Alone::read(flags)?;
        let view = read.view.view(read.seed)?;
        let (_, dataset) = seen.iter().find(|(top, _)| *top == view.top).unwrap_or(&seen[0]);
        let mut config = read.config(dataset, &Device::Cpu, choice.clone())?;
        config.train.view = view;
        Ok(config)
    })
}

/// The names of a list that are not blank.
fn names(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(|name| name.trim()).filter(|name| !name.is_empty())
}

fn named(known: &[Arm], flag: &str, name: &str) -> Result<Arm> {
    known.iter().find(|arm| arm.slug() == arms::slug(name)).cloned().ok_or_else(|| {
        let all: Vec<String> = known.iter().map(Arm::slug).collect();
        Error::usage(flag, format!("no arm is called {name:?}")).help(format!("Arms: {}.", all.join(", ")))
    })
}

/// How long the lists of songs that sound alike are. They are of all songs, whoever may lend, so that they are the same for
/// every seed: long enough for about [`ALIKE`] songs that do.
fn list_length(sizes: &Sizes, remove: f64) -> usize {
    let lenders = sizes.tagged as f64 * (1.0 - remove);
    (ALIKE * sizes.heard as f64 / lenders.max(1.0)).ceil().min(sizes.heard as f64) as usize
}

/// Makes those lists, unless they are there. Where nothing may be written a walk along playlists stands in for the arm:
/// its run costs the same.
fn make_lists(args: &Args, source: &Source, lists: &Path, length: usize, arm: &mut Arm) -> Result<()> {
    if lists.is_file() {
        return Ok(());
    }
    if args.dry_run {
        arm.propagation.contexts.clear();
        (arm.propagation.shuffle_playlists, arm.propagation.untagged_lenders) = (true, UntaggedLenders::Pass);
        return Ok(());
    }
    print::note("listing the songs that sound alike");
    let dataset = &source.dataset;
    let mut statistics = Statistics::new(dataset, &floor::heard(dataset), &interrupt::check)?;
    let rows: Vec<usize> = (0..statistics.songs.len()).collect();
    statistics.standardise(&rows);
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, "cannot make this folder", e))?;
    Neighbours::new(&statistics, &rows, length, dataset.songs()).write(lists, dataset)
}
