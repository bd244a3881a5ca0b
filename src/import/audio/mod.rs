//! Audio files as training sees them: mono int16 at one rate, whatever was in the file.
//! The way of a sample: `source` (container and codec, mean of channels) -> `resample` (band-limited)
//! -> the excerpt asked for -> int16.

mod mp4;
mod opus;
mod quiet;
mod resample;
mod source;

use std::path::Path;

use crate::error::{Error, Result};
use resample::Resampler;
use source::Source;

/// What a scan of a folder takes for audio, by extension without the dot, in lower case. The
/// formats that this build cannot decode are among them, so that they are reported and not passed
/// over; what a file holds is found out from its bytes.
pub const EXTENSIONS: &[&str] = &[
    "aac", "ac3", "aif", "aiff", "alac", "ape", "caf", "flac", "m4a", "m4b", "mka", "mp2", "mp3", "mp4", "mpc", "oga", "ogg",
    "opus", "spx", "tta", "wav", "wave", "webm", "wma", "wv",
];

/// Whether a file's name says that it is audio.
pub fn is_named(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

/// The most that one file is decoded to, in seconds: what lies beyond is left out with a note. It
/// bounds memory (at 22,050 Hz: 605 MiB) and time against files whose bytes promise days.
pub const LONGEST: f64 = 4.0 * 3600.0;

/// Rates in Hz that a file may have and that may be asked for.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// What to make of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Rate of the samples wanted, Hz.
    pub rate: u32,
    /// Where the excerpt begins, seconds from the start of the file.
    pub start: f64,
    /// How long it is, seconds; all that follows if `None`.
    pub length: Option<f64>,
}

impl Default for Options {
    fn default() -> Options {
        Options { rate: 22_050, start: 0.0, length: None }
    }
}

/// A decoded file.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Mono, at the rate asked for, `x * 32768` rounded. Sample `i` of an excerpt is sample
    /// `round(start * rate) + i` of the whole file, bit for bit; a whole file of `n` frames gives
    /// `round(n * rate / source_rate)`.
    pub samples: Vec<i16>,
    /// The file's own rate, Hz.
    pub source_rate: u32,
    /// The file's channels.
    pub channels: u16,
    /// How many of `samples` lay outside the range of int16 and were cut to it.
    pub saturated: u64,
    /// What a person should know although the file could be used: it ends early, parts are damaged.
    pub note: Option<String>,
}

/// Decodes a file, mixes its channels to their mean, resamples it and cuts the excerpt out.
///
/// Fails, naming the file, where it cannot be read, holds no audio that this build decodes (the
/// message has the ffmpeg line that converts it), no samples, or ends before `options.start`. A
/// file that ends early or is damaged in places gives what could be decoded, with a note.
pub fn decode(path: &Path, options: &Options) -> Result<Decoded> {
    check(options)?;
    match quiet::catch(|| decode_unguarded(path, options)) {
        Ok(decoded) => decoded,
        Err(panic) => Err(Error::input(path, format!("the decoder failed on it ({panic})")).help(convert(path))),
    }
}

fn check(options: &Options) -> Result<()> {
    if !RATES.contains(&options.rate) {
        let what = format!("a sample rate must lie between {} and {} Hz", RATES.start(), RATES.end());
        return Err(Error::usage(format!("rate {}", options.rate), what));
    }
    if !(options.start.is_finite() && options.start >= 0.0) {
        return Err(Error::usage(format!("start {}", options.start), "an excerpt begins at 0 seconds or later"));
    }
    match options.length {
        Some(length) if !(length.is_finite() && length > 0.0) => {
            Err(Error::usage(format!("length {length}"), "an excerpt lasts more than 0 seconds"))
        }
        _ => Ok(()),
    }
}

fn decode_unguarded(path: &Path, options: &Options) -> Result<Decoded> {
    let mut source = Source::open(path)?;
    if !RATES.contains(&source.rate) {
        let what = format!("its header gives a sample rate of {} Hz", source.rate);
        return Err(Error::input(path, what).help("Check where the file comes from; the header is probably damaged."));
    }
    let rate = f64::from(options.rate);
    let first = (options.start * rate).round() as u64;
    let end = match options.length {
        Some(length) => first.saturating_add(((length * rate).round() as u64).max(1)),
        None => u64::MAX,
    };
    let longest = (LONGEST * rate) as u64;

    let mut resampler = Resampler::new(source.rate, options.rate);
    let mut excerpt = Excerpt { first, end: end.min(longest), position: 0, samples: Vec::new(), saturated: 0 };
    let mut block = Vec::new();
    while !excerpt.is_full() {
        block.clear();
        let more = match source.next_block()? {
            Some(mono) => {
                resampler.push(mono, &mut block);
                true
            }
            None => {
                resampler.finish(&mut block);
                false
            }
        };
        excerpt.take(&block);
        if !more {
            break;
        }
    }
    // A damaged or very long file may fill the excerpt: what was found on the way is still told.
    let mut notes = source.notes();
    if excerpt.is_full() && end > longest {
        notes.push(format!("longer than {} hours: what follows is left out", LONGEST / 3600.0));
    }
    if excerpt.position == 0 {
        let what = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        return Err(Error::input(path, format!("holds no audio samples{what}"))
            .help("Leave it out, or get the file again if it should have sound."));
    }
    if excerpt.samples.is_empty() {
        let seconds = excerpt.position as f64 / rate;
        return Err(Error::input(path, format!("ends after {seconds:.2} s, before the excerpt begins"))
            .help(format!("Ask for an excerpt that begins before that (it began at {} s).", options.start)));
    }
    Ok(Decoded {
        samples: excerpt.samples,
        source_rate: source.rate,
        channels: source.channels,
        saturated: excerpt.saturated,
        note: if notes.is_empty() { None } else { Some(notes.join("; ")) },
    })
}

/// The part of the resampled stream that is kept, as int16.
struct Excerpt {
    first: u64,
    end: u64,
    position: u64,
    samples: Vec<i16>,
    saturated: u64,
}

impl Excerpt {
    fn is_full(&self) -> bool {
        self.position >= self.end
    }

    fn take(&mut self, block: &[f32]) {
        let inside = |at: u64| at.saturating_sub(self.position).min(block.len() as u64) as usize;
        let wanted = &block[inside(self.first)..inside(self.end)];
        self.samples.extend(wanted.iter().map(|&x| rounded(x).clamp(-32768, 32767) as i16));
        // Few blocks are so loud that anything needs to be counted.
        if wanted.iter().fold(false, |loud, x| loud | (x.abs() >= 32767.0 / 32768.0)) {
            self.saturated += wanted.iter().filter(|&&x| !(-32768..=32767).contains(&rounded(x))).count() as u64;
        }
        self.position += block.len() as u64;
    }
}

/// `x * 32768`, rounded to the nearest, halves away from 0: f32::round in instructions that every
/// processor has for a whole vector.
#[inline]
fn rounded(x: f32) -> i32 {
    // Not 0.5: added to the float just below 0.5, that would give 1.
    const BELOW_HALF: f32 = 0.5f32.next_down();
    let scaled = x * 32768.0;
    (scaled + BELOW_HALF.copysign(scaled)) as i32
}

/// The line that turns a file which we cannot decode into one that we can.
fn convert(path: &Path) -> String {
    let quoted = |p: &Path| format!("'{}'", p.display().to_string().replace('\'', r"'\''"));
    let mut target = path.with_extension("flac");
    if target == path {
        target = path.with_extension("converted.flac");
    }
    format!("If it is audio, convert it with: ffmpeg -i {} -ac 1 {}", quoted(path), quoted(&target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_that_of_the_library() {
        let near = (-70_000..70_000).flat_map(|i| {
            let half = i as f32 / 2.0;
            [half.next_down(), half, half.next_up()]
        });
        for scaled in near {
            let x = scaled / 32768.0;
            assert_eq!(rounded(x) as f32, scaled.round(), "{scaled}");
        }
        assert_eq!((rounded(1e30), rounded(-1e30)), (i32::MAX, i32::MIN));
    }
}
