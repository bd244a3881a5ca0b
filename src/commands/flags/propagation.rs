//! Flags that decide how tags are lent, and what they mean for a dataset: which files are read, which
//! tags are named.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::commands::print;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::format::pairs;
use crate::playlists::options::{Context, File, Origin};
use crate::playlists::{Lend, Mode, Options, RandomLenders, Reading, TagWeights, Untagged, UntaggedLenders, contexts};

/// How tags are lent.
#[derive(Args, Clone, Debug)]
pub struct PropagationFlags {
    /// The propagated term
    #[arg(long, value_enum, default_value_t = Mode::Walk)]
    pub mode: Mode,
    /// How the walk's pseudo-code is read
    #[arg(long, value_enum, default_value_t = Reading::Discard)]
    pub reading: Reading,
    /// Search range r, 0 to 1: the chance to walk on at each song
    #[arg(long, default_value_t = 0.4, value_name = "R")]
    pub range: f64,
    /// Weight of the propagated term
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT")]
    pub lambda: f32,
    /// Another song lends, never the song itself
    #[arg(long)]
    pub exclude_self: bool,
    /// Songs in a playlist that cannot lend
    #[arg(long, value_enum, default_value_t = UntaggedLenders::Drop)]
    pub untagged_lenders: UntaggedLenders,
    /// Which songs may lend
    #[arg(long, value_enum, default_value_t = Lend::Train)]
    pub lend: Lend,
    /// Training songs without tags
    #[arg(long, value_enum, default_value_t = Untagged::Mask)]
    pub untagged: Untagged,
    /// What walks go along: playlists, group (the dataset's artist, album or game), FILE (a playlist, a folder of them, a
    /// table), FILE:COLUMN (a table's songs with equal cells there, in order); several with commas, each perhaps =WEIGHT
    #[arg(long, value_name = "LISTS", default_value = "playlists")]
    pub contexts: String,
    /// A control: every playlist in a random order, drawn once by seed; who is in which stays
    #[arg(long)]
    pub shuffle_playlists: bool,
    /// A control: whoever the walk draws, another lender lends in its place: any, or one in as many playlists (popularity)
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_value = "none",
        default_missing_value = "any"
    )]
    pub random_lenders: RandomLenders,
    /// Hops of --mode hops [default: 3]
    #[arg(long, value_name = "N")]
    pub hops: Option<usize>,
    /// Its a, above 0 and up to 1: how much of a label comes by the next hop [default: 0.5]
    #[arg(long, value_name = "A")]
    pub alpha: Option<f64>,
    /// Weights of tags in the propagated term: idf, NAME=WEIGHT,... or FILE (NAME, tab, WEIGHT); a name is a tag's or a
    /// category's, others weigh 1
    #[arg(long, value_name = "WEIGHTS")]
    pub tag_weights: Option<String>,
    /// A search range for some tags: NAME=R,... or FILE (NAME, tab, R); a name is a tag's or a category's, others keep --range
    #[arg(long, value_name = "RANGES")]
    pub range_by_category: Option<String>,
    /// The tags' categories: tag, tab, category
    #[arg(long, value_name = "FILE")]
    pub categories: Option<PathBuf>,
    /// Share of the tagged training songs that lose all tags, by seed: to try what sparse tags do
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub remove: f64,
}

impl PropagationFlags {
    /// The options of `playlists/` for a dataset, checked; files are read here, and kept by their checksum or by
    /// what they say.
    pub fn options(&self, dataset: &Dataset) -> Result<Options> {
        for (flag, given) in [("--hops", self.hops.is_some()), ("--alpha", self.alpha.is_some())] {
            if given && self.mode != Mode::Hops {
                return Err(Error::usage(flag, "is for --mode hops"));
            }
        }
        let default = Options::default();
        for (flag, given) in [
            ("--range", self.range != default.range),
            ("--reading", self.reading != default.reading),
            ("--exclude-self", self.exclude_self),
            ("--lend", self.lend != default.lend),
        ] {
            if given && self.mode == Mode::None {
                return Err(Error::usage(flag, "decides how tags are borrowed, and mode none borrows none: leave it out"));
            }
        }
        let names = Names::read(dataset.vocabulary(), self.categories.as_deref())?;
        if self.categories.is_some() && self.range_by_category.is_none() && self.tag_weights.is_none() {
            return Err(Error::usage("--categories", "says nothing by itself")
                .help("Name its categories in --tag-weights or --range-by-category."));
        }
        let mut options = Options {
            mode: self.mode,
            reading: self.reading,
            range: self.range,
            exclude_self: self.exclude_self,
            untagged_lenders: self.untagged_lenders,
            lend: self.lend,
            untagged: self.untagged,
            contexts: parse_contexts(&self.contexts)?,
            shuffle_playlists: self.shuffle_playlists,
            random_lenders: self.random_lenders,
            hops: self.hops.unwrap_or(default.hops),
            alpha: self.alpha.unwrap_or(default.alpha),
            tag_weights: match self.tag_weights.as_deref() {
                None => TagWeights::Equal,
                Some("idf") => TagWeights::Idf,
                Some(given) => TagWeights::Given(names.values("--tag-weights", given, 1.0)?.iter().map(|&w| w as f32).collect()),
            },
            tag_ranges: match &self.range_by_category {
                None => Vec::new(),
                Some(given) => names.values("--range-by-category", given, self.range)?,
            },
            remove: self.remove,
        };
        options.check()?;
        for context in &mut options.contexts {
            if let Origin::File(file) = &mut context.from {
                take(dataset, file)?;
            }
        }
        Ok(options)
    }
}

/// Reads a file of contexts once, says where something was not found, and keeps where it lies and its checksum.
fn take(dataset: &Dataset, file: &mut File) -> Result<()> {
    let (lists, [places, missing]) = contexts::read(dataset, file)?;
    let path = file.path.display();
    if missing > 0 {
        print::note(format_args!("{path}: {} lists; {missing} of {places} places are no song of the dataset", lists.lists.len()));
    }
    file.sha256 = Some(lists.sha256());
    file.path = std::path::absolute(&file.path).map_err(|e| Error::io(&file.path, "cannot find", e))?;
    Ok(())
}

/// `--contexts`. The dataset's playlists alone are what no context means.
fn parse_contexts(given: &str) -> Result<Vec<Context>> {
    let mut all: Vec<Context> = Vec::new();
    for one in given.split(',') {
        let weighted = one.rsplit_once('=').and_then(|(name, weight)| Some((name, weight.parse().ok()?)));
        let (name, weight) = weighted.unwrap_or((one, 1.0));
        let from = match name {
            "" => return Err(Error::usage("--contexts", format!("names nothing before or after a comma in {given:?}"))),
            "playlists" => Origin::Playlists,
            "group" => Origin::Group,
            path => {
                let column = if Path::new(path).exists() { None } else { path.rsplit_once(':') };
                let (path, column) = column.map_or((path, None), |(path, column)| (path, Some(column.to_string())));
                if !Path::new(path).exists() {
                    return Err(Error::usage("--contexts", format!("{path:?} is neither playlists, nor group, nor a file")));
                }
                Origin::File(File { path: path.into(), column, sha256: None })
            }
        };
        if all.iter().any(|context| context.from == from) {
            return Err(Error::usage("--contexts", format!("names {name:?} twice")));
        }
        all.push(Context { from, weight });
    }
    all.retain(|context| given.contains(',') || context.from != Origin::Playlists);
    Ok(all)
}

/// Tags by their own names and by their categories'.
struct Names<'a> {
    vocabulary: &'a [String],
    /// Of each tag.
    categories: Vec<Option<String>>,
}

impl<'a> Names<'a> {
    fn read(vocabulary: &'a [String], path: Option<&Path>) -> Result<Names<'a>> {
        let mut categories = vec![None; vocabulary.len()];
        if let Some(path) = path {
            let of: std::collections::HashMap<String, String> = pairs::read(path, |_| true)?.into_iter().collect();
            categories = vocabulary.iter().map(|tag| of.get(tag).cloned()).collect();
            if categories.iter().all(Option::is_none) {
                return Err(Error::input(path, "names no tag of the dataset")
                    .help("Tags are named as in the vocabulary of the dataset's manifest.json."));
            }
        }
        Ok(Names { vocabulary, categories })
    }

    /// Each tag's value: by its name, else by its category's, else `other`. `given` is NAME=VALUE,... or a file.
    fn values(&self, flag: &str, given: &str, other: f64) -> Result<Vec<f64>> {
        let number = |text: &str| text.trim().parse::<f64>().ok();
        let path = Path::new(given);
        let is_file = path.is_file();
        let named: Vec<(String, f64)> = if is_file {
            let read = pairs::read(path, |value| number(value).is_some())?;
            read.into_iter().filter_map(|(name, value)| Some((name, number(&value)?))).collect()
        } else {
            let one = |one: &str| {
                let (name, value) = one.rsplit_once('=')?;
                Some((name.trim().to_string(), number(value)?))
            };
            let read: Option<Vec<_>> = given.split(',').map(one).collect();
            read.ok_or_else(|| Error::usage(flag, format!("{given:?} is neither a file nor NAME=VALUE,...")))?
        };
        let known = |name: &str| {
            let category = self.categories.iter().flatten().any(|category| category == name);
            category || self.vocabulary.iter().any(|tag| tag == name)
        };
        // A file may speak of more tags than a dataset has; who types a name means one that is there.
        let unknown = named.iter().find(|(name, _)| !known(name));
        if let Some((name, _)) = unknown
            && (!is_file || !named.iter().any(|(name, _)| known(name)))
        {
            return Err(Error::usage(flag, format!("{name:?} is no tag, and no category of one"))
                .help("Categories are those of --categories FILE; tags are in the dataset's manifest.json."));
        }
        let value = |name: &str| named.iter().rev().find(|(one, _)| one == name).map(|(_, value)| *value);
        let of = |(tag, category): (&String, &Option<String>)| value(tag).or_else(|| value(category.as_ref()?)).unwrap_or(other);
        Ok(self.vocabulary.iter().zip(&self.categories).map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_tag_before_category_before_the_rest() {
        let vocabulary = ["rock", "pop", "calm", "80s"].map(String::from);
        let of = |category: &str| Some(category.to_string());
        let names = Names { vocabulary: &vocabulary, categories: vec![of("genre"), of("genre"), of("mood"), None] };
        assert_eq!(names.values("--f", "genre=0.5,pop=2", 1.0).unwrap(), [0.5, 2.0, 1.0, 1.0]);
        assert_eq!(names.values("--f", "80s=0", 0.4).unwrap(), [0.4, 0.4, 0.4, 0.0]);
        for (given, says) in [("gnre=1", "\"gnre\""), ("genre", "neither"), ("genre=x", "neither"), ("", "neither")] {
            let error = names.values("--f", given, 1.0).unwrap_err().to_string();
            assert!(error.starts_with("--f: ") && error.contains(says), "{error}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "tag\tweight\nmood\t3\nmetal\t9\n").unwrap();
        assert_eq!(names.values("--f", file.path().to_str().unwrap(), 1.0).unwrap(), [1.0, 1.0, 3.0, 1.0]);
        std::fs::write(file.path(), "metal\t9\n").unwrap();
        assert!(names.values("--f", file.path().to_str().unwrap(), 1.0).is_err());
    }

    #[test]
    fn contexts_with_weights_and_columns() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("log=2.tsv");
        std::fs::write(&table, "").unwrap();
        let table = table.to_str().unwrap();
        assert_eq!(parse_contexts("playlists").unwrap(), []);
        let file = |column: Option<&str>| Origin::File(File { path: table.into(), column: column.map(Into::into), sha256: None });
        let all = parse_contexts(&format!("playlists=2,group,{table},{table}:listener=0.5")).unwrap();
        let want = [(Origin::Playlists, 2.0), (Origin::Group, 1.0), (file(None), 1.0), (file(Some("listener")), 0.5)];
        assert_eq!(all, want.map(|(from, weight)| Context { from, weight }));
        for wrong in ["group,", "grup", "group,group", "nowhere.m3u8"] {
            assert!(parse_contexts(wrong).unwrap_err().to_string().contains("--contexts"), "{wrong}");
        }
    }
}
