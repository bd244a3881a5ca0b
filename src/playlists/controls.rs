//! A control: who lends in place of the song that a walk drew, so that what its place in the
//! playlist carries is gone and all else stays.
//!
//! `any`: any lender but the song that borrows, all equally likely. `popularity`: the lenders in as many
//! lists as the song drawn, without that song and the borrower; where there are none, those of the
//! nearest number of lists that has some (of two equally near the lower); all equally likely. Lenders
//! are the songs that can lend and are in some list; lists are counted as they are, songs that cannot
//! lend included.

use rand::RngExt;

use super::{RandomLenders, Walks};
use crate::random::Generator;

/// Lenders by how many lists hold them. Memory: 4 bytes a lender, and 4 a song for `popularity`.
pub struct Substitutes {
    /// Classes one after the other, each ascending.
    lenders: Vec<u32>,
    /// How many lists hold a class's lenders, ascending, and where the class ends.
    classes: Vec<(u32, usize)>,
    /// By song; none for `any`, whose lenders are one class.
    popularity: Vec<u32>,
}

impl Substitutes {
    /// `None` where whoever was drawn lends.
    pub fn of(walks: &Walks<'_>, which: RandomLenders) -> Option<Substitutes> {
        if which == RandomLenders::None {
            return None;
        }
        let held = walks.contexts().held();
        let mut lenders: Vec<u32> =
            (0..walks.songs() as u32).filter(|&s| walks.can_lend(s as usize) && held.contains(s as usize)).collect();
        let mut popularity = Vec::new();
        let mut classes = vec![(0, lenders.len())];
        if which == RandomLenders::Popularity {
            popularity = walks.contexts().popularity();
            // Stable: ascending within a class.
            lenders.sort_by_key(|&song| popularity[song as usize]);
            classes.clear();
            for (i, &song) in lenders.iter().enumerate() {
                match classes.last_mut() {
                    Some((lists, end)) if *lists == popularity[song as usize] => *end = i + 1,
                    _ => classes.push((popularity[song as usize], i + 1)),
                }
            }
        }
        Some(Substitutes { lenders, classes, popularity })
    }

    fn class(&self, at: usize) -> &[u32] {
        let begin = if at == 0 { 0 } else { self.classes[at - 1].1 };
        &self.lenders[begin..self.classes[at].1]
    }

    /// The lenders that may lend in place of `drawn`: a class, and the places in it of those who may not,
    /// ascending. `None` where there is nobody else.
    fn candidates(&self, song: u32, drawn: u32) -> Option<(&[u32], [usize; 2])> {
        const NOBODY: usize = usize::MAX;
        let places = |at: usize| {
            let class = self.class(at);
            let place = |s: u32| class.binary_search(&s).unwrap_or(NOBODY);
            let (a, b) = (place(song), if self.popularity.is_empty() || drawn == song { NOBODY } else { place(drawn) });
            let without = [a, b].iter().filter(|&&p| p != NOBODY).count();
            (class.len() > without).then_some((class, [a.min(b), a.max(b)]))
        };
        if self.popularity.is_empty() {
            return places(0);
        }
        let wanted = self.popularity[drawn as usize];
        // Classes below and above in turn, the nearer first.
        let mut above = self.classes.partition_point(|class| class.0 < wanted);
        let mut below = above;
        loop {
            let up = self.classes.get(above).map(|class| class.0 - wanted);
            let down = below.checked_sub(1).map(|at| wanted - self.classes[at].0);
            let at = match (down, up) {
                (None, None) => return None,
                (Some(down), up) if up.is_none_or(|up| down <= up) => {
                    below -= 1;
                    below
                }
                _ => {
                    above += 1;
                    above - 1
                }
            };
            if let Some(found) = places(at) {
                return Some(found);
            }
        }
    }

    /// Who lends to `song` in place of `drawn`: that one itself where there is nobody else.
    pub fn draw(&self, song: u32, drawn: u32, random: &mut Generator) -> u32 {
        let Some((class, without)) = self.candidates(song, drawn) else { return drawn };
        let left = without.iter().filter(|&&place| place < class.len()).count();
        let mut at = random.random_range(0..class.len() - left);
        for place in without {
            at += usize::from(at >= place);
        }
        class[at]
    }

    /// Calls `emit` for each who may lend to `song` in place of `drawn`, with the probability of it.
    pub fn each(&self, song: u32, drawn: u32, emit: &mut impl FnMut(u32, f64)) {
        let Some((class, without)) = self.candidates(song, drawn) else { return emit(drawn, 1.0) };
        let left = without.iter().filter(|&&place| place < class.len()).count();
        let each = 1.0 / (class.len() - left) as f64;
        let may = class.iter().enumerate().filter(|(place, _)| !without.contains(place));
        may.for_each(|(_, &lender)| emit(lender, each));
    }
}
