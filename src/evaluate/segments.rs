//! A song's probabilities: the mean over its consecutive segments (`paper.md` 0.17), from the
//! start, the rest left out; a song shorter than a clip is one segment, padded with silence.

use crate::error::{Error, Result};

/// Sums of probabilities over segments, `[song, tag]`.
#[derive(Clone, Debug)]
pub struct Accumulator {
    tags: usize,
    sums: Vec<f64>,
    segments: Vec<u32>,
}

impl Accumulator {
    pub fn new(songs: usize, tags: usize) -> Accumulator {
        Accumulator { tags, sums: vec![0.0; songs * tags], segments: vec![0; songs] }
    }

    /// Adds a segment's probabilities `[tag]`. Always in the same order, so that a sum has the same bits.
    pub fn add(&mut self, song: usize, probabilities: &[f32]) {
        assert_eq!(probabilities.len(), self.tags);
        self.segments[song] += 1;
        for (sum, p) in self.sums[song * self.tags..].iter_mut().zip(probabilities) {
            *sum += f64::from(*p);
        }
    }

    /// Segments that a song has got so far.
    pub fn segments(&self, song: usize) -> u32 {
        self.segments[song]
    }

    /// The means, `[song, tag]`. Fails where a song got no segment or the network gave what is no number.
    pub fn means(&self) -> Result<Vec<f32>> {
        let mut means = Vec::with_capacity(self.sums.len());
        for (song, (sums, &n)) in self.sums.chunks(self.tags).zip(&self.segments).enumerate() {
            if n == 0 {
                return Err(Error::input(format!("song {song}"), "has no segment to be scored by"));
            }
            if sums.iter().any(|s| !s.is_finite()) {
                return Err(Error::input(format!("song {song}"), "the network's probabilities are not finite")
                    .help("The weights may be damaged: take the run's other checkpoint."));
            }
            means.extend(sums.iter().map(|s| (s / f64::from(n)) as f32));
        }
        Ok(means)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_what_is_wrong() {
        let mut all = Accumulator::new(2, 2);
        all.add(0, &[0.25, 1.0]);
        all.add(0, &[0.75, 0.0]);
        assert!(all.means().unwrap_err().to_string().contains("song 1"));
        all.add(1, &[0.125, 0.5]);
        assert_eq!(all.means().unwrap(), [0.5, 0.5, 0.125, 0.5]);
        all.add(1, &[f32::NAN, 0.5]);
        assert!(all.means().is_err());
    }
}
