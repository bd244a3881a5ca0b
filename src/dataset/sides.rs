//! Sides of a split by chance from a seed: songs, or whole groups of them at a time.

use rand::seq::SliceRandom;

use super::Split;
use crate::error::{Error, Result};
use crate::random::{Purpose, generator};

/// Shares of train, validation and test; what is missing to 1 is on no side.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Fractions(pub [f64; 3]);

impl Fractions {
    /// Whether each is between 0 and 1, and all together at most 1.
    pub fn are_shares(&self) -> bool {
        self.0.iter().all(|share| (0.0..=1.0).contains(share)) && self.0.iter().sum::<f64>() <= 1.0 + 1e-9
    }
}

impl std::str::FromStr for Fractions {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Fractions, String> {
        let parts: Vec<f64> = text.split(',').map(|p| p.trim().parse().unwrap_or(f64::NAN)).collect();
        match parts[..] {
            [a, b, c] if Fractions([a, b, c]).are_shares() => Ok(Fractions([a, b, c])),
            _ => Err("give three shares of train, valid and test between 0 and 1, together at most 1, as 0.7,0.1,0.2".into()),
        }
    }
}

/// The place that errors of a split by groups name.
pub const BY_GROUPS: &str = "split by groups";

const SIDES: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

/// Sides by chance for `songs` songs. Whole songs: exactly the shares, rounded as they add up. With
/// `groups` (of each song; a song without one stands for itself) the songs of a group stay together:
/// groups come in random order, each to the side that lacks most songs.
pub fn random(songs: usize, groups: Option<&[Option<u32>]>, fractions: Fractions, seed: u64) -> Result<Vec<Split>> {
    let mut random = generator(seed, Purpose::Split, [0; 3]);
    let mut sides = vec![Split::None; songs];
    let mut sum = 0.0;
    let ends = fractions.0.map(|share| {
        sum += share;
        (sum * songs as f64).round() as usize
    });
    let Some(groups) = groups else {
        let mut order: Vec<usize> = (0..songs).collect();
        order.shuffle(&mut random);
        for (place, &song) in order.iter().enumerate() {
            sides[song] = (0..3).find(|&s| place < ends[s]).map_or(Split::None, |s| SIDES[s]);
        }
        return Ok(sides);
    };
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut place = std::collections::HashMap::new();
    for (song, group) in groups.iter().enumerate() {
        match group {
            None => members.push(vec![song]),
            Some(group) => {
                let at = *place.entry(*group).or_insert_with(|| {
                    members.push(Vec::new());
                    members.len() - 1
                });
                members[at].push(song);
            }
        }
    }
    members.shuffle(&mut random);
    // Songs that each side, the last of them "none", still lacks.
    let mut lacks = [ends[0], ends[1] - ends[0], ends[2] - ends[1], songs - ends[2]].map(|n| n as i64);
    let wanted = lacks;
    for group in &members {
        let side = (0..4).rev().max_by_key(|&s| lacks[s]).unwrap_or(3);
        lacks[side] -= group.len() as i64;
        for &song in group {
            sides[song] = *SIDES.get(side).unwrap_or(&Split::None);
        }
    }
    if let Some(side) = (0..3).find(|&s| wanted[s] > 0 && lacks[s] == wanted[s]) {
        let what = format!("{} groups leave no song for {}", members.len(), ["train", "valid", "test"][side]);
        return Err(Error::usage(BY_GROUPS, what).help("Take smaller groups, other shares or another seed."));
    }
    Ok(sides)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sides: &[Split]) -> [usize; 4] {
        [Split::Train, Split::Valid, Split::Test, Split::None].map(|s| sides.iter().filter(|&&x| x == s).count())
    }

    #[test]
    fn shares_are_exact_and_seeds_differ() {
        // The demo's 60/10/30 of 189 songs is 113, 19 and 57.
        let fractions: Fractions = "0.6, 0.1,0.3".parse().unwrap();
        let a = random(189, None, fractions, 1).unwrap();
        assert_eq!(counts(&a), [113, 19, 57, 0]);
        assert_eq!(a, random(189, None, fractions, 1).unwrap());
        assert_ne!(a, random(189, None, fractions, 2).unwrap());
        assert_eq!(counts(&random(10, None, Fractions([0.5, 0.0, 0.2]), 1).unwrap()), [5, 0, 2, 3]);
        for wrong in ["0.6,0.1", "a,b,c", "0.9,0.1,0.1", "-1,1,1", "nan,0,0", ""] {
            assert!(wrong.parse::<Fractions>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_group_is_on_two_sides() {
        let groups: Vec<Option<u32>> = (0..1000u32).map(|s| (s % 10 != 0).then_some(s * s % 97)).collect();
        let sides = random(1000, Some(&groups), Fractions([0.7, 0.1, 0.2]), 3).unwrap();
        let mut of = std::collections::HashMap::new();
        for (group, side) in groups.iter().zip(&sides) {
            if let Some(group) = group {
                assert_eq!(of.entry(group).or_insert(side), &side);
            }
        }
        // Groups here have about 19 songs, so a side is off by no more than one group of 38.
        for (have, want) in counts(&sides).into_iter().zip([700, 100, 200, 0]) {
            assert!(have.abs_diff(want) < 38, "{have} songs of {want}");
        }
        assert!(random(10, Some(&[Some(1); 10]), Fractions([0.7, 0.1, 0.2]), 1).is_err());
    }
}
