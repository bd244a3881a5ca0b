//! A dataset made up, of any number of songs: names, tags, playlists by chance, and audio that says
//! nothing and takes no room on the disk (holes in sparse files). For trying what size does.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rand::RngExt;

use crate::dataset::write::{Contents, Place, shard_name};
use crate::dataset::{Dataset, Manifest, Split, manifest};
use crate::error::{Error, Result};
use crate::format::npy;
use crate::random::{Purpose, generator};

/// How large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub songs: usize,
    /// Playlists of six songs.
    pub playlists: usize,
    /// Tags of the vocabulary.
    pub tags: usize,
    /// A song has 0 to this many of them.
    pub tags_a_song: usize,
    /// Samples of each song's audio, at 22,050 Hz; 0: none has audio.
    pub samples: u64,
}

/// The Art of the Mix's playlists of 2011 with Last.fm's tags: what the paper propagates along.
pub const AOTM: Size = Size { songs: 70_427, playlists: 80_578, tags: 1_000, tags_a_song: 20, samples: 0 };

/// Songs in a playlist.
const LENGTH: usize = 6;

/// Samples in a shard: 1 GiB.
const SHARD: u64 = 1 << 29;

/// Writes a dataset into a folder. Half of its songs are for training, the others for each split, or
/// none, in turn. The audio's checksums are left out, so `tagwalk verify` finds them wrong.
pub fn write(folder: &Path, size: &Size) -> Result<()> {
    let mut random = generator(0, Purpose::Synthetic, [0; 3]);
    let splits = [Split::None, Split::Train, Split::Train, Split::Train, Split::Valid, Split::Test];
    let mut numbers = |count: usize, below: usize| (0..count).map(|_| random.random_range(0..below as u32)).collect::<Vec<u32>>();
    let contents = Contents {
        sample_rate: 22_050,
        names: (0..size.songs).map(|song| format!("artist {}/song {song}.mp3", song / 10)).collect(),
        vocabulary: (0..size.tags).map(|tag| format!("tag {tag}")).collect(),
        tags: (0..size.songs).map(|song| numbers(song % (size.tags_a_song + 1), size.tags)).collect(),
        splits: (0..size.songs).map(|song| splits[song % splits.len()]).collect(),
        playlists: (0..size.playlists).map(|_| numbers(LENGTH, size.songs)).collect(),
        ..Contents::default()
    };
    contents.write(folder, &[])?;
    if size.samples > 0 { hollow_audio(folder, size) } else { Ok(()) }
}

/// Gives every song its place in sparse shards, past what is written already.
fn hollow_audio(folder: &Path, size: &Size) -> Result<()> {
    let each = size.samples.next_multiple_of(2);
    let in_shard = (SHARD / each).max(1);
    let songs = size.songs as u64;
    let (mut manifest, _) = Manifest::read(folder)?;
    for shard in 0..songs.div_ceil(in_shard) {
        let name = shard_name(shard);
        let samples = in_shard.min(songs - shard * in_shard) * each;
        npy::write_hole::<i16>(&folder.join(&name), &[samples as usize])?;
        let bytes = npy::HEADER as u64 + 2 * samples;
        manifest.files.insert(name, manifest::Entry { bytes, sha256: "0".repeat(64) });
    }
    let place = |song| Place { shard: song / in_shard, first: song % in_shard * each, samples: size.samples };
    let places: Vec<u64> = (0..songs).map(place).flat_map(|p| [p.shard, p.first, p.samples]).collect();
    npy::write(&folder.join("audio.npy"), &[size.songs, 3], &places)?;
    manifest.songs_with_audio = size.songs;
    manifest::write(folder, &manifest)
}

/// A dataset in a folder of its own among the system's temporary ones, which goes when this goes.
pub struct Temporary {
    folder: PathBuf,
}

impl Temporary {
    pub fn new(size: &Size) -> Result<Temporary> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("tagwalk-bench-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        // Only a folder that was made here is deleted again.
        std::fs::create_dir(&folder).map_err(|e| Error::io(&folder, "cannot make this folder", e))?;
        let temporary = Temporary { folder };
        write(&temporary.folder, size)?;
        Ok(temporary)
    }

    pub fn open(&self) -> Result<Dataset> {
        Dataset::open(&self.folder)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
