//! The arms of an experiment by name. Each removes the same tags for the same seed; they differ in
//! what they make of the rest.

use serde_json::Value;

use crate::playlists::{Mode, Options, Untagged};

/// One way to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub name: &'static str,
    /// One line for people.
    pub what: &'static str,
    pub propagation: Options,
}

impl Arm {
    /// The flags of `tagwalk train` that make this arm: they have the names of the options, with hyphens, and
    /// the values that `config.json` has; whatever differs from the defaults is said.
    pub fn flags(&self) -> Vec<String> {
        let value = |options: &Options| serde_json::to_value(options).unwrap_or_default();
        let (own, defaults) = (value(&self.propagation), value(&Options::default()));
        let mut flags = Vec::new();
        for (name, value) in
            own.as_object().into_iter().flatten().filter(|(name, value)| defaults.get(name.as_str()) != Some(value))
        {
            let flag = format!("--{}", name.replace('_', "-"));
            match value {
                Value::Bool(true) => flags.push(flag),
                Value::Bool(false) | Value::Null => {}
                Value::String(text) => flags.extend([flag, text.clone()]),
                other => flags.extend([flag, other.to_string()]),
            }
        }
        flags
    }
}

/// The paper's two, where training songs have lost their tags: without and with borrowed ones.
pub fn main(remove: f64) -> Vec<Arm> {
    vec![none(remove), walk_exclude_self(remove)]
}

/// Those two, and what they must be seen beside.
pub fn all(remove: f64) -> Vec<Arm> {
    let options = |change: &dyn Fn(&mut Options)| {
        let mut options = Options { remove, ..Options::default() };
        change(&mut options);
        options
    };
    let mut arms = main(remove);
    arms.extend([
        Arm {
            name: "none, zero rows",
            what: "songs without tags taken as having none",
            propagation: options(&|o| (o.mode, o.untagged) = (Mode::None, Untagged::Zeros)),
        },
        Arm {
            name: "walk, tagged songs",
            what: "the walk, songs without tags left out",
            propagation: options(&|o| o.untagged = Untagged::LeaveOut),
        },
        Arm { name: "walk", what: "the walk as in the paper", propagation: options(&|_| ()) },
        Arm {
            name: "expected --exclude-self",
            what: "all neighbours' tags by their probability",
            propagation: options(&|o| (o.mode, o.exclude_self) = (Mode::Expected, true)),
        },
        Arm {
            name: "random lenders",
            what: "as walk --exclude-self, lenders drawn from all of them: what playlists add must be more than this",
            propagation: options(&|o| (o.exclude_self, o.random_lenders) = (true, true)),
        },
        Arm {
            name: "all tags",
            what: "nothing removed: the upper mark",
            propagation: Options { mode: Mode::None, ..Options::default() },
        },
    ]);
    arms
}

fn none(remove: f64) -> Arm {
    Arm { name: "none", what: "the tagged songs alone", propagation: Options { mode: Mode::None, remove, ..Options::default() } }
}

fn walk_exclude_self(remove: f64) -> Arm {
    Arm {
        name: "walk --exclude-self",
        what: "tags borrowed along playlists",
        propagation: Options { exclude_self: true, remove, ..Options::default() },
    }
}
