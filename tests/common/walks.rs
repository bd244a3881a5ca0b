//! Small worlds of playlists to walk in, and the test that counts follow a law.

use tagwalk::dataset::Rows;
use tagwalk::playlists::contexts::{Lists, Starts};
use tagwalk::playlists::{Bits, Contexts, Options, Reading, UntaggedLenders, Walks};

pub const READINGS: [Reading; 6] =
    [Reading::Discard, Reading::Printed, Reading::Clamp, Reading::Redraw, Reading::Eq2, Reading::Wrap];
pub const LENDERS: [UntaggedLenders; 3] = [UntaggedLenders::Drop, UntaggedLenders::Pass, UntaggedLenders::Zeros];

pub type Compressed = (Vec<u64>, Vec<u32>);

pub fn compressed(lists: &[Vec<u32>]) -> Compressed {
    let mut offsets = vec![0];
    for list in lists {
        offsets.push(offsets[offsets.len() - 1] + list.len() as u64);
    }
    (offsets, lists.concat())
}

pub fn rows((offsets, values): &Compressed) -> Rows<'_> {
    Rows { offsets, values }
}

/// Playlists and the songs' memberships, as a dataset has them.
pub struct World {
    pub lists: Vec<Vec<u32>>,
    pub playlists: Compressed,
    pub memberships: Compressed,
}

impl World {
    pub fn new(lists: Vec<Vec<u32>>, songs: usize) -> World {
        let of = |s: u32| (0..lists.len() as u32).filter(|&p| lists[p as usize].contains(&s)).collect();
        let memberships: Vec<Vec<u32>> = (0..songs as u32).map(of).collect();
        World { playlists: compressed(&lists), memberships: compressed(&memberships), lists }
    }

    pub fn walks(&self, lenders: Bits, reading: Reading, range: f64, untagged_lenders: UntaggedLenders) -> Walks<'_> {
        let options = Options { reading, range, untagged_lenders, ..Options::default() };
        Walks::new(rows(&self.playlists), rows(&self.memberships), lenders, &options).unwrap()
    }
}

/// Fails where the counts, one a song and the last for nothing, differ from the walks' exact law.
pub fn chi_square(walks: &Walks<'_>, song: usize, exclude_self: bool, counts: &[u64], what: &str) {
    let exact = walks.exact(song, exclude_self);
    let mut probabilities = vec![0.0; counts.len()];
    exact.songs.iter().for_each(|&(s, p)| probabilities[s as usize] = p);
    *probabilities.last_mut().unwrap() = exact.nothing;
    fits(&probabilities, counts, what);
}

/// Fails where counts differ from probabilities at significance 1e-6 (chi-square, cells of
/// fewer than 10 expected joined; its quantile by Wilson and Hilferty 1931).
pub fn fits(probabilities: &[f64], counts: &[u64], what: &str) {
    let total: u64 = counts.iter().sum();
    let mut rest = (0.0, 0.0);
    let mut joined = Vec::new();
    for (cell, (&got, &p)) in counts.iter().zip(probabilities).enumerate() {
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
pub fn tangled() -> (World, Bits) {
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
pub fn count(songs: usize, mut draw: impl FnMut() -> Option<u32>, draws: usize) -> Vec<u64> {
    let mut counts = vec![0; songs + 1];
    for _ in 0..draws {
        counts[draw().map_or(songs, |s| s as usize)] += 1;
    }
    counts
}

/// Sources of a weight and lists, named by their numbers.
pub fn mixed(sources: &[(f64, Vec<Vec<u32>>)], songs: usize) -> Contexts<'static> {
    let one = |(number, (weight, lists)): (usize, &(f64, Vec<Vec<u32>>))| Lists {
        name: number.to_string(),
        weight: *weight,
        starts: Starts::Anywhere,
        lists: lists.clone(),
    };
    Contexts::of_lists(songs, &sources.iter().enumerate().map(one).collect::<Vec<_>>())
}
