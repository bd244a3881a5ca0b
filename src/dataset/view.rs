//! What a run sees of a dataset: the sides of its split as prepared or drawn anew from a seed, and all of
//! its tags or the most frequent ones. The folder stays as it is, and its audio is not copied.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::sides::{self, Fractions};
use super::{Dataset, Split};
use crate::error::{Error, Result};

/// What a split is drawn by, without its seed: what flags and an experiment's rows say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum SplitBy {
    Prepared,
    Songs,
    Groups,
}

impl SplitBy {
    /// As flags and rows have it.
    pub fn name(self) -> &'static str {
        match self {
            SplitBy::Prepared => "prepared",
            SplitBy::Songs => "songs",
            SplitBy::Groups => "groups",
        }
    }

    /// The sides that a seed gives.
    pub fn sides(self, seed: u64) -> Sides {
        match self {
            SplitBy::Prepared => Sides::Prepared,
            SplitBy::Songs => Sides::Songs(seed),
            SplitBy::Groups => Sides::Groups(seed),
        }
    }
}

/// Where the sides of the split come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sides {
    /// As they were prepared.
    #[default]
    Prepared,
    /// Drawn by this seed, song by song: as many on each side as were prepared.
    Songs(u64),
    /// Drawn by this seed, whole groups at a time: about as many on each side as were prepared.
    Groups(u64),
}

impl Sides {
    /// What they are drawn by, whatever the seed.
    pub fn by(self) -> SplitBy {
        match self {
            Sides::Prepared => SplitBy::Prepared,
            Sides::Songs(_) => SplitBy::Songs,
            Sides::Groups(_) => SplitBy::Groups,
        }
    }
}

/// See the module's page. Kept in a run's configuration, so that whoever goes on with it, or measures
/// it, sees the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub sides: Sides,
    /// So many of the most frequent tags, counted over all songs, those that only lend too.
    pub top: Option<usize>,
}

/// A view's values, where they are not the dataset's own.
#[derive(Default)]
pub(super) struct Seen {
    view: View,
    pub splits: Option<Vec<u8>>,
    pub vocabulary: Option<Vec<String>>,
    pub tags: Option<Vec<u8>>,
}

impl Dataset {
    /// What is seen of it.
    pub fn view(&self) -> View {
        self.view.view
    }

    /// The dataset as `view` shows it. Fails where the view asks for what is not there: groups, or songs
    /// for every side.
    pub fn seen(mut self, view: View) -> Result<Dataset> {
        self.view = Seen::default();
        let splits = match view.sides {
            Sides::Prepared => None,
            Sides::Songs(seed) => Some(redrawn(&self, None, seed)?),
            Sides::Groups(seed) => {
                let groups: Vec<Option<u32>> = placed(&self).map(|song| self.group(song)).collect();
                if groups.iter().all(Option::is_none) {
                    let error = Error::usage(sides::BY_GROUPS, "the dataset has no groups");
                    return Err(error.help("Prepare it with groups, or draw the split by songs."));
                }
                Some(redrawn(&self, Some(&groups), seed)?)
            }
        };
        let all = self.vocabulary().len();
        let kept = view.top.filter(|&top| top < all).map(|top| frequent(&self, top));
        if view.top == Some(0) {
            return Err(Error::usage("most frequent tags", "their number must be at least 1"));
        }
        let vocabulary = kept.as_ref().map(|kept| kept.iter().map(|&tag| self.vocabulary()[tag].clone()).collect());
        let tags = kept.as_ref().map(|kept| bits(&self, kept));
        self.view = Seen { view, splits, vocabulary, tags };
        Ok(self)
    }
}

/// The songs that are on a side: those that may change it.
fn placed(dataset: &Dataset) -> impl Iterator<Item = usize> + '_ {
    (0..dataset.songs()).filter(|&song| dataset.split(song) != Split::None && dataset.samples(song) > 0)
}

fn redrawn(dataset: &Dataset, groups: Option<&[Option<u32>]>, seed: u64) -> Result<Vec<u8>> {
    let songs: Vec<usize> = placed(dataset).collect();
    let count = |side| songs.iter().filter(|&&song| dataset.split(song) == side).count() as f64;
    let shares = [Split::Train, Split::Valid, Split::Test].map(|side| count(side) / songs.len().max(1) as f64);
    let drawn = sides::random(songs.len(), groups, Fractions(shares), seed)
        .map_err(|e| e.help("Take another seed, or draw the split by songs."))?;
    let mut splits = dataset.splits.to_vec();
    songs.iter().zip(drawn).for_each(|(&song, side)| splits[song] = side as u8);
    Ok(splits)
}

/// The `top` most frequent tags, in the dataset's order; of equals the first.
fn frequent(dataset: &Dataset, top: usize) -> Vec<usize> {
    let counts = dataset.tag_counts();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&tag| (std::cmp::Reverse(counts[tag]), tag));
    order.truncate(top);
    order.sort_unstable();
    order
}

/// All songs' bits of some tags.
fn bits(dataset: &Dataset, kept: &[usize]) -> Vec<u8> {
    let width = kept.len().div_ceil(8);
    let mut bits = vec![0u8; dataset.songs() * width];
    for (song, row) in bits.chunks_exact_mut(width).enumerate() {
        for (place, _) in kept.iter().enumerate().filter(|&(_, &tag)| dataset.has_tag(song, tag)) {
            row[place / 8] |= 1 << (place % 8);
        }
    }
    bits
}
