//! `unique_tracks.txt`: a line a track, `track<SEP>song<SEP>artist<SEP>title`.

use std::path::Path;

use super::{is_song, is_track};
use crate::error::Result;
use crate::import::counts::{Counts, file_name};
use crate::import::text::Lines;

/// Lines of the whole list.
const TRACKS: u64 = 1_000_000;

/// A track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track<'a> {
    pub track: &'a str,
    /// The work it is a recording of; several tracks may be.
    pub song: &'a str,
    pub artist: &'a str,
    /// Free text, perhaps empty.
    pub title: &'a str,
}

/// Gives each track to `take`, in order. Fails where the first line is none; later lines that are none are
/// counted as dropped.
pub fn read(path: &Path, counts: &mut Counts, take: &mut dyn FnMut(Track)) -> Result<()> {
    let mut lines = Lines::open(path)?;
    let (mut tracks, mut odd) = (0, 0);
    while let Some(line) = lines.line()? {
        if line.trim().is_empty() {
            continue;
        }
        match parse(&line) {
            Some(track) => {
                tracks += 1;
                take(track);
            }
            None if tracks == 0 => {
                let error = lines.wrong("is not `TR...<SEP>SO...<SEP>artist<SEP>title`");
                return Err(error.help("--msd-tracks takes unique_tracks.txt of the Million Song Dataset."));
            }
            None => odd += 1,
        }
    }
    if tracks == 0 {
        return Err(lines.wrong("the list is empty"));
    }
    counts.published(&file_name(path), "tracks", tracks, TRACKS);
    counts.dropped(&file_name(path), "lines that are no track", odd);
    Ok(())
}

/// Reads a line.
pub fn parse(line: &str) -> Option<Track<'_>> {
    let mut fields = line.splitn(4, "<SEP>");
    let track = Track { track: fields.next()?, song: fields.next()?, artist: fields.next()?, title: fields.next()? };
    (is_track(track.track) && is_song(track.song)).then_some(track)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_list() {
        let track = parse("TRMMMYQ128F932D901<SEP>SOQMMHC12AB0180CB8<SEP>Faster Pussy cat<SEP>Silent <SEP> Night").unwrap();
        assert_eq!((track.track, track.title), ("TRMMMYQ128F932D901", "Silent <SEP> Night"));
        assert_eq!(parse("TRMMMYQ128F932D901<SEP>SOQMMHC12AB0180CB8<SEP><SEP>").unwrap().title, "");
        // Its relatives: tracks_per_year.txt, unique_artists.txt; and a line cut short.
        for other in [
            "1926<SEP>TRBHUOU128F423625E<SEP>Blind Lemon Jefferson<SEP>Long Lonesome Blues",
            "AR009211187B989185<SEP>9dfe78a6-6d91-454e-9b95-9d7722cbc476<SEP>TRAWSCW12903CD6C7E<SEP>Carroll Thompson",
            "TRMMMYQ128F932D901<SEP>SOQMMHC12AB0180CB8<SEP>Faster",
        ] {
            assert_eq!(parse(other), None);
        }
    }
}
