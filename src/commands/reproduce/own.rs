//! `--with`: arms of somebody's own, by flags of `tagwalk train`.

use super::plan::Alone;
use crate::error::{Error, Result};
use crate::experiment::{Arm, arms};
use crate::playlists::Options;

/// Flags that the grid gives all arms alike, since arms are compared at equal data, seeds and steps.
const SHARED: [&str; 13] = [
    "--seed",
    "--batch",
    "--schedule",
    "--rate",
    "--steps",
    "--epochs",
    "--clips-per-song",
    "--split-by",
    "--split-seed",
    "--top",
    "--remove",
    "--precision",
    "--device",
];

/// The arm that `text`, `NAME: FLAGS`, says; `remove` is the grid's share of songs that lose their tags.
pub fn arm(text: &str, remove: f64) -> Result<Arm> {
    let wrong = |what: &str| {
        Error::usage("--with", format!("{text:?} {what}"))
            .help("NAME: FLAGS of `tagwalk train`, as in 'two hops: --mode hops --hops 2'.")
    };
    let (name, flags) = text.split_once(':').ok_or_else(|| wrong("has no colon"))?;
    let name = name.trim();
    if arms::slug(name).is_empty() {
        return Err(wrong("has no name before the colon"));
    }
    // One word a flag, one a value; that of --random-lenders comes only in the flag's own word.
    let words = shlex::split(flags).ok_or_else(|| wrong("leaves a quote open"))?.into_iter().flat_map(|word| {
        match word.split_once('=').filter(|(flag, _)| flag.starts_with("--") && *flag != "--random-lenders") {
            Some((flag, value)) => vec![flag.to_string(), value.to_string()],
            None => vec![word],
        }
    });
    let words: Vec<String> = words.collect();
    if let Some(shared) = words.iter().find(|word| SHARED.contains(&word.as_str())) {
        return Err(wrong(&format!("has {shared}, which is the same for all arms")));
    }
    let named = |e: Error| e.place(format!("--with {name:?}"));
    let read = Alone::read(&words).map_err(named)?;
    // What the grid itself varies is the arm's; all else stays in words.
    let propagation = Options { mode: read.propagation.mode, range: read.propagation.range, remove, ..Options::default() };
    propagation.check().map_err(named)?;
    let has_range = words.iter().any(|word| word == "--range");
    let (mut more, mut words) = (Vec::new(), words.into_iter());
    while let Some(word) = words.next() {
        match word == "--mode" || word == "--range" {
            true => drop(words.next()),
            false => more.push(word),
        }
    }
    Ok(Arm { has_range, ..arms::own(name, propagation, more) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playlists::Mode;

    #[test]
    fn what_the_grid_varies_and_what_stays_in_words() {
        let one = arm("Deep walks : --range=0.7 --heads 2 --mode expected --tag-weights 'hip hop=2'", 0.8).unwrap();
        assert_eq!((one.name.as_str(), one.propagation.range, one.propagation.remove), ("Deep walks", 0.7, 0.8));
        assert_eq!((one.propagation.mode, one.slug().as_str()), (Mode::Expected, "deep-walks"));
        assert_eq!(one.more, ["--heads", "2", "--tag-weights", "hip hop=2"]);
        assert_eq!(one.what, "--mode expected --range 0.7 --remove 0.8 --heads 2 --tag-weights hip hop=2");
        assert!(one.has_range && arm("same: --range 0.4", 0.0).unwrap().has_range);
        let plain = arm("as printed:", 0.0).unwrap();
        assert!(plain.more.is_empty() && !plain.has_range);
        let sums = arm("sums: --reduction=sum --random-lenders=popularity", 0.0).unwrap();
        assert_eq!(sums.more, ["--reduction", "sum", "--random-lenders=popularity"]);
        assert!(sums.sums());
    }

    #[test]
    fn refused_with_its_reason() {
        for (text, says) in [
            ("--heads 2", "has no colon"),
            (" : --heads 2", "has no name"),
            ("a: --tag-weights 'x", "quote open"),
            ("a: --steps=9", "has --steps"),
            ("a: --remove 0", "has --remove"),
            ("a: --head 2", "--head"),
            ("a: --range far", "far"),
        ] {
            let error = arm(text, 0.5).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
