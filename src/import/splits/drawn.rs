//! The paper's split: it trains on the songs of playlists, and validation and test are drawn from the others.

use rand::seq::SliceRandom;

use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::random::{Purpose, generator};

/// Songs of validation and test to draw beside the training songs of playlists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Numbers {
    pub valid: usize,
    pub test: usize,
}

impl std::str::FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Numbers, String> {
        let numbers = text.split_once(',').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
        let (valid, test) = numbers.ok_or("give the number of validation and of test songs, as 10054,6354")?;
        Ok(Numbers { valid, test })
    }
}

/// Draws validation and test from `songs`, which playlists do not train.
pub fn draw(songs: &[usize], numbers: Numbers, seed: u64) -> Result<Vec<(usize, Split)>> {
    let wanted = numbers.valid.saturating_add(numbers.test);
    if songs.len() < wanted {
        let what = format!("{} songs with audio and tags are in no playlist; {wanted} are asked for", songs.len());
        return Err(
            Error::usage("--paper-split", what).help("Ask for fewer, or name lists of validation and test songs by --split.")
        );
    }
    let mut order = songs.to_vec();
    order.shuffle(&mut generator(seed, Purpose::Split, [0; 3]));
    let side = |place: usize| if place < numbers.valid { Split::Valid } else { Split::Test };
    Ok(order[..wanted].iter().enumerate().map(|(place, &song)| (song, side(place))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_and_test_beside_playlists() {
        let songs: Vec<usize> = (100..200).collect();
        let numbers: Numbers = "30, 20".parse().unwrap();
        let drawn = draw(&songs, numbers, 1).unwrap();
        let of = |side| drawn.iter().filter(|d| d.1 == side).count();
        assert_eq!((of(Split::Valid), of(Split::Test)), (30, 20));
        let different: std::collections::HashSet<usize> = drawn.iter().map(|d| d.0).collect();
        assert!(different.len() == 50 && different.iter().all(|song| songs.contains(song)));
        assert!(drawn == draw(&songs, numbers, 1).unwrap() && drawn != draw(&songs, numbers, 2).unwrap());
        assert!(draw(&songs, Numbers { valid: 60, test: 41 }, 1).unwrap_err().to_string().contains("101 are asked for"));
        assert!("30".parse::<Numbers>().is_err() && "a,b".parse::<Numbers>().is_err());
    }
}
