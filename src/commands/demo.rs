//! `tagwalk demo`: real music, most of its tags taken away, trained with and without the tags of
//! neighbours in playlists, and compared.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde_json::json;

use super::flags::DeviceFlags;
use super::prepare::show::Progress as Decoding;
use super::progress::{Progress, duration, left};
use super::{Outcome, print};
use crate::dataset::{Dataset, Split, place};
use crate::device::Device;
use crate::error::{Error, Kind, Result};
use crate::evaluate::songs;
use crate::experiment::comparison::{Comparison, compare};
use crate::experiment::trial::{self, Trial};
use crate::experiment::{Arm, arms};
use crate::format::json_lines;
use crate::format::table::{Align, Table, figure};
use crate::import::prepare::{self, SplitFrom};
use crate::import::splits::Fractions;
use crate::kernels::Choice;
use crate::network::family;
use crate::plan::Settings;
use crate::run::{files, interrupt};
use crate::train::options::{self, Config, Options};
use crate::train::{Event, Rule, Schedule};

/// Share of the tagged training songs that lose their tags.
pub(super) const REMOVED: f64 = 0.8;
/// 16,000 clips: where the small network's test figures stop rising fast.
const STEPS: u64 = 696;
const BATCH: usize = 23;
const RATE: f64 = 0.05;
/// In the folder of a demo that was run, so that it may be replaced.
const MARK: &str = "demo.json";
/// Beside the demo's own music.
const LICENCES: &str = "LICENSES.csv";

/// Watch a network learn tags from real music, with and without playlists
///
/// Prepares 189 clips of free-game music, removes the tags of 80 % of the training songs, trains a
/// small network on what is left, and again with tags borrowed along playlists; compares the two on
/// songs that neither has heard.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The demo's music, tags and playlists [default: data/demo of the source folder]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Where datasets and runs go
    #[arg(long, value_name = "FOLDER", default_value = "tagwalk-demo")]
    pub out: PathBuf,
    /// Decides the split, which tags are removed and the initial weights
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    pub seed: u64,
    /// All arms: also zero rows, the walk as in the paper, expected labels, random lenders, all tags
    #[arg(long)]
    pub all: bool,
    /// One object instead of text
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceFlags,
}

pub fn run(args: Args) -> Result<Outcome> {
    let began = Instant::now();
    let data = find_data(args.data.as_deref())?;
    interrupt::listen("stopping")?;
    let is_seed = |name: &str| name.starts_with("seed-");
    place::vacant(&args.out, "a demo", is_seed)?;
    let folder = args.out.join(format!("seed-{}", args.seed));
    clear(&folder)?;
    let dataset = prepare_dataset(&data, &folder.join("dataset"), args.seed)?;
    let (device, choice) = args.device.open()?;
    let chosen = songs::of_split(&dataset, Split::Test)?;
    let arms = if args.all { arms::all(REMOVED) } else { arms::main(REMOVED) };
    let mut trials: Vec<(Arm, PathBuf, Trial)> = Vec::new();
    for (i, arm) in arms.iter().enumerate() {
        let run = folder.join(arm.slug());
        let config = config(&dataset, &device, choice.clone(), arm, args.seed)?;
        let mut show = Show::new(format!("{} of {}, {}", i + 1, arms.len(), arm.name));
        let trial =
            trial::run(&run, config, &dataset, &device, args.device.threads, &chosen.songs, &mut |event| show.event(&event));
        show.end();
        trials.push((arm.clone(), run, trial?));
    }
    let scored: Vec<_> = trials.iter().map(|(arm, _, t)| (arm.name.to_string(), t.songs, &t.scored)).collect();
    let comparison = compare(&scored, dataset.vocabulary().len(), args.seed)?;
    let mark = json!({"seed": args.seed, "device": device.name(), "seconds": began.elapsed().as_secs_f64(),
        "removed": REMOVED, "steps": STEPS, "comparison": comparison});
    crate::format::atomic::write(&folder.join(MARK), format!("{}\n", json_lines::line(&mark)).as_bytes())?;
    if args.json {
        print::json(&mark)?;
    } else {
        report(&dataset, &comparison, &trials, began)?;
    }
    Ok(Outcome::Done)
}

/// The folder named, else `data/demo` here or above the program.
pub(super) fn find_data(named: Option<&Path>) -> Result<PathBuf> {
    let is_demo = |folder: &Path| folder.join("tags.tsv").is_file() && folder.join("audio").is_dir();
    if let Some(folder) = named {
        return if is_demo(folder) {
            if !folder.join(LICENCES).is_file() {
                print::note(format_args!(
                    "{} is not the demo's own music (it has no {LICENCES}): all of its audio is decoded",
                    folder.display()
                ));
            }
            Ok(folder.into())
        } else {
            Err(Error::input(folder, "is not the demo's data: it has no tags.tsv and audio")
                .help("Name data/demo of tagwalk's source folder by --data."))
        };
    }
    let program = std::env::current_exe().ok();
    let above = program.iter().flat_map(|p| p.ancestors().skip(1)).map(|folder| folder.join("data/demo"));
    std::iter::once(PathBuf::from("data/demo")).chain(above).find(|f| is_demo(f)).ok_or_else(|| {
        Error::usage("--data", "the demo's music was not found")
            .help("Name data/demo of tagwalk's source folder: tagwalk demo --data FOLDER")
    })
}

/// Makes room for this demo: what an earlier one left is replaced, anything else is not touched.
fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        let ours = folder.join(MARK).exists();
        let empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if !ours && !empty {
            return Err(Error::input(folder, "is there already and no demo made it").help("Name another folder by --out."));
        }
        print::note(format_args!("replacing the demo that was in {}", folder.display()));
        std::fs::remove_dir_all(folder).map_err(|e| Error::io(folder, "cannot replace the demo before", e))?;
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "cannot make this folder", e))?;
    // Marks the folder as a demo's from its first moment, so that one that was stopped is replaced too.
    crate::format::atomic::write(&folder.join(MARK), b"{}\n")
}

pub(super) fn prepare_dataset(data: &Path, out: &Path, seed: u64) -> Result<Dataset> {
    let fractions = Fractions([0.6, 0.1, 0.3]);
    let options = prepare::Options {
        out: out.into(),
        audio: vec![data.join("audio")],
        tags: vec![data.join("tags.tsv")],
        playlists: vec![data.join("playlists")],
        group_folder: true,
        split: Some(SplitFrom::Chance { fractions, seed, grouped: false }),
        ..prepare::Options::default()
    };
    let stop: &AtomicBool = interrupt::flag();
    // A demo that was stopped begins anew, unlike a dataset of one's own.
    let progress = Decoding::begin();
    let made = prepare::prepare(&options, stop, &|event| progress.tell(event));
    progress.end();
    made.map_err(|e| if e.kind == Kind::Interrupted { Error::interrupted("stopped by Ctrl-C") } else { e })?;
    let dataset = Dataset::open(out)?;
    let count = |split| dataset.heard(split).count();
    print::note(format_args!(
        "music: {} training, {} validation and {} test songs, {} tags, {} playlists, {} songs without audio that lend",
        count(Split::Train),
        count(Split::Valid),
        count(Split::Test),
        dataset.vocabulary().len(),
        dataset.playlists().len(),
        (0..dataset.songs()).filter(|&s| dataset.samples(s) == 0).count()
    ));
    Ok(dataset)
}

fn config(dataset: &Dataset, device: &Device, choice: Choice, arm: &Arm, seed: u64) -> Result<Config> {
    let network = family::member(family::SMALL, dataset.vocabulary().len())?;
    let settings = Settings::new(BATCH, choice);
    let schedule = Schedule { rule: Rule::Fixed, rate: RATE, momentum: 0.9, epochs: 0, steps: STEPS };
    let train = Options { schedule, propagation: arm.propagation.clone(), clips_per_song: 10, view: dataset.view() };
    Ok(options::config(dataset, device, network, settings, seed, train))
}

fn report(dataset: &Dataset, comparison: &Comparison, trials: &[(Arm, PathBuf, Trial)], began: Instant) -> Result<()> {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("arm", Left),
        ("training songs", Right),
        ("ROC-AUC", Right),
        ("gain", Right),
        ("95 % interval", Left),
        ("", Left),
    ]);
    for (line, (arm, ..)) in comparison.lines.iter().zip(trials) {
        let gain = line.gain.as_ref().and_then(|g| g.roc_auc);
        table.row([
            line.arm.clone(),
            line.training_songs.to_string(),
            figure(line.figures.roc_auc),
            gain.map_or(String::new(), |g| format!("{:+.3}", g.value)),
            gain.map_or(String::new(), |g| format!("{:+.3} to {:+.3}", g.low, g.high)),
            arm.what.to_string(),
        ]);
    }
    print::line(format_args!(
        "\n{} test songs, mean over the {} tags that at least 5 of them have; 0.5 is chance:\n",
        comparison.songs,
        comparison.tags.len()
    ))?;
    print::line(&table)?;
    one_song(dataset, trials)?;
    print::line(
        "What this shows: a network learns tags from raw audio, and where most songs have none, tags borrowed along\n\
         playlists help. What it does not: the split is random, so what is learned is mostly which game the music is from,\n\
         and nearly all playlists stay inside one game. This is the mechanism at work, not the paper's result; one seed moves\n\
         a figure by up to 0.1, so look at the gain and its interval, and at other seeds (--seed 1).\n",
    )?;
    let run = trials.last().map_or_else(PathBuf::new, |(_, run, _)| run.clone());
    let run = trials.iter().find(|(arm, ..)| *arm == arms::walk(REMOVED)).map_or(run, |(_, run, _)| run.clone());
    print::line(format_args!(
        "Done in {}. Next, with your own music:\n\
         \x20 tagwalk tag {} SONG.mp3                         tags of any file, by the network just trained\n\
         \x20 tagwalk prepare --out DATASET --audio MUSIC --tags TAGS.tsv --playlists LISTS --split-fractions 0.7,0.1,0.2\n\
         \x20 tagwalk train DATASET --out RUN                 the real network; --network 3^5-81 is the small one\n\
         \x20 tagwalk evaluate RUN",
        duration(began.elapsed()),
        run.join(files::LAST).display(),
    ))
}

/// A test song's best tags by the walk's network, beside what its makers said.
fn one_song(dataset: &Dataset, trials: &[(Arm, PathBuf, Trial)]) -> Result<()> {
    let Some((arm, _, trial)) = trials.iter().find(|(arm, ..)| *arm == arms::walk(REMOVED)) else { return Ok(()) };
    let tags = dataset.vocabulary().len();
    let truth = |i: usize| &trial.scored.truth[i * tags..(i + 1) * tags];
    // The one with the most tags says most; the first of equals.
    let most = |i: &usize| (truth(*i).iter().filter(|&&y| y == 1).count(), std::cmp::Reverse(*i));
    let Some(i) = (0..trial.scored.songs.len()).max_by_key(most) else { return Ok(()) };
    let scores = &trial.scored.scores[i * tags..(i + 1) * tags];
    let mut order: Vec<usize> = (0..tags).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let said: Vec<&str> = (0..tags).filter(|&t| truth(i)[t] == 1).map(|t| dataset.vocabulary()[t].as_str()).collect();
    let heard: Vec<String> = order[..said.len().max(3).min(tags)]
        .iter()
        .map(|&t| format!("{} {:.2}{}", dataset.vocabulary()[t], scores[t], if truth(i)[t] == 1 { "" } else { "?" }))
        .collect();
    print::line(format_args!(
        "A song that no network here was trained on, {}:\n  its makers' tags:  {}\n  {} hears:  {}   (? is not among them)\n",
        dataset.name(trial.scored.songs[i]),
        said.join(", "),
        arm.name,
        heard.join(", ")
    ))
}

/// How far an arm is; its last step stays.
struct Show {
    title: String,
    progress: Progress,
    last: String,
}

impl Show {
    fn new(title: String) -> Show {
        Show { title, progress: Progress::begin(), last: String::new() }
    }

    fn event(&mut self, event: &Event) {
        let Event::Step { done, clips_per_second, left: time } = event else { return };
        self.last = format!(
            "{}: step {} of {STEPS}, loss {:.3}, {clips_per_second:.0} clips/s{}",
            self.title,
            done.number(),
            done.own + done.propagated,
            left(*time)
        );
        self.progress.passing(false, || self.last.clone());
    }

    fn end(&mut self) {
        if !self.last.is_empty() {
            self.progress.lasting(&self.last);
        }
    }
}
