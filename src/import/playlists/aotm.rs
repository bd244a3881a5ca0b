//! The Art-of-the-Mix playlists of 2011 (McFee and Lanckriet, "Hypergraph models of playlist
//! dialects", ISMIR 2012), as JSON: an array of mixes, read as a stream, one mix in memory.
//!
//! A mix has `playlist`, every line in order as `[[artist, title], id or null]`, and
//! `filtered_lists`, the lines with an id cut into runs where one without comes between. Under
//! `Runs` the latter's runs are playlists, under `Joined` they are joined, `Gaps` reads the former;
//! where the one is missing the other serves.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{List, Reading};

/// A line: artist and title, which are of no account here, then the song's id.
type Entry = (IgnoredAny, Option<String>);

/// What is needed of a mix. Any field may be missing or null.
#[derive(Deserialize)]
struct Mix {
    playlist: Option<Vec<Option<Entry>>>,
    filtered_lists: Option<Vec<Option<Vec<Option<String>>>>>,
}

impl Mix {
    fn lists(self, reading: Reading) -> Vec<List> {
        let whole = |playlist: Vec<Option<(IgnoredAny, Option<String>)>>| List {
            entries: playlist.into_iter().map(|line| line.and_then(|(_, id)| id)).collect(),
        };
        let runs = |runs: Vec<Option<Vec<Option<String>>>>| runs.into_iter().flatten().map(|entries| List { entries });
        match (reading, self.playlist, self.filtered_lists) {
            (Reading::Runs, _, Some(lists)) => runs(lists).collect(),
            (Reading::Joined, _, Some(lists)) => {
                let entries: Vec<Option<String>> = runs(lists).flat_map(|run| run.entries).collect();
                vec![List { entries }]
            }
            (_, Some(playlist), _) => vec![whole(playlist)],
            // Between two runs at least one line had no id.
            (Reading::Gaps, None, Some(lists)) => {
                let mut entries = Vec::new();
                for run in runs(lists) {
                    entries.extend(run.entries);
                    entries.push(None);
                }
                vec![List { entries }]
            }
            (_, None, None) => Vec::new(),
        }
    }
}

/// Gives each playlist to `take` as it is read; `Err` says what is wrong, and where.
pub fn parse(reader: impl Read, reading: Reading, take: &mut dyn FnMut(List)) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let mut mixes = 0;
    let stream = Stream { reading, take, mixes: &mut mixes };
    let parsed = stream.deserialize(&mut json).and_then(|()| json.end());
    parsed.map_err(|e| format!("is not a file of Art-of-the-Mix playlists, from mix {} on: {e}", mixes + 1))
}

/// The array, whose elements are used up as they come.
struct Stream<'a> {
    reading: Reading,
    take: &'a mut dyn FnMut(List),
    mixes: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Stream<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Stream<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of mixes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(mix) = seq.next_element::<Option<Mix>>()? {
            *self.mixes += 1;
            for list in mix.map(|mix| mix.lists(self.reading)).unwrap_or_default() {
                (self.take)(list);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXES: &str = r#"[
        {"mix_id": 1, "category": null, "user": {"name": "a"}, "playlist": [[["x", "1"], "SO1"], [["x", "2"], null], [["x", "3"], "SO3"], [["x", "4"], "SO4"]],
         "filtered_lists": [["SO1"], ["SO3", "SO4"]]},
        null,
        {"filtered_lists": [], "playlist": null},
        {"filtered_lists": [["SO5", "SO6"]]}]"#;

    fn read(text: &str, reading: Reading) -> Result<Vec<Vec<String>>, String> {
        let mut all = Vec::new();
        parse(text.as_bytes(), reading, &mut |l| all.push(l.entries.into_iter().map(|e| e.unwrap_or("-".into())).collect()))?;
        Ok(all)
    }

    #[test]
    fn three_readings() {
        assert_eq!(read(MIXES, Reading::Runs).unwrap(), [vec!["SO1"], vec!["SO3", "SO4"], vec!["SO5", "SO6"]]);
        assert_eq!(read(MIXES, Reading::Joined).unwrap(), [vec!["SO1", "SO3", "SO4"], vec![], vec!["SO5", "SO6"]]);
        assert_eq!(read(MIXES, Reading::Gaps).unwrap(), [vec!["SO1", "-", "SO3", "SO4"], vec![], vec!["SO5", "SO6", "-"]]);
    }

    #[test]
    fn errors_say_where() {
        assert!(read("{}", Reading::Runs).unwrap_err().contains("array of mixes"));
        assert!(read(r#"[{}, {"playlist": 3}]"#, Reading::Gaps).unwrap_err().contains("from mix 2 on"));
        assert!(read("[] []", Reading::Gaps).is_err());
        assert!(read(&"[".repeat(100_000), Reading::Gaps).is_err());
    }
}
