//! `tagwalk walk`: where walks from a song go and which tags they bring, drawn, beside the exact
//! probabilities.

use std::path::PathBuf;

use serde::Serialize;

use super::{Outcome, print};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::format::table::{Align, Table, visible};
use crate::playlists::{Exact, Lend, Options, Reading, Tags, UntaggedLenders, Walks};
use crate::random::{Purpose, generator};

/// Show where walks from a song go and which tags they bring, beside the exact probabilities
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder
    pub dataset: PathBuf,
    /// The song walks start from: its name, or its file's name without the ending if that is unique
    #[arg(long)]
    pub song: String,
    /// How the walk is read
    #[arg(long, value_enum, default_value_t)]
    pub reading: Reading,
    /// Search range r, 0 to 1: how likely a walk goes on at each song
    #[arg(long, default_value_t = 0.4)]
    pub range: f64,
    /// Walks to draw
    #[arg(long, default_value_t = 100_000)]
    pub walks: u64,
    /// On condition that another song lends
    #[arg(long)]
    pub exclude_self: bool,
    /// Songs that cannot lend (no tags, or not allowed by --lend)
    #[arg(long, value_enum, default_value_t)]
    pub untagged_lenders: UntaggedLenders,
    /// Which songs may lend
    #[arg(long, value_enum, default_value_t)]
    pub lend: Lend,
    /// Seed of the drawn walks
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Songs and tags to show, the likeliest first (--json gives all)
    #[arg(long, default_value_t = 20)]
    pub top: usize,
    /// One JSON object instead of tables; probabilities and shares of walks are 0 to 1
    #[arg(long)]
    pub json: bool,
}

/// A probability beside the share of the drawn walks; `drawn` is `null` where none were drawn.
#[derive(Clone, Copy, Debug, Serialize)]
struct Share {
    exact: f64,
    drawn: Option<f64>,
}

#[derive(Serialize)]
struct Neighbour<'a> {
    song: &'a str,
    #[serde(flatten)]
    share: Share,
}

#[derive(Serialize)]
struct Tag<'a> {
    tag: &'a str,
    #[serde(flatten)]
    share: Share,
}

#[derive(Serialize)]
struct Report<'a> {
    song: &'a str,
    reading: Reading,
    range: f64,
    exclude_self: bool,
    untagged_lenders: UntaggedLenders,
    lend: Lend,
    seed: u64,
    walks: u64,
    playlists: usize,
    nothing: Share,
    neighbours: Vec<Neighbour<'a>>,
    tags: Vec<Tag<'a>>,
}

pub fn run(args: Args) -> Result<Outcome> {
    if args.top == 0 {
        return Err(Error::usage("--top", "must be greater than 0"));
    }
    let dataset = super::dataset(&args.dataset)?;
    let song = dataset.find(&args.song)?;
    let options = Options {
        reading: args.reading,
        range: args.range,
        exclude_self: args.exclude_self,
        untagged_lenders: args.untagged_lenders,
        lend: args.lend,
        ..Options::default()
    };
    if args.walks > 1 << 40 {
        return Err(Error::usage("--walks", format!("{} is more than {}", args.walks, 1u64 << 40)));
    }
    let tags = Tags::of(&dataset);
    let walks = Walks::new(dataset.playlists(), dataset.memberships(), tags.lenders(args.lend), &options)?;
    let report = report(&args, &dataset, song, &tags, &walks);
    if args.json {
        print::json(&report)?;
    } else {
        show(&args, &report, dataset.is_tagged(song))?;
    }
    Ok(Outcome::Done)
}

fn report<'a>(args: &Args, dataset: &'a Dataset, song: usize, tags: &Tags<'_>, walks: &Walks<'_>) -> Report<'a> {
    let Exact { nothing, songs } = walks.exact(song, args.exclude_self);
    let songs: Vec<(u32, f64)> = songs.into_iter().filter(|&(_, p)| p > 0.0).collect();
    // How often each of them lent; the last count is of walks that brought nothing.
    let mut counts = vec![0u64; songs.len() + 1];
    let mut random = generator(args.seed, Purpose::Walk, [0; 3]);
    for _ in 0..args.walks {
        let lender = walks.draw(song, args.exclude_self, &mut random);
        let place = lender.and_then(|l| songs.binary_search_by_key(&l, |s| s.0).ok());
        counts[place.unwrap_or(songs.len())] += 1;
    }
    let drawn = |count: u64| (args.walks > 0).then(|| count as f64 / args.walks as f64);

    let mut by_tag = vec![(0.0, 0u64); dataset.vocabulary().len()];
    for (&(lender, exact), &count) in songs.iter().zip(&counts) {
        if walks.can_lend(lender as usize) {
            for tag in tags.each(lender as usize) {
                by_tag[tag].0 += exact;
                by_tag[tag].1 += count;
            }
        }
    }
    let mut neighbours: Vec<Neighbour> = songs
        .iter()
        .zip(&counts)
        .map(|(&(s, exact), &count)| Neighbour { song: dataset.name(s as usize), share: Share { exact, drawn: drawn(count) } })
        .collect();
    let brought = dataset.vocabulary().iter().zip(by_tag).filter(|(_, (exact, _))| *exact > 0.0);
    let mut tags: Vec<Tag> = brought
        .map(|(tag, (exact, count))| Tag { tag, share: Share { exact: f64::min(exact, 1.0), drawn: drawn(count) } })
        .collect();
    neighbours.sort_by(|a, b| b.share.exact.total_cmp(&a.share.exact));
    tags.sort_by(|a, b| b.share.exact.total_cmp(&a.share.exact));
    Report {
        song: dataset.name(song),
        reading: args.reading,
        range: args.range,
        exclude_self: args.exclude_self,
        untagged_lenders: args.untagged_lenders,
        lend: args.lend,
        seed: args.seed,
        walks: args.walks,
        playlists: walks.playlists_of(song).len(),
        nothing: Share { exact: nothing, drawn: drawn(counts[songs.len()]) },
        neighbours,
        tags,
    }
}

fn show(args: &Args, report: &Report, tagged: bool) -> Result<()> {
    print::note(format!(
        "{} is in {} playlists; {} walks, exact probability beside the share drawn",
        visible(report.song),
        report.playlists,
        report.walks
    ));
    if !tagged && !args.exclude_self {
        print::note("it has no tags: trained with --untagged mask, it walks as with --exclude-self");
    }
    let columns = |first| Table::new(&[(first, Align::Left), ("exact", Align::Right), ("drawn", Align::Right)]);
    let mut songs = columns("who lends");
    let mut tags = columns("tag brought");
    let lenders = report.neighbours.iter().map(|n| (n.song, n.share));
    fill(&mut songs, lenders, args.top);
    row(&mut songs, "(nothing)", report.nothing);
    fill(&mut tags, report.tags.iter().map(|t| (t.tag, t.share)), args.top);
    print::line(songs)?;
    if !report.tags.is_empty() {
        print::line("")?;
        print::line(tags)?;
    }
    Ok(())
}

fn fill<'a>(table: &mut Table, shares: impl ExactSizeIterator<Item = (&'a str, Share)>, top: usize) {
    let hidden = shares.len().saturating_sub(top);
    for (name, share) in shares.take(top) {
        row(table, name, share);
    }
    if hidden > 0 {
        table.row([format!("(and {hidden} more)"), String::new(), String::new()]);
    }
}

fn row(table: &mut Table, name: &str, share: Share) {
    let cell = |p: Option<f64>| p.map_or_else(|| "-".into(), |p| format!("{p:.5}"));
    table.row([name.to_string(), cell(Some(share.exact)), cell(share.drawn)]);
}
