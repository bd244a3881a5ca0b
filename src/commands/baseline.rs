//! `tagwalk baseline`: what can be had without a network, on the same songs and tags: linear models on how songs sound,
//! and their groups' names.

use std::path::PathBuf;

use super::flags::ViewFlags;
use super::{Outcome, print};
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::evaluate::songs::{self, Scored};
use crate::experiment::audio::statistics::WIDTH;
use crate::experiment::audio::{Neighbours, Statistics};
use crate::experiment::comparison::{Comparison, compare};
use crate::experiment::floor::{self, Floor};
use crate::experiment::recovery::Reference;
use crate::experiment::{groups, linear};
use crate::format::table::{Align, Table, figure};
use crate::playlists::{Contexts, Labels, Mode, Options, Tags, Untagged};
use crate::run::interrupt;

/// Score what needs no network: linear models on log-mel statistics, groups' mean tags
///
/// Logistic regression on the mean and deviations of each log-mel band, trained on the tagged songs alone, with untagged
/// songs as zero rows, with tags borrowed along playlists, with tags borrowed from the songs that sound most alike,
/// and with all tags; and, where the dataset has groups (artist, album, game), the mean tags of a song's group, which hears
/// nothing. Test songs are scored against their tags, or against the truth where `tagwalk synth` made the dataset.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder
    pub dataset: PathBuf,
    /// Share of the tagged training songs whose tags are removed before
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub remove: f64,
    /// Decides whose tags are removed
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub view: ViewFlags,
    /// Search range r of the walks, 0 to 1
    #[arg(long, default_value_t = 0.4)]
    pub range: f64,
    /// Songs in the list of those that sound most like a song
    #[arg(long, value_name = "K", default_value_t = 20)]
    pub neighbours: usize,
    /// Inverse of the linear models' shrinkage
    #[arg(long, default_value_t = linear::Options::default().c)]
    pub c: f64,
    /// Let both classes of a tag weigh the same in the linear models
    #[arg(long)]
    pub balanced: bool,
    /// Also write the lists of songs that sound alike, for `tagwalk train --contexts FILE`
    #[arg(long, value_name = "FILE")]
    pub write_neighbours: Option<PathBuf>,
    /// One JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: Args) -> Result<Outcome> {
    if !(args.c > 0.0 && args.c.is_finite()) {
        return Err(Error::usage("--c", format!("{} is not above 0", args.c)));
    }
    if args.neighbours == 0 {
        return Err(Error::usage("--neighbours", "must be at least 1"));
    }
    let dataset = super::dataset(&args.dataset)?.seen(args.view.view(args.seed)?)?;
    let truth = Reference::of(&dataset)?;
    interrupt::listen("stopping")?;
    let mut statistics = Statistics::new(&dataset, &floor::heard(&dataset), &interrupt::check)?;
    floor::standardise(&dataset, &mut statistics);
    let comparison = compared(&args, &dataset, &truth, &statistics)?;
    if args.json {
        print::json(&comparison)?;
        return Ok(Outcome::Done);
    }
    use Align::{Left, Right};
    let columns = ["training songs", "ROC-AUC", "retrieval MAP", "annotation MAP", "gain in AUC"];
    let mut table = Table::new(&[&[("baseline", Left)][..], &columns.map(|c| (c, Right)), &[("95 % interval", Left)]].concat());
    for line in &comparison.lines {
        let gain = line.gain.as_ref().and_then(|g| g.roc_auc);
        table.row([
            line.arm.clone(),
            line.training_songs.to_string(),
            figure(line.figures.roc_auc),
            figure(line.figures.retrieval_map),
            figure(line.figures.annotation_map),
            gain.map_or(String::new(), |g| format!("{:+.3}", g.value)),
            gain.map_or(String::new(), |g| format!("{:+.3} to {:+.3}", g.low, g.high)),
        ]);
    }
    print::line(format!(
        "{} test songs; ROC-AUC and retrieval MAP (macro PR-AUC) over the {} tags that at least 5 of them have\n\n{table}",
        comparison.songs,
        comparison.tags.len()
    ))?;
    Ok(Outcome::Done)
}

fn compared(args: &Args, dataset: &Dataset, truth: &Reference, statistics: &Statistics) -> Result<Comparison> {
    let tags = dataset.vocabulary().len();
    let tested = songs::of_split(dataset, Split::Test)?.songs;
    let how = linear::Options { c: args.c, balanced: args.balanced };
    let none = Options { mode: Mode::None, remove: args.remove, ..Options::default() };
    let lent = Options { mode: Mode::Expected, exclude_self: true, range: args.range, ..none.clone() };
    let zeros = Options { untagged: Untagged::Zeros, ..none.clone() };
    let hidden = Tags::removing(dataset, args.remove, args.seed);
    let lenders = hidden.lenders(lent.lend);
    let among: Vec<usize> = (0..statistics.songs.len()).filter(|&row| lenders.contains(statistics.songs[row])).collect();
    let near = Neighbours::new(statistics, &among, args.neighbours, dataset.songs());
    if let Some(path) = &args.write_neighbours {
        near.write(path, dataset)?;
    }
    let along = Labels::along(dataset, Contexts::borrowed(near.lists(), near.memberships()), &lent, args.seed)?;
    let fit = |options: &Options| Floor::fit(dataset, statistics, options, args.seed, 1.0, &how);
    let all = {
        let (songs, inputs) = floor::rows(statistics, |s| dataset.split(s) == Split::Train && truth.is_tagged(s));
        let models = linear::fit_all(&inputs, WIDTH, &as_labels(&truth.table(&songs, tags)), &vec![1.0; songs.len()], tags, &how);
        Floor { models, songs: songs.len() }
    };
    let floors = [
        ("linear, tagged songs", fit(&none)?),
        ("linear, untagged as zero rows", fit(&zeros)?),
        ("linear, playlists --exclude-self", fit(&lent)?),
        ("linear, songs that sound alike", Floor::of(&along, statistics, 1.0, &how)?),
        ("linear, all true tags", all),
    ];
    let table = truth.table(&tested, tags);
    let scored = |scores: Vec<f32>| Scored { songs: tested.clone(), scores, truth: table.clone() };
    let mut lines: Vec<(String, usize, Scored)> =
        floors.iter().map(|(name, floor)| (name.to_string(), floor.songs, scored(floor.score(statistics, &tested)))).collect();
    if dataset.manifest().groups > 0 {
        let labels = Labels::new(dataset, &none, args.seed)?;
        let tagged = (0..dataset.songs()).filter(|&song| labels.trains(song)).count();
        lines.push(("group's mean tags".into(), tagged, scored(groups::mean_tags(dataset, &hidden, &tested))));
    }
    let lines: Vec<_> = lines.iter().map(|(name, songs, scored)| (name.clone(), *songs, scored)).collect();
    compare(&lines, tags, args.seed)
}

fn as_labels(truth: &[u8]) -> Vec<f32> {
    truth.iter().map(|&y| f32::from(y)).collect()
}
