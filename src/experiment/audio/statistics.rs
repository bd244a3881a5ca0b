//! A song as the mean and the standard deviation of each log-mel band over its frames, and the deviation of the
//! differences from frame to frame: how it sounds on the whole, how much it changes, and how fast.

use rayon::prelude::*;

use super::mel::{BANDS, Mel};
use crate::dataset::Dataset;
use crate::error::{Error, Result};

/// Numbers a song: mean, deviation and deviation of differences of each band.
pub const WIDTH: usize = 3 * BANDS;

/// Statistics of songs, a row each.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// The songs that have a row, in the order of the rows.
    pub songs: Vec<usize>,
    /// `[songs, WIDTH]`
    pub values: Vec<f64>,
}

/// The statistics of one song: `[WIDTH]`.
pub fn of_wave(mel: &Mel, wave: &[i16]) -> [f64; WIDTH] {
    let (mut sums, mut squares, mut steps) = ([0.0; BANDS], [0.0; BANDS], [0.0; BANDS]);
    let (mut first, mut before): (Option<[f64; BANDS]>, [f64; BANDS]) = (None, [0.0; BANDS]);
    let mut frames = 0.0;
    mel.of(wave, &mut mel.workspace(), |bands| {
        let origin = *first.get_or_insert(*bands);
        for b in 0..BANDS {
            // From the first frame on, so that the squares lose no digits.
            let value = bands[b] - origin[b];
            sums[b] += value;
            squares[b] += value * value;
            if frames > 0.0 {
                steps[b] += (bands[b] - before[b]).powi(2);
            }
        }
        before = *bands;
        frames += 1.0;
    });
    let origin = first.unwrap_or([0.0; BANDS]);
    let mut all = [0.0; WIDTH];
    let moves = f64::max(frames - 1.0, 1.0);
    for b in 0..BANDS {
        let mean = sums[b] / frames;
        let drift = (before[b] - origin[b]) / moves;
        all[b] = origin[b] + mean;
        all[BANDS + b] = (squares[b] / frames - mean * mean).max(0.0).sqrt();
        all[2 * BANDS + b] = (steps[b] / moves - drift * drift).max(0.0).sqrt();
    }
    all
}

impl Statistics {
    /// Of songs that have audio, on the threads of the pool it is called in. `check` is asked between songs and may
    /// end the work. Fails where a song has no audio.
    pub fn new(dataset: &Dataset, songs: &[usize], check: &(dyn Fn() -> Result<()> + Sync)) -> Result<Statistics> {
        if let Some(&song) = songs.iter().find(|&&song| dataset.samples(song) == 0) {
            return Err(Error::input(dataset.folder(), format!("{} has no audio to be measured", dataset.name(song))));
        }
        let mel = Mel::new(dataset.sample_rate());
        let rows = songs.par_iter().map(|&song| check().map(|()| of_wave(&mel, dataset.wave(song))));
        let values = rows.collect::<Result<Vec<_>>>()?.concat();
        Ok(Statistics { songs: songs.to_vec(), values })
    }

    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * WIDTH..(i + 1) * WIDTH]
    }

    /// Moves and scales every column to mean 0 and deviation 1 over the rows `fit`; a column without deviation there
    /// is 0.
    pub fn standardise(&mut self, fit: &[usize]) {
        let n = fit.len().max(1) as f64;
        for column in 0..WIDTH {
            let at = |row: &usize| self.values[row * WIDTH + column];
            let mean = fit.iter().map(at).sum::<f64>() / n;
            let deviation = (fit.iter().map(at).map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            let scale = if deviation > 1e-12 { 1.0 / deviation } else { 0.0 };
            self.values.iter_mut().skip(column).step_by(WIDTH).for_each(|v| *v = (*v - mean) * scale);
        }
    }
}
