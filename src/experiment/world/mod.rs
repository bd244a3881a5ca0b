//! A made-up world: songs whose audible traits decide which tags are true, annotators who record few of them, and
//! playlists that know as much of the tags as one asks. Since the truth is known, it can be counted which missing
//! tags propagation recovers and which wrong ones it adds, also where playlists know nothing and it must lose.
//!
//! | file | what |
//! |---|---|
//! | `options` | size, sparsity, coherence |
//! | [`traits`] | what can be heard, and how common it is |
//! | `styles` | genres, artists and songs as points; a stream of chance for each |
//! | `tags` | the vocabulary, with its long tail |
//! | `annotators` | what is recorded of the truth |
//! | `playlists` | wandering through the styles |
//! | `sound`, `play` | from levels to numbers to samples |
//! | `write` | a dataset folder with the truth beside it |

mod annotators;
mod options;
mod play;
mod playlists;
mod sound;
mod styles;
mod tags;
pub mod traits;
mod write;

use rayon::prelude::*;

pub use options::Options;
pub use sound::{Envelope, Sound, Timbre};
pub use styles::Style;
pub use tags::Tag;
pub use write::Made;

use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::import::splits;
use playlists::Wander;
use styles::{Stream, Styles, levels, stream};
use traits::Levels;

/// Everything of a world but its samples, which [`World::wave`] plays.
pub struct World {
    pub options: Options,
    /// The most frequent first.
    pub tags: Vec<Tag>,
    pub songs: Vec<Song>,
    /// Names of the artists, in the order of [`Song::artist`].
    pub artists: Vec<String>,
    /// Songs of each playlist, in order.
    pub playlists: Vec<Vec<u32>>,
}

/// A song. The song of a number is the same in every world of its seed: a larger world has more of them.
#[derive(Clone, Debug)]
pub struct Song {
    pub name: String,
    pub artist: u32,
    pub style: Style,
    pub levels: Levels,
    pub has_audio: bool,
    pub split: Split,
    /// Tags that are true of it, ascending, as places in the vocabulary.
    pub truth: Vec<u32>,
    /// Those of them that are recorded.
    pub recorded: Vec<u32>,
}

impl World {
    /// Makes a world, on the threads of the pool it is called in; their number changes nothing.
    pub fn new(options: &Options) -> Result<World> {
        options.check()?;
        let seed = options.seed;
        let genres = Styles::new(seed, options.genres);
        let tags = tags::choose(&genres, seed, options.tags, options.tail)?;
        let count = options.songs + options.lenders;
        let (mut songs, mut artists) = (Vec::with_capacity(count), Vec::new());
        while songs.len() < count {
            let number = artists.len() as u64;
            let artist = genres.artist(number, options.artist_songs);
            artists.push(format!("artist-{number:05}"));
            for song in 0..artist.songs.min(count - songs.len()) {
                let style = genres.song(&artist, number, song as u64);
                songs.push(Song {
                    name: format!("artist-{number:05}/song-{:06}", songs.len()),
                    artist: number as u32,
                    style,
                    levels: levels(&style),
                    has_audio: true,
                    split: Split::None,
                    truth: Vec::new(),
                    recorded: Vec::new(),
                });
            }
        }
        without_audio(&mut songs, options);
        sides(&mut songs, options)?;
        songs.par_iter_mut().enumerate().for_each(|(number, song)| {
            let set = traits::set(&song.levels);
            song.truth = (0..tags.len() as u32).filter(|&t| tags[t as usize].fits(set)).collect();
            let judged = matches!(song.split, Split::Valid | Split::Test) && !options.sparse_everywhere;
            song.recorded = if judged {
                song.truth.clone()
            } else {
                annotators::record(seed, number as u64, &song.truth, options.untagged, options.recorded)
            };
        });
        let all: Vec<Style> = songs.iter().map(|song| song.style).collect();
        let &Options { playlists, length, coherence, nearest_of, .. } = options;
        let wander = Wander { playlists, length, coherence, nearest_of };
        let playlists = playlists::wander(seed, &all, &wander);
        Ok(World { options: options.clone(), tags, songs, artists, playlists })
    }

    /// How a song is played.
    pub fn sound(&self, song: usize) -> Sound {
        Sound::new(self.options.seed, song as u64, &self.songs[song].levels)
    }

    /// A song's samples; none where it has no audio.
    pub fn wave(&self, song: usize) -> Vec<i16> {
        if !self.songs[song].has_audio {
            return Vec::new();
        }
        play::play(self.options.seed, song as u64, &self.sound(song), self.options.seconds, self.options.rate)
    }
}

/// Takes the audio of as many songs as lend only.
fn without_audio(songs: &mut [Song], options: &Options) {
    let mut order: Vec<(u64, usize)> = (0..songs.len())
        .map(|song| (rand::Rng::next_u64(&mut stream(options.seed, Stream::Lender, [song as u64, 0])), song))
        .collect();
    order.sort_unstable();
    order[..options.lenders].iter().for_each(|&(_, song)| songs[song].has_audio = false);
}

/// Puts the songs with audio on their sides of the split.
fn sides(songs: &mut [Song], options: &Options) -> Result<()> {
    let heard: Vec<usize> = (0..songs.len()).filter(|&song| songs[song].has_audio).collect();
    let groups: Vec<Option<u32>> = heard.iter().map(|&song| Some(songs[song].artist)).collect();
    let groups = options.grouped.then_some(&groups[..]);
    let sides = splits::random(heard.len(), groups, options.split, options.seed).map_err(|e| {
        Error::usage("--songs", format!("too few for a split by artist: {}", e.what))
            .help("Make more songs, give artists fewer (--artist-songs), or split by song (--random-split).")
    })?;
    heard.into_iter().zip(sides).for_each(|(song, side)| songs[song].split = side);
    Ok(())
}
