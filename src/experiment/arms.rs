//! The arms of an experiment by name: what each does with tags and playlists, and the flags of
//! `tagwalk train` that do it. Each removes the same tags for the same seed; they differ in what they
//! make of the rest. Rows are those of `docs/reproduction.md`.

use std::path::Path;

use crate::playlists::options::{Context, File, Origin};
use crate::playlists::{Lend, Mode, Options, RandomLenders, Reading, TagWeights, Untagged, UntaggedLenders};

/// What learns an arm's labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learner {
    #[default]
    Network,
    /// Logistic regression on log-mel statistics (`floor`).
    Linear,
    /// The mean tags of a song's group, which hears nothing ([`super::groups`]).
    Group,
}

/// One way to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub name: String,
    pub learner: Learner,
    /// One line for people.
    pub what: String,
    /// The paper's row that it belongs to; empty where it is a control of all.
    pub row: &'static str,
    pub propagation: Options,
    /// Whether the search range of `propagation` is its own wherever a grid has another.
    pub has_range: bool,
    /// Flags beside those of `propagation`: network, heads, loss, and weights or ranges of named tags.
    pub more: Vec<String>,
}

impl Arm {
    /// The flags of `tagwalk train` that make this arm, where all else is at its default.
    pub fn flags(&self) -> Vec<String> {
        [self.propagation.flags(), self.more.clone()].concat()
    }

    /// The name as a folder's or a flag's.
    pub fn slug(&self) -> String {
        slug(&self.name)
    }

    /// Whether losses are summed over clips and tags, so that a step is as many times longer at the same rate.
    pub fn sums(&self) -> bool {
        self.more.windows(2).any(|flag| flag == ["--reduction", "sum"])
    }

    /// Whether it says something of its own only where training songs lack tags.
    pub fn is_for_sparse_tags(&self) -> bool {
        self.propagation.untagged != Untagged::default()
    }

    /// Whether it goes by the groups of a dataset.
    pub fn needs_groups(&self) -> bool {
        self.learner == Learner::Group || self.propagation.contexts.iter().any(|context| context.from == Origin::Group)
    }

    fn with(mut self, more: &[&str]) -> Arm {
        self.more = more.iter().map(|flag| flag.to_string()).collect();
        self
    }
}

/// A name in letters that need no quotes: small ones, digits and dots, and `-` between.
pub fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric() && c != '.').filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// Arms that share the share of training songs whose tags are removed.
struct Maker {
    remove: f64,
}

impl Maker {
    /// Walks with another song lending, but for what `change` does.
    fn arm(&self, row: &'static str, name: &str, what: &str, change: impl FnOnce(&mut Options)) -> Arm {
        let mut propagation = Options { exclude_self: true, remove: self.remove, ..Options::default() };
        change(&mut propagation);
        let has_range = propagation.range != Options::default().range;
        Arm { name: name.into(), learner: Learner::Network, what: what.into(), row, propagation, has_range, more: Vec::new() }
    }

    fn none(&self) -> Arm {
        self.arm("C1", "none", "the tagged songs alone", |o| (o.mode, o.exclude_self) = (Mode::None, false))
    }

    fn walk(&self) -> Arm {
        self.arm("C1", "walk --exclude-self", "tags borrowed along playlists", |_| ())
    }

    fn zero_rows(&self) -> Arm {
        self.arm("", "none, zero rows", "songs without tags taken as having none", |o| {
            (o.mode, o.exclude_self, o.untagged) = (Mode::None, false, Untagged::Zeros);
        })
    }

    fn tagged_songs(&self) -> Arm {
        self.arm("", "walk, tagged songs", "the walk, songs without tags left out", |o| {
            (o.exclude_self, o.untagged) = (false, Untagged::LeaveOut);
        })
    }

    fn as_printed(&self) -> Arm {
        self.arm("", "walk", "the walk as in the paper", |o| o.exclude_self = false)
    }

    fn expected(&self) -> Arm {
        self.arm("", "expected --exclude-self", "all neighbours' tags by their probability", |o| o.mode = Mode::Expected)
    }

    fn random(&self) -> Arm {
        let what = "as walk --exclude-self, lenders drawn from all of them: what playlists add must be more than this";
        self.arm("C10", "random lenders", what, |o| o.random_lenders = RandomLenders::Any)
    }

    fn all_tags(&self) -> Arm {
        self.arm("", "all tags", "nothing removed: the upper mark", |o| {
            (o.mode, o.exclude_self, o.remove) = (Mode::None, false, 0.0);
        })
    }
}

/// Borrowing along playlists, another song lending always: what is proposed where training songs lack tags.
pub fn walk(remove: f64) -> Arm {
    Maker { remove }.walk()
}

/// The walk as in the paper: what is proposed where all training songs have tags.
pub fn as_printed(remove: f64) -> Arm {
    Maker { remove }.as_printed()
}

/// Nothing removed.
pub fn all_tags(remove: f64) -> Arm {
    Maker { remove }.all_tags()
}

/// Losses summed.
pub fn walk_sum(remove: f64) -> Arm {
    Maker { remove }.walk_sum()
}

/// What needs no network, as `tagwalk baseline` calls it: linear models on log-mel statistics and groups' mean tags.
pub fn floors(remove: f64) -> Vec<Arm> {
    let make = Maker { remove };
    let floor = |name: &str, what: &str, learner: Learner, arm: Arm| Arm {
        name: name.into(),
        what: what.into(),
        learner,
        row: "",
        ..arm
    };
    vec![
        floor("linear, tagged songs", "logistic regression on log-mel statistics: the floor", Learner::Linear, make.none()),
        floor(
            "linear, playlists --exclude-self",
            "the same with tags borrowed along playlists",
            Learner::Linear,
            make.expected(),
        ),
        floor("group's mean tags", "what the name of a song's group alone tells; nothing is heard", Learner::Group, make.none()),
    ]
}

/// The paper's two, where training songs have lost their tags: without and with borrowed ones.
pub fn main(remove: f64) -> Vec<Arm> {
    let make = Maker { remove };
    vec![make.none(), make.walk()]
}

/// Those two, and what they must be seen beside: the demo's.
pub fn all(remove: f64) -> Vec<Arm> {
    let make = Maker { remove };
    let beside = [make.zero_rows(), make.tagged_songs(), make.as_printed(), make.expected(), make.random(), make.all_tags()];
    main(remove).into_iter().chain(beside).collect()
}

/// What every report shows beside the paper's two, as far as the dataset alone gives it, and beside [`floors`]; the rate of
/// `sum` is to be tuned on validation. [`audio_neighbours`] needs a file.
pub fn fair(remove: f64) -> Vec<Arm> {
    let make = Maker { remove };
    let beside = [
        make.arm("C3", "walk, r = 0", "a tagged song lends to itself, others borrow from the nearest", |o| {
            (o.exclude_self, o.range) = (false, 0.0);
        }),
        make.arm("C10", "same popularity", "lenders drawn from those in as many playlists as the walk's", |o| {
            o.random_lenders = RandomLenders::Popularity;
        }),
        make.arm("C4", "shuffled playlists", "who is in which playlist stays, order does not", |o| o.shuffle_playlists = true),
        make.walk_sum(),
        make.group_mean(),
    ];
    all(remove).into_iter().chain(beside).collect()
}

impl Maker {
    fn walk_sum(&self) -> Arm {
        let what = "as walk --exclude-self, losses summed over songs and tags as eqs. (1) and (3) are printed";
        self.arm("", "walk, sum", what, |_| ()).with(&["--reduction", "sum"])
    }

    /// What a game's or album's name lends.
    fn group_mean(&self) -> Arm {
        let what = "trained on the mean tags of the other songs of a group in place of a playlist's";
        self.arm("C9", "group mean", what, |o| {
            (o.mode, o.reading, o.range) = (Mode::Expected, Reading::Eq2, 1.0);
            o.contexts = vec![Context { from: Origin::Group, weight: 1.0 }];
        })
    }
}

/// Walks along lists of what sounds alike, from a table of the columns song and neighbour.
pub fn audio_neighbours(remove: f64, lists: &Path) -> Arm {
    let what = "tags borrowed along lists of what sounds alike";
    let from = Origin::File(File { path: lists.into(), column: None, sha256: None });
    Maker { remove }.arm("", "audio neighbours", what, |o| o.contexts = vec![Context { from, weight: 1.0 }])
}

/// An arm of somebody's own: `flags` of `tagwalk train` beside what `propagation` says and those that all arms of a grid share.
pub fn own(name: &str, propagation: Options, flags: Vec<String>) -> Arm {
    let arm = Arm {
        name: name.into(),
        learner: Learner::Network,
        what: String::new(),
        row: "",
        propagation,
        has_range: false,
        more: flags,
    };
    let what = arm.flags().join(" ");
    Arm { what: if what.is_empty() { "the walk as in the paper".into() } else { what }, ..arm }
}

/// The questions that the paper leaves open, as far as the dataset alone answers them: every mode and reading,
/// and rows C8 to C10.
pub fn questions(remove: f64) -> Vec<Arm> {
    let make = Maker { remove };
    let mut arms = Vec::new();
    let mut add = |row, name: &str, what: &str, change: &dyn Fn(&mut Options)| arms.push(make.arm(row, name, what, change));
    add("", "walk-weighted", "as eq. (3) is printed: drawn, and weighted by P(s'|s) again", &|o| {
        (o.mode, o.exclude_self) = (Mode::WalkWeighted, false);
    });
    add("", "expected", "the walk without its noise", &|o| (o.mode, o.exclude_self) = (Mode::Expected, false));
    for (reading, name) in [
        (Reading::Printed, "printed"),
        (Reading::Clamp, "clamp"),
        (Reading::Redraw, "redraw"),
        (Reading::Eq2, "eq2"),
        (Reading::Wrap, "wrap"),
    ] {
        add("", &format!("walk, {name}"), "another reading of the walk", &|o| (o.exclude_self, o.reading) = (false, reading));
    }
    add("", "songs without tags pass", "their places count, and walks go on there", &|o| {
        o.untagged_lenders = UntaggedLenders::Pass
    });
    add("", "songs without tags lend zeros", "they lend an all-zero row", &|o| o.untagged_lenders = UntaggedLenders::Zeros);
    add("C8", "idf weights", "rare tags weigh more in the supportive term", &|o| o.tag_weights = TagWeights::Idf);
    add("C9", "along groups", "walks along albums, artists or games in place of playlists", &|o| {
        o.contexts = vec![Context { from: Origin::Group, weight: 1.0 }];
    });
    add("C9", "playlists and groups", "walks along either, as likely", &|o| {
        o.contexts = [Origin::Playlists, Origin::Group].map(|from| Context { from, weight: 1.0 }).to_vec();
    });
    add("C10", "three hops", "soft labels after three hops, half of each from the next", &|o| {
        (o.mode, o.exclude_self) = (Mode::Hops, false);
    });
    add("C10", "r = 1", "uniform over the playlist (eq2)", &|o| (o.reading, o.range) = (Reading::Eq2, 1.0));
    add("C10", "leaking lenders", "validation and test songs lend too: how much that leaks", &|o| o.lend = Lend::All);
    add("", "zero rows", "songs without tags have all-zero rows of their own beside what they borrow", &|o| {
        (o.exclude_self, o.untagged) = (true, Untagged::Zeros);
    });
    arms.push(make.arm("C10", "two heads", "the supportive term has a dense layer of its own", |_| ()).with(&["--heads", "2"]));
    arms
}
