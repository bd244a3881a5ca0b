//! Options as the flags of `tagwalk train` that give them: a run is a plain command line.

use clap::ValueEnum;

use super::options::{Context, Origin};
use super::{Mode, Options, TagWeights};

impl Options {
    /// The flags for what differs from the defaults. Ranges and weights of single tags are not among them: they
    /// come from --range-by-category and --tag-weights with names.
    pub fn flags(&self) -> Vec<String> {
        // No `..`: a new option does not compile until it is placed here.
        let Options {
            mode,
            reading,
            range,
            exclude_self,
            untagged_lenders,
            lend,
            untagged,
            contexts,
            shuffle_playlists,
            random_lenders,
            hops,
            alpha,
            tag_weights,
            tag_ranges: _,
            remove,
        } = self;
        let default = Options::default();
        let mut all = Vec::new();
        let mut value = |differs: bool, flag: &str, value: String| {
            if differs {
                all.extend([flag.to_string(), value]);
            }
        };
        value(*mode != default.mode, "--mode", name(*mode));
        value(*reading != default.reading, "--reading", name(*reading));
        value(*range != default.range, "--range", range.to_string());
        value(*untagged_lenders != default.untagged_lenders, "--untagged-lenders", name(*untagged_lenders));
        value(*lend != default.lend, "--lend", name(*lend));
        value(*untagged != default.untagged, "--untagged", name(*untagged));
        let contexts: Vec<String> = contexts.iter().map(context).collect();
        value(!contexts.is_empty(), "--contexts", contexts.join(","));
        value(*mode == Mode::Hops && *hops != default.hops, "--hops", hops.to_string());
        value(*mode == Mode::Hops && *alpha != default.alpha, "--alpha", alpha.to_string());
        value(*tag_weights == TagWeights::Idf, "--tag-weights", "idf".into());
        value(*remove != default.remove, "--remove", remove.to_string());
        let mut alone = |given: bool, flag: String| all.extend(given.then_some(flag));
        alone(*exclude_self, "--exclude-self".into());
        alone(*shuffle_playlists, "--shuffle-playlists".into());
        alone(*random_lenders != default.random_lenders, format!("--random-lenders={}", name(*random_lenders)));
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
