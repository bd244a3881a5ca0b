//! `tagwalk prepare`: from folders of audio, tags and playlists to a dataset.

#[cfg(feature = "terminal")]
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use super::{Outcome, print};
use crate::error::{Error, Result};
use crate::import::audio;
use crate::import::playlists::Reading;
use crate::import::prepare::{self, Event, Made, Options, Report, SplitBy};
use crate::import::splits::Fractions;
use crate::run::interrupt;

/// Make a dataset folder from audio, tags and playlists
///
/// A name in a table or playlist finds its song by its path under --audio, else by its file name
/// without extension where that is one song's only. Songs with tags but no audio stay: they lend
/// their tags. Stopped and run again, it goes on where it was; until it ends it needs room for the
/// decoded audio twice. not-found.tsv and skipped.tsv in the dataset's folder say what was left out.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder, made if need be
    #[arg(long, value_name = "DATASET")]
    pub out: PathBuf,
    /// Folders of audio; nothing outside them is opened
    #[arg(long, value_name = "FOLDER", required = true, num_args = 1..)]
    pub audio: Vec<PathBuf>,
    /// Tables of tags: rows `song<TAB>tag`, or a column a tag with cells 0 and 1
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub tags: Vec<PathBuf>,
    /// Playlists: .m3u, .m3u8, .pls, folders of them, Art-of-the-Mix .json
    #[arg(long, value_name = "FILE|FOLDER", num_args = 1..)]
    pub playlists: Vec<PathBuf>,
    /// What becomes of a playlist's place whose song is not in the dataset
    #[arg(long, value_name = "READING", value_enum, default_value_t)]
    pub playlist_reading: Reading,
    /// A table of songs with a header, for --group-column and --id-column
    #[arg(long, value_name = "FILE")]
    pub songs: Option<PathBuf>,
    /// Column of --songs with the ids that Art-of-the-Mix playlists use
    #[arg(long, value_name = "NAME", requires = "songs")]
    pub id_column: Option<String>,
    /// Column of --songs with each song's group (artist, album, game)
    #[arg(long, value_name = "NAME", requires = "songs")]
    pub group_column: Option<String>,
    /// A song's first folder is its group
    #[arg(long, conflicts_with = "group_column")]
    pub group_folder: bool,
    /// A table `song<TAB>train|valid|test` that says which side a song is on
    #[arg(long, value_name = "FILE", conflicts_with_all = ["split_fractions", "group_split"])]
    pub split: Option<PathBuf>,
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

fn excerpt(text: &str) -> std::result::Result<(f64, f64), String> {
    let parts = text.split_once(':').and_then(|(start, length)| Some((start.parse().ok()?, length.parse().ok()?)));
    let fits = |&(start, length): &(f64, f64)| start >= 0.0 && length > 0.0 && start.is_finite() && length.is_finite();
    parts.filter(fits).ok_or_else(|| "give start and length in seconds, as 30:29.1".into())
}

pub fn run(args: Args) -> Result<Outcome> {
    if args.group_split && args.group_column.is_none() && !args.group_folder {
        return Err(Error::usage("--group-split", "there are no groups").help("Name them with --group-column or --group-folder."));
    }
    if !(1_000..=768_000).contains(&args.rate) {
        return Err(Error::usage("--rate", "must lie between 1000 and 768000 Hz"));
    }
    let (errors, json, dry_run, threads) = (args.errors.clone(), args.json, args.dry_run, args.threads);
    let out = args.out.clone();
    let options = options(args);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Error::usage("--threads", format!("cannot start threads: {e}")))?;
    let report = if dry_run {
        prepare::plan(&options)?
    } else {
        interrupt::listen("finishing the songs at hand")?;
        let progress = Progress::new();
        let made = pool.install(|| prepare::prepare(&options, interrupt::flag(), &|event| progress.tell(event)));
        progress.end();
        match made? {
            Made::New(report) => report,
            Made::Already => {
                print::note(format!("{} holds this dataset already; `tagwalk info` says what is in it", out.display()));
                if json {
                    print::json(&serde_json::json!({"dataset": out, "already_made": true}))?;
                }
                return Ok(Outcome::Done);
            }
        }
    };
    if let Some(path) = errors {
        prepare::write_skipped(&path, &report.skipped)?;
    }
    for skipped in &report.skipped {
        print::note(crate::format::table::visible(&format!("skipped {}: {}", skipped.file, skipped.why)));
    }
    match json {
        true => print::json(&report)?,
        false => people(&report, &options, dry_run)?,
    }
    if report.tags_without_audio > 0 && report.songs_with_tags > report.lend_only {
        print::note(format!(
            "{} of {} tags are on no song with audio: they can be lent, but neither heard nor measured",
            report.tags_without_audio, report.tags
        ));
    }
    if report.songs_with_tags == report.lend_only {
        print::note(
            "no song with audio has a tag: there is nothing to learn; see not-found.tsv for how the tables' names differ from the files'",
        );
    }
    if report.playlists == 0 && !options.playlists.is_empty() {
        print::note("no playlist holds a song of this dataset: no tag can be borrowed; see not-found.tsv");
    }
    Ok(if report.skipped.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

fn options(args: Args) -> Options {
    let (start, length) = args.excerpt.map_or((0.0, None), |(start, length)| (start, Some(length)));
    let fractions = args.split_fractions.unwrap_or(Fractions([0.7, 0.1, 0.2]));
    let chance = SplitBy::Chance { fractions, seed: args.seed, grouped: args.group_split };
    Options {
        out: args.out,
        audio: args.audio,
        tags: args.tags,
        playlists: args.playlists,
        reading: args.playlist_reading,
        songs: args.songs,
        id_column: args.id_column,
        group_column: args.group_column,
        group_folder: args.group_folder,
        split: Some(args.split.map_or(chance, SplitBy::File)),
        top: args.top.map(|n| n as usize),
        decode: audio::Options { rate: args.rate, start, length },
        force: args.force,
    }
}

fn people(report: &Report, options: &Options, dry_run: bool) -> Result<()> {
    let r = report;
    print::line(format!(
        "{} songs: {} with audio, {} with tags, {} lend only (tags without audio)",
        r.songs, r.songs_with_audio, r.songs_with_tags, r.lend_only
    ))?;
    print::line(format!("{} tags, {} playlists, {} groups", r.tags, r.playlists, r.groups))?;
    print::line(format!("split: train {}, valid {}, test {}", r.train, r.valid, r.test))?;
    if r.groups_on_two_sides > 0 {
        print::line(format!(
            "{} groups have songs on two sides of the split (--group-split keeps them whole)",
            r.groups_on_two_sides
        ))?;
    }
    if !dry_run {
        print::line(format!("{:.2} hours at {} Hz", r.seconds / 3600.0, options.decode.rate))?;
    } else if let Some(length) = options.decode.length {
        let bytes = 2.0 * length * f64::from(options.decode.rate) * r.songs_with_audio as f64;
        print::line(format!("at most {:.1} MiB of audio, twice that until it is done", bytes / f64::from(1 << 20)))?;
    }
    if r.saturated_songs > 0 {
        print::line(format!("{} songs go beyond full scale: {} samples cut", r.saturated_songs, r.saturated_samples))?;
    }
    let counted = [(r.notes.len(), "files used in part or with faults"), (r.skipped.len(), "files skipped (skipped.tsv)")];
    for (count, what) in counted.into_iter().filter(|c| c.0 > 0) {
        print::line(format!("{count} {what}"))?;
    }
    for note in &r.notes {
        print::note(crate::format::table::visible(&format!("{}: {}", note.file, note.why)));
    }
    if r.not_found > 0 {
        print::line(format!("{} names in tables and playlists have no audio or were not found (not-found.tsv)", r.not_found))?;
    }
    if r.shared_ids > 0 {
        print::line(format!("{} ids belong to several songs: the first one is meant", r.shared_ids))?;
    }
    match dry_run {
        true => print::line(format!("would be made in {}", options.out.display())),
        false => print::line(format!("made {}", options.out.display())),
    }
}

/// A bar on a terminal, a line every ten seconds elsewhere.
struct Progress {
    #[cfg(feature = "terminal")]
    bar: Option<indicatif::ProgressBar>,
    began: Instant,
    said: std::sync::Mutex<Instant>,
}

impl Progress {
    fn new() -> Progress {
        #[cfg(feature = "terminal")]
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left");
            indicatif::ProgressBar::new(0).with_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()))
        });
        Progress {
            #[cfg(feature = "terminal")]
            bar,
            began: Instant::now(),
            said: std::sync::Mutex::new(Instant::now()),
        }
    }

    fn tell(&self, event: Event) {
        let (what, done, of) = match event {
            Event::Decoded { done, of } => ("decoding", done, of),
            Event::Written { done, of } => ("writing", done, of),
        };
        #[cfg(feature = "terminal")]
        if let Some(bar) = &self.bar {
            bar.set_message(what);
            bar.set_length(of as u64);
            bar.set_position(done as u64);
            return;
        }
        let mut said = self.said.lock().expect("no thread panics with it");
        if said.elapsed().as_secs() >= 10 {
            *said = Instant::now();
            print::note(format!("{what}: {done} of {of} songs after {} s", self.began.elapsed().as_secs()));
        }
    }

    fn end(&self) {
        #[cfg(feature = "terminal")]
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
