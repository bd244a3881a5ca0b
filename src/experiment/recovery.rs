//! What propagation brings to songs whose true tags are known: the share of their missing true tags that a draw is
//! expected to recover, and of wrong ones that it adds. Exact, from the law of the walk; nothing is trained.

use rayon::prelude::*;
use serde::Serialize;

use crate::dataset::Dataset;
pub use crate::dataset::Reference;
use crate::error::{Error, Result};
use crate::playlists::{Labels, Mode, Options, RandomLenders, TagWeights};
use crate::random::{Purpose, generator};

/// Sums over pairs of a song and a tag. A draw brings a pair with some probability; these sum up to the number of
/// pairs that one draw for every song is expected to bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pairs {
    /// True, and not known of the song.
    pub missing: u64,
    /// Of them, those that a walk can bring at all.
    pub reachable: u64,
    /// Expected of the missing ones.
    pub recovered: f64,
    /// Not true.
    pub untrue: u64,
    /// Expected of those that are not true.
    pub wrong: f64,
    /// Expected of those that are true and known.
    pub repeated: f64,
    /// The same two where any other lender is as likely as the one the walk draws.
    pub recovered_at_random: f64,
    pub wrong_at_random: f64,
}

impl Pairs {
    /// The share of the missing tags that a draw recovers; `None` where none is missing.
    pub fn recovered_share(&self) -> Option<f64> {
        share(self.recovered, self.missing as f64)
    }

    /// The share of the missing tags that any walk can bring.
    pub fn reachable_share(&self) -> Option<f64> {
        share(self.reachable as f64, self.missing as f64)
    }

    /// The share of the untrue pairs that a draw adds.
    pub fn wrong_share(&self) -> Option<f64> {
        share(self.wrong, self.untrue as f64)
    }

    /// Of the tags that a draw adds to those known, the share that is true.
    pub fn precision(&self) -> Option<f64> {
        share(self.recovered, self.recovered + self.wrong)
    }

    /// The same with random lenders: what must be exceeded.
    pub fn precision_at_random(&self) -> Option<f64> {
        share(self.recovered_at_random, self.recovered_at_random + self.wrong_at_random)
    }

    fn add(&mut self, other: &Pairs) {
        self.missing += other.missing;
        self.reachable += other.reachable;
        self.recovered += other.recovered;
        self.untrue += other.untrue;
        self.wrong += other.wrong;
        self.repeated += other.repeated;
        self.recovered_at_random += other.recovered_at_random;
        self.wrong_at_random += other.wrong_at_random;
    }
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// What propagation does at one search range.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    pub range: f64,
    /// Songs that are trained on.
    pub songs: usize,
    /// Of them, those without a known tag.
    pub untagged: usize,
    /// Mean probability that a draw lends something (where tags have ranges of their own, over tags, too).
    pub lent: f64,
    pub pairs: Pairs,
    /// The same for each tag.
    pub by_tag: Vec<Pairs>,
}

/// Counts for the songs that would be trained on with these options; what a drawn neighbour
/// brings on average is what `expected` brings, so of `mode` only `hops` matters, and weights of the loss do not. `seed` decides whose tags are removed. Takes as long as one
/// step of `expected` over all songs, on the threads of the pool it is called in.
pub fn recovery(dataset: &Dataset, truth: &Reference, options: &Options, seed: u64) -> Result<Recovery> {
    let mode = if options.mode == Mode::Hops { Mode::Hops } else { Mode::Expected };
    let (tag_weights, random_lenders) = (TagWeights::Equal, RandomLenders::None);
    let options = Options { mode, tag_weights, random_lenders, ..options.clone() };
    let labels = Labels::new(dataset, &options, seed)?;
    let songs: Vec<usize> = (0..dataset.songs()).filter(|&song| labels.trains(song)).collect();
    if songs.is_empty() {
        let help = "`tagwalk info` shows the splits; songs without audio are not trained on, nor those of which --remove leaves no tag unless --untagged says otherwise.";
        return Err(Error::input(dataset.folder(), "no song is trained on").help(help));
    }
    let tags = dataset.vocabulary().len();
    let walks = labels.walks();
    let lends = |&song: &usize| walks.can_lend(song) && !walks.playlists_of(song).is_empty();
    let lenders: Vec<usize> = (0..dataset.songs()).filter(lends).collect();
    let mut held = vec![0u64; tags];
    lenders.iter().flat_map(|&song| labels.tags().each(song)).for_each(|tag| held[tag] += 1);

    let one = |&song: &usize| {
        let (mut own, mut lent) = (vec![0f32; tags], vec![0f32; tags]);
        let mut workspace = vec![0f64; labels.workspace()];
        // `expected` draws nothing.
        let mut random = generator(seed, Purpose::Walk, [0; 3]);
        // Of each tag where tags have ranges of their own, else none.
        let mut weights = vec![0f32; labels.tag_weights().len()];
        let row = labels.row(song, &mut random, &mut own, &mut lent, &mut weights, &mut workspace);
        let weight = |tag: usize| f64::from(row.propagated) * weights.get(tag).map_or(1.0, |&w| f64::from(w));
        labels.tags().write(song, &mut own);
        let itself = lends(&song);
        let others = lenders.len() - usize::from(itself);
        let pairs = (0..tags).map(|tag| {
            let (known, brought) = (own[tag] > 0.5, f64::from(lent[tag]) * weight(tag));
            let holders = held[tag] - u64::from(itself && known);
            let at_random = if others > 0 { weight(tag) * holders as f64 / others as f64 } else { 0.0 };
            let mut pair = Pairs::default();
            if !truth.has_tag(song, tag) {
                (pair.untrue, pair.wrong, pair.wrong_at_random) = (1, brought, at_random);
            } else if known {
                pair.repeated = brought;
            } else {
                (pair.missing, pair.recovered, pair.recovered_at_random) = (1, brought, at_random);
                pair.reachable = u64::from(brought > 0.0);
            }
            pair
        });
        let pairs = pairs.collect::<Vec<Pairs>>();
        ((0..tags).map(weight).sum::<f64>() / tags.max(1) as f64, pairs)
    };
    // Joined in the order of the songs, so that sums have the same bits on any number of threads.
    let mut lent = 0.0;
    let mut by_tag = vec![Pairs::default(); tags];
    for some in songs.chunks(4096) {
        let rows: Vec<_> = some.par_iter().map(one).collect();
        for (weight, pairs) in rows {
            lent += weight;
            by_tag.iter_mut().zip(&pairs).for_each(|(sum, pair)| sum.add(pair));
        }
    }
    let mut pairs = Pairs::default();
    by_tag.iter().for_each(|tag| pairs.add(tag));
    Ok(Recovery {
        range: options.range,
        songs: songs.len(),
        untagged: songs.iter().filter(|&&song| !labels.tags().is_tagged(song)).count(),
        lent: lent / songs.len() as f64,
        pairs,
        by_tag,
    })
}
