//! The log-mel spectrogram: frames of 1,024 samples every 512, power spectrum, 64 triangles evenly spaced in mel from 0
//! to half the rate, logarithm. Frames and scale as `scipy.signal.stft` makes them (Hann window, silence of half a
//! frame at both ends, spectrum divided by the window's sum); mel as O'Shaughnessy 1987.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Samples of a frame.
pub const FRAME: usize = 1024;
/// Samples from a frame to the next.
pub const HOP: usize = FRAME / 2;
pub const BANDS: usize = 64;
/// Added to a band's power, so that silence has a logarithm.
const FLOOR: f64 = 1e-8;

/// Makes spectrograms at one rate; cheap to share between threads.
pub struct Mel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// Of each band the first bin and the weights from there.
    bands: Vec<(usize, Vec<f32>)>,
}

/// Buffers of a thread.
pub struct Workspace {
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
}

impl Mel {
    /// `rate` in samples a second.
    pub fn new(rate: u32) -> Mel {
        let window: Vec<f64> = (0..FRAME).map(|i| 0.5 - 0.5 * (TAU * i as f64 / FRAME as f64).cos()).collect();
        let sum: f64 = window.iter().sum();
        Mel {
            fft: RealFftPlanner::new().plan_fft_forward(FRAME),
            // Samples are int16: the window also scales them to 1.
            window: window.iter().map(|w| (w / sum / 32_768.0) as f32).collect(),
            bands: triangles(f64::from(rate)),
        }
    }

    pub fn workspace(&self) -> Workspace {
        Workspace {
            frame: self.fft.make_input_vec(),
            spectrum: self.fft.make_output_vec(),
            scratch: self.fft.make_scratch_vec(),
            power: vec![0.0; FRAME / 2 + 1],
        }
    }

    /// Frames of a wave: those that cover it and half a frame of silence at both ends.
    pub fn frames(samples: usize) -> usize {
        samples.div_ceil(HOP) + 1
    }

    /// Calls `each` with the log-mel powers of every frame in turn.
    pub fn of(&self, wave: &[i16], workspace: &mut Workspace, mut each: impl FnMut(&[f64; BANDS])) {
        let mut bands = [0.0; BANDS];
        for frame in 0..Mel::frames(wave.len()) {
            let begin = (frame * HOP) as isize - (FRAME / 2) as isize;
            for ((i, out), weight) in workspace.frame.iter_mut().enumerate().zip(&self.window) {
                let sample = usize::try_from(begin + i as isize).ok().and_then(|at| wave.get(at));
                *out = sample.map_or(0.0, |&s| f32::from(s) * weight);
            }
            self.fft
                .process_with_scratch(&mut workspace.frame, &mut workspace.spectrum, &mut workspace.scratch)
                .expect("buffers of the lengths that the transform asked for");
            workspace.power.iter_mut().zip(&workspace.spectrum).for_each(|(p, c)| *p = c.norm_sqr());
            for (band, (first, weights)) in bands.iter_mut().zip(&self.bands) {
                let power: f32 = weights.iter().zip(&workspace.power[*first..]).map(|(w, p)| w * p).sum();
                *band = (f64::from(power) + FLOOR).ln();
            }
            each(&bands);
        }
    }
}

fn triangles(rate: f64) -> Vec<(usize, Vec<f32>)> {
    let mel = |hertz: f64| 2595.0 * (1.0 + hertz / 700.0).log10();
    let edge = |i: usize| 700.0 * (10f64.powf(mel(rate / 2.0) * i as f64 / (BANDS + 1) as f64 / 2595.0) - 1.0);
    let bins: Vec<f64> = (0..=FRAME / 2).map(|bin| bin as f64 * rate / FRAME as f64).collect();
    let band = |i: usize| {
        let (low, middle, high) = (edge(i), edge(i + 1), edge(i + 2));
        let weight = |f: f64| ((f - low) / (middle - low)).min((high - f) / (high - middle)).max(0.0);
        let first = bins.iter().position(|&f| weight(f) > 0.0).unwrap_or(0);
        (first, bins[first..].iter().map(|&f| weight(f) as f32).take_while(|&w| w > 0.0).collect())
    };
    (0..BANDS).map(band).collect()
}
