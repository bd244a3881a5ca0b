//! The Art-of-the-Mix playlists of 2011 (McFee and Lanckriet, "Hypergraph models of playlist
//! dialects", ISMIR 2012), as JSON: an array of mixes, read as a stream, one mix in memory.
//!
//! A mix has `playlist`, every line in order as `[[artist, title], id or null]`, and
//! `filtered_lists`, the lines with an id cut into runs where one without comes between. Under
//! `Runs` the latter's runs are playlists, under `Joined` they are joined, `Gaps` reads the former;
//! where the one is missing the other serves.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{Entry, List, Read, Reading};

/// A line: artist and title, which are of no account here (the id is the makers' own match), then the song's id.
type Line = (IgnoredAny, Option<String>);

/// What is needed of a mix. Any field may be missing or null.
#[derive(Deserialize)]
struct Mix {
    playlist: Option<Vec<Option<Line>>>,
    filtered_lists: Option<Vec<Option<Vec<Option<String>>>>>,
}

impl Mix {
    /// Lines that name no song, where the mix has all its lines.
    fn unnamed(&self) -> u64 {
        let named = |line: &&Option<Line>| line.as_ref().is_some_and(|(_, id)| id.is_some());
        self.playlist.iter().flatten().filter(|line| !named(line)).count() as u64
    }

    fn lists(self, reading: Reading) -> Vec<List> {
        let list = |ids: Vec<Option<String>>| List { entries: ids.into_iter().map(|id| id.map(Entry::id)).collect() };
        let whole = |playlist: Vec<Option<Line>>| list(playlist.into_iter().map(|line| line?.1).collect());
        let runs = |runs: Vec<Option<Vec<Option<String>>>>| runs.into_iter().flatten();
        match (reading, self.playlist, self.filtered_lists) {
            (Reading::Runs, _, Some(lists)) => runs(lists).map(list).collect(),
            (Reading::Joined, _, Some(lists)) => vec![list(runs(lists).flatten().collect())],
            (_, Some(playlist), _) => vec![whole(playlist)],
            // Between two runs at least one line had no id.
            (Reading::Gaps, None, Some(lists)) => {
                let mut entries = Vec::new();
                for run in runs(lists) {
                    entries.extend(run);
                    entries.push(None);
                }
                vec![list(entries)]
            }
            (_, None, None) => Vec::new(),
        }
    }
}

/// Gives each playlist to `take` as it is read; `Err` says what is wrong, and where.
pub fn parse(reader: impl std::io::Read, reading: Reading, take: &mut dyn FnMut(List)) -> Result<Read, String> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let mut read = Read::default();
    let stream = Stream { reading, take, read: &mut read };
    let parsed = stream.deserialize(&mut json).and_then(|()| json.end());
    parsed.map_err(|e| format!("is not a file of Art-of-the-Mix playlists, from mix {} on: {e}", read.lists + 1))?;
    Ok(read)
}

/// The array, whose elements are used up as they come.
struct Stream<'a> {
    reading: Reading,
    take: &'a mut dyn FnMut(List),
    read: &'a mut Read,
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

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(mix) = seq.next_element::<Option<Mix>>()? {
            self.read.lists += 1;
            let Some(mix) = mix else { continue };
            self.read.unnamed += mix.unnamed();
            mix.lists(self.reading).into_iter().for_each(&mut self.take);
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
        parse(text.as_bytes(), reading, &mut |l| {
            all.push(l.entries.into_iter().map(|e| e.map_or("-".into(), |e| e.ids[0].clone())).collect())
        })?;
        Ok(all)
    }

    #[test]
    fn three_readings() {
        assert_eq!(read(MIXES, Reading::Runs).unwrap(), [vec!["SO1"], vec!["SO3", "SO4"], vec!["SO5", "SO6"]]);
        assert_eq!(read(MIXES, Reading::Joined).unwrap(), [vec!["SO1", "SO3", "SO4"], vec![], vec!["SO5", "SO6"]]);
        assert_eq!(read(MIXES, Reading::Gaps).unwrap(), [vec!["SO1", "-", "SO3", "SO4"], vec![], vec!["SO5", "SO6", "-"]]);
    }

    #[test]
    fn lines_without_an_id_are_counted() {
        let read = parse(MIXES.as_bytes(), Reading::Joined, &mut |_| {}).unwrap();
        assert_eq!((read.lists, read.unnamed), (4, 1));
    }

    #[test]
    fn errors_say_where() {
        assert!(read("{}", Reading::Runs).unwrap_err().contains("array of mixes"));
        assert!(read(r#"[{}, {"playlist": 3}]"#, Reading::Gaps).unwrap_err().contains("from mix 2 on"));
        assert!(read("[] []", Reading::Gaps).is_err());
        assert!(read(&"[".repeat(100_000), Reading::Gaps).is_err());
    }
}
