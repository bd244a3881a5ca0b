//! What a clip is trained on: its song's own tags, the tags it borrows along its playlists, and
//! the weight of either in eqs. (1) and (3). The loss weight λ is the loss kernel's.
//!
//! `expected` sums over all of a song's playlists at every step. Kept per song these rows would
//! take memory in proportion to songs times neighbours, and a step needs but a batch of them: some
//! microseconds a clip, where the device takes milliseconds.

use rand::RngExt;

use super::{Mode, Options, Tags, Untagged, UntaggedLenders, Walks};
use crate::dataset::{Dataset, Rows, Split};
use crate::error::Result;
use crate::random::Generator;

/// Weights of a clip's two terms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    pub own: f32,
    /// 0 where nothing was lent.
    pub propagated: f32,
}

/// Own and propagated labels of any song.
pub struct Labels<'a> {
    dataset: &'a Dataset,
    tags: Tags<'a>,
    walks: Walks<'a>,
    /// Everybody who lends along some playlist; empty unless lenders are drawn at random.
    lenders: Vec<u32>,
    options: Options,
}

impl<'a> Labels<'a> {
    /// `seed` decides whose tags are removed. Fails where an option is out of range.
    pub fn new(dataset: &'a Dataset, options: &Options, seed: u64) -> Result<Labels<'a>> {
        Labels::along(dataset, dataset.playlists(), dataset.memberships(), options, seed)
    }

    /// The same along other lists than the dataset's playlists: `lists` has the songs of each in order,
    /// `memberships` the lists in which each song's walks start, ascending and each once.
    pub fn along(
        dataset: &'a Dataset,
        lists: Rows<'a>,
        memberships: Rows<'a>,
        options: &Options,
        seed: u64,
    ) -> Result<Labels<'a>> {
        options.check()?;
        let tags = Tags::removing(dataset, options.remove, seed);
        let walks = Walks::new(lists, memberships, tags.lenders(options.lend), options)?;
        let lends = |&song: &u32| walks.can_lend(song as usize) && !walks.playlists_of(song as usize).is_empty();
        let lenders = if options.random_lenders { (0..dataset.songs() as u32).filter(lends).collect() } else { Vec::new() };
        Ok(Labels { dataset, tags, walks, lenders, options: options.clone() })
    }

    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    pub fn tags(&self) -> &Tags<'a> {
        &self.tags
    }

    pub fn walks(&self) -> &Walks<'a> {
        &self.walks
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether a song is trained on: of split train, with audio, and with tags or, if untagged
    /// songs are, without. Masked songs have the supportive term alone, so without one they are
    /// left out.
    pub fn trains(&self, song: usize) -> bool {
        let untagged = match self.options.untagged {
            Untagged::Mask => self.options.mode != Mode::None,
            Untagged::Zeros => true,
            Untagged::LeaveOut => false,
        };
        let tagged = || untagged || self.tags.is_tagged(song);
        self.dataset.split(song) == Split::Train && self.dataset.samples(song) > 0 && tagged()
    }

    /// Writes a song's own labels `[tag]` and gives their weight: 0 for a song without tags, unless
    /// its zeros count.
    pub fn own(&self, song: usize, row: &mut [f32]) -> f32 {
        self.tags.write(song, row);
        (self.tags.is_tagged(song) || self.options.untagged == Untagged::Zeros) as u32 as f32
    }

    /// Values of working space that [`Labels::row`] needs.
    pub fn workspace(&self) -> usize {
        if self.options.mode == Mode::Expected { self.dataset.vocabulary().len() } else { 0 }
    }

    /// Writes both rows of labels, `[tag]` each, and gives their weights. Allocates nothing.
    pub fn row(
        &self,
        song: usize,
        random: &mut Generator,
        own: &mut [f32],
        propagated: &mut [f32],
        workspace: &mut [f64],
    ) -> Row {
        let own = self.own(song, own);
        let nothing_own = self.options.untagged == Untagged::Mask && !self.tags.is_tagged(song);
        let exclude_self = self.options.exclude_self || nothing_own;
        propagated.fill(0.0);
        let weight = match self.options.mode {
            Mode::None => 0.0,
            Mode::Walk | Mode::WalkWeighted => match self.walks.draw(song, exclude_self, random) {
                None => 0.0,
                Some(lender) => {
                    let lender = self.somebody_else(song, random).unwrap_or(lender);
                    self.lend(lender, |tag| propagated[tag] = 1.0);
                    let weighted = self.options.mode == Mode::WalkWeighted;
                    if weighted { self.walks.eq4(song, lender, exclude_self) as f32 } else { 1.0 }
                }
            },
            Mode::Expected => self.expected(song, exclude_self, propagated, workspace),
        };
        Row { own, propagated: weight }
    }

    /// With random lenders, any of them but the song itself.
    fn somebody_else(&self, song: usize, random: &mut Generator) -> Option<u32> {
        let at = (self.lenders.len() > 1).then(|| random.random_range(0..self.lenders.len()))?;
        let drawn = self.lenders[at];
        // The song itself stands for its neighbour in the list.
        Some(if drawn as usize == song { self.lenders[(at + 1) % self.lenders.len()] } else { drawn })
    }

    /// Σ P y / Σ P and Σ P over everybody who lends.
    fn expected(&self, song: usize, exclude_self: bool, row: &mut [f32], sums: &mut [f64]) -> f32 {
        sums.fill(0.0);
        let mut total = 0.0;
        self.walks.each(self.options.reading, song, exclude_self, &mut |o| {
            total += o.probability;
            self.lend(o.song, |tag| sums[tag] += o.probability);
        });
        if total > 0.0 {
            row.iter_mut().zip(sums.iter()).for_each(|(label, sum)| *label = (sum / total).min(1.0) as f32);
        }
        total as f32
    }

    /// The tags that a song lends: with `zeros`, none from those who cannot.
    fn lend(&self, lender: u32, to: impl FnMut(usize)) {
        if self.options.untagged_lenders != UntaggedLenders::Zeros || self.walks.can_lend(lender as usize) {
            self.tags.each(lender as usize).for_each(to);
        }
    }
}
