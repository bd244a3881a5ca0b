//! Promise: an audio file of any supported format becomes the samples that ffmpeg makes of it, at
//! any rate, and no bytes make the decoder panic, hang or take unbounded memory.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use rand::RngExt;
use serde_json::Value;
use tagwalk::error::Kind;
use tagwalk::import::audio::{self, Decoded, Options};
use tagwalk::random::{Purpose, generator};

mod common;

/// The shared collection of music, or None with a line saying that the test is skipped.
fn music() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/music");
    if !folder.is_dir() {
        common::say("skipped, for there is no ../shared/music: tests of tests/audio.rs that read it");
        return None;
    }
    Some(folder)
}

fn whole(path: &Path) -> Decoded {
    audio::decode(path, &Options::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// A WAV file of 32-bit floats, frames interleaved.
fn wav(rate: u32, channels: u16, frames: &[f32]) -> Vec<u8> {
    let data = frames.len() as u32 * 4;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(3u16.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(channels) * 4).to_le_bytes());
    bytes.extend((channels * 4).to_le_bytes());
    bytes.extend(32u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    frames.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    bytes
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// `tests/data/audio.json` has what ffmpeg made of these files, and its command line. Bound: 1.5 %
/// (L2) over the recorded places; lossy formats differ in their last bits, and the two resamplers
/// in the octave's last percent below 11,025 Hz.
#[test]
fn each_format_agrees_with_ffmpeg() {
    let Some(music) = music() else { return };
    let facts: Value = serde_json::from_str(include_str!("data/audio.json")).unwrap();
    for fact in facts["files"].as_array().unwrap() {
        let name = fact["file"].as_str().unwrap();
        let found = whole(&music.join(name));
        // ffmpeg 5.1 leaves the padding of the last AAC frame in; the edit list says 12 s.
        let samples = if name.ends_with(".m4a") { 264_600 } else { fact["samples"].as_u64().unwrap() as usize };
        assert!(found.samples.len().abs_diff(samples) <= 1, "{name}: {} samples of {samples}", found.samples.len());
        assert_eq!(found.note, None, "{name}");

        let (mut error, mut power) = (0.0, 0.0);
        let places = fact["at"].as_array().unwrap().iter().zip(fact["values"].as_array().unwrap());
        for (at, value) in places {
            let value = value.as_f64().unwrap().clamp(-1.0, 32767.0 / 32768.0);
            let ours = f64::from(found.samples[at.as_u64().unwrap() as usize]) / 32768.0;
            error += (ours - value).powi(2);
            power += value * value;
        }
        // One step of int16 in each place may always differ: the silent file is below it.
        let bound = (0.015 * power.sqrt()).max(48f64.sqrt() / 32768.0);
        println!("{name}: relative error {:.1e}", (error / power).sqrt());
        assert!(error.sqrt() <= bound, "{name}: error {} above {bound}", error.sqrt());

        if fact["peak"].as_f64().unwrap() < 1.0 {
            let mean = found.samples.iter().map(|&x| (f64::from(x) / 32768.0).powi(2)).sum::<f64>();
            let rms = (mean / found.samples.len() as f64).sqrt();
            let expected = fact["rms"].as_f64().unwrap();
            assert!((rms - expected).abs() < 0.005 * expected + 1.0 / 32768.0, "{name}: RMS {rms} of {expected}");
            assert_eq!(found.saturated, 0, "{name}");
        } else {
            assert!(found.saturated > 0, "{name}");
        }
    }
}

/// A music file of the project's own, cut off in its header, and one named as another format; beside them those of
/// `tests/data/bad`.
#[test]
fn bad_files_end_as_they_should() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let bad = root.join("tests/data/bad");
    let clip = root.join("data/demo/audio/0ad/Ammon-Ra.ogg");
    let vorbis = std::fs::read(&clip).unwrap();
    let refused = [
        write(at, "empty.mp3", b""),
        write(at, "truncated.ogg", &vorbis[..2500]),
        bad.join("text.mp3"),
        bad.join("zero_length.wav"),
    ];
    for path in &refused {
        let error = audio::decode(path, &Options::default()).expect_err("no audio");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(error.kind, Kind::Input, "{name}");
        assert!(error.place.as_deref().unwrap().contains(name) && error.help.is_some(), "{name}: {error}");
    }
    let text = audio::decode(&refused[2], &Options::default()).unwrap_err();
    assert!(text.help.unwrap().contains("ffmpeg -i '"));
    assert_eq!(whole(&write(at, "really_vorbis.flac", &vorbis)).samples, whole(&clip).samples);
    silent(&bad.join("silent.opus"));
    // Half of a file gives what there is.
    let found = whole(&write(at, "half.ogg", &vorbis[..vorbis.len() / 2]));
    assert!(found.note.as_deref().unwrap().contains("ends early"), "{:?}", found.note);
    let all = whole(&clip).samples;
    let sure = found.samples.len() - 22_050 / 4;
    assert!(found.samples.len() > all.len() / 4 && found.samples[..sure] == all[..sure]);
}

/// Five seconds of silence at 16 kbit/s.
#[track_caller]
fn silent(path: &Path) {
    let silent = whole(path);
    assert_eq!(silent.samples.len(), 5 * 22_050);
    assert!(silent.samples.iter().all(|x| x.abs() <= 2));
}

#[test]
fn shared_bad_files_end_as_their_readme_says() {
    let Some(music) = music() else { return };
    let bad = music.join("bad");
    for name in ["empty.mp3", "text.mp3", "truncated.ogg", "zero_length.wav"] {
        let error = audio::decode(&bad.join(name), &Options::default()).expect_err(name);
        assert_eq!(error.kind, Kind::Input, "{name}");
        assert!(error.place.as_deref().unwrap().contains(name) && error.help.is_some(), "{name}: {error}");
    }
    assert_eq!(whole(&bad.join("really_mp3.flac")).samples, whole(&music.join("audio/0ad/along-the-nile.mp3")).samples);
    silent(&bad.join("silent.opus"));
}

/// Tones through the resampler, against the formula of a sine at the output's own times: one bound
/// covers gain, phase and delay. 3e-5 is two steps of int16.
#[test]
fn tones_keep_amplitude_and_place_and_do_not_alias() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [(48_000u32, 22_050u32), (44_100, 22_050), (96_000, 22_050), (16_000, 22_050), (44_100, 16_000)] {
        let nyquist = f64::from(from.min(to)) / 2.0;
        let count = from as usize / 2;
        let decode = |frequency: f64| {
            let tone = |i: usize| (0.5 * (TAU * frequency * i as f64 / f64::from(from)).sin()) as f32;
            let frames: Vec<f32> = (0..count).map(tone).collect();
            let path = write(folder.path(), "tone.wav", &wav(from, 1, &frames));
            audio::decode(&path, &Options { rate: to, ..Options::default() }).unwrap().samples
        };
        for share in [0.005, 0.1, 0.35, 0.6, 0.85, 0.95, 0.98] {
            let frequency = share * nyquist;
            let samples = decode(frequency);
            let exact = count as f64 * f64::from(to) / f64::from(from);
            assert_eq!(samples.len(), exact.round() as usize, "{from} to {to}");
            let edge = samples.len() / 4;
            let worst = (edge..samples.len() - edge)
                .map(|i| {
                    let expected = 0.5 * (TAU * frequency * i as f64 / f64::from(to)).sin();
                    (f64::from(samples[i]) / 32768.0 - expected).abs()
                })
                .fold(0.0, f64::max);
            assert!(worst < 3e-5, "{from} to {to}, {frequency} Hz: error {worst:.1e}");
        }
        for share in [1.01, 1.05, 1.3, 1.7, 2.05] {
            let frequency = share * nyquist;
            if frequency >= f64::from(from) / 2.0 {
                continue;
            }
            let samples = decode(frequency);
            let edge = samples.len() / 4;
            let middle = &samples[edge..samples.len() - edge];
            let power = middle.iter().map(|&x| (f64::from(x) / 32768.0).powi(2)).sum::<f64>() / middle.len() as f64;
            // Below the tone's own power, 0.5^2 / 2.
            let attenuation = 10.0 * (power / 0.125).log10();
            assert!(attenuation < -80.0, "{from} to {to}, {frequency} Hz aliases at {attenuation:.0} dB");
        }
    }
}

#[test]
fn channels_are_averaged_and_samples_rounded_saturated_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let frames = [0.5, 0.25, -1.0, -1.0, 1.0, 1.0, 2.0, 2.0, -3.0, -1.0, f32::NAN, 0.5, 0.6 / 32768.0, 0.6 / 32768.0];
    let path = write(folder.path(), "two.wav", &wav(22_050, 2, &frames));
    let found = whole(&path);
    assert_eq!(found.samples, [12_288, -32_768, 32_767, 32_767, -32_768, 0, 1]);
    // 1.0 is one step beyond the range of int16.
    assert_eq!((found.saturated, found.channels, found.source_rate), (3, 2, 22_050));
}

#[test]
fn an_excerpt_is_a_range_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut chance = generator(1, Purpose::Synthetic, [0; 3]);
    let frames: Vec<f32> = (0..96_000).map(|_| chance.random_range(-0.9..0.9)).collect();
    let path = write(folder.path(), "noise.wav", &wav(32_000, 1, &frames));
    let all = whole(&path).samples;
    assert_eq!(all.len(), 66_150);
    let excerpt = |start, length| audio::decode(&path, &Options { rate: 22_050, start, length });
    assert_eq!(excerpt(1.0, Some(0.5)).unwrap().samples, all[22_050..33_075]);
    assert_eq!(excerpt(2.5, Some(9.0)).unwrap().samples, all[55_125..]);
    assert_eq!(excerpt(0.75, None).unwrap().samples, all[16_538..]);
    assert!(excerpt(3.5, None).unwrap_err().what.contains("3.00 s"));
    for (start, length) in [(-1.0, None), (f64::NAN, None), (0.0, Some(0.0)), (0.0, Some(f64::INFINITY))] {
        assert_eq!(excerpt(start, length).unwrap_err().kind, Kind::Usage);
    }
}

#[test]
fn a_file_that_ends_early_gives_what_there_is_with_a_note() {
    let Some(music) = music() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["0ad/calm-before-the-storm.ogg", "blobwars/Party.opus"] {
        let bytes = std::fs::read(music.join("audio").join(name)).unwrap();
        let whole_file = whole(&music.join("audio").join(name)).samples;
        let path = write(folder.path(), "half", &bytes[..bytes.len() / 2]);
        let found = whole(&path);
        assert!(found.note.as_deref().unwrap().contains("ends early"), "{name}: {:?}", found.note);
        assert!(found.samples.len() > whole_file.len() / 4, "{name}");
        // The same up to where the filter meets the missing part.
        let sure = found.samples.len() - 22_050 / 4;
        assert_eq!(found.samples[..sure], whole_file[..sure], "{name}");
    }
}

/// Readers of FLAC and Ogg pass over what fails its checksum without a word; the gap is told, and only where there is one.
#[test]
fn damage_that_a_reader_passes_over_is_told() {
    let Some(music) = music() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["warmux/circux.flac", "0ad/calm-before-the-storm.ogg", "blobwars/Party.opus"] {
        let mut bytes = std::fs::read(music.join("audio").join(name)).unwrap();
        let sound = whole(&music.join("audio").join(name));
        assert_eq!(sound.note, None, "{name}");
        let mut chance = generator(3, Purpose::Synthetic, [0, 0, 0]);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 3_000].fill_with(|| chance.random());
        let found = whole(&write(folder.path(), "damaged", &bytes));
        let note = found.note.unwrap_or_default();
        assert!(note.contains("damaged audio packets of") && note.ends_with("left out"), "{name}: {note:?}");
        let count: usize = note.split(' ').next().unwrap().parse().unwrap();
        assert!((1..400).contains(&count), "{name}: {note}");
        assert!(found.samples.len() < sound.samples.len(), "{name}");
    }
}

#[test]
fn impossible_headers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = wav(22_050, 1, &[0.0; 64]);
    bytes[24..28].copy_from_slice(&4_000_000_000u32.to_le_bytes());
    let error = audio::decode(&write(folder.path(), "fast.wav", &bytes), &Options::default()).unwrap_err();
    assert!(error.what.contains("4000000000 Hz"), "{error}");
    assert!(audio::decode(folder.path(), &Options::default()).is_err());
    assert!(audio::decode(&folder.path().join("none.wav"), &Options::default()).is_err());
    let slow = Options { rate: 0, ..Options::default() };
    assert_eq!(audio::decode(&folder.path().join("none.wav"), &slow).unwrap_err().kind, Kind::Usage);
}

/// The start of a file of each format with some bytes changed: whatever comes out, it comes out,
/// and is no longer than what was asked for.
#[test]
fn damaged_bytes_neither_panic_nor_grow() {
    let Some(music) = music() else { return };
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "0ad/Midwinter.wav",
        "brainparty/electricity.flac",
        "0ad/along-the-nile.mp3",
        "blobwars/watching.m4a",
        "0ad/calm-before-the-storm.ogg",
        "blobwars/Party.opus",
    ];
    let (mut decoded, mut refused) = (0, 0);
    for (format, name) in names.iter().enumerate() {
        let bytes = std::fs::read(music.join("audio").join(name)).unwrap();
        let bytes = if name.ends_with("m4a") { &bytes[..] } else { &bytes[..bytes.len().min(20_000)] };
        for round in 0..60 {
            let mut chance = generator(7, Purpose::Synthetic, [1, format as u64, round]);
            let mut damaged = bytes.to_vec();
            // Half of the damage falls on the headers.
            let reach = if round % 2 == 0 { 600.min(damaged.len()) } else { damaged.len() };
            for _ in 0..chance.random_range(1..20) {
                let at = chance.random_range(0..reach);
                damaged[at] = chance.random();
            }
            if round % 5 == 0 {
                damaged.truncate(chance.random_range(0..damaged.len()));
            }
            let path = write(folder.path(), "damaged", &damaged);
            match audio::decode(&path, &Options { length: Some(2.0), ..Options::default() }) {
                Ok(found) => {
                    assert!((1..=44_100).contains(&found.samples.len()));
                    decoded += 1;
                }
                Err(error) => {
                    assert!(error.help.is_some(), "{error}");
                    refused += 1;
                }
            }
        }
    }
    // Both outcomes happen, or nothing was tested.
    assert!(decoded > 30 && refused > 30, "{decoded} decoded, {refused} refused");
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
        let peak: u64 = peak.parse().unwrap();
        assert!(peak < 1_000_000, "peak of {peak} kB");
    }
}
