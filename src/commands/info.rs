//! `tagwalk info`: what is in a dataset. Songs, tags and the long tail, playlists, and how alike
//! songs are by their distance in a playlist (Fig. 2 of the paper).

use std::path::PathBuf;

use serde::Serialize;

use super::{Outcome, print};
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::format::table::{Align, Table};
use crate::playlists::similarity;

/// Say what is in a dataset: counts, tags, playlists, similarity by distance
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder
    pub dataset: PathBuf,
    /// Tags to show, the most frequent first; --json has all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub tags: usize,
    /// The furthest distance in a playlist to compare songs at
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub furthest: usize,
    /// Also count pairs of a song with itself (a playlist may hold a song twice)
    #[arg(long)]
    pub same_song: bool,
    /// A line a song instead: its name, its side, how many tags it has, and whether it has audio
    #[arg(long, conflicts_with = "json")]
    pub songs: bool,
    /// One JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Songs of some kind.
#[derive(Clone, Copy, Default, Serialize)]
struct Songs {
    all: usize,
    with_audio: usize,
    with_tags: usize,
    /// Tags and no audio.
    lend_only: usize,
    in_a_playlist: usize,
}

#[derive(Serialize)]
struct Tag<'a> {
    tag: &'a str,
    songs: usize,
    /// Of the songs with tags.
    share: f64,
}

#[derive(Default, Serialize)]
struct Lengths {
    playlists: usize,
    shortest: usize,
    median: usize,
    mean: f64,
    longest: usize,
    /// Playlists by length: up to 2, 4, 8, 16, ... songs.
    up_to: Vec<(usize, usize)>,
}

#[derive(Serialize)]
struct Pairs {
    distance: usize,
    pairs: u64,
    cosine: f64,
}

#[derive(Serialize)]
struct Info<'a> {
    fingerprint: String,
    sample_rate: u32,
    seconds: f64,
    songs: Songs,
    train: Songs,
    valid: Songs,
    test: Songs,
    groups: usize,
    tags: Vec<Tag<'a>>,
    /// Mean tags of a song that has any.
    tags_per_song: f64,
    /// Share of the tags that fewer than 5 % of the songs with tags have (Fig. 1).
    long_tail: f64,
    playlist_lengths: Lengths,
    similarity: Vec<Pairs>,
}

pub fn run(args: Args) -> Result<Outcome> {
    let dataset = super::dataset(&args.dataset)?;
    if args.songs {
        for song in 0..dataset.songs() {
            let audio = if dataset.samples(song) > 0 { "audio" } else { "no audio" };
            let side = match dataset.split(song) {
                Split::None => "none",
                Split::Train => "train",
                Split::Valid => "valid",
                Split::Test => "test",
            };
            let tags: u32 = dataset.tag_bits(song).iter().map(|bits| bits.count_ones()).sum();
            let name = dataset.name(song);
            print::line(format_args!("{name}\t{side}\t{tags}\t{audio}"))?;
        }
        return Ok(Outcome::Done);
    }
    let info = gather(&dataset, &args);
    match args.json {
        true => print::json(&info)?,
        false => people(&info, &args)?,
    }
    Ok(Outcome::Done)
}

fn gather<'a>(dataset: &'a Dataset, args: &Args) -> Info<'a> {
    let mut sides = [Songs::default(); 4];
    let mut all = Songs::default();
    let mut samples = 0;
    let counts = dataset.tag_counts();
    for song in 0..dataset.songs() {
        let (audio, tagged) = (dataset.samples(song) > 0, dataset.is_tagged(song));
        samples += dataset.samples(song);
        for songs in [&mut all, &mut sides[dataset.split(song) as usize]] {
            songs.all += 1;
            songs.with_audio += usize::from(audio);
            songs.with_tags += usize::from(tagged);
            songs.lend_only += usize::from(tagged && !audio);
            songs.in_a_playlist += usize::from(!dataset.memberships().row(song).is_empty());
        }
    }
    let share = |songs: usize| songs as f64 / all.with_tags.max(1) as f64;
    let mut tags: Vec<Tag> =
        dataset.vocabulary().iter().zip(&counts).map(|(tag, &songs)| Tag { tag, songs, share: share(songs) }).collect();
    tags.sort_by(|a, b| b.songs.cmp(&a.songs).then_with(|| a.tag.cmp(b.tag)));
    let rare = tags.iter().filter(|tag| tag.share < 0.05).count();
    let pairs = similarity(dataset.playlists(), |s| dataset.tag_bits(s as usize), args.furthest, args.same_song);
    Info {
        fingerprint: dataset.fingerprint(),
        sample_rate: dataset.sample_rate(),
        seconds: samples as f64 / f64::from(dataset.sample_rate()),
        songs: all,
        train: sides[Split::Train as usize],
        valid: sides[Split::Valid as usize],
        test: sides[Split::Test as usize],
        groups: dataset.manifest().groups,
        tags_per_song: share(counts.iter().sum()),
        long_tail: rare as f64 / tags.len().max(1) as f64,
        tags,
        playlist_lengths: lengths(dataset),
        similarity: pairs.iter().map(|p| Pairs { distance: p.distance, pairs: p.pairs, cosine: p.mean }).collect(),
    }
}

fn lengths(dataset: &Dataset) -> Lengths {
    let playlists = dataset.playlists();
    let mut all: Vec<usize> = (0..playlists.len()).map(|p| playlists.row(p).len()).collect();
    all.sort_unstable();
    let Some((&shortest, &longest)) = all.first().zip(all.last()) else {
        return Lengths::default();
    };
    let ends = std::iter::successors(Some(2usize), |end| (*end < longest).then(|| end.saturating_mul(2)));
    let mut below = 0;
    let up_to = ends.map(|end| {
        let upto = all.partition_point(|&n| n <= end);
        (end, upto - std::mem::replace(&mut below, upto))
    });
    Lengths {
        playlists: all.len(),
        shortest,
        median: all[all.len() / 2],
        mean: all.iter().sum::<usize>() as f64 / all.len() as f64,
        longest,
        up_to: up_to.collect(),
    }
}

fn people(info: &Info, args: &Args) -> Result<()> {
    use Align::{Left, Right};
    let hours = info.seconds / 3600.0;
    print::line(format!("{}: {hours:.2} hours at {} Hz, {} groups", args.dataset.display(), info.sample_rate, info.groups))?;
    print::line(format!("fingerprint {}\n", info.fingerprint))?;
    let columns = ["songs", "all", "with audio", "with tags", "lend only", "in a playlist"];
    let mut table = Table::new(&columns.map(|name| (name, if name == "songs" { Left } else { Right })));
    for (name, s) in [("all", info.songs), ("train", info.train), ("valid", info.valid), ("test", info.test)] {
        let counts = [s.all, s.with_audio, s.with_tags, s.lend_only, s.in_a_playlist].map(|n| n.to_string());
        table.row([name.to_string()].into_iter().chain(counts));
    }
    print::line(format!("{table}\n"))?;

    let mut table = Table::new(&[("tag", Left), ("songs", Right), ("share", Right)]);
    for tag in info.tags.iter().take(args.tags) {
        table.row([tag.tag.to_string(), tag.songs.to_string(), format!("{:.1} %", 100.0 * tag.share)]);
    }
    print::line(table)?;
    if info.tags.len() > args.tags {
        print::line(format!("... and {} more (--tags N)", info.tags.len() - args.tags))?;
    }
    print::line(format!(
        "{} tags, {:.1} a song with tags; {:.0} % of them on fewer than 5 % of these songs (the long tail)\n",
        info.tags.len(),
        info.tags_per_song,
        100.0 * info.long_tail
    ))?;

    let lengths = &info.playlist_lengths;
    print::line(format!(
        "{} playlists of {} to {} songs, median {}, mean {:.1}",
        lengths.playlists, lengths.shortest, lengths.longest, lengths.median, lengths.mean
    ))?;
    let mut table = Table::new(&[("songs up to", Right), ("playlists", Right)]);
    for &(end, count) in &lengths.up_to {
        table.row([end, count]);
    }
    if !lengths.up_to.is_empty() {
        print::line(table)?;
    }
    if !info.similarity.is_empty() {
        print::line("\ncosine of tags by distance in a playlist (Fig. 2)")?;
        let mut table = Table::new(&[("distance", Right), ("cosine", Right), ("pairs", Right)]);
        for p in &info.similarity {
            table.row([p.distance.to_string(), format!("{:.3}", p.cosine), p.pairs.to_string()]);
        }
        print::line(table)?;
    }
    Ok(())
}
