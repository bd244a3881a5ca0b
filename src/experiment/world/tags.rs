//! The vocabulary of a world and which songs truly have which tag. A tag is a trait's level or several at once ("fast",
//! "low plucked"); tags are chosen so that the songs a tag has fall with its rank as a power law: the long tail.

use rand::RngExt;

use super::styles::{Stream, Styles, levels, stream};
use super::traits::{self, LevelSet, TRAITS};
use crate::error::{Error, Result};

/// Share of the songs that the most frequent tag is wanted to have.
pub const MOST: f64 = 0.45;
/// Songs by which the frequencies of tags are judged: of the world's styles, not of its songs, so that a larger
/// world has the same tags.
const SAMPLE: u64 = 20_000;
/// A tag is drawn among so many candidates of nearly the frequency that is wanted.
const CHOICE: usize = 4;
/// Songs of the sample that a candidate must have.
const LEAST: usize = 20;

/// What a tag means: the levels that a song must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub category: &'static str,
    pub levels: LevelSet,
}

impl Tag {
    /// Whether a song of these levels truly has it.
    pub fn fits(&self, song: LevelSet) -> bool {
        self.levels & song == self.levels
    }
}

/// All levels and all pairs and triples of levels of different traits.
fn candidates() -> Vec<Tag> {
    let mut all: Vec<(Vec<usize>, Tag)> = vec![(vec![], Tag { name: String::new(), category: "", levels: 0 })];
    let mut first = 0;
    for _ in 0..3 {
        let end = all.len();
        for i in first..end {
            let (of, tag) = all[i].clone();
            for (next, t) in TRAITS.iter().enumerate().skip(of.last().map_or(0, |last| last + 1)) {
                for (level, (name, _)) in t.levels.iter().enumerate() {
                    let category = if of.is_empty() || tag.category == t.category { t.category } else { "mixed" };
                    let name = if of.is_empty() { name.to_string() } else { format!("{} {name}", tag.name) };
                    let levels = tag.levels | traits::bit(next, level as u8);
                    all.push(([&of[..], &[next]].concat(), Tag { name, category, levels }));
                }
            }
        }
        first = end;
    }
    all.into_iter().skip(1).map(|(_, tag)| tag).collect()
}

/// `count` tags, the most frequent first, of which that at rank k (from 1) is wanted on a share [`MOST`] · k^−`tail`
/// of the songs. Fails where the traits do not make so many.
pub fn choose(styles: &Styles, seed: u64, count: usize, tail: f64) -> Result<Vec<Tag>> {
    let songs: Vec<LevelSet> = (0..SAMPLE)
        .map(|i| {
            // Artists that no world reaches: the sample shares no song with it.
            let number = u64::MAX - i / 4;
            traits::set(&levels(&styles.song(&styles.artist(number, 4), number, i)))
        })
        .collect();
    let frequency = |tag: &Tag| songs.iter().filter(|&&song| tag.fits(song)).count();
    let mut left: Vec<(Tag, usize)> = candidates().into_iter().map(|tag| (frequency(&tag), tag)).map(|(n, t)| (t, n)).collect();
    left.retain(|(_, songs)| *songs >= LEAST);
    if left.len() < count {
        let what = format!("{count} tags, but the traits of this world make {} that are not too rare", left.len());
        return Err(Error::usage("--tags", what).help("Ask for fewer tags."));
    }
    let mut random = stream(seed, Stream::Tags, [0; 2]);
    let mut chosen: Vec<(Tag, usize)> = Vec::with_capacity(count);
    for rank in 1..=count {
        let wanted = (MOST * (rank as f64).powf(-tail) * SAMPLE as f64).ln();
        let off = |songs: usize| ((songs as f64).ln() - wanted).abs();
        // Stable: equals stay in the order of the candidates.
        left.sort_by(|a, b| off(a.1).total_cmp(&off(b.1)));
        chosen.push(left.remove(random.random_range(0..CHOICE.min(left.len()))));
    }
    chosen.sort_by_key(|(_, songs)| std::cmp::Reverse(*songs));
    Ok(chosen.into_iter().map(|(tag, _)| tag).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_all_conjunctions_of_up_to_three_traits() {
        let all = candidates();
        let sizes: Vec<usize> = TRAITS.iter().map(|t| t.levels.len()).collect();
        let mut expected = 0;
        for i in 0..sizes.len() {
            expected += sizes[i];
            for j in i + 1..sizes.len() {
                expected += sizes[i] * sizes[j];
                expected += (j + 1..sizes.len()).map(|k| sizes[i] * sizes[j] * sizes[k]).sum::<usize>();
            }
        }
        assert_eq!(all.len(), expected);
        let names: std::collections::HashSet<&str> = all.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names.len(), expected);
        let one = all.iter().find(|t| t.name == "low fast").unwrap();
        assert_eq!((one.levels, one.category), (traits::bit(1, 0) | traits::bit(2, 2), "mixed"));
    }
}
