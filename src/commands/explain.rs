//! `tagwalk explain`: which playlists and songs give a tag to a song, exactly.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Parser;
use serde::Serialize;

use super::flags::PropagationFlags;
use super::{Outcome, print};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::format::table::{Align, Table, visible};
use crate::playlists::explain::{Explanation, explain};
use crate::playlists::options::Origin;
use crate::playlists::{Contexts, Labels, Mode, Options};
use crate::run::files;
use crate::train::options::Config;

/// Show which playlists and songs give a tag to a song, and how likely
///
/// By a run's own options and seed, or by the flags of `train`. Probabilities are exact: of one training step with
/// --mode walk; with expected and hops, parts of the soft label's sum.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A run's folder, or a dataset's
    pub folder: PathBuf,
    /// The song that borrows: its name, or its file's name without the ending if that is unique
    #[arg(long)]
    pub song: String,
    /// The tag, by its name
    #[arg(long)]
    pub tag: String,
    /// Decides which tags are removed and how playlists are shuffled (a run has its own)
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Lenders, playlists and ways to show, the likeliest first (--json gives all)
    #[arg(long, default_value_t = 10)]
    pub top: usize,
    /// One JSON object instead of tables
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub propagation: PropagationFlags,
}

#[derive(Serialize)]
struct Report<'a> {
    song: &'a str,
    tag: &'a str,
    /// Whether the song has the tag itself; `null` where its tags were removed.
    own: Option<bool>,
    /// Whether the song is trained on; without audio nothing is.
    trained: bool,
    has_audio: bool,
    /// Whether the song is in any list that walks go along.
    listed: bool,
    seed: u64,
    mode: Mode,
    /// The tag's search range.
    range: f64,
    exclude_self: bool,
    tag_weight: f32,
    lent: f64,
    chance: f64,
    label: Option<f64>,
    lenders: Vec<Lender<'a>>,
    playlists: Vec<List<'a>>,
    ways: Vec<Way<'a>>,
    options: &'a Options,
}

#[derive(Serialize)]
struct Lender<'a> {
    song: &'a str,
    chance: f64,
}

/// A list by its source and its number there, from 0, and a group by its name too; all are `null` for the song's own
/// tags. A dataset keeps no names of playlists.
#[derive(Clone, Serialize)]
struct Named {
    source: Option<String>,
    playlist: Option<u32>,
    group: Option<String>,
}

#[derive(Serialize)]
struct List<'a> {
    #[serde(flatten)]
    name: Named,
    /// By which a person may know a playlist.
    first_song: Option<&'a str>,
    songs: usize,
    chance: f64,
}

#[derive(Serialize)]
struct Way<'a> {
    song: &'a str,
    #[serde(flatten)]
    name: Named,
    distance: Option<isize>,
    chance: f64,
    weight: f64,
}

pub fn run(args: Args) -> Result<Outcome> {
    if args.top == 0 {
        return Err(Error::usage("--top", "must be greater than 0"));
    }
    let (dataset, options, seed) = if args.folder.join(files::CONFIG).exists() { of_run(&args)? } else { of_flags(&args)? };
    let song = dataset.find(&args.song)?;
    let Some(tag) = dataset.vocabulary().iter().position(|tag| *tag == args.tag) else {
        let like: Vec<&str> =
            dataset.vocabulary().iter().filter(|tag| tag.eq_ignore_ascii_case(&args.tag)).map(String::as_str).collect();
        let help = if like.is_empty() { "`tagwalk info` lists the tags.".into() } else { format!("There is {:?}.", like[0]) };
        return Err(Error::input(dataset.folder(), format!("no tag {:?}", args.tag)).help(help));
    };
    if options.mode == Mode::None {
        return Err(Error::usage("--mode", "none borrows no tags: there is nothing to explain"));
    }
    let labels = Labels::new(&dataset, &options, seed)?;
    let has_audio = dataset.samples(song) > 0;
    // Without audio no step is taken with the song.
    let never = Explanation { lent: 0.0, chance: 0.0, gifts: Vec::new() };
    let explanation = if has_audio { explain(&labels, song, tag) } else { never };
    let report = report(&dataset, &labels, &options, seed, song, tag, &explanation);
    if args.json {
        print::json(&report)?
    } else {
        show(&report, args.top)?
    }
    Ok(Outcome::Done)
}

fn of_run(args: &Args) -> Result<(Dataset, Options, u64)> {
    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        propagation: PropagationFlags,
    }
    let defaults = Alone::parse_from(["explain"]).propagation;
    if format!("{:?}", args.propagation) != format!("{defaults:?}") || args.seed != 0 {
        return Err(
            Error::usage("flags", "say how tags are lent, and so does the run").help("Name its dataset to try other flags.")
        );
    }
    let config = Config::read(&args.folder)?;
    let dataset = Dataset::open(&config.dataset)?;
    if dataset.fingerprint() != config.fingerprint {
        return Err(Error::input(&config.dataset, "is not the dataset that this run began with: its manifest has changed"));
    }
    Ok((dataset, config.train.propagation, config.seed))
}

fn of_flags(args: &Args) -> Result<(Dataset, Options, u64)> {
    let dataset = super::dataset(&args.folder)?;
    let options = args.propagation.options(&dataset)?;
    Ok((dataset, options, args.seed))
}

fn report<'a>(
    dataset: &'a Dataset,
    labels: &Labels<'_>,
    options: &'a Options,
    seed: u64,
    song: usize,
    tag: usize,
    explanation: &Explanation,
) -> Report<'a> {
    let walks = &labels.ranges()[labels.range_of(tag)];
    let contexts = walks.contexts();
    let (mut by_lender, mut by_list) = (BTreeMap::new(), BTreeMap::new());
    for gift in &explanation.gifts {
        *by_lender.entry(gift.lender).or_insert(0.0) += gift.probability;
        *by_list.entry(gift.list).or_insert(0.0) += gift.probability;
    }
    let name = |song: u32| dataset.name(song as usize);
    let mut lenders: Vec<Lender> = by_lender.into_iter().map(|(s, chance)| Lender { song: name(s), chance }).collect();
    lenders.sort_by(|a, b| b.chance.total_cmp(&a.chance));
    let songs = |list: Option<u32>| list.map_or(0, |list| contexts.lists().row(list as usize).len());
    let named = |list: Option<u32>| {
        list.map_or(Named { source: None, playlist: None, group: None }, |l| named(dataset, contexts, options, l))
    };
    let first_song = |list: u32| contexts.lists().row(list as usize).first().map(|&song| name(song));
    let list = |(list, chance): (Option<u32>, f64)| List {
        name: named(list),
        first_song: list.and_then(first_song),
        songs: songs(list),
        chance,
    };
    let mut playlists: Vec<List> = by_list.into_iter().map(list).collect();
    playlists.sort_by(|a, b| b.chance.total_cmp(&a.chance));
    let ways = explanation.gifts.iter().map(|gift| Way {
        song: name(gift.lender),
        name: named(gift.list),
        distance: gift.distance,
        chance: gift.probability,
        weight: gift.weight,
    });
    Report {
        song: dataset.name(song),
        tag: &dataset.vocabulary()[tag],
        own: labels.tags().bits(song).map(|_| dataset.has_tag(song, tag)),
        trained: labels.trains(song) && dataset.samples(song) > 0,
        has_audio: dataset.samples(song) > 0,
        listed: !walks.playlists_of(song).is_empty(),
        seed,
        mode: options.mode,
        range: walks.range(),
        exclude_self: labels.excludes_self(song),
        tag_weight: labels.tag_weights().get(tag).copied().unwrap_or(1.0),
        lent: explanation.lent,
        chance: explanation.chance,
        label: explanation.label(),
        lenders,
        playlists,
        ways: ways.collect(),
        options,
    }
}

fn named(dataset: &Dataset, contexts: &Contexts<'_>, options: &Options, list: u32) -> Named {
    let source = contexts.source_of(list);
    // Sources are those of the options, in their order.
    let kind = contexts.sources().partition_point(|source| source.first <= list) - 1;
    let is_group = options.contexts.get(kind).is_some_and(|context| context.from == Origin::Group);
    let group = |song: &u32| dataset.group(*song as usize).map(|group| dataset.group_name(group).to_string());
    let group = contexts.lists().row(list as usize).first().filter(|_| is_group).and_then(group);
    Named { source: Some(source.name.clone()), playlist: Some(list - source.first), group }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.source, self.playlist) {
            (Some(source), Some(playlist)) if self.group.is_none() => write!(f, "{source} {playlist}"),
            (Some(source), _) => write!(f, "{source} {}", self.group.as_deref().unwrap_or_default()),
            (None, _) => f.write_str("(itself)"),
        }
    }
}

fn show(report: &Report, top: usize) -> Result<()> {
    let own = match report.own {
        None => "its own tags were removed",
        Some(true) => "it has the tag itself",
        Some(false) => "it does not have the tag itself",
    };
    let trained = match report {
        Report { has_audio: false, .. } => "; not trained on: it has no audio",
        Report { trained: false, .. } => "; it is not trained on",
        _ => "",
    };
    let listed = match report.options.contexts.is_empty() {
        _ if report.listed => "",
        true => "; it is in no playlist: nothing is lent to it",
        false => "; it is in no list of --contexts: nothing is lent to it",
    };
    print::note(format!("{}, {:?}: {own}{trained}{listed}", visible(report.song), report.tag));
    if !report.has_audio {
        return Ok(());
    }
    let label = report.label.map_or_else(|| "-".into(), |label| format!("{label:.5}"));
    print::line(match report.mode {
        Mode::Walk | Mode::WalkWeighted => {
            format!("chance in a step {:.5}, that anything is lent {:.5}; label in the mean {label}", report.chance, report.lent)
        }
        _ => format!("soft label {label}, of weight {:.5}", report.lent),
    })?;
    use Align::{Left, Right};
    let mut lenders = Table::new(&[("who lends", Left), ("chance", Right)]);
    for one in report.lenders.iter().take(top) {
        lenders.row([one.song.to_string(), format!("{:.5}", one.chance)]);
    }
    let mut lists = Table::new(&[("along", Left), ("its first song", Left), ("songs", Right), ("chance", Right)]);
    for one in report.playlists.iter().take(top) {
        let first_song = one.first_song.unwrap_or("-").to_string();
        lists.row([one.name.to_string(), first_song, one.songs.to_string(), format!("{:.5}", one.chance)]);
    }
    let mut ways = Table::new(&[("who lends", Left), ("along", Left), ("distance", Right), ("chance", Right), ("weight", Right)]);
    for one in report.ways.iter().take(top) {
        let distance = one.distance.map_or_else(|| "-".into(), |d| d.to_string());
        let [chance, weight] = [one.chance, one.weight].map(|v| format!("{v:.5}"));
        ways.row([one.song.to_string(), one.name.to_string(), distance, chance, weight]);
    }
    for (table, rows) in [(lenders, report.lenders.len()), (lists, report.playlists.len()), (ways, report.ways.len())] {
        if rows > 0 {
            print::line(format!("\n{table}"))?;
        }
        if rows > top {
            print::line(format!("(and {} more)", rows - top))?;
        }
    }
    Ok(())
}
