//! What `prepare` does with a file: decoding, mixing, resampling to int16, on one core; and ffmpeg
//! doing the same, in turn.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use super::Quantiles;
use crate::error::{Error, Result};
use crate::import::audio;

/// What came out, on one core: a file is decoded by one thread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub files: usize,
    /// Sound in the files.
    pub audio_seconds: f64,
    /// Seconds of sound a second, median of rounds over all files.
    pub audio_seconds_per_second: f64,
    /// (p90 - p10) / median.
    pub spread: f64,
    pub ffmpeg: Option<Ffmpeg>,
}

/// ffmpeg doing the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ffmpeg {
    /// What it calls itself.
    pub version: String,
    pub audio_seconds_per_second: f64,
    pub spread: f64,
    /// Median over the rounds of its time over ours: above 1, ours is faster.
    pub ratio: f64,
}

/// Decodes every file once a round, as `options` say; with `ffmpeg`, each round by both. Fails where a
/// file cannot be decoded, or there is no ffmpeg that can be run.
pub fn run(files: &[PathBuf], options: &audio::Options, rounds: usize, ffmpeg: bool) -> Result<Figures> {
    let version = ffmpeg.then(version).transpose()?;
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    let mut samples = 0;
    for _ in 0..rounds {
        let start = Instant::now();
        samples = 0;
        for file in files {
            samples += audio::decode(file, options)?.samples.len();
        }
        own.push(start.elapsed().as_secs_f64());
        if ffmpeg {
            let start = Instant::now();
            files.iter().try_for_each(|file| run_ffmpeg(file, options.rate))?;
            theirs.push(start.elapsed().as_secs_f64());
        }
    }
    let audio_seconds = samples as f64 / f64::from(options.rate);
    let ratios = own.iter().zip(&theirs).map(|(own, theirs)| theirs / own).collect();
    let rates = |seconds: Vec<f64>| Quantiles::of(seconds.into_iter().map(|s| audio_seconds / s).collect());
    let ffmpeg = version.map(|version| {
        let rates = rates(theirs);
        Ffmpeg { version, audio_seconds_per_second: rates.median, spread: rates.spread(), ratio: Quantiles::of(ratios).median }
    });
    let rates = rates(own);
    Ok(Figures { files: files.len(), audio_seconds, audio_seconds_per_second: rates.median, spread: rates.spread(), ffmpeg })
}

fn version() -> Result<String> {
    let output = Command::new("ffmpeg").arg("-version").output().map_err(|e| {
        Error::usage("--ffmpeg", format!("ffmpeg cannot be run: {e}")).help("Install it, or measure without --ffmpeg.")
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

/// Decodes a file to mono int16 on one thread; what it writes goes nowhere.
fn run_ffmpeg(file: &PathBuf, rate: u32) -> Result<()> {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-threads", "1", "-i"])
        .arg(file)
        .args(["-map", "0:a:0", "-threads", "1", "-ac", "1", "-ar", &rate.to_string(), "-f", "s16le", "-"])
        .stdout(Stdio::null())
        .status()
        .map_err(|e| Error::usage("--ffmpeg", format!("ffmpeg cannot be run: {e}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::input(file, format!("ffmpeg failed on it ({status})"))
            .help("Measure without --ffmpeg, or leave the file out."))
    }
}
