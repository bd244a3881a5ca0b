//! The dataset folder, opened: memory-mapped, every file checked against every other.
//!
//! | file | what |
//! |---|---|
//! | `manifest.json` | format, sample rate, counts, vocabulary, options, and SHA-256 and size of every other file |
//! | `manifest.sha256` | the manifest's own SHA-256, as `sha256sum -c` reads it |
//! | `songs.names` + `songs.offsets.npy` u64 `[songs + 1]` | the songs' names (UTF-8), one after the other, and where each begins |
//! | `waves-00000.npy` ... int16 `[samples]` | shards of audio; a song lies in one of them, at an even sample |
//! | `audio.npy` u64 `[songs, 3]` | shard, first sample, samples (0: no audio) |
//! | `tags.npy` u8 `[songs, ceil(tags / 8)]` | tag bits, bit t % 8 of byte t / 8 |
//! | `splits.npy` u8 `[songs]` | 0 none (lends only), 1 train, 2 valid, 3 test |
//! | `groups.npy` u32 `[songs]` + `groups.names`, `groups.offsets.npy` | artist, album or other group; u32::MAX: none |
//! | `playlists.offsets.npy` u64, `playlists.songs.npy` u32 | songs of each playlist, in order |
//! | `memberships.offsets.npy` u64, `memberships.playlists.npy` u32 | playlists of each song, ascending, each once |
//!
//! A made-up dataset has the truth about its tags beside it: [`truth`].

pub mod manifest;
mod open;
pub mod place;
pub mod sides;
pub mod truth;
mod verify;
mod view;
pub mod write;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::npy::{Array, Bytes};
pub use manifest::Manifest;
pub use truth::{Reference, Truth};
pub use verify::{Checked, verify};
pub use view::{Sides, SplitBy, View};

/// Every file of a dataset but the manifest and the shards of audio.
const FILES: [&str; 12] = [
    "audio.npy",
    "groups.names",
    "groups.npy",
    "groups.offsets.npy",
    "memberships.offsets.npy",
    "memberships.playlists.npy",
    "playlists.offsets.npy",
    "playlists.songs.npy",
    "songs.names",
    "songs.offsets.npy",
    "splits.npy",
    "tags.npy",
];

fn is_shard(name: &str) -> bool {
    let number = name.strip_prefix("waves-").and_then(|n| n.strip_suffix(".npy"));
    number.is_some_and(|n| n.len() >= 5 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Which side of the split a song is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Split {
    /// Neither trained on nor tested: lends its tags only.
    #[default]
    None = 0,
    Train = 1,
    Valid = 2,
    Test = 3,
}

/// Compressed rows: row i is `values[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub offsets: &'a [u64],
    pub values: &'a [u32],
}

impl<'a> Rows<'a> {
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn row(&self, i: usize) -> &'a [u32] {
        &self.values[self.offsets[i] as usize..self.offsets[i + 1] as usize]
    }
}

/// Names, one after the other.
struct Names {
    bytes: Bytes,
    offsets: Array<u64>,
}

impl Names {
    fn get(&self, i: usize) -> &str {
        let bytes = &self.bytes[self.offsets[i] as usize..self.offsets[i + 1] as usize];
        std::str::from_utf8(bytes).expect("checked when the dataset was opened")
    }
}

/// An opened dataset. Cheap to share between threads; nothing is read until it is used. Its files
/// must not be changed while it is open.
pub struct Dataset {
    folder: PathBuf,
    manifest: Manifest,
    fingerprint: String,
    song_names: Names,
    group_names: Names,
    waves: Vec<Array<i16>>,
    /// Shard, first sample, samples of each song.
    audio: Array<u64>,
    tags: Array<u8>,
    splits: Array<u8>,
    groups: Array<u32>,
    playlists: (Array<u64>, Array<u32>),
    memberships: (Array<u64>, Array<u32>),
    view: view::Seen,
}

impl Dataset {
    /// Opens a folder and checks every file against every other (sizes, ranges, order), not the
    /// checksums: `tagwalk verify` does that.
    pub fn open(folder: &Path) -> Result<Dataset> {
        open::open(folder)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest, hex: what a resumed run compares.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Samples a second.
    pub fn sample_rate(&self) -> u32 {
        self.manifest.sample_rate
    }

    pub fn songs(&self) -> usize {
        self.manifest.songs
    }

    pub fn name(&self, song: usize) -> &str {
        self.song_names.get(song)
    }

    /// The song of this name: exactly, else by unique file stem. Goes through all names: for what
    /// people type, not for tables.
    pub fn find(&self, name: &str) -> Result<usize> {
        if let Some(song) = (0..self.songs()).find(|&song| self.name(song) == name) {
            return Ok(song);
        }
        let mut same = (0..self.songs()).filter(|&song| stem(self.name(song)) == stem(name));
        match (same.next(), same.next()) {
            (Some(song), None) => Ok(song),
            (Some(one), Some(other)) => {
                let what = format!("{name:?} may be {:?} or {:?}", self.name(one), self.name(other));
                Err(Error::input(&self.folder, what).help("Give the song's whole name."))
            }
            (None, _) => {
                let alike = (0..self.songs())
                    .map(|song| self.name(song))
                    .find(|other| other.eq_ignore_ascii_case(name) || stem(other).eq_ignore_ascii_case(stem(name)));
                let there = alike.map_or(String::new(), |other| format!("There is {other:?}. "));
                Err(Error::input(&self.folder, format!("no song {name:?}")).help(format!(
                    "{there}A song's name is its file's path under the folder of audio; `tagwalk info DATASET --songs` lists all."
                )))
            }
        }
    }

    pub fn vocabulary(&self) -> &[String] {
        self.view.vocabulary.as_deref().unwrap_or(&self.manifest.vocabulary)
    }

    /// Tag bits of a song: bit t % 8 of byte t / 8.
    pub fn tag_bits(&self, song: usize) -> &[u8] {
        let width = self.vocabulary().len().div_ceil(8);
        let bits = self.view.tags.as_deref().unwrap_or(&self.tags);
        &bits[song * width..(song + 1) * width]
    }

    pub fn has_tag(&self, song: usize, tag: usize) -> bool {
        self.tag_bits(song)[tag / 8] >> (tag % 8) & 1 == 1
    }

    /// How many songs have each tag, those that only lend too.
    pub fn tag_counts(&self) -> Vec<usize> {
        let mut counts = vec![0usize; self.vocabulary().len()];
        for song in 0..self.songs() {
            for (byte, &bits) in self.tag_bits(song).iter().enumerate().filter(|(_, bits)| **bits != 0) {
                (0..8).filter(|bit| bits >> bit & 1 == 1).for_each(|bit| counts[8 * byte + bit] += 1);
            }
        }
        counts
    }

    /// Whether the song has any tag of the vocabulary.
    pub fn is_tagged(&self, song: usize) -> bool {
        self.tag_bits(song).iter().any(|&b| b != 0)
    }

    /// Samples of a song's audio; 0 where it has none. Touches no audio.
    pub fn samples(&self, song: usize) -> usize {
        self.audio[3 * song + 2] as usize
    }

    /// A song's audio; empty where it has none.
    pub fn wave(&self, song: usize) -> &[i16] {
        let [shard, first, samples] = [0, 1, 2].map(|i| self.audio[3 * song + i] as usize);
        if samples == 0 { &[] } else { &self.waves[shard][first..first + samples] }
    }

    pub fn split(&self, song: usize) -> Split {
        match self.view.splits.as_deref().unwrap_or(&self.splits)[song] {
            1 => Split::Train,
            2 => Split::Valid,
            3 => Split::Test,
            _ => Split::None,
        }
    }

    /// The songs of a side that have audio, ascending.
    pub fn heard(&self, side: Split) -> impl Iterator<Item = usize> + '_ {
        (0..self.songs()).filter(move |&song| self.split(song) == side && self.samples(song) > 0)
    }

    /// The group's number, `None` where the song has none.
    pub fn group(&self, song: usize) -> Option<u32> {
        Some(self.groups[song]).filter(|&group| group != u32::MAX)
    }

    pub fn group_name(&self, group: u32) -> &str {
        self.group_names.get(group as usize)
    }

    /// Songs of each playlist, in order.
    pub fn playlists(&self) -> Rows<'_> {
        Rows { offsets: &self.playlists.0, values: &self.playlists.1 }
    }

    /// Playlists of each song, ascending, each once.
    pub fn memberships(&self) -> Rows<'_> {
        Rows { offsets: &self.memberships.0, values: &self.memberships.1 }
    }
}

/// A name without its folders and its extension. (`import/` drops the marks of known data sets too.)
fn stem(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    match file.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => file,
    }
}
