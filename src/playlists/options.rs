//! What a run can choose about propagation, by the names that flags and `config.json` use. What
//! the paper leaves open is numbered as in `paper.md`, section 0.

use std::path::PathBuf;

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

/// What the propagated term is (0.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// No propagated term
    None,
    /// The tags of a drawn neighbour, weight 1
    #[default]
    Walk,
    /// The same with weight P(s'|s) of eq. (4), as eq. (3) is printed
    WalkWeighted,
    /// The mean of all neighbours' tags by their probability, weight its sum
    Expected,
    /// Labels that have gone several hops: Y <- aPY + (1 - a)Y0, P by eq. (4); soft, weight as for expected
    Hops,
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

/// A control: who lends in place of the song that a walk drew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case", from = "Given")]
pub enum RandomLenders {
    /// Nobody: the song drawn lends
    #[default]
    None,
    /// Any lender, all equally likely
    Any,
    /// One that is in as many playlists as the song drawn
    Popularity,
}

/// As `config.json` has it; runs begun before there was a choice say true or false.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Flag(bool),
    Named(Named),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Named {
    None,
    Any,
    Popularity,
}

impl From<Given> for RandomLenders {
    fn from(given: Given) -> RandomLenders {
        match given {
            Given::Flag(false) | Given::Named(Named::None) => RandomLenders::None,
            Given::Flag(true) | Given::Named(Named::Any) => RandomLenders::Any,
            Given::Named(Named::Popularity) => RandomLenders::Popularity,
        }
    }
}

/// Weights of tags in the propagated term.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagWeights {
    /// 1 each.
    #[default]
    Equal,
    /// ln(n / n_t) of the n songs that lend, n_t of which have tag t (at least 1), divided by its mean over tags.
    Idf,
    /// One a tag, in the vocabulary's order.
    Given(Vec<f32>),
}

/// Lists that walks go along, and their weight where they are mixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Context {
    pub from: Origin,
    /// A walk takes a list of this kind with probability in proportion, among the kinds that its song is in.
    pub weight: f64,
}

/// Where lists come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The dataset's playlists.
    Playlists,
    /// The songs of each of the dataset's groups (artist, album), in the order of the dataset.
    Group,
    File(File),
}

/// Playlists or a table beside the dataset: see `import/contexts.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub path: PathBuf,
    /// A table's column whose equal cells make a list.
    pub column: Option<String>,
    /// SHA-256 of the lists as they were read when the run began, hex.
    pub sha256: Option<String>,
}

/// All of a run's choices about tags and playlists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// What walks go along; none: the dataset's playlists.
    pub contexts: Vec<Context>,
    /// A control: every list in a random order of its own, drawn once by the run's seed.
    pub shuffle_playlists: bool,
    pub random_lenders: RandomLenders,
    /// Hops of [`Mode::Hops`].
    pub hops: usize,
    /// Its a.
    pub alpha: f64,
    pub tag_weights: TagWeights,
    /// The search range of each tag, in the vocabulary's order, where they differ; none: `range` for all. Tags of
    /// one range borrow along one walk.
    pub tag_ranges: Vec<f64>,
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
            contexts: Vec::new(),
            shuffle_playlists: false,
            random_lenders: RandomLenders::default(),
            hops: 3,
            alpha: 0.5,
            tag_weights: TagWeights::default(),
            tag_ranges: Vec::new(),
            remove: 0.0,
        }
    }
}

/// Hops at most: further ones change no label that counts.
const MOST_HOPS: usize = 1000;

impl Options {
    /// Whether the propagated term weighs tags one by one.
    pub fn weighs_tags(&self) -> bool {
        self.mode != Mode::None && (self.tag_weights != TagWeights::Equal || !self.tag_ranges.is_empty())
    }

    /// Fails where a number is out of its range, or where choices contradict each other.
    pub fn check(&self) -> Result<()> {
        let ranges = self.tag_ranges.iter().map(|&range| ("propagation.tag_ranges", range));
        let shares = [("propagation.range", self.range), ("propagation.remove", self.remove)];
        for (field, value) in shares.into_iter().chain(ranges) {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::usage(field, format!("{value} is not between 0 and 1")));
            }
        }
        let positive = |weight: f64| weight > 0.0 && weight.is_finite();
        if let Some(context) = self.contexts.iter().find(|context| !positive(context.weight)) {
            return Err(Error::usage("propagation.contexts", format!("weight {} is not a number above 0", context.weight)));
        }
        if let TagWeights::Given(weights) = &self.tag_weights
            && (weights.iter().any(|w| !(*w >= 0.0 && w.is_finite())) || weights.iter().all(|&w| w == 0.0))
        {
            return Err(Error::usage("propagation.tag_weights", "are numbers of 0 or more, and not all 0"));
        }
        self.check_mode()
    }

    /// What only some modes can do.
    fn check_mode(&self) -> Result<()> {
        if self.random_lenders != RandomLenders::None && self.mode != Mode::Walk {
            return Err(Error::usage("propagation.random_lenders", "is a control for mode walk"));
        }
        if self.mode == Mode::Hops {
            if !(1..=MOST_HOPS).contains(&self.hops) {
                return Err(Error::usage("propagation.hops", format!("{} is not between 1 and {MOST_HOPS}", self.hops)));
            }
            if !(self.alpha > 0.0 && self.alpha <= 1.0) {
                return Err(Error::usage("propagation.alpha", format!("{} is not above 0 and up to 1", self.alpha)));
            }
            if !matches!(self.reading, Reading::Discard | Reading::Eq2) {
                return Err(Error::usage(
                    "propagation.reading",
                    "decides nothing in mode hops, which goes by eq. (4): leave it out",
                ));
            }
        }
        let borrowing = [
            ("propagation.contexts", !self.contexts.is_empty()),
            ("propagation.shuffle_playlists", self.shuffle_playlists),
            ("propagation.tag_weights", self.tag_weights != TagWeights::Equal),
            ("propagation.tag_ranges", !self.tag_ranges.is_empty()),
        ];
        match borrowing.into_iter().find(|(_, given)| self.mode == Mode::None && *given) {
            Some((field, _)) => {
                Err(Error::usage(field, "decides how tags are borrowed, and mode none borrows none: leave it out"))
            }
            None => Ok(()),
        }
    }
}
