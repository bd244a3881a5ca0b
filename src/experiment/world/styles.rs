//! Where songs lie in the space of styles, one axis a trait: a genre's centre, an artist's own way, a song's own.
//! Standard normal on every axis over all worlds, so a trait's levels are as common as its table says, give or
//! take this world's genres.

use rand::RngExt;

use super::traits::{self, Levels, TRAITS};
use crate::random::{Generator, Purpose, generator};

/// Shares of the variance: between genres, between a genre's artists, between an artist's songs.
const VARIANCE: [f64; 3] = [0.45, 0.3, 0.25];

/// A point in the space of styles.
pub type Style = [f64; TRAITS.len()];

/// Streams of chance within [`Purpose::Synthetic`], each with two counters of its own.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(super) enum Stream {
    Genre = 0x7700,
    Artist,
    Song,
    Tags,
    Annotator,
    Playlist,
    Popularity,
    Lender,
    Audio,
    Wave,
}

pub(super) fn stream(seed: u64, stream: Stream, counters: [u64; 2]) -> Generator {
    generator(seed, Purpose::Synthetic, [stream as u64, counters[0], counters[1]])
}

/// A standard normal number (Box and Muller 1958).
pub(super) fn normal(random: &mut Generator) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// The genres of a world.
pub struct Styles {
    seed: u64,
    genres: Vec<Style>,
}

/// An artist: a style, near that of a genre, and a number of songs.
pub struct Artist {
    pub style: Style,
    pub songs: usize,
}

impl Styles {
    /// `genres` is not 0.
    pub fn new(seed: u64, genres: usize) -> Styles {
        let centre = |genre| {
            let mut random = stream(seed, Stream::Genre, [genre, 0]);
            std::array::from_fn(|_| VARIANCE[0].sqrt() * normal(&mut random))
        };
        Styles { seed, genres: (0..genres as u64).map(centre).collect() }
    }

    /// An artist of 1 to 2 `mean` − 1 songs; the same for the same number in every world of this seed.
    pub fn artist(&self, number: u64, mean: usize) -> Artist {
        let mut random = stream(self.seed, Stream::Artist, [number, 0]);
        let genre = random.random_range(0..self.genres.len());
        let style = self.genres[genre].map(|x| x + VARIANCE[1].sqrt() * normal(&mut random));
        Artist { style, songs: random.random_range(1..2 * mean) }
    }

    /// The style of an artist's song.
    pub fn song(&self, artist: &Artist, number: u64, song: u64) -> Style {
        let mut random = stream(self.seed, Stream::Song, [number, song]);
        artist.style.map(|x| x + VARIANCE[2].sqrt() * normal(&mut random))
    }
}

/// A style's levels.
pub fn levels(style: &Style) -> Levels {
    std::array::from_fn(|of| traits::level(of, style[of]))
}

/// How far apart two styles are, as playlists see it: the weighted squares.
pub fn distance(a: &Style, b: &Style) -> f64 {
    TRAITS.iter().zip(a.iter().zip(b)).map(|(t, (x, y))| t.weight * (x - y) * (x - y)).sum()
}
