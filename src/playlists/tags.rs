//! A dataset's tags as a run sees them: some training songs may have lost theirs. Who can lend
//! follows from them.

use rand::RngExt;

use super::{Bits, Lend};
use crate::dataset::{Dataset, Split};
use crate::random::{Purpose, generator};

/// Tags after a run's removal. The dataset stays as it is; 1 bit a song says whose are hidden.
pub struct Tags<'a> {
    dataset: &'a Dataset,
    hidden: Bits,
}

impl<'a> Tags<'a> {
    /// All tags.
    pub fn of(dataset: &'a Dataset) -> Tags<'a> {
        Tags { dataset, hidden: Bits::none(dataset.songs()) }
    }

    /// Without the tags of round(`share` · n) of the n training songs that have audio and tags.
    /// With one seed, a larger share removes the same songs and more.
    pub fn removing(dataset: &'a Dataset, share: f64, seed: u64) -> Tags<'a> {
        let mut tags = Tags::of(dataset);
        if share <= 0.0 {
            return tags;
        }
        let trained = dataset.heard(Split::Train).filter(|&song| dataset.is_tagged(song));
        let mut songs: Vec<u32> = trained.map(|song| song as u32).collect();
        let removed = (share * songs.len() as f64).round() as usize;
        // The first steps of a Fisher-Yates shuffle.
        let mut random = generator(seed, Purpose::Removal, [0; 3]);
        for i in 0..removed.min(songs.len()) {
            let other = random.random_range(i..songs.len());
            songs.swap(i, other);
            tags.hidden.insert(songs[i] as usize);
        }
        tags
    }

    /// How many songs lost their tags.
    pub fn removed(&self) -> usize {
        self.hidden.count()
    }

    /// A song's tag bits, `None` where they were removed.
    pub fn bits(&self, song: usize) -> Option<&'a [u8]> {
        (!self.hidden.contains(song)).then(|| self.dataset.tag_bits(song))
    }

    /// Whether a song has a tag of the vocabulary left.
    pub fn is_tagged(&self, song: usize) -> bool {
        !self.hidden.contains(song) && self.dataset.is_tagged(song)
    }

    /// A song's tags, ascending, as places in the vocabulary.
    pub fn each(&self, song: usize) -> impl Iterator<Item = usize> + use<'a> {
        ones(self.bits(song).unwrap_or(&[]))
    }

    /// Writes a song's row of labels, 0 or 1: `[tag]`.
    pub fn write(&self, song: usize, row: &mut [f32]) {
        row.fill(0.0);
        self.each(song).for_each(|tag| row[tag] = 1.0);
    }

    /// The songs that have a tag and whose split may lend.
    pub fn lenders(&self, lend: Lend) -> Bits {
        Bits::from_fn(self.dataset.songs(), |song| {
            let may = lend == Lend::All || matches!(self.dataset.split(song), Split::None | Split::Train);
            may && self.is_tagged(song)
        })
    }
}

/// The places of the bits that are 1, ascending. Vocabularies are long and songs have few tags, so zeros
/// are passed over 64 at a time.
fn ones(bytes: &[u8]) -> impl Iterator<Item = usize> + use<'_> {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.enumerate().flat_map(|(i, mut word)| {
        std::iter::from_fn(move || {
            let bit = word.trailing_zeros() as usize;
            (word != 0).then(|| {
                word &= word - 1;
                64 * i + bit
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_at_the_ends_of_words() {
        let mut bytes = [0u8; 17];
        let places = [0, 7, 8, 63, 64, 100, 127, 128, 135];
        places.iter().for_each(|p| bytes[p / 8] |= 1 << (p % 8));
        assert_eq!(ones(&bytes).collect::<Vec<_>>(), places);
        assert_eq!(ones(&[0xff; 9]).collect::<Vec<_>>(), (0..72).collect::<Vec<_>>());
        assert_eq!(ones(&[]).count() + ones(&[0; 9]).count(), 0);
    }
}
