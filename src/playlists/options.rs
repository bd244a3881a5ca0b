//! What a run can choose about propagation, by the names that flags and `config.json` use. What
//! the paper leaves open is numbered as in `paper.md`, section 0.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How the pseudo-code of the walk is read (0.2). A walk starts at the song's first place in one
/// of its playlists, drawn uniformly, and takes one of the two directions by a fair coin; at each
/// song, the first included, it stops with probability 1 − r and copies that song's tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// A walk that leaves the playlist lends nothing
    #[default]
    Discard,
    /// As discard, but the playlist's last song is never copied from (the bounds as printed)
    Printed,
    /// A walk that reaches the first or last song stops there
    Clamp,
    /// A walk that leaves the playlist starts again, in a new direction
    Redraw,
    /// Drawn from eq. (2): weight r^distance, the song itself included
    Eq2,
    /// One of the song's half-lists, past its end from its near end again
    Wrap,
}

/// What happens at songs that cannot lend (0.10): those without a tag after the run's removal, and
/// those whose split may not lend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum UntaggedLenders {
    /// They are taken out of the playlists; the song a walk starts from keeps its place
    #[default]
    Drop,
    /// Their places count, but the walk cannot stop there
    Pass,
    /// They lend an all-zero vector
    Zeros,
}

/// Which songs may lend (0.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Lend {
    /// Training songs and songs outside the split
    #[default]
    Train,
    /// Validation and test songs too: shows how much that leaks
    All,
}

/// What the supportive term is (0.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// No supportive term
    None,
    /// The tags of a drawn neighbour, weight 1
    #[default]
    Walk,
    /// The same with weight P(s'|s) of eq. (4), as eq. (3) is printed
    WalkWeighted,
    /// The mean of all neighbours' tags by their probability, weight its sum
    Expected,
}

/// What training songs without tags are trained on (0.19).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Untagged {
    /// No own term; they borrow as with --exclude-self
    #[default]
    Mask,
    /// An all-zero row like any other
    Zeros,
    /// They are not trained on
    LeaveOut,
}

/// All of a run's choices about tags and playlists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    pub mode: Mode,
    pub reading: Reading,
    /// The search range r, 0 to 1.
    pub range: f64,
    /// The reading's distribution on condition that another song lends (0.8).
    pub exclude_self: bool,
    pub untagged_lenders: UntaggedLenders,
    pub lend: Lend,
    pub untagged: Untagged,
    /// A control: whoever the walk draws, any other lender lends in its place, all equally likely.
    #[serde(default)]
    pub random_lenders: bool,
    /// Share of the tagged training songs whose tags are removed, 0 to 1.
    pub remove: f64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::default(),
            reading: Reading::default(),
            range: 0.4,
            exclude_self: false,
            untagged_lenders: UntaggedLenders::default(),
            lend: Lend::default(),
            untagged: Untagged::default(),
            random_lenders: false,
            remove: 0.0,
        }
    }
}

impl Options {
    /// Fails where a share is not between 0 and 1.
    pub fn check(&self) -> Result<()> {
        for (flag, value) in [("--range", self.range), ("--remove", self.remove)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::usage(flag, format!("{value} is not between 0 and 1")));
            }
        }
        if self.random_lenders && self.mode != Mode::Walk {
            return Err(Error::usage("--random-lenders", "is a control for --mode walk"));
        }
        Ok(())
    }
}
