//! The exact distribution of every reading: eq. (2) P(s'|s, p), the walk's P(s'|s, p), and their
//! mean over the playlists that hold s, eq. (4).
//!
//! Every place's probability is a sum of terms c·r^a·(1 − r)^b, so limits need no special cases:
//! where a reading is rescaled to 1, the terms of lowest order are what is left at r = 0 and r = 1.
//!
//! | reading | terms for a place at distance d, seen from the start | rescaled |
//! |---|---|---|
//! | discard | ½ (1 − r) r^d, the start from either side | no |
//! | printed | the same, the last place none; all none if the start is last | no |
//! | clamp | the same, but at the ends ½ r^d | no |
//! | redraw | as discard | yes |
//! | eq2 | r^d | yes |
//! | wrap | the start 1 − r; else a half-list, uniform among those not empty, in it r^(d − 1) | each half-list |
//!
//! Where contexts of several sources are mixed, a source that has the song (wrap: a half-list of it that is
//! not empty) comes before the list, with probability in proportion to its weight.
//!
//! d counts the places at which the walk could have stopped (with `pass`, eq. (2) alone counts
//! every place: a walk that cannot stop somewhere loses nothing by passing). With `exclude_self`
//! the song's own places have no term and every playlist (wrap: half-list) is rescaled.

use std::ops::Range;

use super::walks::View;
use super::{Reading, Walks};

/// One way for a draw to end with something lent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Which of the song's playlists; `None`: the song itself, before any playlist was drawn (wrap).
    pub playlist: Option<u32>,
    /// Places from the start, negative to the left.
    pub distance: isize,
    /// Who lends.
    pub song: u32,
    pub probability: f64,
}

/// Where a song's walks end.
#[derive(Clone, Debug, PartialEq)]
pub struct Exact {
    /// Probability that nothing is lent.
    pub nothing: f64,
    /// Songs that lend, ascending, with their probability (0 where r makes it 0).
    pub songs: Vec<(u32, f64)>,
}

/// c·r^passed·(1 − r)^stops
pub(super) struct Term {
    pub distance: isize,
    pub song: u32,
    pub coefficient: f64,
    pub passed: u32,
    pub stops: u32,
}

/// What is drawn first, and rescaled in where a reading is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Playlist,
    /// wrap's half-lists: places to the right (true) or to the left of the start.
    Half(bool),
}

/// What terms are divided by.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    passed: u32,
    stops: u32,
    pub total: f64,
}

impl Scale {
    /// A term's probability within its part.
    #[inline]
    pub fn probability(&self, range: f64, term: &Term) -> f64 {
        let power = |base: f64, exponent: u32| base.powi(exponent as i32);
        term.coefficient * power(range, term.passed - self.passed) * power(1.0 - range, term.stops - self.stops) / self.total
    }
}

impl Walks<'_> {
    /// Every term of a reading in one part, in a fixed order.
    pub(super) fn terms(&self, reading: Reading, view: &View<'_>, part: Part, exclude_self: bool, emit: &mut impl FnMut(Term)) {
        let mut give = |distance: isize, song: u32, coefficient: f64, passed: usize, stops: u32| {
            if !(exclude_self && song == view.start) {
                emit(Term { distance, song, coefficient, passed: passed as u32, stops });
            }
        };
        if let Part::Half(right) = part {
            let (sign, reach) = if right { (1, view.right) } else { (-1, view.left) };
            let places = (1..=reach as isize).map(|d| (d * sign, view.song(d * sign)));
            for (passed, (d, song)) in places.filter(|&(_, song)| self.can_stop(song)).enumerate() {
                give(d, song, 1.0, passed, 0);
            }
            return;
        }
        if reading == Reading::Eq2 {
            for d in -(view.left as isize)..=view.right as isize {
                let song = view.song(d);
                if self.can_stop(song) {
                    give(d, song, 1.0, d.unsigned_abs(), 0);
                }
            }
            return;
        }
        let mut right = view.right;
        if reading == Reading::Printed {
            if right == 0 {
                return;
            }
            right -= 1;
        }
        for (sign, reach) in [(1, right as isize), (-1, view.left as isize)] {
            let stop = |d: &isize| self.can_stop(view.song(d * sign));
            // Where it cannot go further: the last place in this direction at which it can stop.
            let end = (reading == Reading::Clamp).then(|| (0..=reach).rev().find(stop)).flatten();
            for (passed, d) in (0..=reach).filter(stop).enumerate() {
                give(d * sign, view.song(d * sign), 0.5, passed, (Some(d) != end) as u32);
            }
        }
    }

    /// What a part's terms are divided by; `None` where nothing can be chosen.
    pub(super) fn scale(&self, reading: Reading, view: &View<'_>, part: Part, exclude_self: bool) -> Option<Scale> {
        if !exclude_self && matches!(reading, Reading::Discard | Reading::Printed | Reading::Clamp) {
            return Some(Scale { passed: 0, stops: 0, total: 1.0 });
        }
        let mut scale = Scale { passed: u32::MAX, stops: u32::MAX, total: 1.0 };
        self.terms(reading, view, part, exclude_self, &mut |term| {
            scale.passed = scale.passed.min(term.passed);
            scale.stops = scale.stops.min(term.stops);
        });
        if scale.passed == u32::MAX {
            return None;
        }
        let mut total = 0.0;
        self.terms(reading, view, part, exclude_self, &mut |term| total += scale.probability(self.range, &term));
        scale.total = total;
        Some(scale)
    }

    /// Calls `emit` for every way in which a walk from `song` ends with something lent; what is
    /// missing to 1 is the probability of nothing. Takes as long as the song's playlists are, and
    /// no memory.
    pub fn each(&self, reading: Reading, song: usize, exclude_self: bool, emit: &mut impl FnMut(Outcome)) {
        let playlists = self.playlists_of(song);
        let mut part = |nth: usize, view: &View<'_>, part: Part, share: f64| {
            let Some(scale) = self.scale(reading, view, part, exclude_self) else { return };
            self.terms(reading, view, part, exclude_self, &mut |term| {
                if self.brings(term.song) {
                    let probability = share * scale.probability(self.range, &term);
                    emit(Outcome { playlist: Some(playlists[nth]), distance: term.distance, song: term.song, probability });
                }
            });
        };
        let sources = || self.contexts().sources_of(song);
        if reading != Reading::Wrap {
            let total: f64 = sources().map(|source| source.0).sum();
            for (weight, nths) in sources() {
                let share = weight / total / nths.len() as f64;
                nths.for_each(|nth| part(nth, &self.view(song, nth), Part::Playlist, share));
            }
            return;
        }
        let own = self.wrap_own(song, exclude_self);
        let halves = |nths: &Range<usize>| self.halves(song, nths.clone()).count();
        let total: f64 = sources().filter(|(_, nths)| halves(nths) > 0).map(|source| source.0).sum();
        for (weight, nths) in sources() {
            let share = (1.0 - own) * (weight / total) / halves(&nths) as f64;
            self.halves(song, nths).for_each(|(nth, right)| part(nth, &self.view(song, nth), Part::Half(right), share));
        }
        if own > 0.0 && self.brings(song as u32) {
            emit(Outcome { playlist: None, distance: 0, song: song as u32, probability: own });
        }
    }

    /// wrap: the probability of the song itself before any half-list is drawn.
    pub(super) fn wrap_own(&self, song: usize, exclude_self: bool) -> f64 {
        let alone = self.playlists_of(song).is_empty();
        if alone || exclude_self || !self.can_stop(song as u32) { 0.0 } else { 1.0 - self.range }
    }

    /// wrap: the half-lists that have a place, of some of a song's playlists, as (which of its playlists, right).
    pub(super) fn halves(&self, song: usize, nths: Range<usize>) -> impl Iterator<Item = (usize, bool)> + '_ {
        nths.flat_map(move |nth| {
            let view = self.view(song, nth);
            [(nth, true, view.right), (nth, false, view.left)].into_iter().filter(|h| h.2 > 0).map(|h| (h.0, h.1))
        })
    }

    /// The distribution of this reading's walks from a song over the songs that lend.
    pub fn exact(&self, song: usize, exclude_self: bool) -> Exact {
        self.exact_by(self.reading, song, exclude_self)
    }

    /// The same for any reading: with [`Reading::Eq2`] it is eq. (4).
    pub fn exact_by(&self, reading: Reading, song: usize, exclude_self: bool) -> Exact {
        let mut songs: Vec<(u32, f64)> = Vec::new();
        self.each(reading, song, exclude_self, &mut |o| songs.push((o.song, o.probability)));
        songs.sort_by_key(|&(song, _)| song);
        songs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        let lent: f64 = songs.iter().map(|&(_, p)| p).sum();
        Exact { nothing: (1.0 - lent).max(0.0), songs }
    }

    /// P(s'|s) of eq. (4) for one s'.
    pub fn eq4(&self, song: usize, neighbour: u32, exclude_self: bool) -> f64 {
        let mut sum = 0.0;
        self.each(Reading::Eq2, song, exclude_self, &mut |o| {
            if o.song == neighbour {
                sum += o.probability;
            }
        });
        sum
    }
}
