//! Walks along playlists: exact values against the golden ones (exact fractions, computed by the
//! script beside them), a literal walker written from the paper's pseudo-code against the exact
//! law, and a million draws of every reading against it.

use std::collections::BTreeMap;
use std::path::Path;

use rand::RngExt;
use rayon::prelude::*;
use serde_json::Value;
use tagwalk::dataset::Rows;
use tagwalk::playlists::{Bits, Options, Reading, UntaggedLenders, Walks, similarity};
use tagwalk::random::{Generator, Purpose, generator};

const READINGS: [Reading; 6] = [Reading::Discard, Reading::Printed, Reading::Clamp, Reading::Redraw, Reading::Eq2, Reading::Wrap];
const LENDERS: [UntaggedLenders; 3] = [UntaggedLenders::Drop, UntaggedLenders::Pass, UntaggedLenders::Zeros];

type Compressed = (Vec<u64>, Vec<u32>);

fn compressed(lists: &[Vec<u32>]) -> Compressed {
    let mut offsets = vec![0];
    for list in lists {
        offsets.push(offsets[offsets.len() - 1] + list.len() as u64);
    }
    (offsets, lists.concat())
}

fn rows((offsets, values): &Compressed) -> Rows<'_> {
    Rows { offsets, values }
}

/// Playlists and the songs' memberships, as a dataset has them.
struct World {
    lists: Vec<Vec<u32>>,
    playlists: Compressed,
    memberships: Compressed,
}

impl World {
    fn new(lists: Vec<Vec<u32>>, songs: usize) -> World {
        let of = |s: u32| (0..lists.len() as u32).filter(|&p| lists[p as usize].contains(&s)).collect();
        let memberships: Vec<Vec<u32>> = (0..songs as u32).map(of).collect();
        World { playlists: compressed(&lists), memberships: compressed(&memberships), lists }
    }

    fn walks(&self, lenders: Bits, reading: Reading, range: f64, untagged_lenders: UntaggedLenders) -> Walks<'_> {
        let options = Options { reading, range, untagged_lenders, ..Options::default() };
        Walks::new(rows(&self.playlists), rows(&self.memberships), lenders, &options).unwrap()
    }
}

/// The golden problems, the committed copy first. The second is there on machines that have it.
fn golden() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for path in [root.join("tests/golden/paper.json"), root.join("../shared/golden/paper.json")] {
        match std::fs::read(&path) {
            Ok(bytes) => all.push(serde_json::from_slice(&bytes).unwrap()),
            Err(_) if !all.is_empty() => println!("skipped: no ../shared/golden/paper.json"),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    all
}

fn close(got: f64, want: f64, what: &dyn Fn() -> String) {
    assert!((got - want).abs() <= 1e-12, "{}: {got}, not {want}", what());
}

/// Probabilities by song name, zeros left out.
fn by_name(pairs: impl Iterator<Item = (String, f64)>) -> BTreeMap<String, f64> {
    pairs.filter(|p| p.1 != 0.0).collect()
}

fn compare(got: &BTreeMap<String, f64>, want: &Value, what: &dyn Fn() -> String) {
    let want = by_name(want.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_f64().unwrap())));
    assert!(got.keys().eq(want.keys()), "{}: {got:?}, not {want:?}", what());
    for (song, &p) in got {
        close(p, want[song], what);
    }
}

#[test]
fn golden_equations_and_walks() {
    let mut compared = 0;
    for golden in golden() {
        for set in golden["equations"].as_array().unwrap() {
            let names: Vec<&str> = set["songs"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
            let number = |name: &Value| names.iter().position(|n| *n == name.as_str().unwrap()).unwrap() as u32;
            let lists: Vec<Vec<u32>> =
                set["playlists"].as_array().unwrap().iter().map(|p| p.as_array().unwrap().iter().map(number).collect()).collect();
            let world = World::new(lists, names.len());
            for case in set["cases"].as_array().unwrap() {
                let (song, r) = (number(&case["song"]) as usize, case["r"].as_f64().unwrap());
                for reading in READINGS.into_iter().filter(|r| *r != Reading::Wrap) {
                    let name = serde_json::to_value(reading).unwrap();
                    let name = name.as_str().unwrap();
                    let walks = world.walks(Bits::from_fn(names.len(), |_| true), reading, r, UntaggedLenders::default());
                    let what = || format!("{} {} r = {r}, {name}", set["name"], case["song"]);
                    compared += check_case(&world, &walks, reading, song, &names, case, name, &what);
                }
            }
        }
    }
    assert!(compared > 1000, "only {compared} distributions compared");
}

/// One song, range and reading; gives the number of distributions compared.
#[allow(clippy::too_many_arguments)]
fn check_case(
    world: &World,
    walks: &Walks<'_>,
    reading: Reading,
    song: usize,
    names: &[&str],
    case: &Value,
    name: &str,
    what: &dyn Fn() -> String,
) -> usize {
    let mut compared = 0;
    let share = walks.playlists_of(song).len() as f64;
    let per_playlist = case["per_playlist"].as_array().unwrap();
    assert_eq!(per_playlist.len() as f64, share);
    for one in per_playlist {
        let playlist = one["playlist"].as_u64().unwrap() as u32;
        let start = one["start"].as_i64().unwrap() as isize;
        let positions = |exclude_self: bool| {
            let mut positions = vec![0.0; world.lists[playlist as usize].len()];
            walks.each(reading, song, exclude_self, &mut |o| {
                if o.playlist == Some(playlist) {
                    positions[(start + o.distance) as usize] += o.probability * share;
                }
            });
            positions
        };
        let mut check = |exclude_self: bool, want: &Value| {
            if let Some(want) = want.as_array() {
                let got = positions(exclude_self);
                got.iter().zip(want).for_each(|(g, w)| close(*g, w.as_f64().unwrap(), what));
                compared += 1;
            }
        };
        if reading == Reading::Eq2 {
            check(false, &one["eq2"]["position"]);
            check(true, &one["eq2"]["position_no_self"]);
        }
        let walk = &one["walk"][name];
        check(false, &walk["position"]);
        if let Some(none) = walk["none"].as_f64() {
            close(1.0 - positions(false).iter().sum::<f64>(), none, what);
        } else {
            // Undefined at r = 1: the limit that the golden page states.
            assert!(reading == Reading::Redraw && case["r"] == 1.0, "{}", what());
            let n = positions(false).len() as f64;
            for (j, p) in positions(false).into_iter().enumerate() {
                close(p, if j as isize == start { 2.0 } else { 1.0 } / (n + 1.0), what);
            }
        }
    }
    let mixed = |exclude_self: bool| {
        let exact = walks.exact(song, exclude_self);
        (exact.nothing, by_name(exact.songs.into_iter().map(|(s, p)| (names[s as usize].to_string(), p))))
    };
    let sampled = &case["sampled"][name];
    if !sampled.is_null() {
        let (nothing, songs) = mixed(false);
        compare(&songs, &sampled["song"], what);
        close(nothing, sampled["none"].as_f64().unwrap(), what);
        close(songs.get(names[song]).copied().unwrap_or(0.0), sampled["self"].as_f64().unwrap(), what);
        compared += 1;
    }
    if reading == Reading::Eq2 && !case["eq4"].is_null() {
        compare(&mixed(false).1, &case["eq4"], what);
        compare(&mixed(true).1, &case["eq4_no_self"], what);
        for (s, n) in names.iter().enumerate() {
            let want = case["eq4"][*n].as_f64().unwrap_or(0.0);
            close(walks.eq4(song, s as u32, false), want, what);
        }
        compared += 2;
    }
    // On condition that another song lends, these two walks are eq. (2) without the song itself.
    if matches!(reading, Reading::Discard | Reading::Redraw) && !case["eq4"].is_null() {
        compare(&mixed(true).1, &case["eq4_no_self"], what);
        compared += 1;
    }
    compared
}

#[test]
fn golden_similarity() {
    for golden in golden() {
        let fig2 = &golden["fig2"];
        let tags = fig2["tags"].as_object().unwrap();
        let names: Vec<&String> = tags.keys().collect();
        let bits: Vec<[u8; 1]> =
            tags.values().map(|t| [t.as_array().unwrap().iter().fold(0u8, |bits, t| bits | 1 << t.as_u64().unwrap())]).collect();
        let number = |n: &Value| names.iter().position(|m| *m == n.as_str().unwrap()).unwrap() as u32;
        let list = |p: &Value| p.as_array().unwrap().iter().map(number).collect();
        let playlists = compressed(&fig2["playlists"].as_array().unwrap().iter().map(list).collect::<Vec<_>>());
        for (same, key) in [(true, "with_same_song"), (false, "without_same_song")] {
            let got = similarity(rows(&playlists), |s| &bits[s as usize], 100, same);
            let want = fig2[key].as_array().unwrap();
            assert_eq!(got.len(), want.len());
            for (g, w) in got.iter().zip(want) {
                assert_eq!((g.distance as u64, g.pairs), (w["distance"].as_u64().unwrap(), w["pairs"].as_u64().unwrap()));
                close(g.mean, w["mean"].as_f64().unwrap(), &|| format!("{key} {}", g.distance));
            }
            let near = similarity(rows(&playlists), |s| &bits[s as usize], 2, same);
            assert_eq!(near[..], got[..2]);
        }
    }
}

/// Worked by hand from the definitions, r = 1/2. Playlist a x b, x the start and without tags.
#[test]
fn a_start_that_cannot_lend() {
    let world = World::new(vec![vec![0, 1, 2]], 3);
    let law = |reading, untagged, exclude_self| {
        let exact = world.walks(Bits::from_fn(3, |s| s != 1), reading, 0.5, untagged).exact(1, exclude_self);
        let p = |song: u32| exact.songs.iter().find(|s| s.0 == song).map_or(0.0, |s| s.1);
        [p(0), p(1), p(2), exact.nothing]
    };
    use UntaggedLenders::{Drop, Pass, Zeros};
    // It keeps its place, so each side is one step away; stopping at it lends nothing.
    assert_eq!(law(Reading::Discard, Drop, false), [0.125, 0.0, 0.125, 0.75]);
    assert_eq!(law(Reading::Discard, Drop, true), [0.5, 0.0, 0.5, 0.0]);
    // The walk cannot stop at it: half of those that leave it stop next door, the others fall off.
    assert_eq!(law(Reading::Discard, Pass, false), [0.25, 0.0, 0.25, 0.5]);
    // It lends zeros to itself.
    assert_eq!(law(Reading::Discard, Zeros, false), [0.125, 0.5, 0.125, 0.25]);
    assert_eq!(law(Reading::Eq2, Drop, false), [0.25, 0.0, 0.25, 0.5]);
    assert_eq!(law(Reading::Eq2, Pass, false), [0.5, 0.0, 0.5, 0.0]);
    // b is the playlist's last song.
    assert_eq!(law(Reading::Printed, Drop, false), [0.125, 0.0, 0.0, 0.875]);
    assert_eq!(law(Reading::Clamp, Drop, false), [0.25, 0.0, 0.25, 0.5]);
    assert_eq!(law(Reading::Wrap, Drop, false), [0.25, 0.0, 0.25, 0.5]);
    assert_eq!(law(Reading::Wrap, Pass, false), [0.5, 0.0, 0.5, 0.0]);
}

/// Worked by hand, r = 1/2. Playlist s x a b: dropped, a is at distance 1; passed, at distance 2.
#[test]
fn songs_between_that_cannot_lend() {
    let world = World::new(vec![vec![0, 1, 2, 3]], 4);
    let law = |reading, untagged| {
        let exact = world.walks(Bits::from_fn(4, |s| s != 1), reading, 0.5, untagged).exact(0, false);
        exact.songs.iter().map(|s| s.1).collect::<Vec<f64>>()
    };
    use UntaggedLenders::{Drop, Pass, Zeros};
    assert_eq!(law(Reading::Discard, Drop), [0.5, 0.125, 0.0625]);
    assert_eq!(law(Reading::Discard, Pass), [0.5, 0.125, 0.0625]);
    assert_eq!(law(Reading::Discard, Zeros), [0.5, 0.125, 0.0625, 0.03125]);
    let sevenths = |w: [f64; 3], sum: f64| w.map(|v| v / sum).to_vec();
    assert_eq!(law(Reading::Eq2, Drop), sevenths([4.0, 2.0, 1.0], 7.0));
    assert_eq!(law(Reading::Eq2, Pass), sevenths([8.0, 2.0, 1.0], 11.0));
    // wrap: half of the walks stay; the others have the one half-list, 2 : 1.
    for (got, want) in law(Reading::Wrap, Drop).into_iter().zip([1.0 / 2.0, 1.0 / 3.0, 1.0 / 6.0]) {
        close(got, want, &|| "wrap".into());
    }
}

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

/// Fails where the counts differ from the exact law at significance 1e-6 (chi-square, cells of
/// fewer than 10 expected joined; its quantile by Wilson and Hilferty 1931).
fn chi_square(walks: &Walks<'_>, song: usize, exclude_self: bool, counts: &[u64], what: &str) {
    let exact = walks.exact(song, exclude_self);
    let total: u64 = counts.iter().sum();
    let mut probabilities = vec![0.0; counts.len()];
    exact.songs.iter().for_each(|&(s, p)| probabilities[s as usize] = p);
    *probabilities.last_mut().unwrap() = exact.nothing;
    let mut rest = (0.0, 0.0);
    let mut joined = Vec::new();
    for (cell, (&got, p)) in counts.iter().zip(probabilities).enumerate() {
        assert!(got == 0 || p > 1e-13, "{what}: drew {cell}, which has no probability");
        let (got, want) = (got as f64, p * total as f64);
        if want >= 10.0 {
            joined.push((got, want));
        } else {
            rest = (rest.0 + got, rest.1 + want);
        }
    }
    if rest.1 >= 10.0 {
        joined.push(rest);
    } else if let Some(first) = joined.first_mut() {
        *first = (first.0 + rest.0, first.1 + rest.1);
    }
    let statistic: f64 = joined.iter().map(|(got, want)| (got - want).powi(2) / want).sum();
    let freedom = joined.len() as f64 - 1.0;
    if freedom == 0.0 {
        assert!(statistic < 1e-9, "{what}");
        return;
    }
    let z = 4.7534; // of 1 - 1e-6
    let spread = 2.0 / (9.0 * freedom);
    let bound = freedom * (1.0 - spread + z * spread.sqrt()).powi(3);
    assert!(statistic < bound, "{what}: chi-square {statistic:.1} over {bound:.1} with {freedom} degrees of freedom");
}

/// Overlapping playlists with songs twice, ends that cannot lend, and lists of one.
fn tangled() -> (World, Bits) {
    let lists = vec![
        vec![0, 1, 2, 3, 4, 5, 6, 7, 8],
        vec![9, 0, 1, 10, 11],
        vec![2, 0, 3, 0, 9, 5],
        vec![1, 12, 1, 6, 0],
        vec![1],
        vec![13, 13],
        vec![4, 10, 1],
        vec![13, 2],
        vec![12, 1],
    ];
    let lenders = Bits::from_fn(15, |s| !matches!(s, 1 | 4 | 8 | 10 | 13));
    (World::new(lists, 15), lenders)
}

/// How often each song came: one count a song, the last for nothing.
fn count(songs: usize, mut draw: impl FnMut() -> Option<u32>, draws: usize) -> Vec<u64> {
    let mut counts = vec![0; songs + 1];
    for _ in 0..draws {
        counts[draw().map_or(songs, |s| s as usize)] += 1;
    }
    counts
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

#[test]
fn ranges_outside_0_to_1_are_refused() {
    let (world, lenders) = tangled();
    for range in [-0.1, 1.1, f64::NAN] {
        let options = Options { range, ..Options::default() };
        let error = Walks::new(rows(&world.playlists), rows(&world.memberships), lenders.clone(), &options).err().unwrap();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--range"));
    }
}
