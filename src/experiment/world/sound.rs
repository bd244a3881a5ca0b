//! From a song's levels to the numbers it is played by. Songs of one level differ: each number is the level's own,
//! times or plus something by chance, and key, melody and loudness say nothing of any tag.

use rand::RngExt;

use super::styles::{Stream, stream};
use super::traits::Levels;

/// How a note's sound is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Timbre {
    /// Amplitudes of the partials 1, 2, ...: the n-th is `every(n)` · n^−`fall`, odd ones only if `odd`.
    Partials { count: usize, fall: f64, odd: bool },
    /// A sine whose phase another sine bends, which is `ratio` times as high: bells and metal.
    Bent { ratio: f64, depth: f64 },
}

/// How a note begins and ends, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Envelope {
    /// Struck, and fades by e in so long.
    Fading(f64),
    /// Swells so long, stays for the note's time, and fades.
    Held(f64),
}

/// All that decides a song's audio, beside its seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    pub timbre: Timbre,
    /// Hertz of the keynote.
    pub keynote: f64,
    /// Notes a second.
    pub pace: f64,
    /// Semitones above each note of the melody that sound with it, itself included.
    pub chord: &'static [f64],
    /// Semitones of the scale.
    pub scale: &'static [f64],
    pub envelope: Envelope,
    /// Semitones up and down, and how often a second.
    pub vibrato: (f64, f64),
    /// Loudness of the drums beside the notes; 0: none.
    pub beat: f64,
    /// Loudness of the noise beside the notes.
    pub hiss: f64,
    /// Seconds after which it is heard again, and how loud; 0: not.
    pub echo: (f64, f64),
    /// Root mean square of the samples, of 1.
    pub loudness: f64,
}

const MAJOR: [f64; 7] = [0.0, 2.0, 4.0, 5.0, 7.0, 9.0, 11.0];
const MINOR: [f64; 7] = [0.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0];
const WHOLE: [f64; 6] = [0.0, 2.0, 4.0, 6.0, 8.0, 10.0];

impl Sound {
    /// How song number `song` of a world of this seed is played.
    pub fn new(seed: u64, song: u64, levels: &Levels) -> Sound {
        let mut random = stream(seed, Stream::Audio, [song, 0]);
        // Between −1 and 1, drawn always and in this order.
        let mut vary = || 2.0 * random.random::<f64>() - 1.0;
        let [timbre, register, tempo, harmony, attack, vibrato, beat, hiss, echo] = levels.map(usize::from);
        let shade = vary();
        let timbre = match timbre {
            0 => Timbre::Partials { count: 3, fall: 2.5 + 0.4 * shade, odd: false },
            1 => Timbre::Partials { count: 15, fall: 1.1 + 0.25 * shade, odd: true },
            2 => Timbre::Partials { count: 24, fall: 0.8 + 0.2 * shade, odd: false },
            _ => Timbre::Bent { ratio: 1.4 + 0.05 * shade, depth: 2.2 + 0.6 * shade },
        };
        let midi = [45.0, 60.0, 76.0][register] + 5.0 * vary();
        let pace = [1.4, 3.2, 7.0][tempo] * 1.25f64.powf(vary());
        let decay = 1.4f64.powf(vary());
        let sways = vary();
        let noise = vary();
        let strike = vary();
        let (delay, again) = (0.2 + 0.07 * vary(), 0.5 + 0.15 * vary());
        let (chord, scale): (&[f64], &[f64]) = match harmony {
            0 => (&[0.0], &MAJOR),
            1 => (&[0.0, 4.0, 7.0], &MAJOR),
            2 => (&[0.0, 3.0, 7.0], &MINOR),
            _ => (&[0.0, 1.0, 6.0], &WHOLE),
        };
        Sound {
            timbre,
            keynote: 440.0 * 2f64.powf((midi - 69.0) / 12.0),
            pace,
            chord,
            scale,
            envelope: [Envelope::Fading(0.045 * decay), Envelope::Fading(0.22 * decay), Envelope::Held(0.09 * decay)][attack],
            vibrato: ([0.03, 0.5][vibrato] * (1.0 + 0.4 * sways), 5.5 + sways),
            beat: [0.0, 0.9][beat] * (1.0 + 0.4 * strike),
            hiss: [0.004, 0.09][hiss] * 2f64.powf(noise),
            echo: if echo == 1 { (delay, again) } else { (0.0, 0.0) },
            loudness: 0.09 * 1.5f64.powf(vary()),
        }
    }
}
