//! How large a made-up world is, how much annotators record of it, and how much its playlists know of its tags.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::import::splits::Fractions;

/// A world, but for its seed's chance: the same options give the same world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Songs with audio.
    pub songs: usize,
    /// Songs without audio, on no side of the split, which lend their tags.
    pub lenders: usize,
    pub seconds: f64,
    /// Samples a second.
    pub rate: u32,
    pub tags: usize,
    /// How steeply tags become rare: the tag at rank k has about 0.45 k^−tail of the songs.
    pub tail: f64,
    /// Genres that artists belong to.
    pub genres: usize,
    /// Mean songs of an artist; an artist is a group.
    pub artist_songs: usize,
    pub playlists: usize,
    /// Mean songs of a playlist.
    pub length: f64,
    /// 0: playlists know nothing of the tags; 1: each next song is near in style to the one before.
    pub coherence: f64,
    /// A song that is near is the nearest in style of so many drawn.
    pub nearest_of: usize,
    /// Share of songs that nobody annotates.
    pub untagged: f64,
    /// Mean share of its true tags that is recorded of a song that somebody annotates.
    pub recorded: f64,
    /// Whether songs of validation and test are annotated no better than others; else with all their true tags.
    pub sparse_everywhere: bool,
    /// Train, validation and test.
    pub split: Fractions,
    /// Whether an artist's songs stay on one side.
    pub grouped: bool,
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            songs: 600,
            lenders: 200,
            seconds: 8.0,
            rate: 22_050,
            tags: 50,
            tail: 0.8,
            genres: 8,
            artist_songs: 4,
            playlists: 500,
            length: 8.0,
            coherence: 0.8,
            nearest_of: 48,
            untagged: 0.5,
            recorded: 0.6,
            sparse_everywhere: false,
            split: Fractions([0.6, 0.1, 0.3]),
            grouped: true,
            seed: 0,
        }
    }
}

impl Options {
    /// Fails where a number is out of its range; says which.
    pub fn check(&self) -> Result<()> {
        let shares = [("--coherence", self.coherence), ("--untagged", self.untagged), ("--recorded", self.recorded)];
        for (flag, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::usage(flag, format!("{value} is not between 0 and 1")));
            }
        }
        let counts = [
            ("--songs", self.songs, 1, 10_000_000),
            ("--lenders", self.lenders, 0, 10_000_000),
            ("--tags", self.tags, 1, 100_000),
            ("--genres", self.genres, 1, 100_000),
            ("--artist-songs", self.artist_songs, 1, 100_000),
            ("--playlists", self.playlists, 0, 100_000_000),
            ("--nearest-of", self.nearest_of, 1, 100_000),
            ("--rate", self.rate as usize, 4_000, 192_000),
        ];
        for (flag, value, least, most) in counts {
            if !(least..=most).contains(&value) {
                return Err(Error::usage(flag, format!("{value} is not between {least} and {most}")));
            }
        }
        let ranges =
            [("--seconds", self.seconds, 0.1, 3600.0), ("--tail", self.tail, 0.0, 4.0), ("--length", self.length, 2.0, 10_000.0)];
        for (flag, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(Error::usage(flag, format!("{value} is not between {least} and {most}")));
            }
        }
        if !self.split.are_shares() {
            return Err(Error::usage("--split-fractions", "are shares of train, valid and test, together at most 1"));
        }
        Ok(())
    }
}
