//! `sid_mismatches.txt`: pairs of song and track whose names differ, so that what is known of the song is not to
//! be trusted of the track: `ERROR: <SO... TR...> artist  -  title  !=  artist  -  title`.

use std::path::Path;

use super::{is_song, is_track};
use crate::error::Result;
use crate::import::counts::{Counts, file_name};
use crate::import::text::Lines;

/// Lines of the whole list.
const PAIRS: u64 = 19_094;

/// (song, track) of each line. Lines without such a pair are counted as dropped; fails where no line has one.
pub fn read(path: &Path, counts: &mut Counts) -> Result<Vec<(String, String)>> {
    let mut lines = Lines::open(path)?;
    let (mut pairs, mut odd) = (Vec::new(), 0);
    while let Some(line) = lines.line()? {
        match parse(&line) {
            Some((song, track)) => pairs.push((song.to_string(), track.to_string())),
            None => odd += u64::from(!line.trim().is_empty()),
        }
    }
    if pairs.is_empty() {
        let error = lines.wrong("no line has a pair <SO... TR...>");
        return Err(error.help("--msd-mismatches takes sid_mismatches.txt of the Million Song Dataset."));
    }
    counts.published(&file_name(path), "pairs of song and track not to trust", pairs.len() as u64, PAIRS);
    counts.dropped(&file_name(path), "lines without a pair", odd);
    Ok(pairs)
}

/// The pair of a line.
pub fn parse(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("ERROR:")?;
    let (pair, _) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    let (song, track) = pair.split_once(' ')?;
    (is_song(song) && is_track(track)).then_some((song, track))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_list() {
        let line = "ERROR: <SOUMNSI12AB0182807 TRMMGKQ128F9325E10> Digital Underground  -  The Way We Swing  !=  Linkwood  -  Whats up with the Underground";
        assert_eq!(parse(line), Some(("SOUMNSI12AB0182807", "TRMMGKQ128F9325E10")));
        for other in [
            "",
            "ERROR: <",
            "ERROR: <SO TR> x",
            "<SOUMNSI12AB0182807 TRMMGKQ128F9325E10>",
            "ERROR: <TRMMGKQ128F9325E10 SOUMNSI12AB0182807> x",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
