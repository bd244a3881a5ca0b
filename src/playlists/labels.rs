//! What a clip is trained on: its song's own tags, the tags it borrows along its playlists, and
//! the weight of either in eqs. (1) and (3). The loss weight λ is the loss kernel's.
//!
//! `expected` sums over all of a song's playlists at every step. Kept per song these rows would
//! take memory in proportion to songs times neighbours, and a step needs but a batch of them: some
//! microseconds a clip, where the device takes milliseconds.

use super::controls::Substitutes;
use super::hops::Hops;
use super::{Contexts, Mode, Options, Reading, TagWeights, Tags, Untagged, UntaggedLenders, Walks};
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::random::Generator;

/// Weights of a clip's two terms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    pub own: f32,
    /// 0 where nothing was lent. Where tags are weighed one by one it stands before all their weights.
    pub propagated: f32,
}

/// Own and propagated labels of any song.
pub struct Labels<'a> {
    dataset: &'a Dataset,
    tags: Tags<'a>,
    /// One for each range there is among tags.
    walks: Vec<Walks<'a>>,
    /// By which of them each tag is borrowed; none: the only one.
    range_of: Vec<u32>,
    /// Weight of each tag in the propagated term; none: 1.
    tag_weights: Vec<f32>,
    substitutes: Option<Substitutes>,
    hops: Option<Hops>,
    options: Options,
}

impl<'a> Labels<'a> {
    /// `seed` decides whose tags are removed and how playlists are shuffled. Fails where an option is out of
    /// range or a file of contexts cannot be read.
    pub fn new(dataset: &'a Dataset, options: &Options, seed: u64) -> Result<Labels<'a>> {
        options.check()?;
        Labels::along(dataset, Contexts::of(dataset, options, seed)?, options, seed)
    }

    /// The same along contexts of the caller's own, whatever the options say of contexts: for lists that are in
    /// no file. `contexts` are of the dataset's songs.
    pub fn along(dataset: &'a Dataset, contexts: Contexts<'a>, options: &Options, seed: u64) -> Result<Labels<'a>> {
        options.check()?;
        let tags = Tags::removing(dataset, options.remove, seed);
        let lenders = tags.lenders(options.lend);
        let count = dataset.vocabulary().len();
        let tag_weights = if options.weighs_tags() { weights(&options.tag_weights, &tags, &lenders, count)? } else { Vec::new() };
        let mut seen = options.clone();
        if options.mode == Mode::Hops {
            // Over the whole playlists; who lends is asked only at the start.
            (seen.untagged_lenders, seen.reading) = (UntaggedLenders::Zeros, Reading::Eq2);
        }
        let one = Walks::along(contexts, lenders, &seen)?;
        let (mut walks, mut range_of) = (Vec::new(), Vec::new());
        if !options.tag_ranges.is_empty() && options.tag_ranges.len() != count {
            return Err(wrong_count("propagation.tag_ranges", options.tag_ranges.len(), count));
        }
        for &range in &options.tag_ranges {
            let at = walks.iter().position(|walk: &Walks<'_>| walk.range() == range);
            range_of.push(at.unwrap_or(walks.len()) as u32);
            if at.is_none() {
                walks.push(one.at(range));
            }
        }
        if walks.is_empty() {
            walks.push(one);
        }
        let substitutes = Substitutes::of(&walks[0], options.random_lenders);
        let mut labels =
            Labels { dataset, tags, walks, range_of, tag_weights, substitutes, hops: None, options: options.clone() };
        if options.mode == Mode::Hops {
            labels.hops = Some(Hops::of(&labels));
        }
        Ok(labels)
    }

    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    pub fn tags(&self) -> &Tags<'a> {
        &self.tags
    }

    /// The walks; where tags have ranges of their own, those of the first tag.
    pub fn walks(&self) -> &Walks<'a> {
        &self.walks[0]
    }

    /// The walks of each range there is among tags.
    pub fn ranges(&self) -> &[Walks<'a>] {
        &self.walks
    }

    /// By which of [`Labels::ranges`] a tag is borrowed.
    #[inline]
    pub fn range_of(&self, tag: usize) -> usize {
        self.range_of.get(tag).map_or(0, |&which| which as usize)
    }

    /// Who lends in place of whom, where a control says so.
    pub fn substitutes(&self) -> Option<&Substitutes> {
        self.substitutes.as_ref()
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Weight of each tag in the propagated term, `[tag]`; none where all are 1.
    pub fn tag_weights(&self) -> &[f32] {
        &self.tag_weights
    }

    /// Whether a song is trained on: of split train, with audio, and with tags or, if untagged
    /// songs are, without. Masked songs have the propagated term alone, so without one they are
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

    /// Whether a song borrows as with --exclude-self: it has nothing of its own, or all do.
    pub fn excludes_self(&self, song: usize) -> bool {
        self.options.exclude_self || self.options.untagged == Untagged::Mask && !self.tags.is_tagged(song)
    }

    /// Values of working space that [`Labels::row`] needs.
    pub fn workspace(&self) -> usize {
        if self.options.mode == Mode::Expected { self.dataset.vocabulary().len() } else { 0 }
    }

    /// Writes both rows of labels, `[tag]` each, and gives their weights. Where tags are weighed one by one
    /// ([`Options::weighs_tags`]) also writes `tag_weights` `[tag]`, else that is empty. Allocates nothing.
    pub fn row(
        &self,
        song: usize,
        random: &mut Generator,
        own: &mut [f32],
        propagated: &mut [f32],
        tag_weights: &mut [f32],
        workspace: &mut [f64],
    ) -> Row {
        let own = self.own(song, own);
        propagated.fill(0.0);
        if self.range_of.is_empty() {
            tag_weights.copy_from_slice(&self.tag_weights);
            return Row { own, propagated: self.borrow(0, song, random, propagated, workspace) };
        }
        let mut lent = false;
        for which in 0..self.walks.len() {
            let weight = self.borrow(which, song, random, propagated, workspace);
            lent |= weight > 0.0;
            let of = (0..).zip(tag_weights.iter_mut().zip(&self.tag_weights));
            of.filter(|&(tag, _)| self.range_of(tag) == which).for_each(|(_, (w, &by_tag))| *w = weight * by_tag);
        }
        Row { own, propagated: f32::from(u8::from(lent)) }
    }

    /// Writes the labels of those tags that are borrowed in the walk of one range, and gives their weight.
    fn borrow(&self, which: usize, song: usize, random: &mut Generator, row: &mut [f32], sums: &mut [f64]) -> f32 {
        let exclude_self = self.excludes_self(song);
        let walks = &self.walks[which];
        match self.options.mode {
            Mode::None => 0.0,
            Mode::Walk | Mode::WalkWeighted => match walks.draw(song, exclude_self, random) {
                None => 0.0,
                Some(drawn) => {
                    let lender = self.substitutes.as_ref().map_or(drawn, |s| s.draw(song as u32, drawn, random));
                    self.lend(which, lender, |tag| row[tag] = 1.0);
                    let weighted = self.options.mode == Mode::WalkWeighted;
                    if weighted { walks.eq4(song, lender, exclude_self) as f32 } else { 1.0 }
                }
            },
            Mode::Expected => {
                // Σ P y / Σ P and Σ P over everybody who lends.
                sums.fill(0.0);
                let mut total = 0.0;
                walks.each(self.options.reading, song, exclude_self, &mut |o| {
                    total += o.probability;
                    self.lend(which, o.song, |tag| sums[tag] += o.probability);
                });
                if total > 0.0 {
                    let borrowed = row.iter_mut().zip(sums.iter()).filter(|(_, sum)| **sum > 0.0);
                    borrowed.for_each(|(label, sum)| *label = (sum / total).min(1.0) as f32);
                }
                total as f32
            }
            Mode::Hops => {
                let Some((labels, mass)) = self.hops.as_ref().and_then(|hops| hops.row(song, which)) else { return 0.0 };
                let of = (0..).zip(row.iter_mut().zip(labels)).filter(|&(tag, _)| self.range_of(tag) == which);
                of.for_each(|(_, (label, &soft))| *label = soft);
                mass
            }
        }
    }

    /// The tags that a song lends in the walk of one range: with `zeros`, none from those who cannot.
    #[inline]
    fn lend(&self, which: usize, lender: u32, mut to: impl FnMut(usize)) {
        if self.options.untagged_lenders != UntaggedLenders::Zeros || self.walks().can_lend(lender as usize) {
            let all = self.tags.each(lender as usize);
            if self.range_of.is_empty() {
                all.for_each(to);
            } else {
                all.filter(|&tag| self.range_of(tag) == which).for_each(&mut to);
            }
        }
    }
}

/// Each tag's weight.
fn weights(which: &TagWeights, tags: &Tags<'_>, lenders: &super::Bits, count: usize) -> Result<Vec<f32>> {
    match which {
        TagWeights::Equal => Ok(vec![1.0; count]),
        TagWeights::Given(weights) if weights.len() != count => Err(wrong_count("propagation.tag_weights", weights.len(), count)),
        TagWeights::Given(weights) => Ok(weights.clone()),
        TagWeights::Idf => {
            let mut songs = vec![0u64; count];
            (0..lenders.len()).filter(|&s| lenders.contains(s)).flat_map(|s| tags.each(s)).for_each(|tag| songs[tag] += 1);
            let idf = |&n: &u64| (lenders.count() as f64 / n.max(1) as f64).ln().max(0.0);
            let mean = songs.iter().map(idf).sum::<f64>() / count.max(1) as f64;
            Ok(songs.iter().map(|n| if mean > 0.0 { (idf(n) / mean) as f32 } else { 1.0 }).collect())
        }
    }
}

fn wrong_count(field: &str, given: usize, tags: usize) -> Error {
    Error::usage(field, format!("has values for {given} tags, the dataset {tags}"))
}
