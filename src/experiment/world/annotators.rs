//! What annotators record of a song's true tags: of some songs nothing, of the others each tag with a probability of
//! the song's own, since one annotator is diligent and another is not. Nobody records a tag that is not true.

use rand::RngExt;

use super::styles::{Stream, stream};

/// How far a song's annotator is from the mean at most, of the room there is.
const SPREAD: f64 = 0.8;

/// The recorded ones among the true tags (as places in the vocabulary) of a song. `untagged` is the share of songs
/// that nobody annotates, `recorded` the mean share of its true tags that is recorded of any other.
pub fn record(seed: u64, song: u64, truth: &[u32], untagged: f64, recorded: f64) -> Vec<u32> {
    let mut random = stream(seed, Stream::Annotator, [song, 0]);
    // Drawn always and in this order: with a larger share untagged, or less recorded, the same goes and more.
    let annotated = random.random::<f64>() >= untagged;
    let room = SPREAD * recorded.min(1.0 - recorded);
    let diligence = recorded + room * (2.0 * random.random::<f64>() - 1.0);
    truth.iter().copied().filter(|_| random.random::<f64>() < diligence && annotated).collect()
}
