//! Joining the parts of a dataset: the same bytes as if one machine had decoded all of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::decoded::Unfinished;
use super::gather::Gathered;
use super::part::{self, Line};
use super::{Decoded, Event, Finish, Made, Outcome, describe, is_made};
use crate::dataset::write::{self, Place};
use crate::error::{Error, Result};
use crate::format::npy::Array;
use crate::import::audio;
use crate::import::text::Lines;

/// Makes the dataset of which `folders` are all the parts, in any order, in `out`. A part that is missing, there
/// twice, of another dataset, unfinished or changed is refused by name. Stopped, it begins anew.
pub fn join(folders: &[PathBuf], out: &Path, force: bool, stop: &AtomicBool, tell: &(dyn Fn(Event) + Sync)) -> Result<Made> {
    let parts = read(folders)?;
    let description = parts[0].1.options.clone();
    if is_made(out, &description, force)? {
        return Ok(Made::Already);
    }
    parts.iter().try_for_each(|(folder, manifest)| manifest.verify(folder))?;
    let path = parts[0].0.join(part::GATHERED);
    let text = fs::read(&path).map_err(|e| Error::io(&path, "cannot read", e))?;
    let gathered: Gathered = serde_json::from_slice(&text).map_err(|e| Error::input(&path, format!("cannot be read: {e}")))?;
    if !gathered.is_whole() {
        return Err(Error::input(&path, "does not hold together").help("Make the parts again."));
    }
    drop(text);

    let files = gathered.files.len();
    let mut songs: Vec<Option<(Decoded, Source)>> = (0..files).map(|_| None).collect();
    let mut failed: Vec<Option<String>> = vec![None; files];
    let mut opened = Vec::with_capacity(parts.len());
    for (number, (folder, manifest)) in parts.iter().enumerate() {
        let part = Opened::read(folder, manifest)?;
        let share: Vec<usize> = manifest.share().files(files).collect();
        if part.lines.len() != share.len() {
            let what = format!("has {} songs; its share of {files} is {}", part.lines.len(), share.len());
            return Err(Error::input(folder, what).help("Make the part again."));
        }
        for (file, line) in share.into_iter().zip(part.lines) {
            match line {
                Line::Decoded { place, song } => songs[file] = Some((song, Source { part: number, place })),
                Line::Failed(why) => failed[file] = Some(why),
            }
        }
        opened.push(part.shards);
    }
    let decoded: Vec<Outcome> = songs
        .iter()
        .zip(failed)
        .map(|(song, failed)| song.as_ref().map(|song| song.0.clone()).ok_or(failed.unwrap_or_default()))
        .collect();
    let wave = |file: usize| {
        let Some((song, Source { part, place })) = &songs[file] else { return Ok(Vec::new()) };
        let (first, samples) = (place.first as usize, place.samples as usize);
        let shard = opened[*part].get(place.shard as usize).filter(|_| song.samples == place.samples);
        let wave = shard.and_then(|shard| shard.get(first..first.checked_add(samples)?));
        wave.map(<[i16]>::to_vec).ok_or_else(|| {
            let what = format!("says of {} that it lies where nothing is", gathered.files[file]);
            Error::input(parts[*part].0.join(part::SONGS), what).help("Make the part again.")
        })
    };
    fs::create_dir_all(out).map_err(|e| Error::io(out, "cannot create", e))?;
    // Nothing is decoded here: it marks the folder as unfinished, and keeps others out of it.
    let unfinished = Unfinished::open(out, &audio::Options { rate: gathered.rate, ..audio::Options::default() })?;
    write::clear(out)?;
    let skipped = parts[0].1.skipped.clone();
    let report = Finish { out, gathered: &gathered, description, skipped, decoded: &decoded, wave: &wave }.write(stop, tell)?;
    unfinished.remove()?;
    Ok(Made::New(Box::new(report)))
}

/// Where a song's samples are.
struct Source {
    part: usize,
    place: Place,
}

/// The parts in order of their numbers, each there once, all of one dataset.
fn read(folders: &[PathBuf]) -> Result<Vec<(PathBuf, part::Manifest)>> {
    let mut parts = Vec::with_capacity(folders.len());
    for folder in folders {
        parts.push((folder.clone(), part::Manifest::read(folder)?));
    }
    let Some((first, manifest)) = parts.first() else {
        return Err(Error::usage("--join", "no parts are named"));
    };
    for (folder, other) in &parts {
        let foreign = |what: String| {
            let help = format!("Parts of one dataset come from the same files and flags; compared with {}.", first.display());
            Err(Error::input(folder, format!("is a part of another dataset ({what})")).help(help))
        };
        if other.options != manifest.options {
            return foreign(format!("differs in: {}", describe::differences(&manifest.options, &other.options).join(", ")));
        }
        if other.of != manifest.of {
            return foreign(format!("one of {}, not of {}", other.of, manifest.of));
        }
        if other.files.get(part::GATHERED) != manifest.files.get(part::GATHERED) {
            return foreign("what was gathered differs: its inputs lie elsewhere, or another version made it".into());
        }
    }
    let of = manifest.of;
    parts.sort_by_key(|(_, manifest)| manifest.part);
    if let Some(twice) = parts.windows(2).find(|two| two[0].1.part == two[1].1.part) {
        let what = format!("is part {}/{of}, as {} is", twice[1].1.part, twice[0].0.display());
        return Err(Error::input(&twice[1].0, what).help("Name each part once."));
    }
    let missing: Vec<String> = (1..=of).filter(|n| !parts.iter().any(|p| p.1.part == *n)).map(|n| format!("{n}/{of}")).collect();
    if !missing.is_empty() {
        let named = missing.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
        let more = if missing.len() > 20 { format!(" and {} more", missing.len() - 20) } else { String::new() };
        let help = "Make what is missing: `tagwalk prepare --part I/N` with the flags of the others.";
        return Err(Error::usage("--join", format!("part {named}{more} is missing")).help(help));
    }
    Ok(parts)
}

/// A part's songs and samples.
struct Opened {
    lines: Vec<Line>,
    shards: Vec<Array<i16>>,
}

impl Opened {
    fn read(folder: &Path, manifest: &part::Manifest) -> Result<Opened> {
        let mut lines = Lines::open(&folder.join(part::SONGS))?;
        let mut songs = Vec::new();
        while let Some(line) = lines.line()? {
            songs.push(serde_json::from_str(&line).map_err(|e| lines.wrong(format!("cannot be read: {e}")))?);
        }
        let shards = manifest.files.keys().filter(|name| name.starts_with("waves-"));
        let shards = shards.map(|name| Array::open(&folder.join(name))).collect::<Result<_>>()?;
        Ok(Opened { lines: songs, shards })
    }
}
