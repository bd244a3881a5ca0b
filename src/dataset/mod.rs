//! The dataset folder, opened: memory-mapped, every file checked against every other.
//!
//! | file | what |
//! |---|---|
//! | `manifest.json` | format, sample rate, counts, vocabulary, options, and SHA-256 and size of every other file |
//! | `songs.names` + `songs.offsets.npy` u64 `[songs + 1]` | the songs' names (UTF-8), one after the other, and where each begins |
//! | `waves-00000.npy` ... int16 `[samples]` | shards of audio; a song lies in one of them, at an even sample |
//! | `audio.npy` u64 `[songs, 3]` | shard, first sample, samples (0: no audio) |
//! | `tags.npy` u8 `[songs, ceil(tags / 8)]` | tag bits, bit t % 8 of byte t / 8 |
//! | `splits.npy` u8 `[songs]` | 0 none (lends only), 1 train, 2 valid, 3 test |
//! | `groups.npy` u32 `[songs]` + `groups.names`, `groups.offsets.npy` | artist, album or other group; u32::MAX: none |
//! | `playlists.offsets.npy` u64, `playlists.songs.npy` u32 | songs of each playlist, in order |
//! | `memberships.offsets.npy` u64, `memberships.playlists.npy` u32 | playlists of each song, ascending, each once |

/// Which side of the split a song is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Neither trained on nor tested: lends its tags only.
    None,
    Train,
    Valid,
    Test,
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

/// An opened dataset. Cheap to share between threads; nothing is read until it is used.
pub struct Dataset {
    private: (),
}

impl Dataset {
    /// Opens a folder and checks every file against every other (sizes, ranges, order), not the
    /// checksums: `tagwalk verify` does that.
    pub fn open(folder: &std::path::Path) -> crate::error::Result<Dataset> {
        let _ = folder;
        todo!()
    }

    pub fn folder(&self) -> &std::path::Path {
        todo!()
    }

    /// SHA-256 of the manifest, hex: what a resumed run compares.
    pub fn fingerprint(&self) -> String {
        todo!()
    }

    pub fn sample_rate(&self) -> u32 {
        todo!()
    }

    pub fn songs(&self) -> usize {
        let _ = self.private;
        todo!()
    }

    pub fn name(&self, _song: usize) -> &str {
        todo!()
    }

    /// The song of this name: exactly, else by unique file stem.
    pub fn find(&self, _name: &str) -> crate::error::Result<usize> {
        todo!()
    }

    pub fn vocabulary(&self) -> &[String] {
        todo!()
    }

    /// Tag bits of a song.
    pub fn tag_bits(&self, _song: usize) -> &[u8] {
        todo!()
    }

    pub fn has_tag(&self, song: usize, tag: usize) -> bool {
        self.tag_bits(song)[tag / 8] >> (tag % 8) & 1 == 1
    }

    /// Whether the song has any tag of the vocabulary.
    pub fn is_tagged(&self, song: usize) -> bool {
        self.tag_bits(song).iter().any(|&b| b != 0)
    }

    /// Samples of a song's audio; 0 where it has none. Touches no audio.
    pub fn samples(&self, _song: usize) -> usize {
        todo!()
    }

    /// A song's audio; empty where it has none.
    pub fn wave(&self, _song: usize) -> &[i16] {
        todo!()
    }

    pub fn split(&self, _song: usize) -> Split {
        todo!()
    }

    /// The group's number, `None` where the song has none.
    pub fn group(&self, _song: usize) -> Option<u32> {
        todo!()
    }

    pub fn group_name(&self, _group: u32) -> &str {
        todo!()
    }

    /// Songs of each playlist, in order.
    pub fn playlists(&self) -> Rows<'_> {
        todo!()
    }

    /// Playlists of each song, ascending, each once.
    pub fn memberships(&self) -> Rows<'_> {
        todo!()
    }
}
