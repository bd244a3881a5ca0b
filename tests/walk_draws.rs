//! Walks drawn: a literal walker written from the paper's pseudo-code against the exact law, and a
//! million draws of every reading against it. tests/walks.rs has the laws' values.

use rand::RngExt;
use rayon::prelude::*;
use tagwalk::playlists::{Bits, Options, RandomLenders, Reading, Substitutes, UntaggedLenders, Walks};
use tagwalk::random::{Generator, Purpose, generator};

mod common;
use common::walks::{LENDERS, READINGS, World, chi_square, count, fits, mixed, tangled};

/// The walk as the pseudo-code has it, place by place; `None`: nothing.
struct Literal<'w> {
    world: &'w World,
    lenders: &'w Bits,
    reading: Reading,
    range: f64,
    untagged: UntaggedLenders,
}

impl Literal<'_> {
    fn lends(&self, song: u32) -> bool {
        self.lenders.contains(song as usize)
    }

    fn can_stop(&self, song: u32) -> bool {
        self.untagged != UntaggedLenders::Pass || self.lends(song)
    }

    /// One try; `Err` where the walk left the playlist.
    fn along(&self, list: &[u32], start: usize, random: &mut Generator) -> Result<u32, ()> {
        let right: bool = random.random();
        let last = list.len() as i64 - 1;
        let beyond = |i: i64| i < 0 || i > last || (self.reading == Reading::Printed && i == last);
        let mut i = start as i64;
        while !beyond(i) {
            let song = list[i as usize];
            let next = if right { i + 1 } else { i - 1 };
            let mut ahead = list[if right { next as usize..list.len() } else { 0..i as usize }].iter();
            let end = self.reading == Reading::Clamp && !ahead.any(|&s| self.can_stop(s));
            if self.can_stop(song) && (end || random.random::<f64>() >= self.range) {
                return Ok(song);
            }
            i = next;
        }
        Err(())
    }

    fn weighted(&self, list: &[u32], start: usize, random: &mut Generator) -> Option<u32> {
        let weight = |j: usize| if self.can_stop(list[j]) { self.range.powi(j.abs_diff(start) as i32) } else { 0.0 };
        let total: f64 = (0..list.len()).map(weight).sum();
        let mut left = random.random::<f64>() * total;
        (0..list.len())
            .find(|&j| {
                left -= weight(j);
                left < 0.0
            })
            .map(|j| list[j])
    }

    /// The list that a walk of `song` sees, and where it starts.
    fn seen(&self, list: &[u32], song: u32) -> (Vec<u32>, usize) {
        let start = list.iter().position(|&s| s == song).unwrap();
        let keep = |i: usize| i == start || self.untagged != UntaggedLenders::Drop || self.lends(list[i]);
        let before = (0..start).filter(|&i| keep(i)).count();
        ((0..list.len()).filter(|&i| keep(i)).map(|i| list[i]).collect(), before)
    }

    fn walk(&self, song: u32, exclude_self: bool, random: &mut Generator) -> Option<u32> {
        let lists: Vec<_> = self.world.lists.iter().filter(|l| l.contains(&song)).map(|l| self.seen(l, song)).collect();
        if lists.is_empty() {
            return None;
        }
        let other = |s: &u32| *s != song && self.can_stop(*s);
        let once = |random: &mut Generator| -> Option<u32> {
            if self.reading == Reading::Wrap {
                if !exclude_self && self.can_stop(song) && random.random::<f64>() >= self.range {
                    return Some(song);
                }
                let mut halves: Vec<Vec<u32>> = Vec::new();
                for (list, start) in &lists {
                    halves.push(list[start + 1..].to_vec());
                    halves.push(list[..*start].iter().rev().copied().collect());
                }
                halves.retain(|h| !h.is_empty());
                let half = halves.get(random.random_range(0..halves.len().max(1)))?;
                let fits = |s: &u32| if exclude_self { other(s) } else { self.can_stop(*s) };
                if !half.iter().any(fits) {
                    return None;
                }
                loop {
                    for s in half {
                        if self.can_stop(*s) && random.random::<f64>() >= self.range {
                            if fits(s) {
                                return Some(*s);
                            }
                            break; // On condition that another lends: from the near end again.
                        }
                    }
                }
            }
            let (list, start) = &lists[random.random_range(0..lists.len())];
            if exclude_self && !list.iter().any(other) {
                return None;
            }
            loop {
                let drawn = match self.reading {
                    Reading::Eq2 => Ok(self.weighted(list, *start, random)?),
                    Reading::Redraw if !list.iter().any(|s| self.can_stop(*s)) => return None,
                    _ => self.along(list, *start, random),
                };
                match drawn {
                    Ok(s) if !exclude_self || s != song => return Some(s),
                    Err(()) if !exclude_self && self.reading != Reading::Redraw => return None,
                    // printed: where the last place is the only other one, no walk ever ends.
                    _ if self.reading == Reading::Printed => {
                        let inside = if start + 1 == list.len() { &[] } else { &list[..list.len() - 1] };
                        if !inside.iter().any(other) {
                            return None;
                        }
                    }
                    _ => {}
                }
            }
        };
        once(random).filter(|&s| self.untagged == UntaggedLenders::Zeros || self.lends(s))
    }
}

/// Every combination of reading, lenders and exclude-self.
fn combinations() -> Vec<(Reading, UntaggedLenders, bool)> {
    let mut all = Vec::new();
    for reading in READINGS {
        for untagged in LENDERS {
            all.extend([false, true].map(|exclude_self| (reading, untagged, exclude_self)));
        }
    }
    all
}

#[test]
fn the_literal_walk_has_the_exact_law() {
    let (world, lenders) = tangled();
    combinations().into_par_iter().enumerate().for_each(|(i, (reading, untagged, exclude_self))| {
        let range = 0.6;
        let walks = world.walks(lenders.clone(), reading, range, untagged);
        let literal = Literal { world: &world, lenders: &lenders, reading, range, untagged };
        for song in [0, 1, 2, 8, 9, 13, 14] {
            let mut random = generator(7, Purpose::Synthetic, [i as u64, song as u64, 0]);
            let counts = count(15, || literal.walk(song as u32, exclude_self, &mut random), 20_000);
            let what = format!("literal {reading:?} {untagged:?} exclude {exclude_self} song {song}");
            chi_square(&walks, song, exclude_self, &counts, &what);
        }
    });
}

#[test]
fn a_million_draws_have_the_exact_law() {
    let (world, lenders) = tangled();
    combinations().into_par_iter().enumerate().for_each(|(i, (reading, untagged, exclude_self))| {
        let check = |song: usize, range: f64, draws: usize| {
            let walks = world.walks(lenders.clone(), reading, range, untagged);
            let mut random = generator(11, Purpose::Walk, [i as u64, song as u64, (range * 1000.0) as u64]);
            let counts = count(15, || walks.draw(song, exclude_self, &mut random), draws);
            let what = format!("{reading:?} {untagged:?} r = {range} exclude {exclude_self} song {song}");
            chi_square(&walks, song, exclude_self, &counts, &what);
        };
        check(0, 0.4, 1_000_000);
        for song in [1, 2, 3, 5, 8, 9, 12, 13, 14] {
            check(song, 0.7, 30_000);
        }
        for range in [0.0, 0.05, 0.95, 1.0] {
            for song in 0..15 {
                check(song, range, 4_000);
            }
        }
    });
}

/// A long playlist without songs twice: the closed forms far from the start.
#[test]
fn long_playlists_are_drawn_by_closed_forms() {
    let world = World::new(vec![(0..200).collect()], 200);
    for reading in READINGS {
        for (range, exclude_self) in [(0.98, false), (0.98, true), (1.0, true)] {
            let walks = world.walks(Bits::from_fn(200, |s| s % 7 != 3), reading, range, UntaggedLenders::Drop);
            for song in [60, 66, 199] {
                let mut random = generator(5, Purpose::Walk, [song as u64, 0, 0]);
                let counts = count(200, || walks.draw(song, exclude_self, &mut random), 100_000);
                chi_square(&walks, song, exclude_self, &counts, &format!("{reading:?} r = {range} song {song}"));
            }
        }
    }
}

/// Several sources at once, of unlike weights, songs in some of them or all.
#[test]
fn mixed_sources_are_drawn_by_their_law() {
    let (world, lenders) = tangled();
    let sources = [
        (0.5, world.lists.clone()),
        (2.0, vec![vec![0, 5, 9], vec![14, 3], vec![2, 2, 0]]),
        (1.0, vec![vec![1], vec![9, 12, 0, 7]]),
    ];
    let contexts = mixed(&sources, 15);
    combinations().into_par_iter().enumerate().for_each(|(i, (reading, untagged_lenders, exclude_self))| {
        for range in [0.0, 0.6, 1.0] {
            let options = Options { reading, range, untagged_lenders, ..Options::default() };
            let walks = Walks::along(contexts.clone(), lenders.clone(), &options).unwrap();
            for song in [0, 1, 2, 3, 9, 12, 14] {
                let mut random = generator(13, Purpose::Walk, [i as u64, song as u64, (range * 10.0) as u64]);
                let counts = count(15, || walks.draw(song, exclude_self, &mut random), 20_000);
                let what = format!("mixed {reading:?} {untagged_lenders:?} r = {range} exclude {exclude_self} song {song}");
                chi_square(&walks, song, exclude_self, &counts, &what);
            }
        }
    });
}

/// Another range of the same walks is other walks.
#[test]
fn walks_at_another_range() {
    let (world, lenders) = tangled();
    let walks = world.walks(lenders.clone(), Reading::Discard, 0.2, UntaggedLenders::Drop);
    let other = world.walks(lenders, Reading::Discard, 0.7, UntaggedLenders::Drop);
    assert_eq!(walks.at(0.7).exact(0, false), other.exact(0, false));
    assert_ne!(walks.exact(0, false), other.exact(0, false));
}

#[test]
fn substitutes_are_drawn_alike() {
    let (world, lenders) = tangled();
    let walks = world.walks(lenders, Reading::Discard, 0.5, UntaggedLenders::Drop);
    for which in [RandomLenders::Any, RandomLenders::Popularity] {
        let others = Substitutes::of(&walks, which).unwrap();
        for (song, drawn) in [(0, 2), (2, 2), (3, 5), (5, 0), (9, 12), (14, 7), (1, 6)] {
            let mut random = generator(17, Purpose::Walk, [song as u64, drawn as u64, 0]);
            let counts = count(15, || Some(others.draw(song, drawn, &mut random)), 20_000);
            let mut law = vec![0.0; 16];
            others.each(song, drawn, &mut |lender, p| law[lender as usize] += p);
            fits(&law, &counts, &format!("{which:?} {song} {drawn}"));
        }
    }
}

/// Every order of a list of four comes as often; two lists are shuffled apart; members stay; a seed is a seed.
#[test]
fn shuffled_lists_are_in_any_order() {
    let lists = vec![vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![], vec![2, 2, 1]];
    let contexts = mixed(&[(1.0, lists.clone()), (1.0, vec![vec![3, 1]])], 4);
    let mut orders = std::collections::BTreeMap::new();
    let (mut together, mut swapped) = (0u64, 0u64);
    for seed in 0..4800 {
        let mut shuffled = contexts.clone();
        shuffled.shuffle(seed);
        let row = |p: usize| shuffled.lists().row(p).to_vec();
        for (p, list) in lists.iter().chain([&vec![3, 1]]).enumerate() {
            let (mut got, mut want) = (row(p), list.clone());
            got.sort_unstable();
            want.sort_unstable();
            assert_eq!(got, want);
        }
        *orders.entry(row(0)).or_insert(0u64) += 1;
        together += u64::from(row(0) == row(1));
        swapped += u64::from(row(4) == [1, 3]);
        assert_eq!(shuffled.memberships().values, contexts.memberships().values);
        let mut again = contexts.clone();
        again.shuffle(seed);
        assert_eq!(again.lists().values, shuffled.lists().values);
    }
    let counts: Vec<u64> = orders.into_values().collect();
    assert_eq!(counts.len(), 24);
    fits(&[1.0 / 24.0; 24], &counts, "orders");
    fits(&[1.0 / 24.0, 23.0 / 24.0], &[together, 4800 - together], "two lists");
    fits(&[0.5; 2], &[swapped, 4800 - swapped], "another source");
}
