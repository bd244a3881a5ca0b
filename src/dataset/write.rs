//! Writing a dataset folder: audio into shards as it comes, then everything else from memory, the
//! manifest last. A folder without a manifest is not a dataset, so nothing half-written opens.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Split, manifest};
use crate::error::{Error, Result};
use crate::format::{atomic, npy};

/// Samples after which a shard ends: 1 GiB.
const SHARD: usize = 1 << 29;

/// All of a dataset but its audio. An empty `tags`, `splits` or `groups` stands for "none of any song".
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Samples a second.
    pub sample_rate: u32,
    /// The songs, each name once.
    pub names: Vec<String>,
    pub vocabulary: Vec<String>,
    /// Tags of each song, as places in the vocabulary.
    pub tags: Vec<Vec<u32>>,
    pub splits: Vec<Split>,
    /// Group of each song, as a place in `group_names`.
    pub groups: Vec<Option<u32>>,
    pub group_names: Vec<String>,
    /// Songs of each playlist, in order.
    pub playlists: Vec<Vec<u32>>,
    /// How it was made: kept in the manifest.
    pub options: serde_json::Value,
}

impl Contents {
    /// Writes a whole dataset; song i's audio is `waves[i]` (empty, or no such element: none).
    pub fn write(&self, folder: &Path, waves: &[Vec<i16>]) -> Result<()> {
        let mut writer = Writer::create(folder)?;
        let places = waves.iter().map(|wave| writer.wave(wave)).collect::<Result<Vec<_>>>()?;
        writer.finish(self, &places)
    }
}

/// Deletes a dataset's files from a folder, the manifest first, so that what is left is no dataset;
/// half-written ones too. Files of other names stay.
pub fn clear(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let entries = entries.map_err(|e| Error::io(folder, "cannot read", e))?;
    let mut names: Vec<String> = entries.iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| is_a_file(name));
    names.sort_by_key(|name| name != manifest::FILE);
    for name in names {
        let path = folder.join(name);
        fs::remove_file(&path).map_err(|e| Error::io(&path, "cannot delete", e))?;
    }
    Ok(())
}

/// Whether a name is that of a dataset's file, whole or half-written.
pub fn is_a_file(name: &str) -> bool {
    let whole = name.strip_suffix(".part").unwrap_or(name);
    whole == manifest::FILE || super::FILES.contains(&whole) || super::is_shard(whole)
}

/// Tag bits `[songs, width]` from the tags of each song.
pub(super) fn bits(tags: &[Vec<u32>], width: usize) -> Vec<u8> {
    let mut bits = vec![0u8; tags.len() * width];
    for (song, tags) in tags.iter().enumerate() {
        for &tag in tags {
            bits[song * width + tag as usize / 8] |= 1 << (tag % 8);
        }
    }
    bits
}

/// Where a song's audio lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    pub shard: u64,
    /// First sample: even, so that two samples share a 32-bit word on a GPU.
    pub first: u64,
    /// 0: no audio.
    pub samples: u64,
}

/// A dataset being written.
pub struct Writer {
    folder: PathBuf,
    limit: usize,
    shard: Option<npy::Writer<i16>>,
    shards: u64,
}

impl Writer {
    /// Begins a dataset in a folder, which is made if need be. Refuses one that holds a dataset.
    pub fn create(folder: &Path) -> Result<Writer> {
        Writer::with_shards_of(folder, SHARD)
    }

    /// The same, with shards that end once they hold `limit` samples.
    pub fn with_shards_of(folder: &Path, limit: usize) -> Result<Writer> {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, "cannot create", e))?;
        if folder.join(manifest::FILE).exists() {
            return Err(Error::input(folder, "holds a dataset already").help("Choose another folder, or delete this one."));
        }
        Ok(Writer { folder: folder.to_path_buf(), limit, shard: None, shards: 0 })
    }

    /// Adds a song's audio. Several songs may be given the same place.
    pub fn wave(&mut self, samples: &[i16]) -> Result<Place> {
        if samples.is_empty() {
            return Ok(Place::default());
        }
        if self.shard.as_ref().is_some_and(|shard| shard.len() >= self.limit) {
            self.end_shard()?;
        }
        if self.shard.is_none() {
            self.shard = Some(npy::Writer::create(&self.folder.join(shard_name(self.shards)))?);
        }
        let shard = self.shard.as_mut().expect("made above");
        let first = shard.len() as u64;
        shard.push(samples)?;
        if samples.len() % 2 == 1 {
            shard.push(&[0])?;
        }
        Ok(Place { shard: self.shards, first, samples: samples.len() as u64 })
    }

    fn end_shard(&mut self) -> Result<()> {
        if let Some(shard) = self.shard.take() {
            let samples = shard.len();
            shard.finish(&[samples])?;
            self.shards += 1;
        }
        Ok(())
    }

    /// Ends with the audio alone, which is then no dataset; gives the names of the shards.
    pub fn end(mut self) -> Result<Vec<String>> {
        self.end_shard()?;
        Ok((0..self.shards).map(shard_name).collect())
    }

    /// Writes everything else, the manifest last. `places` is as long as the songs, or shorter
    /// where the last ones have no audio.
    pub fn finish(mut self, contents: &Contents, places: &[Place]) -> Result<()> {
        contents.check(&self.folder)?;
        self.end_shard()?;
        let songs = contents.names.len();
        if places.len() > songs {
            return Err(Error::input(&self.folder, format!("{} songs, but audio of {}", songs, places.len())));
        }
        let folder = &self.folder;
        let path = |name: &str| folder.join(name);

        write_names(folder, "songs", &contents.names)?;
        let mut audio: Vec<u64> = places.iter().flat_map(|p| [p.shard, p.first, p.samples]).collect();
        audio.resize(3 * songs, 0);
        npy::write(&path("audio.npy"), &[songs, 3], &audio)?;

        let width = contents.vocabulary.len().div_ceil(8);
        let mut bits = bits(&contents.tags, width);
        bits.resize(songs * width, 0);
        npy::write(&path("tags.npy"), &[songs, width], &bits)?;

        let mut splits: Vec<u8> = contents.splits.iter().map(|s| *s as u8).collect();
        splits.resize(songs, Split::None as u8);
        npy::write(&path("splits.npy"), &[songs], &splits)?;

        let mut groups: Vec<u32> = contents.groups.iter().map(|g| g.unwrap_or(u32::MAX)).collect();
        groups.resize(songs, u32::MAX);
        npy::write(&path("groups.npy"), &[songs], &groups)?;
        write_names(folder, "groups", &contents.group_names)?;

        write_rows(folder, "playlists", "songs", &contents.playlists)?;
        write_rows(folder, "memberships", "playlists", &memberships(songs, &contents.playlists))?;

        let mut names: Vec<String> = super::FILES.iter().map(|f| f.to_string()).collect();
        names.extend((0..self.shards).map(shard_name));
        let files = names.into_par_iter().map(|name| Ok((name.clone(), manifest::entry(&path(&name))?)));
        let manifest = manifest::Manifest {
            format: manifest::FORMAT.into(),
            version: manifest::VERSION,
            sample_rate: contents.sample_rate,
            songs,
            songs_with_audio: places.iter().filter(|p| p.samples > 0).count(),
            playlists: contents.playlists.len(),
            groups: contents.group_names.len(),
            vocabulary: contents.vocabulary.clone(),
            options: contents.options.clone(),
            files: files.collect::<Result<_>>()?,
        };
        let mut text = serde_json::to_vec_pretty(&manifest).expect("a manifest has no map with keys that are not text");
        text.push(b'\n');
        atomic::write(&path(manifest::FILE), &text)
    }
}

impl Contents {
    /// Refuses what would not open.
    fn check(&self, folder: &Path) -> Result<()> {
        let songs = self.names.len();
        let wrong = |what: String| Err(Error::input(folder, format!("cannot write the dataset: {what}")));
        if songs >= u32::MAX as usize || self.playlists.len() >= u32::MAX as usize {
            return wrong(format!("{songs} songs and {} playlists; each must be below 2^32 - 1", self.playlists.len()));
        }
        if self.sample_rate == 0 {
            return wrong("the sample rate is 0".into());
        }
        let lengths = [("tags", self.tags.len()), ("splits", self.splits.len()), ("groups", self.groups.len())];
        for (what, length) in lengths {
            if length != 0 && length != songs {
                return wrong(format!("{songs} songs, but {what} of {length}"));
            }
        }
        for (what, names) in [("song", &self.names), ("tag", &self.vocabulary), ("group", &self.group_names)] {
            let mut seen = HashSet::with_capacity(names.len());
            if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
                return wrong(format!("{what} {twice:?} is there twice"));
            }
        }
        if let Some(&tag) = self.tags.iter().flatten().find(|&&t| t as usize >= self.vocabulary.len()) {
            return wrong(format!("tag {tag} of {}", self.vocabulary.len()));
        }
        if let Some(&group) = self.groups.iter().flatten().find(|&&g| g as usize >= self.group_names.len()) {
            return wrong(format!("group {group} of {}", self.group_names.len()));
        }
        if let Some(&song) = self.playlists.iter().flatten().find(|&&s| s as usize >= songs) {
            return wrong(format!("a playlist names song {song} of {songs}"));
        }
        Ok(())
    }
}

pub(crate) fn shard_name(shard: u64) -> String {
    format!("waves-{shard:05}.npy")
}

/// Playlists of each song, ascending, each once.
fn memberships(songs: usize, playlists: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); songs];
    for (p, list) in playlists.iter().enumerate() {
        for &song in list {
            let row = &mut rows[song as usize];
            if row.last() != Some(&(p as u32)) {
                row.push(p as u32);
            }
        }
    }
    rows
}

fn write_names(folder: &Path, what: &str, names: &[String]) -> Result<()> {
    let mut offsets = vec![0u64];
    offsets.extend(names.iter().scan(0u64, |end, name| {
        *end += name.len() as u64;
        Some(*end)
    }));
    atomic::write(&folder.join(format!("{what}.names")), names.concat().as_bytes())?;
    npy::write(&folder.join(format!("{what}.offsets.npy")), &[offsets.len()], &offsets)
}

fn write_rows(folder: &Path, what: &str, of: &str, rows: &[Vec<u32>]) -> Result<()> {
    let mut offsets = vec![0u64];
    offsets.extend(rows.iter().scan(0u64, |end, row| {
        *end += row.len() as u64;
        Some(*end)
    }));
    let mut values = npy::Writer::create(&folder.join(format!("{what}.{of}.npy")))?;
    for row in rows {
        values.push(row)?;
    }
    let count = values.len();
    values.finish(&[count])?;
    npy::write(&folder.join(format!("{what}.offsets.npy")), &[offsets.len()], &offsets)
}
