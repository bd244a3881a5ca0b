//! What can be heard in a made-up song: the traits, the levels of each, how common they are, and how
//! much playlists care for them.

/// One thing that can be heard in a song.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trait {
    pub name: &'static str,
    /// Tags of one trait are of its category; `Fig. 6` compares by it.
    pub category: &'static str,
    /// Weight of this trait in the distance between two songs' styles, as playlists see it.
    pub weight: f64,
    /// The levels in their order, with the share of songs at each; the shares sum to 1.
    pub levels: &'static [(&'static str, f64)],
}

/// All of them. People choose what follows in a playlist by what is played and how fast, hardly by how it was
/// recorded: so propagation must help some categories more than others.
pub const TRAITS: [Trait; 9] = [
    Trait {
        name: "timbre",
        category: "instrument",
        weight: 1.0,
        levels: &[("pure", 0.25), ("hollow", 0.25), ("brassy", 0.35), ("metallic", 0.15)],
    },
    Trait { name: "register", category: "mood", weight: 0.5, levels: &[("low", 0.3), ("middle", 0.5), ("high", 0.2)] },
    Trait { name: "tempo", category: "rhythm", weight: 1.0, levels: &[("slow", 0.3), ("medium", 0.45), ("fast", 0.25)] },
    Trait {
        name: "harmony",
        category: "mood",
        weight: 1.0,
        levels: &[("solo", 0.35), ("major", 0.3), ("minor", 0.25), ("dissonant", 0.1)],
    },
    Trait {
        name: "attack",
        category: "instrument",
        weight: 0.5,
        levels: &[("staccato", 0.2), ("plucked", 0.45), ("sustained", 0.35)],
    },
    Trait { name: "vibrato", category: "instrument", weight: 0.25, levels: &[("steady", 0.75), ("vibrato", 0.25)] },
    Trait { name: "beat", category: "rhythm", weight: 1.0, levels: &[("no beat", 0.6), ("beat", 0.4)] },
    Trait { name: "hiss", category: "recording", weight: 0.0, levels: &[("clean", 0.7), ("hiss", 0.3)] },
    Trait { name: "echo", category: "recording", weight: 0.0, levels: &[("dry", 0.7), ("echo", 0.3)] },
];

/// A level of each trait, by its place in [`Trait::levels`].
pub type Levels = [u8; TRAITS.len()];

/// A set of levels, a bit each, in the order of the table.
pub type LevelSet = u32;

/// The bit of a trait's level.
pub fn bit(of: usize, level: u8) -> LevelSet {
    let before: usize = TRAITS[..of].iter().map(|t| t.levels.len()).sum();
    1 << (before + level as usize)
}

/// The bits of all of a song's levels.
pub fn set(levels: &Levels) -> LevelSet {
    levels.iter().enumerate().fold(0, |set, (of, &level)| set | bit(of, level))
}

/// Which level a trait is at, for a value that is standard normal over all songs.
pub fn level(of: usize, value: f64) -> u8 {
    let mut rest = normal_share(value);
    let levels = TRAITS[of].levels;
    for (level, (_, share)) in levels.iter().enumerate() {
        if rest < *share {
            return level as u8;
        }
        rest -= share;
    }
    levels.len() as u8 - 1
}

/// The share of a standard normal distribution below `x`, to 0.01: the logistic curve of slope 1.702 (Camilli 1994).
fn normal_share(x: f64) -> f64 {
    1.0 / (1.0 + (-1.702 * x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_bits_of_their_own_and_shares_of_one() {
        let mut all = 0;
        for (of, t) in TRAITS.iter().enumerate() {
            assert!((t.levels.iter().map(|l| l.1).sum::<f64>() - 1.0).abs() < 1e-12, "{}", t.name);
            for level in 0..t.levels.len() as u8 {
                assert_eq!(all & bit(of, level), 0);
                all |= bit(of, level);
            }
            assert_eq!((level(of, -9.0), level(of, 9.0)), (0, t.levels.len() as u8 - 1));
        }
        assert_eq!(all.count_ones(), all.trailing_ones());
        // scipy.stats.norm.ppf(0.3) = -0.5244: low ends there, to the curve's 0.01.
        assert_eq!([-0.6, -0.45, 0.8, 0.9].map(|x| level(1, x)), [0, 1, 1, 2]);
    }
}
