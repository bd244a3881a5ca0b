//! What to prepare from what; and the paper's own set-up, by its files.

use std::path::{Path, PathBuf};

use crate::import::audio;
use crate::import::playlists::Reading;
use crate::import::splits::{Fractions, Numbers};

/// What to prepare.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub out: PathBuf,
    pub audio: Vec<PathBuf>,
    /// Tables, `lastfm_tags.db`, folders of Last.fm's JSON files.
    pub tags: Vec<PathBuf>,
    /// Of Last.fm's tags, those of more than this weight (0 to 100).
    pub weight_above: Option<f64>,
    pub playlists: Vec<PathBuf>,
    pub reading: Reading,
    /// A table of songs: groups, ids, artists and titles.
    pub songs: Option<PathBuf>,
    pub id_column: Option<String>,
    /// A column of `songs`, or `artist` of the Million Song Dataset's tracks.
    pub group_column: Option<String>,
    /// A song's first folder is its group.
    pub group_folder: bool,
    /// Songs are tracks of the Million Song Dataset, and called by their ids.
    pub msd: Option<Msd>,
    pub split: Option<SplitFrom>,
    /// Keep the most frequent tags only.
    pub top: Option<usize>,
    pub decode: audio::Options,
    /// Make it again where a dataset of other options is.
    pub force: bool,
}

/// Lists of the Million Song Dataset.
#[derive(Clone, Debug, Default)]
pub struct Msd {
    /// `unique_tracks.txt`.
    pub tracks: PathBuf,
    /// `sid_mismatches.txt`.
    pub mismatches: Option<PathBuf>,
    /// Which clip is which track's, where the clips are not named by their tracks (`import::msd::clips`).
    pub clips: Vec<PathBuf>,
}

/// Where a new dataset's split comes from.
#[derive(Clone, Debug)]
pub enum SplitFrom {
    /// As these say (`import::splits::read`). A song that they put on two sides is on the first.
    Files(Vec<PathBuf>),
    /// By MagnaTagATune's folders.
    MagnaTagATune,
    Chance {
        fractions: Fractions,
        seed: u64,
        grouped: bool,
    },
    /// As the paper: songs with audio and tags that are in a playlist with another song with tags train.
    Playlists(Others),
}

/// Validation and test songs beside the training songs of playlists.
#[derive(Clone, Debug)]
pub enum Others {
    /// Drawn from the songs with audio and tags that do not train.
    Drawn { numbers: Numbers, seed: u64 },
    /// Those that these lists name and that do not train.
    Listed(Vec<PathBuf>),
}

/// The files of the paper's set-up, as they are passed on; docs/datasets.md says where each comes from.
#[derive(Clone, Debug, Default)]
pub struct PaperFiles {
    /// The folder of 7digital's clips.
    pub audio: PathBuf,
    /// `lastfm_tags.db`, or the folders of JSON.
    pub tags: Vec<PathBuf>,
    /// `aotm2011_playlists.json`.
    pub playlists: PathBuf,
    pub msd: Msd,
    /// Lists of validation and test songs; none: 10,054 and 6,354 songs are drawn.
    pub split: Vec<PathBuf>,
}

impl PaperFiles {
    /// What [`super::prepare`] makes the paper's dataset from: 22,050 Hz, the `top` most frequent tags (50 and
    /// 1,000 in the paper) with all weights, playlists joined over songs without tags, training on the songs of
    /// playlists.
    pub fn options(&self, out: &Path, top: usize, seed: u64) -> Options {
        let numbers = Numbers { valid: 10_054, test: 6_354 };
        let drawn = Others::Drawn { numbers, seed };
        Options {
            out: out.to_path_buf(),
            audio: vec![self.audio.clone()],
            tags: self.tags.clone(),
            playlists: vec![self.playlists.clone()],
            msd: Some(self.msd.clone()),
            // Songs of an artist are alike: what a split of songs leaves on both sides must be known.
            group_column: Some("artist".into()),
            split: Some(SplitFrom::Playlists(if self.split.is_empty() { drawn } else { Others::Listed(self.split.clone()) })),
            top: Some(top),
            ..Options::default()
        }
    }
}
