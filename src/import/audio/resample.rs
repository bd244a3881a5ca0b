//! Rate conversion of one channel as a stream: a windowed sinc, applied by FFT, so long that it is
//! flat to within 1 % of the lower Nyquist frequency. Output sample `i` is the input at time
//! `i / rate`: the filter's delay is taken off.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

/// The least length of the filter, in samples of the lower of the two rates. With the squared
/// Blackman-Harris window the transition is about 16 / 2048 of that rate wide.
const LEAST_TAPS: usize = 2048;

/// Converts a stream of mono samples from one rate to another; memory is one filter's length.
pub(super) struct Resampler {
    from: u64,
    to: u64,
    /// None where the rates are equal.
    fft: Option<Fft<f32>>,
    /// Input not yet a whole block.
    pending: Vec<f32>,
    /// One block of output.
    block: Vec<f32>,
    /// Output samples of the filter's delay still to be dropped.
    delay: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// Rates in Hz, neither 0.
    pub fn new(from: u32, to: u32) -> Resampler {
        let common = gcd(from, to);
        let (step_in, step_out) = ((from / common) as usize, (to / common) as usize);
        // An even number of steps puts the middle of the filter on a sample on both sides, so the
        // delay is whole and can be taken off exactly.
        let steps = LEAST_TAPS.div_ceil(step_in.min(step_out)).next_multiple_of(2);
        let fft = (from != to).then(|| {
            let (from, to) = (from as usize, to as usize);
            let chunk = steps * step_in;
            Fft::new_custom(from, to, chunk, 1, 1, WindowFunction::BlackmanHarris2, FixedSync::Both)
                .expect("rates and block are not 0")
        });
        let delay = fft.as_ref().map_or(0, |f| f.output_delay());
        Resampler {
            from: u64::from(from),
            to: u64::from(to),
            block: vec![0.0; fft.as_ref().map_or(0, |f| f.output_frames_max())],
            fft,
            pending: Vec::new(),
            delay,
            taken: 0,
            given: 0,
        }
    }

    /// Takes more input and appends to `out` what can be computed of it.
    pub fn push(&mut self, input: &[f32], out: &mut Vec<f32>) {
        self.taken += input.len() as u64;
        let Some(fft) = &self.fft else {
            self.given += input.len() as u64;
            return out.extend_from_slice(input);
        };
        let size = fft.input_frames_next();
        let mut input = input;
        while self.pending.len() + input.len() >= size {
            let (head, rest) = input.split_at(size - self.pending.len());
            self.pending.extend_from_slice(head);
            input = rest;
            self.convert(usize::MAX, out);
        }
        self.pending.extend_from_slice(input);
    }

    /// Appends what is left, as if silence followed: `round(n * to / from)` samples are given for
    /// the `n` taken in all.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let total = (2 * self.taken * self.to + self.from) / (2 * self.from);
        if let Some(fft) = &self.fft {
            let size = fft.input_frames_next();
            while self.given < total {
                self.pending.resize(size, 0.0);
                self.convert((total - self.given) as usize, out);
            }
        }
    }

    /// Converts the pending block and appends at most `limit` samples of it.
    fn convert(&mut self, limit: usize, out: &mut Vec<f32>) {
        let Some(fft) = &mut self.fft else { return };
        let input = InterleavedSlice::new(&self.pending, 1, self.pending.len()).expect("one channel");
        let size = self.block.len();
        let mut output = InterleavedSlice::new_mut(&mut self.block, 1, size).expect("one channel");
        let (_, made) = fft.process_into_buffer(&input, &mut output, None).expect("a whole block");
        self.pending.clear();
        let drop = self.delay.min(made);
        self.delay -= drop;
        let fresh = &self.block[drop..made];
        let fresh = &fresh[..fresh.len().min(limit)];
        self.given += fresh.len() as u64;
        out.extend_from_slice(fresh);
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
