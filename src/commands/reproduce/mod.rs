//! `tagwalk reproduce`: the paper's experiment on any dataset, as a grid of independent runs; its figures and
//! tables on one page.

mod foretell;
mod own;
mod plan;
mod report;
mod show;
mod source;

use std::path::PathBuf;

use super::flags::{DeviceFlags, SplitBy};
use super::train::NO_LISTS;
use super::{Outcome, print};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::experiment::Arm;
use crate::experiment::grid::crew::{self, Crew, News};
use crate::experiment::grid::store::Found;
use crate::experiment::grid::work::{Ended, Shop, work};
use crate::experiment::grid::{Job, Sizes, Spec, Store, job};
use crate::experiment::report::results::Measure;
use crate::playlists::Mode;
use crate::run::interrupt;
use show::Show;
use source::Source;

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
    /// The small network at half its width, few seeds and ranges: minutes on a collection of some hundred songs [the default]
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
    /// One more arm, by flags of `tagwalk train` beside those that all arms share; the walk as in the paper where they say
    /// nothing else; may be given again
    #[arg(long, value_name = "NAME: FLAGS")]
    pub with: Vec<String>,
    /// Arms that are trained with every range, the best one chosen on validation; the first is the proposed one
    /// [default: walk-exclude-self where songs lack tags, else walk]
    #[arg(long, value_name = "ARM,...", value_delimiter = ',')]
    pub scan: Vec<String>,
    /// Arms whose rate is also chosen on validation, at --range [default: walk-exclude-self and walk-sum, means and sums of the same]
    #[arg(long, value_name = "ARM,...", value_delimiter = ',')]
    pub tune: Vec<String>,
    /// The rates it is chosen among, as multiples of --rate; 1 alone: none is chosen [default: 1,2; with --full 0.5,1,2]
    #[arg(long, value_name = "M,...", value_delimiter = ',')]
    pub rates: Vec<f64>,
    /// Search ranges [default: 0,0.2,0.4,0.6,0.8; with --full 0 to 1 by 0.1]
    #[arg(long, value_name = "R,...", value_delimiter = ',')]
    pub ranges: Vec<f64>,
    /// Search range of arms that are not scanned
    #[arg(long, value_name = "R", default_value_t = RANGE)]
    pub range: f64,
    /// Vocabularies: so many of the most frequent tags, or `all` [default: 50 and all]
    #[arg(long, value_name = "N|all,...", value_delimiter = ',')]
    pub top: Vec<Top>,
    /// How a seed draws the split [default: whole groups where the dataset has them, else songs; prepared for `msd` and for a
    /// world whose test songs alone are annotated in full]
    #[arg(long, value_enum)]
    pub split_by: Option<SplitBy>,
    /// Share of the tagged training songs that lose all tags [default: 0; for the demo 0.8]
    #[arg(long, value_name = "SHARE")]
    pub remove: Option<f64>,
    /// The family member [default: 3^5-81/2, with --full 3^9]
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
    /// Resamples for intervals by songs, groups and tags, the gain ± 1.96 standard errors by them; 0: none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub bootstrap: usize,
    /// Categories of tags, a table `tag<TAB>category` [default: categories.tsv beside the demo's music, a world's own, else the paper's]
    #[arg(long, value_name = "FILE")]
    pub categories: Option<PathBuf>,

    #[command(flatten)]
    pub device: DeviceFlags,
    #[command(flatten)]
    pub msd: source::MsdFlags,
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
    Store::vacant(&args.out)?;
    if args.collect && !Store::at(&args.out).has_rows() {
        return Err(Error::input(&args.out, "holds no finished runs: there is nothing to report")
            .help("The same command without --collect does the runs."));
    }
    let source = Source::open(&args)?;
    let sizes = Sizes::of(&source.dataset);
    if sizes.tags == 0 || sizes.test == 0 {
        return Err(Error::input(source.dataset.folder(), "has no tags, or no test songs with tags: nothing can be measured")
            .help("`tagwalk info` shows what is in it; `tagwalk prepare` draws a split with --split-fractions."));
    }
    let spec = plan::spec(&args, &source, &sizes)?;
    let jobs = plan::jobs(&args, &spec, source.dataset.folder())?;
    for arm in spec.arms.iter().filter(|arm| jobs.iter().all(|job| job.arm != arm.name)) {
        print::note(format_args!("{}: the same runs as another arm's, which stands for both", arm.name));
    }
    let lists = source.dataset.playlists();
    let borrows = |arm: &Arm| arm.propagation.mode != Mode::None && arm.propagation.contexts.is_empty();
    if spec.arms.iter().any(borrows) && (0..lists.len()).all(|list| lists.row(list).len() < 2) {
        print::note(NO_LISTS);
    }
    let store = if args.dry_run { Store::at(&args.out) } else { Store::create(&args.out)? };
    if args.collect {
        return report::write(&args, &source, &spec, &jobs, &store).map(|()| Outcome::Done);
    }
    if let Some(number) = args.only {
        return only(&args, &source, &jobs, number, &store);
    }
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
    if pending.is_empty() {
        print::note(format_args!("all {} runs are done", jobs.len()));
        match args.dry_run {
            true => list_arms(&spec)?,
            false => report::write(&args, &source, &spec, &jobs, &store)?,
        }
        return Ok(Outcome::Done);
    }
    let device = args.device.open_device()?;
    let mut shop = shop(&args, &source, &store, &device)?;
    let cores = match args.device.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let kinds = foretell::kinds(&pending)?;
    let each = kinds.iter().map(|kind| kind.memory).max().unwrap_or(0);
    let mut crew = Crew::new(&device, pending.len(), cores, crew::free_memory(), each);
    if let Some(at_once) = args.at_once {
        let at_once = (at_once as usize).min(pending.len());
        crew = Crew { at_once, threads: (cores / at_once).max(1) };
    }
    shop.threads = crew.threads;
    foretell::foretell(&spec, &jobs, pending.len(), &kinds, crew, &shop)?;
    if args.dry_run {
        list_arms(&spec)?;
        return Ok(Outcome::Done);
    }
    let show = Show::new(&pending, jobs.len(), args.min_positives);
    let sum = crew::run(&shop, &pending, crew, &|news| show.tell(news));
    show.end();
    let sum = sum?;
    let none_before = pending.len() == jobs.len();
    if !sum.elsewhere.is_empty() && none_before && jobs.iter().all(|job| !matches!(store.find(&job.hash()), Found::Finished(_))) {
        print::note("all runs are being done by other processes; once some are finished, --collect makes the report");
        return Ok(Outcome::SomeFailed);
    }
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

/// The grid's arms, and those that --arms could take beside them.
fn list_arms(spec: &Spec) -> Result<()> {
    for arm in &spec.arms {
        print::line(format_args!("  {}: {}", arm.slug(), arm.what))?;
    }
    let others: Vec<String> = plan::others(spec).iter().map(Arm::slug).collect();
    print::line(format_args!("  --arms also takes: {}", others.join(", ")))
}

/// What all runs share.
fn shop<'a>(args: &Args, source: &'a Source, store: &'a Store, device: &'a Device) -> Result<Shop<'a>> {
    let choice = args.device.choice(device)?;
    super::flags::say(device, &choice);
    let (threads, keep) = (args.device.threads, args.keep_runs);
    Ok(Shop { store, dataset: source.dataset.folder(), device, choice, threads, keep, heard: Default::default() })
}

/// One run of the grid, unless it is done. Nothing is read of the others: an array has thousands of these.
fn only(args: &Args, source: &Source, jobs: &[Job], number: usize, store: &Store) -> Result<Outcome> {
    let Some(job) = number.checked_sub(1).and_then(|i| jobs.get(i)) else {
        return Err(Error::usage("--only", format!("the grid has runs 1 to {}, not {number}", jobs.len())));
    };
    let is_row = matches!(store.find(&job.hash()), Found::Finished(_));
    if !is_row && store.collected().0.contains_key(&job.hash()) {
        print::note(format_args!("run {number} is done: it is in runs.csv"));
        return Ok(Outcome::Done);
    }
    let device = args.device.open_device()?;
    let shop = shop(args, source, store, &device)?;
    let numbered = [(number, job.clone())];
    let show = Show::new(&numbered, jobs.len(), args.min_positives);
    show.tell(News::Began { job: number });
    let how = work(&shop, job, &|text| show.tell(News::Note(text)), &mut |event| show.tell(News::Step { job: number, event }));
    show.tell(News::Ended { job: number, how: &how });
    show.end();
    match how? {
        Ended::Done(_) | Ended::Before(_) => Ok(Outcome::Done),
        // So that whoever started it does not take it for finished.
        Ended::Elsewhere => Ok(Outcome::SomeFailed),
    }
}

/// The command that was given, less some of its flags.
fn own_command(less: &[&str]) -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words = words.filter(|word| !less.contains(&word.as_str()));
    std::iter::once("tagwalk".to_string()).chain(words.map(|word| job::quoted(&word))).collect::<Vec<_>>().join(" ")
}
