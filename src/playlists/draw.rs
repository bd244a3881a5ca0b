//! Drawing from a reading's distribution in constant time, by inverting the geometric law, whatever
//! the playlist's length; the exact terms are summed only where `pass` or a song that comes twice
//! leave no closed form.

use std::ops::Range;

use rand::RngExt;

use super::law::Part;
use super::walks::View;
use super::{Reading, UntaggedLenders, Walks};
use crate::random::Generator;

/// Σ r^d over d in 0..count.
fn mass(range: f64, count: usize) -> f64 {
    if range == 1.0 { count as f64 } else { (1.0 - range.powf(count as f64)) / (1.0 - range) }
}

/// d with probability (1 − r) r^d; never ends at r = 1.
fn geometric(range: f64, random: &mut Generator) -> usize {
    if range == 0.0 {
        return 0;
    }
    if range == 1.0 {
        return usize::MAX;
    }
    ((1.0 - random.random::<f64>()).ln() / range.ln()) as usize
}

/// d in 0..count with weights r^d. `count` is not 0.
fn truncated(range: f64, count: usize, random: &mut Generator) -> usize {
    if range == 0.0 {
        return 0;
    }
    if range == 1.0 {
        return random.random_range(0..count);
    }
    let u = random.random::<f64>() * (1.0 - range.powf(count as f64));
    (((1.0 - u).ln() / range.ln()) as usize).min(count - 1)
}

impl Walks<'_> {
    /// Walks once from a song: who lends, or nobody. Allocates nothing. Constant time, or the
    /// drawn playlist's length where `pass` holds or the song is in it twice, or the number of the
    /// song's playlists for `wrap`.
    pub fn draw(&self, song: usize, exclude_self: bool, random: &mut Generator) -> Option<u32> {
        if self.playlists_of(song).is_empty() {
            return None;
        }
        let drawn = if self.reading == Reading::Wrap {
            self.draw_half(song, exclude_self, random)?
        } else {
            let nths = self.draw_source(song, |_| true, random)?;
            let view = self.view(song, if nths.len() == 1 { nths.start } else { random.random_range(nths) });
            if self.untagged == UntaggedLenders::Pass || exclude_self && view.repeated {
                self.draw_terms(&view, Part::Playlist, exclude_self, random)?
            } else if exclude_self {
                self.draw_other(&view, random)?
            } else {
                self.draw_any(&view, random)?
            }
        };
        self.brings(drawn).then_some(drawn)
    }

    /// Which of a song's playlists come into question: all of them, or, mixed, those of one source, by weight
    /// among those that `counts`.
    fn draw_source(&self, song: usize, counts: impl Fn(&Range<usize>) -> bool, random: &mut Generator) -> Option<Range<usize>> {
        if self.contexts().sources().len() == 1 {
            return Some(0..self.playlists_of(song).len());
        }
        let sources = || self.contexts().sources_of(song).filter(|(_, nths)| counts(nths));
        let mut left = random.random::<f64>() * sources().map(|source| source.0).sum::<f64>();
        let mut last = None;
        for (weight, nths) in sources() {
            last = Some(nths);
            if left < weight {
                break;
            }
            left -= weight;
        }
        last
    }

    /// The reading as it is, the start included.
    fn draw_any(&self, view: &View<'_>, random: &mut Generator) -> Option<u32> {
        let r = self.range;
        let (left, mut right) = (view.left, view.right);
        let to_right = match self.reading {
            Reading::Discard | Reading::Clamp => random.random(),
            Reading::Printed => {
                right = right.checked_sub(1)?;
                random.random()
            }
            Reading::Redraw => {
                let (l, r) = (mass(r, left + 1), mass(r, right + 1));
                random.random::<f64>() * (l + r) < r
            }
            Reading::Eq2 | Reading::Wrap => {
                let (others, rest) = (r * mass(r, left), mass(r, right + 1));
                if random.random::<f64>() * (others + rest) >= rest {
                    return Some(view.song(-1 - truncated(r, left, random) as isize));
                }
                true
            }
        };
        let reach = if to_right { right } else { left };
        let distance = match self.reading {
            Reading::Discard | Reading::Printed => Some(geometric(r, random)).filter(|&d| d <= reach)?,
            Reading::Clamp => geometric(r, random).min(reach),
            _ => truncated(r, reach + 1, random),
        };
        Some(view.song(if to_right { distance as isize } else { -(distance as isize) }))
    }

    /// The reading on condition that the start is not chosen, where it has but one place.
    fn draw_other(&self, view: &View<'_>, random: &mut Generator) -> Option<u32> {
        let r = self.range;
        let (left, mut right) = (view.left, view.right);
        if self.reading == Reading::Printed {
            right = right.checked_sub(1)?;
        }
        if left + right == 0 {
            return None;
        }
        let to_right = if left == 0 || right == 0 {
            right > 0
        } else if self.reading == Reading::Clamp {
            // Either side, once left the start, ends somewhere: both have mass r.
            random.random()
        } else {
            let (l, r) = (mass(r, left), mass(r, right));
            random.random::<f64>() * (l + r) < r
        };
        let reach = if to_right { right } else { left };
        let further = match self.reading {
            Reading::Clamp => geometric(r, random).min(reach - 1),
            _ => truncated(r, reach, random),
        };
        let distance = 1 + further as isize;
        Some(view.song(if to_right { distance } else { -distance }))
    }

    /// wrap: the song itself, or a half-list and a place in it.
    fn draw_half(&self, song: usize, exclude_self: bool, random: &mut Generator) -> Option<u32> {
        if random.random::<f64>() < self.wrap_own(song, exclude_self) {
            return Some(song as u32);
        }
        let count = |nths: &Range<usize>| self.halves(song, nths.clone()).count();
        let nths = self.draw_source(song, |nths| count(nths) > 0, random)?;
        let halves = count(&nths);
        if halves == 0 {
            return None;
        }
        let (nth, right) = self.halves(song, nths).nth(random.random_range(0..halves))?;
        let view = self.view(song, nth);
        if self.untagged == UntaggedLenders::Pass || exclude_self && view.repeated {
            return self.draw_terms(&view, Part::Half(right), exclude_self, random);
        }
        let reach = if right { view.right } else { view.left };
        let distance = 1 + truncated(self.range, reach, random) as isize;
        Some(view.song(if right { distance } else { -distance }))
    }

    /// Any reading, by its exact terms.
    fn draw_terms(&self, view: &View<'_>, part: Part, exclude_self: bool, random: &mut Generator) -> Option<u32> {
        let scale = self.scale(self.reading, view, part, exclude_self)?;
        let mut left = random.random::<f64>();
        let mut drawn = None;
        let mut last = None;
        self.terms(self.reading, view, part, exclude_self, &mut |term| {
            let p = scale.probability(self.range, &term);
            if drawn.is_none() && p > 0.0 {
                last = Some(term.song);
                if left < p {
                    drawn = last;
                }
                left -= p;
            }
        });
        // Rounding may leave a little over where the terms sum to 1: it belongs to the last one.
        drawn.or_else(|| last.filter(|_| left < 1e-9))
    }
}
