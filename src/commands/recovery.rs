//! `tagwalk recovery`: which missing tags propagation would bring back, and which wrong ones it would add.

use std::path::PathBuf;

use serde::Serialize;

use super::flags::PropagationFlags;
use super::{Outcome, print};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::experiment::recovery::{Pairs, Recovery, Reference, recovery};
use crate::format::table::{Align, Table};
use crate::playlists::{Mode, Options, RandomLenders, Reading};

/// Count the missing tags that propagation would recover and the wrong ones it would add, by search range
///
/// Exact, from the walk's probabilities; nothing is trained. What is true is known of the worlds that `tagwalk synth`
/// makes; of any other dataset its own tags count as true, and --remove takes some away. A draw is one neighbour's
/// tags for every training song, as a training step lends them.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder
    pub dataset: PathBuf,
    /// Search ranges r, 0 to 1, in place of --range
    #[arg(long, value_name = "R,R,...", value_delimiter = ',', default_value = "0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1")]
    pub ranges: Vec<f64>,
    #[command(flatten)]
    pub propagation: PropagationFlags,
    /// Decides whose tags are removed
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Also a line for each tag, at the last of the ranges
    #[arg(long)]
    pub by_tag: bool,
    /// One JSON object a range instead of tables
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct OfTag<'a> {
    tag: &'a str,
    #[serde(flatten)]
    pairs: Pairs,
}

#[derive(Serialize)]
struct Line<'a> {
    range: f64,
    reading: Reading,
    exclude_self: bool,
    songs: usize,
    untagged: usize,
    lent: f64,
    #[serde(flatten)]
    pairs: Pairs,
    recovered_share: Option<f64>,
    reachable_share: Option<f64>,
    wrong_share: Option<f64>,
    precision: Option<f64>,
    precision_at_random: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<OfTag<'a>>>,
}

pub fn run(args: Args) -> Result<Outcome> {
    let dataset = super::dataset(&args.dataset)?;
    let truth = Reference::of(&dataset)?;
    if matches!(truth, Reference::Own(_)) {
        if args.propagation.remove <= 0.0 {
            return Err(Error::usage("--remove", "0 leaves no tag missing: it is not known what else is true of this dataset")
                .help("Say --remove 0.8, or take a dataset that `tagwalk synth` made."));
        }
        print::note("the dataset's own tags count as all that is true");
    }
    let lent = args.propagation.options(&dataset)?;
    if lent.mode == Mode::None {
        return Err(Error::usage("--mode", "none lends nothing").help("Take another one."));
    }
    if lent.random_lenders != RandomLenders::None {
        return Err(
            Error::usage("--random-lenders", "is what the column `at random` has, beside the walk's own").help("Leave it out.")
        );
    }
    let each = args.ranges.iter().map(|&range| {
        let options = Options { range, ..lent.clone() };
        recovery(&dataset, &truth, &options, args.seed)
    });
    let all: Vec<Recovery> = each.collect::<Result<_>>()?;
    if args.json {
        for found in &all {
            print::json(&line(&args, &dataset, found))?;
        }
    } else {
        people(&args, &dataset, &all)?;
    }
    Ok(Outcome::Done)
}

fn line<'a>(args: &Args, dataset: &'a Dataset, found: &Recovery) -> Line<'a> {
    let tags = dataset.vocabulary().iter().zip(&found.by_tag).map(|(tag, pairs)| OfTag { tag, pairs: *pairs });
    Line {
        range: found.range,
        reading: args.propagation.reading,
        exclude_self: args.propagation.exclude_self,
        songs: found.songs,
        untagged: found.untagged,
        lent: found.lent,
        pairs: found.pairs,
        recovered_share: found.pairs.recovered_share(),
        reachable_share: found.pairs.reachable_share(),
        wrong_share: found.pairs.wrong_share(),
        precision: found.pairs.precision(),
        precision_at_random: found.pairs.precision_at_random(),
        tags: args.by_tag.then(|| tags.collect()),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.2} %", 100.0 * share))
}

fn people(args: &Args, dataset: &Dataset, all: &[Recovery]) -> Result<()> {
    use Align::{Left, Right};
    let Some(last) = all.last() else { return Ok(()) };
    print::line(format!(
        "{} training songs, {} without tags; {} true tags are missing, {:.2} a song\n",
        last.songs,
        last.untagged,
        last.pairs.missing,
        last.pairs.missing as f64 / last.songs as f64
    ))?;
    let columns = ["r", "something lent", "recovered", "reachable", "wrong added", "wrong a song", "new tags true", "at random"];
    let mut table = Table::new(&columns.map(|name| (name, Right)));
    for found in all {
        let pairs = &found.pairs;
        table.row([
            format!("{}", found.range),
            percent(Some(found.lent)),
            percent(pairs.recovered_share()),
            percent(pairs.reachable_share()),
            percent(pairs.wrong_share()),
            format!("{:.3}", pairs.wrong / found.songs as f64),
            percent(pairs.precision()),
            percent(pairs.precision_at_random()),
        ]);
    }
    print::line(table)?;
    print::line(
        "\nrecovered: of the missing true tags, those that a draw brings; reachable: those that any walk can bring; wrong\n\
         added: of all pairs of a song and a tag that is not true of it, those that a draw brings; new tags true: of the\n\
         tags that a draw adds to those known, the true ones, beside what lenders drawn at random would give",
    )?;
    if args.by_tag {
        let mut table = Table::new(&[
            ("tag", Left),
            ("missing", Right),
            ("recovered", Right),
            ("new tags true", Right),
            ("at random", Right),
        ]);
        for (tag, pairs) in dataset.vocabulary().iter().zip(&last.by_tag) {
            let shares = [pairs.recovered_share(), pairs.precision(), pairs.precision_at_random()].map(percent);
            table.row([tag.clone(), pairs.missing.to_string()].into_iter().chain(shares));
        }
        print::line(format!("\nby tag, r = {}\n\n{table}", last.range))?;
    }
    Ok(())
}
