//! Opening a dataset: every file mapped, and checked against the manifest's sizes and against
//! every other file. Reads the indices once, in order; touches no audio.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::write::shard_name;
use super::{Dataset, FILES, Names, Rows};
use crate::error::{Error, Result};
use crate::format::npy::{Array, Bytes, Element};

/// What to do about a damaged file.
const HELP: &str = "The dataset was damaged after it was made: `tagwalk verify` lists the files that changed; prepare it again.";

pub(super) fn open(folder: &Path) -> Result<Dataset> {
    let (manifest, fingerprint) = Manifest::read(folder)?;
    let files = Files { folder, manifest: &manifest };
    let shards = files.check()?;
    let songs = manifest.songs;
    if songs >= u32::MAX as usize || manifest.playlists >= u32::MAX as usize || manifest.groups >= u32::MAX as usize {
        return Err(files.wrong("manifest.json", "counts of songs, playlists and groups must be below 2^32 - 1"));
    }
    if manifest.sample_rate == 0 {
        return Err(files.wrong("manifest.json", "the sample rate is 0"));
    }
    let mut seen = HashSet::new();
    if let Some(tag) = manifest.vocabulary.iter().find(|tag| !seen.insert(tag.as_str())) {
        return Err(files.wrong("manifest.json", format!("tag {tag:?} is there twice")));
    }
    drop(seen);

    let song_names = files.names("songs", songs)?;
    let group_names = files.names("groups", manifest.groups)?;
    let waves = (0..shards).map(|shard| files.array(&shard_name(shard), |shape| shape.len() == 1, "[samples]"));
    let waves = waves.collect::<Result<Vec<Array<i16>>>>()?;
    let audio = files.rows_of("audio.npy", &[songs, 3])?;
    check_audio(&files, &audio, &waves)?;
    let width = manifest.vocabulary.len().div_ceil(8);
    let tags = files.rows_of("tags.npy", &[songs, width])?;
    check_tags(&files, &tags, width)?;
    let splits = files.rows_of::<u8>("splits.npy", &[songs])?;
    if let Some(song) = splits.iter().position(|&s| s > 3) {
        return Err(files.wrong("splits.npy", format!("song {song} has split {}; 0 to 3 are known", splits[song])));
    }
    let groups = files.rows_of::<u32>("groups.npy", &[songs])?;
    if let Some(song) = groups.iter().position(|&g| g != u32::MAX && g as usize >= manifest.groups) {
        return Err(files.wrong("groups.npy", format!("song {song} has group {} of {}", groups[song], manifest.groups)));
    }
    let playlists = files.compressed("playlists", "songs", manifest.playlists, songs)?;
    let memberships = files.compressed("memberships", "playlists", songs, manifest.playlists)?;
    check_memberships(&files, as_rows(&playlists), as_rows(&memberships))?;

    Ok(Dataset {
        folder: folder.to_path_buf(),
        fingerprint,
        song_names,
        group_names,
        waves,
        audio,
        tags,
        splits,
        groups,
        playlists,
        memberships,
        view: super::view::Seen::default(),
        manifest,
    })
}

fn as_rows(arrays: &(Array<u64>, Array<u32>)) -> Rows<'_> {
    Rows { offsets: &arrays.0, values: &arrays.1 }
}

/// The folder's files as the manifest lists them.
struct Files<'a> {
    folder: &'a Path,
    manifest: &'a Manifest,
}

impl Files<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn wrong(&self, name: &str, what: impl Into<String>) -> Error {
        Error::input(self.path(name), what).help(HELP)
    }

    /// Every file is listed, is there, and has its size; nothing else is listed. Gives the number of shards.
    fn check(&self) -> Result<u64> {
        let shards = self.manifest.files.len().saturating_sub(FILES.len()) as u64;
        let expected = FILES.iter().map(|f| f.to_string()).chain((0..shards).map(shard_name));
        for name in expected {
            let Some(entry) = self.manifest.files.get(&name) else {
                return Err(self.wrong("manifest.json", format!("does not list {name}")));
            };
            let path = self.path(&name);
            let meta = std::fs::metadata(&path).map_err(|e| Error::io(&path, "cannot open", e).help(HELP))?;
            if meta.len() != entry.bytes {
                return Err(self.wrong(&name, format!("has {} bytes, the manifest says {}", meta.len(), entry.bytes)));
            }
        }
        Ok(shards)
    }

    fn array<T: Element>(&self, name: &str, fits: impl Fn(&[usize]) -> bool, shape: &str) -> Result<Array<T>> {
        let array = Array::open(&self.path(name))?;
        if !fits(array.shape()) {
            return Err(self.wrong(name, format!("has shape {:?}, must be {shape}", array.shape())));
        }
        Ok(array)
    }

    /// An array of exactly this shape.
    fn rows_of<T: Element>(&self, name: &str, shape: &[usize]) -> Result<Array<T>> {
        self.array(name, |s| s == shape, &format!("{shape:?}"))
    }

    fn names(&self, what: &str, count: usize) -> Result<Names> {
        let (name, offsets_name) = (format!("{what}.names"), format!("{what}.offsets.npy"));
        let bytes = Bytes::open(&self.path(&name))?;
        let offsets = self.rows_of::<u64>(&offsets_name, &[count + 1])?;
        let text =
            std::str::from_utf8(&bytes).map_err(|e| self.wrong(&name, format!("is not UTF-8 at byte {}", e.valid_up_to())))?;
        self.check_offsets(&offsets_name, &offsets, text.len())?;
        if let Some(i) = offsets.iter().position(|&o| !text.is_char_boundary(o as usize)) {
            return Err(self.wrong(&offsets_name, format!("offset {i} ({}) cuts a character", offsets[i])));
        }
        Ok(Names { bytes, offsets })
    }

    /// Offsets begin at 0, never fall and end at `end`.
    fn check_offsets(&self, name: &str, offsets: &[u64], end: usize) -> Result<()> {
        if offsets[0] != 0 || offsets[offsets.len() - 1] != end as u64 {
            let last = offsets[offsets.len() - 1];
            return Err(self.wrong(name, format!("runs from {} to {last}, must run from 0 to {end}", offsets[0])));
        }
        match offsets.windows(2).position(|w| w[0] > w[1]) {
            Some(i) => Err(self.wrong(name, format!("falls from {} to {} at {i}", offsets[i], offsets[i + 1]))),
            None => Ok(()),
        }
    }

    /// Compressed rows `WHAT.offsets.npy`, `WHAT.OF.npy`, whose values are below `bound`.
    fn compressed(&self, what: &str, of: &str, rows: usize, bound: usize) -> Result<(Array<u64>, Array<u32>)> {
        let (offsets_name, name) = (format!("{what}.offsets.npy"), format!("{what}.{of}.npy"));
        let offsets = self.rows_of::<u64>(&offsets_name, &[rows + 1])?;
        let values = self.array::<u32>(&name, |s| s.len() == 1, "[entries]")?;
        self.check_offsets(&offsets_name, &offsets, values.len())?;
        match values.iter().position(|&v| v as usize >= bound) {
            Some(i) => Err(self.wrong(&name, format!("entry {i} is {}, but there are only {bound} {of}", values[i]))),
            None => Ok((offsets, values)),
        }
    }
}

fn check_audio(files: &Files, audio: &[u64], waves: &[Array<i16>]) -> Result<()> {
    let mut with_audio = 0;
    for (song, row) in audio.chunks_exact(3).enumerate() {
        let [shard, first, samples] = [row[0], row[1], row[2]];
        if samples == 0 {
            continue;
        }
        with_audio += 1;
        let length = waves.get(shard as usize).map_or(0, |wave| wave.len() as u64);
        if first % 2 == 1 || first.checked_add(samples).is_none_or(|end| end > length) {
            let what = format!("song {song} has {samples} samples from {first} of shard {shard}, which has {length}");
            return Err(files.wrong("audio.npy", if first % 2 == 1 { what + "; it must begin evenly" } else { what }));
        }
    }
    if with_audio != files.manifest.songs_with_audio {
        let listed = files.manifest.songs_with_audio;
        return Err(files.wrong("audio.npy", format!("gives audio to {with_audio} songs, the manifest says {listed}")));
    }
    Ok(())
}

/// Bits past the vocabulary are 0.
fn check_tags(files: &Files, tags: &[u8], width: usize) -> Result<()> {
    let used = files.manifest.vocabulary.len() % 8;
    if used == 0 {
        return Ok(());
    }
    match tags.chunks_exact(width).position(|row| row[width - 1] >> used != 0) {
        Some(song) => Err(files.wrong("tags.npy", format!("song {song} has a tag past the vocabulary's end"))),
        None => Ok(()),
    }
}

/// The memberships are the playlists turned round: as the playlists are gone through, each song's
/// row must give the same playlist next.
fn check_memberships(files: &Files, playlists: Rows, memberships: Rows) -> Result<()> {
    let name = "memberships.playlists.npy";
    let mut used = vec![0u32; memberships.len()];
    for p in 0..playlists.len() {
        for &song in playlists.row(p) {
            let row = memberships.row(song as usize);
            let next = &mut used[song as usize];
            if *next > 0 && row[*next as usize - 1] == p as u32 {
                continue; // the song was in this playlist before
            }
            if row.get(*next as usize) != Some(&(p as u32)) {
                return Err(files.wrong(name, format!("song {song} is in playlist {p}, but its row does not say so")));
            }
            *next += 1;
        }
    }
    match (0..used.len()).find(|&song| used[song] as usize != memberships.row(song).len()) {
        Some(song) => Err(files.wrong(name, format!("song {song} is not in all playlists its row names"))),
        None => Ok(()),
    }
}
