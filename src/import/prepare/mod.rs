//! From what people have to a dataset folder: find the files, bring the tables together by name,
//! decode (resumable), write.
//!
//! The result depends on the inputs alone: not on threads, interruptions, or where the files lie.

mod decoded;
mod gather;
mod scan;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::playlists::Reading;
use super::splits::Fractions;
use super::text::one_line;
use super::{audio, playlists};
use crate::dataset::{Split, manifest, write};
use crate::error::{Error, Result};
use crate::format::atomic;
use decoded::{Song, Unfinished};
use gather::Gathered;

/// Lists for people, beside the dataset's files and no part of it.
pub const NOT_FOUND: &str = "not-found.tsv";
pub const SKIPPED: &str = "skipped.tsv";

/// What to prepare.
#[derive(Clone, Debug)]
pub struct Options {
    pub out: PathBuf,
    pub audio: Vec<PathBuf>,
    pub tags: Vec<PathBuf>,
    pub playlists: Vec<PathBuf>,
    pub reading: Reading,
    /// A table of songs: groups and ids.
    pub songs: Option<PathBuf>,
    pub id_column: Option<String>,
    pub group_column: Option<String>,
    /// A song's first folder is its group.
    pub group_folder: bool,
    pub split: Option<SplitBy>,
    /// Keep the most frequent tags only.
    pub top: Option<usize>,
    pub decode: audio::Options,
    /// Make it again where a dataset of other options is.
    pub force: bool,
}

#[derive(Clone, Debug)]
pub enum SplitBy {
    File(PathBuf),
    Chance { fractions: Fractions, seed: u64, grouped: bool },
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Decoded { done: usize, of: usize },
    Written { done: usize, of: usize },
}

/// A file that gave no audio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub file: String,
    pub why: String,
}

/// What was made, or would be.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub songs: usize,
    pub songs_with_audio: usize,
    pub songs_with_tags: usize,
    /// Songs with tags and without audio.
    pub lend_only: usize,
    pub tags: usize,
    /// Tags that no song with audio has: they can be lent, but neither heard nor measured.
    pub tags_without_audio: usize,
    pub playlists: usize,
    pub groups: usize,
    /// Groups with songs on two sides of the split.
    pub groups_on_two_sides: usize,
    pub train: usize,
    pub valid: usize,
    pub test: usize,
    /// Of audio; 0 in a dry run.
    pub seconds: f64,
    /// Songs with samples beyond ±1, and how many samples were cut.
    pub saturated_songs: u64,
    pub saturated_samples: u64,
    /// Files that could be used, with a remark.
    pub notes: Vec<Skipped>,
    pub skipped: Vec<Skipped>,
    /// Names in tables and playlists that are no song of the dataset.
    pub not_found: usize,
    /// Ids of several songs; the first one in the table is meant.
    pub shared_ids: usize,
}

/// What `prepare` came to.
pub enum Made {
    New(Report),
    /// The folder holds just this dataset already.
    Already,
}

/// Makes a dataset, on the threads of the pool it is called in. `stop` ends it after the songs at
/// hand; `tell` hears how far it is.
pub fn prepare(options: &Options, stop: &AtomicBool, tell: &(dyn Fn(Event) + Sync)) -> Result<Made> {
    let (files, mut skipped) = scan::scan(&options.audio)?;
    if files.is_empty() {
        let extensions = audio::EXTENSIONS.join(", ");
        return Err(
            Error::usage("--audio", "no audio files there").help(format!("Files are known by their extensions: {extensions}."))
        );
    }
    let gathered = Gathered::new(options, &files)?;
    let description = describe(options, &files)?;
    if check_place(options, &description)? {
        return Ok(Made::Already);
    }
    fs::create_dir_all(&options.out).map_err(|e| Error::io(&options.out, "cannot create", e))?;
    let unfinished = Unfinished::open(&options.out, &options.decode)?;
    write::clear(&options.out)?;
    unfinished.decode(&files, &options.decode, stop, tell)?;

    let songs: Vec<Option<Song>> = files.iter().map(|file| unfinished.song(file)).collect();
    let audio: Vec<bool> = songs.iter().map(|song| matches!(song, Some(Song::Decoded { .. }))).collect();
    let (mut contents, places) = gathered.contents(options, &audio)?;
    contents.options = description;
    let mut notes = Vec::new();
    let mut samples_of = vec![0; files.len()];
    let mut saturated = (0, 0);
    for (i, (file, song)) in files.iter().zip(&songs).enumerate() {
        match song {
            Some(Song::Decoded { samples, saturated: cut, note, .. }) => {
                samples_of[i] = *samples;
                saturated = (saturated.0 + u64::from(*cut > 0), saturated.1 + cut);
                notes.extend(note.iter().map(|why| Skipped { file: file.name.clone(), why: why.clone() }));
            }
            Some(Song::Failed(why)) => skipped.push(Skipped { file: file.name.clone(), why: why.clone() }),
            None => skipped.push(Skipped { file: file.name.clone(), why: "changed while it was read".into() }),
        }
    }
    let mut report = report(&gathered, &contents, &places, notes, skipped);
    (report.saturated_songs, report.saturated_samples) = saturated;
    report.seconds = samples_of.iter().sum::<u64>() as f64 / f64::from(options.decode.rate);

    let mut writer = write::Writer::create(&options.out)?;
    let mut written = Vec::with_capacity(places.len());
    for place in &places {
        if stop.load(Relaxed) {
            return Err(decoded::interrupted());
        }
        written.push(match place.map(|file| &songs[file]) {
            Some(Some(Song::Decoded { wave, .. })) => writer.wave(&unfinished.wave(*wave)?)?,
            _ => write::Place::default(),
        });
        tell(Event::Written { done: written.len(), of: places.len() });
    }
    write_lists(&options.out, &gathered, &report.skipped)?;
    writer.finish(&contents, &written)?;
    unfinished.remove()?;
    Ok(Made::New(report))
}

/// What [`prepare`] would make if every file decoded; writes nothing.
pub fn plan(options: &Options) -> Result<Report> {
    let (files, skipped) = scan::scan(&options.audio)?;
    let gathered = Gathered::new(options, &files)?;
    let (contents, places) = gathered.contents(options, &vec![true; files.len()])?;
    Ok(report(&gathered, &contents, &places, Vec::new(), skipped))
}

fn report(
    gathered: &Gathered,
    contents: &write::Contents,
    places: &[Option<usize>],
    notes: Vec<Skipped>,
    skipped: Vec<Skipped>,
) -> Report {
    let tagged = |song: &usize| !contents.tags[*song].is_empty();
    let songs = 0..contents.names.len();
    let on = |side| contents.splits.iter().filter(|&&s| s == side).count();
    let mut heard = vec![false; contents.vocabulary.len()];
    for song in songs.clone().filter(|&song| places[song].is_some()) {
        contents.tags[song].iter().for_each(|&tag| heard[tag as usize] = true);
    }
    let mut sides = vec![0u8; contents.group_names.len()];
    for song in songs.clone() {
        if let (Some(group), side) = (contents.groups[song], contents.splits[song]) {
            sides[group as usize] |= (1u8 << side as u8) & 0b1110;
        }
    }
    Report {
        songs: contents.names.len(),
        songs_with_audio: places.iter().flatten().count(),
        songs_with_tags: songs.clone().filter(tagged).count(),
        lend_only: songs.filter(tagged).filter(|&song| places[song].is_none()).count(),
        tags: contents.vocabulary.len(),
        tags_without_audio: heard.iter().filter(|&&heard| !heard).count(),
        playlists: contents.playlists.len(),
        groups: contents.group_names.len(),
        groups_on_two_sides: sides.iter().filter(|s| s.count_ones() > 1).count(),
        train: on(Split::Train),
        valid: on(Split::Valid),
        test: on(Split::Test),
        seconds: 0.0,
        saturated_songs: 0,
        saturated_samples: 0,
        notes,
        skipped,
        not_found: gathered.missing.len(),
        shared_ids: gathered.shared_ids,
    }
}

/// All that decides the dataset, but not where it lies: the same inputs elsewhere give the same.
fn describe(options: &Options, files: &[scan::File]) -> Result<serde_json::Value> {
    let sum = |paths: &[PathBuf]| {
        let checksum = |path: &PathBuf| Ok(manifest::entry(path)?.sha256);
        paths.iter().map(checksum).collect::<Result<Vec<String>>>()
    };
    let mut sha = Sha256::new();
    for file in files {
        sha.update(format!("{}\0{}\0", file.name, file.bytes));
    }
    let audio = sha.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let split = match &options.split {
        None => serde_json::Value::Null,
        Some(SplitBy::File(path)) => serde_json::json!({"sha256": manifest::entry(path)?.sha256}),
        Some(SplitBy::Chance { fractions, seed, grouped }) => {
            serde_json::json!({"fractions": fractions.0, "seed": seed, "grouped": grouped})
        }
    };
    Ok(serde_json::json!({
        "audio": {"files": files.len(), "names_and_sizes_sha256": audio},
        "rate": options.decode.rate,
        "excerpt": options.decode.length.map(|length| [options.decode.start, length]),
        "start": options.decode.start,
        "tags": sum(&options.tags)?,
        "top": options.top,
        "playlists": sum(&playlists::files(&options.playlists)?)?,
        "playlist_reading": options.reading,
        "songs": sum(options.songs.as_slice())?,
        "id_column": options.id_column,
        "group_column": options.group_column,
        "group_folder": options.group_folder,
        "split": split,
    }))
}

/// Whether the folder holds this very dataset. Fails where something else is there.
fn check_place(options: &Options, description: &serde_json::Value) -> Result<bool> {
    let out = &options.out;
    let unfinished = out.join(decoded::FOLDER);
    if !out.join(manifest::FILE).exists() {
        let occupied = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
        if occupied && !unfinished.exists() {
            return Err(Error::input(out, "is not empty, and holds no dataset").help("Choose a new folder for --out."));
        }
        return Ok(false);
    }
    if options.force {
        return Ok(false);
    }
    let (found, _) = manifest::Manifest::read(out)?;
    if found.options == *description {
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(|e| Error::io(&unfinished, "cannot delete", e))?;
        }
        return Ok(true);
    }
    let changed: Vec<&str> = description
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| found.options.get(key.as_str()) != Some(value))
        .map(|(key, _)| key.as_str())
        .collect();
    Err(Error::input(out, format!("holds a dataset made otherwise (changed: {})", changed.join(", ")))
        .help("Choose another folder, or make it again with --force."))
}

/// Writes what was not found and what was skipped, for people.
fn write_lists(out: &Path, gathered: &Gathered, skipped: &[Skipped]) -> Result<()> {
    let mut text = String::from("file\tname\ttimes\twhy\n");
    for (missing, times) in &gathered.missing {
        let _ = writeln!(text, "{}\t{}\t{times}\t{}", one_line(&missing.file), one_line(&missing.name), missing.why);
    }
    atomic::write(&out.join(NOT_FOUND), text.as_bytes())?;
    write_skipped(&out.join(SKIPPED), skipped)
}

/// Writes a list of files that gave no audio, with their reasons.
pub fn write_skipped(path: &Path, skipped: &[Skipped]) -> Result<()> {
    let mut text = String::from("file\twhy\n");
    for Skipped { file, why } in skipped {
        let _ = writeln!(text, "{}\t{}", one_line(file), one_line(why));
    }
    atomic::write(path, text.as_bytes())
}
