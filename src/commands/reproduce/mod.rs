//! `tagwalk reproduce`: the paper's experiment on any dataset, as a grid of independent runs; its figures and
//! tables on one page.

mod report;
mod show;
mod source;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use super::flags::{DeviceFlags, SplitBy as SplitName, TrainFlags};
use super::train::duration;
use super::{Outcome, print};
use crate::batch::segments;
use crate::dataset::{Dataset, Sides, Split, View};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::grid::crew::{self, Crew};
use crate::experiment::grid::spec::{About, SplitBy};
use crate::experiment::grid::store::Found;
use crate::experiment::grid::work::{Ended, Shop, work};
use crate::experiment::grid::{Job, Spec, Store, job};
use crate::experiment::report::results::Measure;
use crate::experiment::{Arm, arms};
use crate::kernels::Choice;
use crate::network::family;
use crate::run::interrupt;
use show::Show;
use source::Source;

/// Steps of a quick run: 16,000 clips, where the small network's test figures stop rising fast (`demo.md`).
const QUICK_STEPS: u64 = 696;
/// Epochs of a full run.
const FULL_EPOCHS: u64 = 10;
/// The range of arms that are not scanned: the paper's best for 50 tags.
const RANGE: f64 = 0.4;

/// Run the paper's experiment on a dataset: all arms, search ranges and seeds, its figures and tables
///
/// Every run is a plain `tagwalk train` and `tagwalk evaluate`, known by the hash of what decides its
/// numbers. What is finished lies as a row in --out and is never run again; what was stopped goes on.
/// Several processes, on several machines too, may work in one --out (docs/many-machines.md). It ends with
/// report.html, figures/*.svg, data/*.csv, and all rows in runs.csv and tags.csv.
#[derive(clap::Args, Debug)]
#[command(allow_negative_numbers = true)] // So that a wrong number is called one, and no unknown flag.
pub struct Args {
    /// A folder made by `tagwalk prepare`; `demo`, or a folder like data/demo; or `msd`, the paper's data, by
    /// the flags below
    #[arg(value_name = "DATASET|demo|msd")]
    pub dataset: PathBuf,
    /// The grid's folder: rows, runs, report
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The small network and few seeds and ranges: minutes on a collection of some hundred songs [the default]
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// The released network, ten seeds, all ranges
    #[arg(long)]
    pub full: bool,

    /// Write the runs that are not finished as lines, each a command, and end
    #[arg(long, conflicts_with_all = ["only", "collect", "dry_run"])]
    pub list: bool,
    /// Do run N of the grid alone, as --list numbers them
    #[arg(long, value_name = "N", conflicts_with_all = ["collect", "dry_run"])]
    pub only: Option<usize>,
    /// Make the report of the rows that there are, and say what is missing
    #[arg(long, conflicts_with = "dry_run")]
    pub collect: bool,
    /// Say how many runs, how long, how much memory, and end
    #[arg(long)]
    pub dry_run: bool,
    /// Runs at once [default: on a CPU as many as there are cores and four fifths of the free memory hold; on a GPU one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub at_once: Option<u64>,
    /// Keep the folders of finished runs, weights and logs
    #[arg(long)]
    pub keep_runs: bool,

    /// Seeds: each draws split, removed tags and initial weights [default: 3, with --full 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: Option<u64>,
    /// The first of them
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub first_seed: u64,
    /// Arms, by name (`tagwalk reproduce ... --dry-run` lists them); the first is the baseline [default: all that differ]
    #[arg(long, value_name = "ARM,...", value_delimiter = ',')]
    pub arms: Vec<String>,
    /// Arms that are trained with every range, the best one chosen on validation; the first is the proposed one
    /// [default: walk-exclude-self where songs lack tags, else walk]
    #[arg(long, value_name = "ARM,...", value_delimiter = ',')]
    pub scan: Vec<String>,
    /// Search ranges [default: 0,0.2,0.4,0.6,0.8; with --full 0 to 1 by 0.1]
    #[arg(long, value_name = "R,...", value_delimiter = ',')]
    pub ranges: Vec<f64>,
    /// Search range of arms that are not scanned
    #[arg(long, value_name = "R", default_value_t = RANGE)]
    pub range: f64,
    /// Vocabularies: so many of the most frequent tags, or `all` [default: 50 and all]
    #[arg(long, value_name = "N|all,...", value_delimiter = ',')]
    pub top: Vec<Top>,
    /// How a seed draws the split [default: whole groups where the dataset has them, else songs; for `msd` prepared]
    #[arg(long, value_enum)]
    pub split_by: Option<SplitName>,
    /// Share of the tagged training songs that lose all tags [default: 0; for the demo 0.8]
    #[arg(long, value_name = "SHARE")]
    pub remove: Option<f64>,
    /// The family member [default: 3^5-81, with --full 3^9]
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// Steps of every run [default: 696, with --full ten epochs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Clips a step
    #[arg(long, default_value_t = 23, value_name = "CLIPS")]
    pub batch: usize,
    /// The first learning rate; a fifth after 60 % and again after 85 % of the steps [default: 0.05, with --full 0.01]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f64>,
    /// Random clips of each training song an epoch
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub clips_per_song: usize,

    /// Test songs that a tag needs to count; the others are listed
    #[arg(long, value_name = "N", default_value_t = crate::evaluate::metrics::MIN_POSITIVES)]
    pub min_positives: usize,
    /// What a range is chosen by, on validation songs
    #[arg(long, value_enum, value_name = "FIGURE", default_value = "roc-auc")]
    pub choose_by: Measure,
    /// Resamples for intervals by songs, groups and tags; 0: none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub bootstrap: usize,
    /// Categories of tags, a table `tag<TAB>category` [default: categories.tsv beside the demo's music, else the paper's]
    #[arg(long, value_name = "FILE")]
    pub categories: Option<PathBuf>,

    #[command(flatten)]
    pub msd: source::MsdFlags,
    #[command(flatten)]
    pub device: DeviceFlags,
}

impl Args {
    /// Whether another process has made, or will make, what this one only adds to.
    fn is_a_part(&self) -> bool {
        self.only.is_some() || self.collect
    }
}

/// `--top`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top(Option<usize>);

impl std::str::FromStr for Top {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Top, String> {
        match text.trim() {
            "all" => Ok(Top(None)),
            number => match number.parse() {
                Ok(n) if n > 0 => Ok(Top(Some(n))),
                _ => Err("say numbers of tags, or all: 50,all".into()),
            },
        }
    }
}

pub fn run(args: Args) -> Result<Outcome> {
    interrupt::listen("finishing this step and saving")?;
    let source = Source::open(&args)?;
    let about = About::of(&source.dataset);
    if about.tags == 0 || about.test == 0 {
        return Err(Error::input(source.dataset.folder(), "has no tags, or no test songs with tags: nothing can be measured")
            .help("`tagwalk info` shows what is in it; `tagwalk prepare` draws a split with --split-fractions."));
    }
    let spec = spec(&args, &source, &about)?;
    let jobs = jobs(&args, &spec, source.dataset.folder())?;
    let store = Store::create(&args.out)?;
    let numbered = || jobs.iter().cloned().enumerate().map(|(i, job)| (i + 1, job));
    let kept = store.collected().0;
    let pending: Vec<(usize, Job)> = numbered()
        .filter(|(_, job)| !matches!(store.find(&job.hash()), Found::Finished(_)) && !kept.contains_key(&job.hash()))
        .collect();
    if args.list {
        for (number, _) in &pending {
            print::line(format_args!("{} --only {number}", own_command(&["--list"])))?;
        }
        return Ok(Outcome::Done);
    }
    if args.collect {
        return report::write(&args, &source, &spec, &jobs, &store).map(|()| Outcome::Done);
    }
    let device = args.device.open_device()?;
    let choice = args.device.choice(&device)?;
    super::flags::say(&device, &choice);
    let mut shop = Shop {
        store: &store,
        dataset: source.dataset.folder(),
        device: &device,
        choice,
        threads: args.device.threads,
        keep: args.keep_runs,
    };
    if let Some(number) = args.only {
        return only(&shop, &jobs, number);
    }
    let Some(hardest) = pending.iter().map(|job| &job.1).max_by_key(|job| job.tags()) else {
        print::note(format_args!("all {} runs are done", jobs.len()));
        return report::write(&args, &source, &spec, &jobs, &store).map(|()| Outcome::Done);
    };
    let cores = match args.device.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let each = crew::memory(hardest)?;
    let mut crew = Crew::new(&device, pending.len(), cores, crew::free_memory(), each);
    if let Some(at_once) = args.at_once {
        let at_once = (at_once as usize).min(pending.len());
        crew = Crew { at_once, threads: (cores / at_once).max(1) };
    }
    shop.threads = crew.threads;
    foretell(&spec, &jobs, &pending, &source.dataset, crew, each, &shop, hardest)?;
    if args.dry_run {
        for arm in &spec.arms {
            print::line(format_args!("  {}: {}", slug(&arm.name), arm.what))?;
        }
        return Ok(Outcome::Done);
    }
    let show = Show::new(&pending, jobs.len());
    let sum = crew::run(&shop, &pending, crew, &|news| show.tell(news));
    show.end();
    let sum = sum?;
    report::write(&args, &source, &spec, &jobs, &store)?;
    if !sum.elsewhere.is_empty() {
        print::note(format_args!(
            "runs that another process works on: {}; once they are done, --collect makes the whole report",
            sum.elsewhere.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    for (number, error) in &sum.failed {
        print::note(format_args!("run {number} failed: {error}"));
    }
    Ok(if sum.failed.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

/// One run of the grid.
fn only(shop: &Shop, jobs: &[Job], number: usize) -> Result<Outcome> {
    let Some(job) = number.checked_sub(1).and_then(|i| jobs.get(i)) else {
        return Err(Error::usage("--only", format!("the grid has runs 1 to {}, not {number}", jobs.len())));
    };
    let numbered = [(number, job.clone())];
    let show = Show::new(&numbered, jobs.len());
    use crate::experiment::grid::crew::News;
    show.tell(News::Began { job: number });
    let how = work(shop, job, &|text| show.tell(News::Note(text)), &mut |event| show.tell(News::Step { job: number, event }));
    show.tell(News::Ended { job: number, how: &how });
    show.end();
    match how? {
        Ended::Done(_) | Ended::Before(_) => Ok(Outcome::Done),
        // So that whoever started it does not take it for finished.
        Ended::Elsewhere => Ok(Outcome::SomeFailed),
    }
}

/// Says how many runs there are, how long they will take by steps measured now, and what they need.
#[allow(clippy::too_many_arguments)]
fn foretell(
    spec: &Spec,
    jobs: &[Job],
    pending: &[(usize, Job)],
    dataset: &Dataset,
    crew: Crew,
    each: usize,
    shop: &Shop,
    hardest: &Job,
) -> Result<()> {
    let step = crew::measure(shop, hardest, crew, Duration::from_millis(1500))?;
    let network = hardest.network.clone();
    // A forward pass is about a third of a step's work.
    let scored = |side| {
        let songs = (0..dataset.songs()).filter(move |&s| dataset.split(s) == side && dataset.samples(s) > 0);
        songs.map(|s| segments(dataset.samples(s), network.clip_length)).sum::<usize>() as f64
    };
    let evaluation = (scored(Split::Valid) + scored(Split::Test)) / spec.batch as f64 / 3.0;
    let seconds = pending.len() as f64 * (spec.steps as f64 + evaluation) * step / crew.at_once as f64;
    let time = Duration::try_from_secs_f64(seconds).map_or("longer than can be said".into(), duration);
    print::note(format_args!(
        "{} runs ({} arms, {} seeds, {}), {} of them to do: {} steps of {} clips each, network {}",
        jobs.len(),
        spec.arms.len(),
        spec.seeds.end - spec.seeds.start,
        if spec.tops.len() > 1 { format!("{} vocabularies", spec.tops.len()) } else { format!("{} tags", hardest.tags()) },
        pending.len(),
        spec.steps,
        spec.batch,
        spec.network
    ));
    print::note(format_args!(
        "{} at once with {} thread{} each; a step takes {:.1} ms ({:.1} GFLOP): about {time} in all, {} MiB of memory",
        crew.at_once,
        crew.threads,
        if crew.threads == 1 { "" } else { "s" },
        1000.0 * step,
        crew::gflop(hardest)?,
        (each * crew.at_once) >> 20
    ));
    Ok(())
}

/// The grid that the flags ask for on a dataset.
fn spec(args: &Args, source: &Source, about: &About) -> Result<Spec> {
    let remove = args.remove.unwrap_or(source.remove);
    if !(0.0..1.0).contains(&remove) {
        return Err(Error::usage("--remove", format!("{remove} is not a share below 1")));
    }
    let sparse = remove > 0.0 || about.tagged < about.training;
    let mut known = arms::fair(remove);
    known.extend(arms::questions(remove));
    let mut seen = std::collections::BTreeSet::new();
    known.retain(|arm| seen.insert(arm.name.clone()));
    let shown: Vec<String> = arms::all(remove).into_iter().map(|arm| arm.name).collect();
    let usual: &[&str] =
        if sparse { &[] } else { &["none", "walk", "walk --exclude-self", "expected --exclude-self", "random lenders"] };
    let arms: Vec<Arm> = if args.arms.is_empty() {
        known
            .iter()
            .filter(|arm| shown.contains(&arm.name) && (usual.is_empty() || usual.contains(&&*arm.name)))
            .filter(|arm| remove > 0.0 || *arm.name != *"all tags")
            .cloned()
            .collect()
    } else {
        names(&args.arms).map(|name| named(&known, "--arms", name)).collect::<Result<_>>()?
    };
    let proposed = if sparse { "walk --exclude-self" } else { "walk" };
    let scanned: Vec<String> = if args.scan.is_empty() {
        arms.iter().filter(|arm| *arm.name == *proposed).map(|arm| arm.name.to_string()).collect()
    } else {
        names(&args.scan).map(|name| named(&arms, "--scan", name).map(|arm| arm.name.to_string())).collect::<Result<_>>()?
    };
    let network = args.network.clone().unwrap_or(if args.full { family::RELEASED } else { family::SMALL }.into());
    let mut ranges = if !args.ranges.is_empty() {
        args.ranges.clone()
    } else if args.full {
        (0..=10).map(|tenth| f64::from(tenth) / 10.0).collect()
    } else {
        vec![0.0, 0.2, 0.4, 0.6, 0.8]
    };
    ranges.sort_by(f64::total_cmp);
    ranges.dedup();
    let epoch = (about.training * args.clips_per_song).div_ceil(args.batch.max(1)) as u64;
    let steps = args.steps.unwrap_or(if args.full { (FULL_EPOCHS * epoch).max(1) } else { QUICK_STEPS });
    let seeds = args.seeds.unwrap_or(if args.full { 10 } else { 3 });
    if args.clips_per_song == 0 || args.batch == 0 {
        return Err(Error::usage("--batch, --clips-per-song", "must be greater than 0"));
    }
    let mut tops: Vec<Option<usize>> = match args.top.is_empty() {
        true => source.tops.clone(),
        false => args.top.iter().map(|top| top.0.filter(|&n| n < about.tags)).collect(),
    };
    tops.sort_by_key(|top| top.unwrap_or(usize::MAX));
    tops.dedup();
    Ok(Spec {
        arms,
        scanned,
        ranges,
        range: args.range,
        seeds: args.first_seed..args.first_seed.saturating_add(seeds),
        tops,
        split: match args.split_by {
            None => source.split,
            Some(SplitName::Prepared) => SplitBy::Prepared,
            Some(SplitName::Songs) => SplitBy::Songs,
            Some(SplitName::Groups) => SplitBy::Groups,
        },
        network,
        batch: args.batch,
        rate: args.rate.unwrap_or(if args.full { 0.01 } else { 0.05 }),
        steps,
        clips_per_song: args.clips_per_song,
    })
}

/// A run's flags alone, as `tagwalk train` reads them.
#[derive(clap::Parser)]
#[command(no_binary_name = true)]
struct Alone {
    #[command(flatten)]
    train: TrainFlags,
}

/// The grid's runs: each is what the parser of `tagwalk train` makes of its flags.
fn jobs(args: &Args, spec: &Spec, folder: &Path) -> Result<Vec<Job>> {
    let mut seen: Vec<(Option<usize>, Dataset)> = Vec::new();
    for &top in &spec.tops {
        seen.push((top, Dataset::open(folder)?.seen(View { sides: Sides::Prepared, top })?));
    }
    let choice = Choice::cpu(args.device.precision.resolve());
    spec.jobs(&|flags| {
        let read = Alone::try_parse_from(flags).map_err(|e| {
            let what = e.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
            Error::usage(flags.join(" "), what)
        })?;
        let view = read.train.view.view(read.train.seed)?;
        let (_, dataset) = seen.iter().find(|(top, _)| *top == view.top).unwrap_or(&seen[0]);
        let mut config = read.train.config(dataset, &Device::Cpu, choice.clone())?;
        config.train.view = view;
        Ok(config)
    })
}

/// An arm's name in letters that need no quotes.
fn slug(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let words: String = letters.collect();
    words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// The names of a list that are not blank.
fn names(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(|name| name.trim()).filter(|name| !name.is_empty())
}

fn named(arms: &[Arm], flag: &str, name: &str) -> Result<Arm> {
    arms.iter().find(|arm| slug(&arm.name) == slug(name)).cloned().ok_or_else(|| {
        let all: Vec<String> = arms.iter().map(|arm| slug(&arm.name)).collect();
        Error::usage(flag, format!("no arm is called {name:?}")).help(format!("Arms: {}.", all.join(", ")))
    })
}

/// The command that was given, less some of its flags.
fn own_command(less: &[&str]) -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words = words.filter(|word| !less.contains(&word.as_str()));
    std::iter::once("tagwalk".to_string()).chain(words.map(|word| job::quoted(&word))).collect::<Vec<_>>().join(" ")
}
