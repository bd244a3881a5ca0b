//! Options as the flags of `tagwalk train` that give them: a run is a plain command line.

use clap::ValueEnum;

use super::options::{Context, Origin};
use super::{Mode, Options, TagWeights};

impl Options {
    /// The flags for what differs from the defaults. Ranges and weights of single tags are not among them: they
    /// come from --range-by-category and --tag-weights with names.
    pub fn flags(&self) -> Vec<String> {
        let default = Options::default();
        let mut all = Vec::new();
        let mut value = |differs: bool, flag: &str, value: String| {
            if differs {
                all.extend([flag.to_string(), value]);
            }
        };
        value(self.mode != default.mode, "--mode", name(self.mode));
        value(self.reading != default.reading, "--reading", name(self.reading));
        value(self.range != default.range, "--range", self.range.to_string());
        value(self.untagged_lenders != default.untagged_lenders, "--untagged-lenders", name(self.untagged_lenders));
        value(self.lend != default.lend, "--lend", name(self.lend));
        value(self.untagged != default.untagged, "--untagged", name(self.untagged));
        let contexts: Vec<String> = self.contexts.iter().map(context).collect();
        value(!contexts.is_empty(), "--contexts", contexts.join(","));
        value(self.mode == Mode::Hops && self.hops != default.hops, "--hops", self.hops.to_string());
        value(self.mode == Mode::Hops && self.alpha != default.alpha, "--alpha", self.alpha.to_string());
        value(self.tag_weights == TagWeights::Idf, "--tag-weights", "idf".into());
        value(self.remove != default.remove, "--remove", self.remove.to_string());
        let mut alone = |given: bool, flag: String| all.extend(given.then_some(flag));
        alone(self.exclude_self, "--exclude-self".into());
        alone(self.shuffle_playlists, "--shuffle-playlists".into());
        alone(self.random_lenders != default.random_lenders, format!("--random-lenders={}", name(self.random_lenders)));
        all
    }
}

fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
}

/// A context as `--contexts` takes it.
fn context(context: &Context) -> String {
    let from = match &context.from {
        Origin::Playlists => "playlists".into(),
        Origin::Group => "group".into(),
        Origin::File(file) => {
            let column = file.column.as_ref().map_or(String::new(), |column| format!(":{column}"));
            format!("{}{column}", file.path.display())
        }
    };
    if context.weight == 1.0 { from } else { format!("{from}={}", context.weight) }
}
