//! Why a song borrows a tag: every way in which it may, exactly, by list and by lender.

use std::collections::BTreeMap;

use super::hops::step;
use super::{Labels, Mode, Reading, Walks};

/// A way in which a tag comes to a song.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gift {
    /// The list that the walk, or its first hop, went along; `None`: the song's own tags, before any list.
    pub list: Option<u32>,
    /// Places from the song, negative to the left; `None` where another song lends in place of the one drawn, and
    /// after hops.
    pub distance: Option<isize>,
    pub lender: u32,
    /// Of this in a step; with `expected` and `hops` its part of the sum of labels.
    pub probability: f64,
    /// Of the propagated term when it happens.
    pub weight: f64,
}

/// What a song borrows of one tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Probability that anything is lent; with `expected` Σ P, with `hops` the mass.
    pub lent: f64,
    /// Probability that this tag is: the gifts' sum.
    pub chance: f64,
    /// The likeliest first; those of probability 0 left out.
    pub gifts: Vec<Gift>,
}

impl Explanation {
    /// The tag's label in the mean, where anything is lent.
    pub fn label(&self) -> Option<f64> {
        (self.lent > 0.0).then(|| (self.chance / self.lent).min(1.0))
    }
}

/// Explains by a run's labels how `song` borrows `tag`. Memory for every way that there is.
pub fn explain(labels: &Labels<'_>, song: usize, tag: usize) -> Explanation {
    let walks = &labels.ranges()[labels.range_of(tag)];
    let mut lent = 0.0;
    let mut ways = Ways { labels, tag, gifts: BTreeMap::new() };
    match labels.options().mode {
        Mode::None => {}
        Mode::Hops => lent = hops(&mut ways, walks, song),
        _ => {
            let exclude_self = labels.excludes_self(song);
            walks.each(labels.options().reading, song, exclude_self, &mut |o| {
                lent += o.probability;
                match labels.substitutes() {
                    None => ways.add(o.playlist, Some(o.distance), o.song, o.probability),
                    Some(others) => others.each(song as u32, o.song, &mut |lender, p| {
                        ways.add(o.playlist, None, lender, p * o.probability);
                    }),
                }
            });
        }
    }
    let mut gifts: Vec<Gift> = ways
        .gifts
        .into_iter()
        .filter(|(_, p)| *p > 0.0)
        .map(|(way, probability)| {
            let (list, distance, lender) = way;
            Gift { list, distance, lender, probability, weight: 1.0 }
        })
        .collect();
    if labels.options().mode == Mode::WalkWeighted {
        let mut eq4 = BTreeMap::new();
        let exclude_self = labels.excludes_self(song);
        walks.each(Reading::Eq2, song, exclude_self, &mut |o| *eq4.entry(o.song).or_insert(0.0) += o.probability);
        gifts.iter_mut().for_each(|gift| gift.weight = eq4.get(&gift.lender).copied().unwrap_or(0.0));
    }
    gifts.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    // An empty sum of floats is -0.
    let chance = gifts.iter().map(|gift| gift.probability).fold(0.0, |sum, p| sum + p);
    Explanation { lent, chance, gifts }
}

type Way = (Option<u32>, Option<isize>, u32);

/// Ways so far: those that bring the tag.
struct Ways<'l, 'a> {
    labels: &'l Labels<'a>,
    tag: usize,
    gifts: BTreeMap<Way, f64>,
}

impl Ways<'_, '_> {
    fn add(&mut self, list: Option<u32>, distance: Option<isize>, lender: u32, p: f64) {
        let song = lender as usize;
        // With `zeros` those who cannot lend bring a row without tags.
        if self.labels.walks().can_lend(song) && self.labels.tags().each(song).any(|tag| tag == self.tag) {
            *self.gifts.entry((list, distance, lender)).or_insert(0.0) += p;
        }
    }
}

/// Several hops: W of Y = W Y0, W_n = a P W_(n − 1) + (1 − a), taken apart by the list of the first hop. Gives the mass.
fn hops(ways: &mut Ways<'_, '_>, walks: &Walks<'_>, song: usize) -> f64 {
    let (alpha, hops) = (ways.labels.options().alpha, ways.labels.options().hops);
    let exclude_self = ways.labels.options().exclude_self;
    if walks.playlists_of(song).is_empty() {
        return 0.0;
    }
    let start = ways.labels.start(&[]);
    let mut mass = (1.0 - alpha) * start[song];
    ways.add(None, None, song as u32, 1.0 - alpha);
    let mut first: BTreeMap<Option<u32>, BTreeMap<u32, f64>> = BTreeMap::new();
    walks.each(Reading::Eq2, song, exclude_self, &mut |o| {
        *first.entry(o.playlist).or_default().entry(o.song).or_insert(0.0) += alpha * o.probability;
    });
    for (list, mut there) in first {
        for left in (0..hops).rev() {
            let stays = if left == 0 { 1.0 } else { 1.0 - alpha };
            for (&lender, p) in &there {
                mass += stays * p * start[lender as usize];
                ways.add(list, None, lender, stays * p);
            }
            if left > 0 {
                let mut next = BTreeMap::new();
                for (&from, p) in &there {
                    step(walks, from as usize, exclude_self, &mut |to, q| *next.entry(to).or_insert(0.0) += alpha * p * q);
                }
                there = next;
            }
        }
    }
    mass
}
