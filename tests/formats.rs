//! Promise: every format that the program says it decodes gives the sound that was put in: two
//! tones, one a channel, at half their amplitude in the mean. The files are in the repository.
#![cfg(feature = "import")]

use std::f64::consts::TAU;
use std::path::Path;

use tagwalk::import::audio::{self, Options};

/// In each file: one second, this tone on the left and that on the right, amplitude 0.25.
const TONES: [f64; 2] = [440.0, 1000.0];
const RATE: f64 = 22_050.0;

/// Amplitude of a tone: the projection on sine and cosine, over whole periods of both tones.
fn amplitude(samples: &[i16], tone: f64) -> f64 {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (i, &x) in samples.iter().enumerate() {
        let (s, c) = (TAU * tone * i as f64 / RATE).sin_cos();
        sine += f64::from(x) / 32768.0 * s;
        cosine += f64::from(x) / 32768.0 * c;
    }
    2.0 * sine.hypot(cosine) / samples.len() as f64
}

#[test]
fn each_format_holds_both_tones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats");
    // The file, its rate, and how many of its frames its container cannot say are padding: ADTS has no
    // place for it, so the encoder's delay and the last block's rest stay in (at most 3 blocks of 1024).
    let files = [
        ("s16.wav", 8_000, 0),
        ("f32.wav", 4_000, 0),
        ("tones.flac", 4_000, 0),
        ("tones.mp3", 44_100, 0),
        ("vorbis.ogg", 44_100, 0),
        ("tones.opus", 48_000, 0),
        ("aac.m4a", 44_100, 0),
        ("adts.aac", 44_100, 3 * 1024),
        ("alac.m4a", 4_000, 0),
    ];
    let mut bytes = 0;
    for (name, rate, padding) in files {
        let path = folder.join(name);
        bytes += path.metadata().unwrap().len();
        let found = audio::decode(&path, &Options::default()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((found.source_rate, found.channels, found.saturated), (rate, 2, 0), "{name}");
        assert_eq!(found.note, None, "{name}");
        let longest = RATE as usize + (padding as f64 * RATE / f64::from(rate)) as usize;
        let length = found.samples.len();
        assert!((22_049..=longest + 1).contains(&length), "{name}: {length} samples");

        // 0.8 s from the middle: 352 and 800 periods, and no encoder's start or end.
        let middle = &found.samples[length / 2 - 8_820..][..17_640];
        let [low, high] = TONES.map(|tone| amplitude(middle, tone));
        println!("{name}: {length} samples, {low:.4} and {high:.4} of 0.125");
        for found in [low, high] {
            assert!((found / 0.125 - 1.0).abs() <= 0.05, "{name}: amplitudes {low} and {high} of 0.125");
        }
        // Nothing else is there: what the tones leave of the power.
        let power = middle.iter().map(|&x| (f64::from(x) / 32768.0).powi(2)).sum::<f64>() / middle.len() as f64;
        let rest = power / ((low * low + high * high) / 2.0) - 1.0;
        assert!(rest.abs() <= 0.02, "{name}: {rest} of the power is in neither tone");
    }
    assert!(bytes < 150_000, "{bytes} bytes");
}
