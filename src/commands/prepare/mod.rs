//! `tagwalk prepare`: from folders of audio, tags and playlists to a dataset, or to a part of one; and from
//! parts to the dataset.

pub mod show;

use std::path::PathBuf;

use super::{Outcome, print};
use crate::dataset::sides::BY_GROUPS;
use crate::error::{Error, Result};
use crate::format::table::visible;
use crate::import::audio;
use crate::import::playlists::Reading;
use crate::import::prepare::{self, Made, MadePart, Msd, Options, Others, Part, PartReport, Report, Skipped, SplitFrom};
use crate::import::splits::{Fractions, Numbers};
use crate::run::interrupt;
use show::{Progress, advise, next, part_for_people, people};

/// The value of --split that stands for MagnaTagATune's folders.
const MAGNATAGATUNE: &str = "magnatagatune";

/// Make a dataset folder from audio, tags and playlists
///
/// A name in a table or playlist finds its song by its path under --audio, else by its file name
/// without extension where that is one song's only; where its folders differ from the song's, that is
/// counted and listed (matched-by-name.tsv). Songs with tags but no audio stay: they lend their tags.
/// Stopped and run again, it goes on where it was; until it ends it needs room for the decoded audio
/// twice. not-found.tsv and skipped.tsv in the dataset's folder say what was left out.
/// docs/datasets.md says which file of a known data set goes to which flag.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder, made if need be
    #[arg(long, value_name = "DATASET")]
    pub out: PathBuf,
    /// Folders of audio; nothing outside them is opened
    #[arg(long, value_name = "FOLDER", required_unless_present = "join", num_args = 1..)]
    pub audio: Vec<PathBuf>,
    /// Tags: tables (rows `song<TAB>tag`, a column a tag with cells 0 and 1, or MTG-Jamendo's TSV),
    /// lastfm_tags.db, folders of Last.fm's JSON files
    #[arg(long, value_name = "FILE|FOLDER", required_unless_present = "join", num_args = 1..)]
    pub tags: Vec<PathBuf>,
    /// Of Last.fm's tags, keep those of a weight (0 to 100) above this [default: all]
    #[arg(long, value_name = "WEIGHT")]
    pub weight_above: Option<f64>,
    /// Playlists: .m3u, .m3u8, .pls, .xspf, Art-of-the-Mix .json, Spotify's mpd.slice .json, folders of them
    #[arg(long, value_name = "FILE|FOLDER", num_args = 1..)]
    pub playlists: Vec<PathBuf>,
    /// What becomes of a playlist's place whose song is not in the dataset
    #[arg(long, value_name = "READING", value_enum, default_value_t)]
    pub playlist_reading: Reading,
    /// A table of songs with a header: columns for --group-column and --id-column, and `artist` and
    /// `title`, by which playlists are matched that have neither paths nor ids of these songs
    #[arg(long, value_name = "FILE")]
    pub songs: Option<PathBuf>,
    /// Column of --songs with the ids that playlists, tags or splits use
    #[arg(long, value_name = "NAME", requires = "songs")]
    pub id_column: Option<String>,
    /// Column of --songs with each song's group (artist, album, game); `artist` of --msd-tracks
    #[arg(long, value_name = "NAME")]
    pub group_column: Option<String>,
    /// A song's first folder is its group
    #[arg(long, conflicts_with = "group_column")]
    pub group_folder: bool,
    /// Million Song Dataset: unique_tracks.txt. Songs are called by their track ids; playlists may
    /// use song ids (the first track of a song is meant)
    #[arg(long, value_name = "FILE")]
    pub msd_tracks: Option<PathBuf>,
    /// Million Song Dataset: sid_mismatches.txt; what it lists is trusted neither in playlists nor in tags
    #[arg(long, value_name = "FILE", requires = "msd_tracks")]
    pub msd_mismatches: Option<PathBuf>,
    /// Which clip is which track's: MSD_id_to_7D_id.pkl, *_x_msd_id.txt with *_x_7d_id.txt beside it, or a
    /// table of tracks and 7digital ids or paths. Clips named by their tracks need none
    #[arg(long, value_name = "FILE", requires = "msd_tracks", num_args = 1..)]
    pub msd_clips: Vec<PathBuf>,
    /// Which side a song is on: a table `song<TAB>train|valid|test`, published lists with the side in
    /// their names, or the word `magnatagatune` for that set's split by folder
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["split_fractions", "group_split"])]
    pub split: Vec<PathBuf>,
    /// Train on the songs with audio and tags that are in playlists; others validate and test: so many,
    /// drawn from --seed (the paper: 10054,6354), or, without numbers, those that --split lists
    #[arg(long, value_name = "VALID,TEST", num_args = 0..=1, conflicts_with_all = ["split_fractions", "group_split"])]
    pub paper_split: Option<Option<Numbers>>,
    /// Shares of train, valid and test, drawn from --seed [default without --split: 0.7,0.1,0.2]
    #[arg(long, value_name = "A,B,C")]
    pub split_fractions: Option<Fractions>,
    /// Seed of the split
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Draw whole groups: none is on two sides
    #[arg(long)]
    pub group_split: bool,
    /// Keep the N most frequent tags, over all songs, those without audio too [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub top: Option<u64>,
    /// Samples a second
    #[arg(long, value_name = "HZ", default_value_t = 22_050)]
    pub rate: u32,
    /// Keep only SECONDS from START on, in seconds [default: whole songs]
    #[arg(long, value_name = "START:SECONDS", value_parser = excerpt)]
    pub excerpt: Option<(f64, f64)>,
    /// Decode share I of N only, into --out: a part of the dataset. Each machine makes one with the same
    /// flags and files; --join puts them together
    #[arg(long, value_name = "I/N", conflicts_with = "dry_run")]
    pub part: Option<Part>,
    /// Make the dataset of which these are all the parts; it needs nothing but them
    #[arg(long, value_name = "PART", num_args = 1.., conflicts_with_all = JOINED)]
    pub join: Vec<PathBuf>,
    /// Also write the list of skipped files here
    #[arg(long, value_name = "FILE")]
    pub errors: Option<PathBuf>,
    /// Threads that decode [default: one a core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub threads: usize,
    /// Make it again where a dataset of other options is
    #[arg(long)]
    pub force: bool,
    /// Say what would be made, and make nothing
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// What the parts say already.
const JOINED: [&str; 22] = [
    "audio",
    "tags",
    "weight_above",
    "playlists",
    "playlist_reading",
    "songs",
    "id_column",
    "group_column",
    "group_folder",
    "msd_tracks",
    "msd_mismatches",
    "msd_clips",
    "split",
    "paper_split",
    "split_fractions",
    "seed",
    "group_split",
    "top",
    "rate",
    "excerpt",
    "part",
    "dry_run",
];

fn excerpt(text: &str) -> std::result::Result<(f64, f64), String> {
    let parts = text.split_once(':').and_then(|(start, length)| Some((start.parse().ok()?, length.parse().ok()?)));
    let fits = |&(start, length): &(f64, f64)| start >= 0.0 && length > 0.0 && start.is_finite() && length.is_finite();
    parts.filter(fits).ok_or_else(|| "give start and length in seconds, as 30:29.1".into())
}

/// What was made, or would be.
enum Work {
    Dataset(Report),
    Part(PartReport),
    Already,
}

pub fn run(args: Args) -> Result<Outcome> {
    check(&args)?;
    let (errors, json, dry_run, threads) = (args.errors.clone(), args.json, args.dry_run, args.threads);
    let (part, join) = (args.part, args.join.clone());
    let options = options(args);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Error::usage("--threads", format!("cannot start threads: {e}")))?;
    let flag = |e: Error| match e.place.as_deref() {
        Some(BY_GROUPS) => e.place("--group-split"),
        _ => e,
    };
    let work = if dry_run {
        Work::Dataset(prepare::plan(&options).map_err(flag)?)
    } else {
        interrupt::listen("finishing the songs at hand")?;
        let progress = Progress::begin();
        let tell = |event| progress.tell(event);
        let whole = |made| match made {
            Made::New(report) => Work::Dataset(*report),
            Made::Already => Work::Already,
        };
        let made = pool.install(|| match part {
            Some(part) => prepare::prepare_part(&options, part, interrupt::flag(), &tell).map(|made| match made {
                MadePart::New(report) => Work::Part(report),
                MadePart::Already => Work::Already,
            }),
            None if join.is_empty() => prepare::prepare(&options, interrupt::flag(), &tell).map(whole),
            None => prepare::join(&join, &options.out, options.force, interrupt::flag(), &tell).map(whole),
        });
        progress.end();
        made.map_err(flag)?
    };
    let skipped = match &work {
        Work::Dataset(report) => &report.skipped[..],
        Work::Part(report) => &report.skipped,
        Work::Already => {
            let what = if part.is_some() { "this part" } else { "this dataset" };
            let info = if part.is_some() { "" } else { "; `tagwalk info` says what is in it" };
            print::note(format!("{} holds {what} already{info}", options.out.display()));
            if json {
                print::json(&serde_json::json!({"dataset": options.out, "already_made": true}))?;
            }
            return Ok(Outcome::Done);
        }
    };
    if let Some(path) = errors {
        prepare::write_skipped(&path, skipped)?;
    }
    for Skipped { file, why } in skipped {
        print::note(visible(&format!("skipped {file}: {why}")));
    }
    let failed = !skipped.is_empty();
    match (&work, json) {
        (Work::Dataset(report), true) => print::json(report)?,
        (Work::Part(report), true) => print::json(report)?,
        (Work::Dataset(report), false) => people(report, &options, dry_run)?,
        (Work::Part(report), false) => part_for_people(report, &options)?,
        (Work::Already, _) => {}
    }
    if let Work::Dataset(report) = &work {
        advise(report, &options);
        if !json && !dry_run {
            next(report, &options);
        }
    }
    Ok(if failed { Outcome::SomeFailed } else { Outcome::Done })
}

/// What clap cannot say of flags that go together.
fn check(args: &Args) -> Result<()> {
    if args.group_split && args.group_column.is_none() && !args.group_folder {
        return Err(Error::usage("--group-split", "there are no groups").help("Name them with --group-column or --group-folder."));
    }
    if args.group_column.is_some() && args.songs.is_none() && args.msd_tracks.is_none() {
        return Err(Error::usage("--group-column", "there is no table of songs").help("Name it: --songs FILE."));
    }
    if !(1_000..=768_000).contains(&args.rate) {
        return Err(Error::usage("--rate", "must lie between 1000 and 768000 Hz"));
    }
    if args.weight_above.is_some_and(|weight| !weight.is_finite()) {
        return Err(Error::usage("--weight-above", "must be a number, as 50"));
    }
    let by_folder = args.split.iter().any(|path| path.as_os_str() == MAGNATAGATUNE);
    if by_folder && args.split.len() > 1 {
        return Err(Error::usage("--split", format!("{MAGNATAGATUNE} stands alone")));
    }
    match args.paper_split {
        Some(Some(_)) if !args.split.is_empty() => {
            let help = "Leave the numbers out to take the songs that --split lists, or leave --split out.";
            Err(Error::usage("--paper-split", "draws songs; --split names them").help(help))
        }
        Some(None) if args.split.is_empty() || by_folder => {
            let help = "Give numbers to draw, as --paper-split 10054,6354, or lists by --split.";
            Err(Error::usage("--paper-split", "there are no songs to validate and test with").help(help))
        }
        _ => Ok(()),
    }
}

fn options(args: Args) -> Options {
    let (start, length) = args.excerpt.map_or((0.0, None), |(start, length)| (start, Some(length)));
    let fractions = args.split_fractions.unwrap_or(Fractions([0.7, 0.1, 0.2]));
    let split = match args.paper_split {
        Some(Some(numbers)) => SplitFrom::Playlists(Others::Drawn { numbers, seed: args.seed }),
        Some(None) => SplitFrom::Playlists(Others::Listed(args.split)),
        None if args.split.is_empty() => SplitFrom::Chance { fractions, seed: args.seed, grouped: args.group_split },
        None if args.split[0].as_os_str() == MAGNATAGATUNE => SplitFrom::MagnaTagATune,
        None => SplitFrom::Files(args.split),
    };
    let (mismatches, clips) = (args.msd_mismatches, args.msd_clips);
    Options {
        out: args.out,
        audio: args.audio,
        tags: args.tags,
        weight_above: args.weight_above,
        playlists: args.playlists,
        reading: args.playlist_reading,
        songs: args.songs,
        id_column: args.id_column,
        group_column: args.group_column,
        group_folder: args.group_folder,
        msd: args.msd_tracks.map(|tracks| Msd { tracks, mismatches, clips }),
        split: Some(split),
        top: args.top.map(|n| n as usize),
        decode: audio::Options { rate: args.rate, start, length },
        force: args.force,
    }
}
