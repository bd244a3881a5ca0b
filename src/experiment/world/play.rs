//! Playing a song: notes, drums, noise and echo, summed up and made as loud as it is to be.

use std::f64::consts::TAU;

use rand::{Rng, RngExt};

use super::sound::{Envelope, Sound, Timbre};
use super::styles::{Stream, stream};
use crate::random::Generator;

/// Entries of a period's table.
const PERIOD: usize = 2048;
/// Samples for which pitch and loudness stay as they are.
const BLOCK: usize = 32;
/// A note or a drum has ended where it is so faint.
const SILENT: f64 = 1e-3;

/// A song's samples; the same for the same numbers. `rate` in samples a second.
pub fn play(seed: u64, song: u64, sound: &Sound, seconds: f64, rate: u32) -> Vec<i16> {
    let mut random = stream(seed, Stream::Wave, [song, 0]);
    let rate = f64::from(rate);
    let mut wave = vec![0f32; (seconds * rate).round() as usize];
    melody(&mut wave, sound, rate, &mut random);
    if sound.beat > 0.0 {
        drums(&mut wave, sound, rate, &mut random);
    }
    if sound.echo.1 > 0.0 {
        let delay = (sound.echo.0 * rate) as usize;
        for i in delay..wave.len() {
            wave[i] += sound.echo.1 as f32 * wave[i - delay];
        }
    }
    // Notes have root mean squares of about 1/10 to 1/2: noise is measured against them.
    let level = rms(&wave);
    for sample in &mut wave {
        *sample += (sound.hiss * level * 3.4641) as f32 * (random.next_u32() as f32 / u32::MAX as f32 - 0.5);
    }
    let gain = 32_767.0 * sound.loudness / rms(&wave).max(1e-9);
    wave.iter().map(|&s| (f64::from(s) * gain).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

fn rms(wave: &[f32]) -> f64 {
    let squares: f64 = wave.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    (squares / wave.len().max(1) as f64).sqrt()
}

/// A melody that wanders over the scale, each note with its chord.
fn melody(wave: &mut [f32], sound: &Sound, rate: f64, random: &mut Generator) {
    let sine: Vec<f32> = (0..PERIOD).map(|i| (TAU * i as f64 / PERIOD as f64).sin() as f32).collect();
    let mut degree = random.random_range(0..sound.scale.len() as i64);
    // It begins somewhere in a note.
    let mut at = -random.random::<f64>() / sound.pace;
    let end = wave.len() as f64 / rate;
    while at < end {
        degree = (degree + random.random_range(-2..=2)).clamp(-3, sound.scale.len() as i64 + 2);
        let octave = degree.div_euclid(sound.scale.len() as i64) as f64;
        let semitone = 12.0 * octave + sound.scale[degree.rem_euclid(sound.scale.len() as i64) as usize];
        let loud = (0.75 + 0.5 * random.random::<f64>()) / (sound.chord.len() as f64).sqrt();
        for above in sound.chord {
            let hertz = sound.keynote * 2f64.powf((semitone + above) / 12.0);
            note(wave, &sine, sound, &Note { hertz, at, loud, phase: random.random() }, rate);
        }
        at += (0.9 + 0.2 * random.random::<f64>()) / sound.pace;
    }
}

struct Note {
    hertz: f64,
    /// Seconds; before 0 it has begun already.
    at: f64,
    loud: f64,
    phase: f64,
}

fn note(wave: &mut [f32], sine: &[f32], sound: &Sound, note: &Note, rate: f64) {
    let held = 1.0 / sound.pace;
    let table = match sound.timbre {
        Timbre::Partials { count, fall, odd } => partials(sine, count, fall, odd, 0.45 * rate / note.hertz),
        Timbre::Bent { .. } => sine.to_vec(),
    };
    let (mut phase, mut bender) = (note.phase, 0.0);
    let mut time = 0.0;
    let mut first = (note.at * rate).round() as i64;
    loop {
        let loud = match sound.envelope {
            Envelope::Fading(decay) => (-time / decay).exp() * (time / 0.002).min(1.0),
            Envelope::Held(swell) => (time / swell).min(1.0) * (-(time - held).max(0.0) / 0.05).exp(),
        };
        if first >= wave.len() as i64 || time > 0.01 && loud < SILENT {
            return;
        }
        let sway = sound.vibrato.0 * (TAU * sound.vibrato.1 * (note.at + time)).sin();
        let step = note.hertz * 2f64.powf(sway / 12.0) / rate;
        let loud = (loud * note.loud) as f32;
        for i in first..first + BLOCK as i64 {
            let sample = match sound.timbre {
                Timbre::Partials { .. } => read(&table, phase),
                Timbre::Bent { ratio, depth } => {
                    bender += ratio * step;
                    read(&table, phase + depth / TAU * f64::from(read(sine, bender)))
                }
            };
            phase += step;
            if let Some(out) = usize::try_from(i).ok().and_then(|i| wave.get_mut(i)) {
                *out += loud * sample;
            }
        }
        first += BLOCK as i64;
        time += BLOCK as f64 / rate;
    }
}

/// One period of a sum of partials, none of them above the `highest`, with a root mean square of 1/√2.
fn partials(sine: &[f32], count: usize, fall: f64, odd: bool, highest: f64) -> Vec<f32> {
    let mut table = vec![0f32; PERIOD];
    let mut squares = 0.0;
    for n in (1..=count).filter(|n| (!odd || n % 2 == 1) && (*n == 1 || (*n as f64) < highest)) {
        let amplitude = (n as f64).powf(-fall);
        squares += amplitude * amplitude;
        for (i, out) in table.iter_mut().enumerate() {
            *out += amplitude as f32 * sine[i * n % PERIOD];
        }
    }
    let scale = 1.0 / squares.sqrt() as f32;
    table.iter_mut().for_each(|out| *out *= scale);
    table
}

/// A table at a phase in periods, between two entries.
#[inline]
fn read(table: &[f32], phase: f64) -> f32 {
    let place = (phase - phase.floor()) * PERIOD as f64;
    let i = place as usize % PERIOD;
    let between = (place - place.floor()) as f32;
    table[i] + between * (table[(i + 1) % PERIOD] - table[i])
}

/// A low drum and a rattle in turn.
fn drums(wave: &mut [f32], sound: &Sound, rate: f64, random: &mut Generator) {
    // Twice as fast as slow melodies, as fast as others: 2 to 4 strokes a second.
    let every = if sound.pace < 2.0 { 0.5 } else { 1.0 } / sound.pace.min(3.6);
    let mut at = every * random.random::<f64>();
    for stroke in 0.. {
        let first = (at * rate) as usize;
        if first >= wave.len() {
            return;
        }
        let (mut phase, mut time) = (0.0, 0.0);
        let decay = if stroke % 2 == 0 { 0.09 } else { 0.035 };
        for out in &mut wave[first..] {
            let loud = sound.beat * f64::exp(-time / decay);
            if loud < SILENT {
                break;
            }
            let sample = if stroke % 2 == 0 {
                phase += (55.0 + 90.0 * f64::exp(-time / 0.03)) / rate;
                f64::sin(TAU * phase)
            } else {
                2.0 * random.random::<f64>() - 1.0
            };
            *out += (loud * sample) as f32;
            time += 1.0 / rate;
        }
        at += every;
    }
}
