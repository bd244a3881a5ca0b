//! What is known of a made-up dataset beyond what a dataset holds: the tags that its songs truly have, of which
//! annotators recorded some. It lies in a folder of its own, `truth`, and the manifest's options know its checksums.
//!
//! | file | what |
//! |---|---|
//! | `truth/tags.npy` u8 `[songs, ceil(tags / 8)]` | as the dataset's own `tags.npy` |
//! | `truth/categories.tsv` | `tag` and `category` of every tag, for tables by category |
//! | `truth/styles.npy` f64 `[songs, traits]` | where each song lies in the space that playlists wander through |
//!
//! [`Reference`] is what songs are measured against: the truth where it is known, else the dataset's tags.

use std::path::Path;

use serde_json::{Value, json};

use super::{Dataset, manifest};
use crate::error::{Error, Result};
use crate::format::npy::{self, Array};
use crate::format::{atomic, table};

pub const FOLDER: &str = "truth";
const TAGS: &str = "tags.npy";
pub const CATEGORIES: &str = "categories.tsv";
const STYLES: &str = "styles.npy";
/// The manifest's member of `options` that has the checksums.
pub const MEMBER: &str = "truth";
const FILES: [&str; 3] = [CATEGORIES, STYLES, TAGS];

/// Tags as they truly are, of the vocabulary that the dataset is seen with.
pub struct Truth {
    tags: Array<u8>,
    width: usize,
    /// Place in the file of each tag that is seen, where not all are.
    places: Option<Vec<usize>>,
}

impl Truth {
    /// The truth of a dataset, if it has one. Fails where it is damaged.
    pub fn open(dataset: &Dataset) -> Result<Option<Truth>> {
        if dataset.manifest().options.get(MEMBER).is_none() {
            return Ok(None);
        }
        let path = dataset.folder().join(FOLDER).join(TAGS);
        let all = &dataset.manifest().vocabulary;
        let (songs, width) = (dataset.songs(), all.len().div_ceil(8));
        let tags = Array::<u8>::open(&path)?;
        if tags.shape() != [songs, width] {
            let what = format!("has shape {:?}, must be {:?}", tags.shape(), [songs, width]);
            return Err(Error::input(path, what).help("Make the dataset again: `tagwalk synth`."));
        }
        let seen = dataset.vocabulary();
        let place = |tag: &String| all.iter().position(|other| other == tag);
        let places = if seen.len() == all.len() { None } else { Some(seen.iter().filter_map(place).collect()) };
        Ok(Some(Truth { tags, width, places }))
    }

    pub fn has_tag(&self, song: usize, tag: usize) -> bool {
        let tag = self.places.as_ref().map_or(tag, |places| places[tag]);
        self.tags[song * self.width + tag / 8] >> (tag % 8) & 1 == 1
    }

    /// Whether any tag that is seen is true of the song.
    pub fn is_tagged(&self, song: usize) -> bool {
        match &self.places {
            None => self.tags[song * self.width..(song + 1) * self.width].iter().any(|&byte| byte != 0),
            Some(places) => (0..places.len()).any(|tag| self.has_tag(song, tag)),
        }
    }
}

/// Which tags count as true.
pub enum Reference<'a> {
    /// Those of a made-up world.
    World(Truth),
    /// The dataset's own, of which a run removes some.
    Own(&'a Dataset),
}

impl<'a> Reference<'a> {
    /// The truth beside a dataset, else the dataset's tags. Fails where the truth is damaged.
    pub fn of(dataset: &'a Dataset) -> Result<Reference<'a>> {
        Ok(Truth::open(dataset)?.map_or(Reference::Own(dataset), Reference::World))
    }

    pub fn has_tag(&self, song: usize, tag: usize) -> bool {
        match self {
            Reference::World(truth) => truth.has_tag(song, tag),
            Reference::Own(dataset) => dataset.has_tag(song, tag),
        }
    }

    pub fn is_tagged(&self, song: usize) -> bool {
        match self {
            Reference::World(truth) => truth.is_tagged(song),
            Reference::Own(dataset) => dataset.is_tagged(song),
        }
    }

    /// Truth `[song, tag]` of some songs, 0 or 1, for [`crate::evaluate`]'s tables.
    pub fn table(&self, songs: &[usize], tags: usize) -> Vec<u8> {
        songs.iter().flat_map(|&song| (0..tags).map(move |tag| u8::from(self.has_tag(song, tag)))).collect()
    }
}

/// What is written into the folder.
pub struct Parts<'a> {
    /// True tags of each song, as places in the vocabulary.
    pub tags: &'a [Vec<u32>],
    /// Each tag's name and category.
    pub categories: &'a [(&'a str, &'a str)],
    /// `[songs, axes]`
    pub styles: &'a [f64],
}

/// Writes the truth beside a dataset that is not yet whole; gives what belongs into the manifest's options as
/// [`MEMBER`].
pub fn write(folder: &Path, parts: &Parts) -> Result<Value> {
    let folder = folder.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, "cannot create", e))?;
    let (songs, width) = (parts.tags.len(), parts.categories.len().div_ceil(8));
    npy::write(&folder.join(TAGS), &[songs, width], &super::write::bits(parts.tags, width))?;
    npy::write(&folder.join(STYLES), &[songs, parts.styles.len() / songs.max(1)], parts.styles)?;
    let rows = parts.categories.iter().map(|(tag, category)| format!("{}\t{}\n", table::visible(tag), table::visible(category)));
    atomic::write(&folder.join(CATEGORIES), (String::from("tag\tcategory\n") + &rows.collect::<String>()).as_bytes())?;
    let mut sums = json!({});
    for file in FILES {
        sums[file] = json!(manifest::entry(&folder.join(file))?);
    }
    Ok(sums)
}

/// Files of the truth that a manifest names, as paths below the dataset's folder, with size and checksum.
pub(super) fn listed(options: &Value) -> Vec<(String, manifest::Entry)> {
    let entry = |file: &&str| serde_json::from_value(options.get(MEMBER)?.get(file)?.clone()).ok();
    FILES.iter().filter_map(|file| Some((format!("{FOLDER}/{file}"), entry(file)?))).collect()
}
