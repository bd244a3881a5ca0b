//! What was made, or would be: counts for people and programs, and the lists beside a dataset.

use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Outcome;
use super::contents::Selected;
use super::gather::Gathered;
use crate::dataset::Split;
use crate::error::Result;
use crate::format::atomic;
use crate::import::counts::Counts;
use crate::import::text::one_line;

/// Lists for people, beside the dataset's files and no part of it.
pub const NOT_FOUND: &str = "not-found.tsv";
pub const BY_NAME: &str = "matched-by-name.tsv";
pub const SKIPPED: &str = "skipped.tsv";
/// Names that a dry run shows of those.
const SOME: usize = 10;

/// A file that gave no audio, or no playlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Songs with audio on none of these sides.
    pub on_no_side: usize,
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
    /// Some of them, for people.
    #[serde(skip)]
    pub not_found_some: Vec<String>,
    /// Names in tables and playlists that found their song by the file name alone: their folders differ.
    pub matched_by_name: usize,
    /// Ids of several songs; the first one in the table is meant.
    pub shared_ids: usize,
    /// What was read and what was left out, with the reasons, beside published figures.
    pub counts: Counts,
}

impl Report {
    /// `skipped` is what was passed over before decoding; `decoded` what became of each file, none in a dry run.
    pub(super) fn new(gathered: &Gathered, selected: &Selected, skipped: Vec<Skipped>, decoded: &[Outcome]) -> Report {
        let (contents, places) = (&selected.contents, &selected.files);
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
        let mut report = Report {
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
            on_no_side: contents.splits.iter().zip(places).filter(|(side, file)| **side == Split::None && file.is_some()).count(),
            seconds: 0.0,
            saturated_songs: 0,
            saturated_samples: 0,
            notes: Vec::new(),
            skipped,
            not_found: gathered.missing.len(),
            not_found_some: gathered.missing.iter().take(SOME).map(|(one, _)| format!("{}: {}", one.file, one.name)).collect(),
            matched_by_name: gathered.by_name.len(),
            shared_ids: gathered.shared_ids,
            counts: selected.counts.clone(),
        };
        let mut samples = 0.0;
        for (file, song) in gathered.files.iter().zip(decoded) {
            match song {
                Ok(song) => {
                    samples += song.samples as f64;
                    report.saturated_songs += u64::from(song.saturated > 0);
                    report.saturated_samples = report.saturated_samples.saturating_add(song.saturated);
                    report.notes.extend(song.note.iter().map(|why| Skipped { file: file.clone(), why: why.clone() }));
                }
                Err(why) => report.skipped.push(Skipped { file: file.clone(), why: why.clone() }),
            }
        }
        report.seconds = samples / f64::from(gathered.rate);
        report
    }
}

/// Writes what was not found, what was found by its file name alone, and what was skipped, for people.
pub fn write_lists(out: &Path, gathered: &Gathered, skipped: &[Skipped]) -> Result<()> {
    let mut text = String::from("file\tname\ttimes\twhy\n");
    for (missing, times) in &gathered.missing {
        let _ = writeln!(text, "{}\t{}\t{times}\t{}", one_line(&missing.file), one_line(&missing.name), missing.why);
    }
    atomic::write(&out.join(NOT_FOUND), text.as_bytes())?;
    let mut text = String::from("file\tname\ttimes\tsong\n");
    for (by_name, times) in &gathered.by_name {
        let [file, name, song] = [&by_name.file, &by_name.name, &by_name.song].map(|text| one_line(text));
        let _ = writeln!(text, "{file}\t{name}\t{times}\t{song}");
    }
    atomic::write(&out.join(BY_NAME), text.as_bytes())?;
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
