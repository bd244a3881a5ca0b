//! Slices of Spotify's Million Playlist Dataset (Chen et al., RecSys Challenge 2018), `mpd.slice.0-999.json`
//! and so on, and its challenge set: an object with an array of playlists, read as a stream, one playlist in
//! memory. A track has Spotify's address, an artist and a title; its place is its `pos`.

use std::fmt;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Entry, Kind, List, Read};

/// What is needed of a playlist. Any field may be missing or null.
#[derive(Deserialize)]
struct Playlist {
    tracks: Option<Vec<Option<Track>>>,
}

#[derive(Deserialize)]
struct Track {
    pos: Option<u64>,
    track_uri: Option<String>,
    artist_name: Option<String>,
    track_name: Option<String>,
}

impl Playlist {
    /// In order of `pos`, which the array's order need not be. A gap in it, as in the challenge set, is one
    /// place without a song, however many it stands for.
    fn list(self) -> List {
        let mut tracks: Vec<Track> = self.tracks.into_iter().flatten().flatten().collect();
        tracks.sort_by_key(|track| track.pos.unwrap_or(u64::MAX));
        let mut entries = Vec::with_capacity(tracks.len());
        let mut next = None;
        for track in tracks {
            if let (Some(pos), Some(next)) = (track.pos, next)
                && pos > next
            {
                entries.push(None);
            }
            next = track.pos.map(|pos| pos.saturating_add(1));
            entries.push(track.entry());
        }
        List { entries }
    }
}

impl Track {
    /// A table may have the id alone in place of the address.
    fn entry(self) -> Option<Entry> {
        let bare = |uri: &String| uri.strip_prefix("spotify:track:").map(String::from);
        let ids: Vec<String> = self.track_uri.iter().cloned().chain(self.track_uri.iter().filter_map(bare)).collect();
        let title = self.artist_name.zip(self.track_name);
        (!ids.is_empty() || title.is_some()).then(|| Entry { ids, paths: Vec::new(), title })
    }
}

/// Gives each playlist to `take` as it is read; `Err` says what is wrong, and where.
pub fn parse(reader: impl io::Read, take: &mut dyn FnMut(List)) -> Result<Read, String> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let mut read = Read { kind: Kind::Spotify, ..Read::default() };
    let mut found = false;
    let slice = Slice { take, read: &mut read, found: &mut found };
    let parsed = slice.deserialize(&mut json).and_then(|()| json.end());
    parsed.map_err(|e| format!("is not a slice of the Million Playlist Dataset, from playlist {} on: {e}", read.lists + 1))?;
    if !found {
        return Err("is a JSON object without \"playlists\": no slice of the Million Playlist Dataset".into());
    }
    Ok(read)
}

/// The object; of its fields `playlists` counts.
struct Slice<'a> {
    take: &'a mut dyn FnMut(List),
    read: &'a mut Read,
    found: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Slice<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Slice<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with playlists")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "playlists" {
                *self.found = true;
                map.next_value_seed(Playlists { take: &mut *self.take, read: &mut *self.read })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The array, whose elements are used up as they come.
struct Playlists<'a> {
    take: &'a mut dyn FnMut(List),
    read: &'a mut Read,
}

impl<'de> DeserializeSeed<'de> for Playlists<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Playlists<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of playlists")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(playlist) = seq.next_element::<Option<Playlist>>()? {
            self.read.lists += 1;
            let Some(list) = playlist.map(Playlist::list) else { continue };
            self.read.unnamed += list.entries.iter().filter(|entry| entry.is_none()).count() as u64;
            (self.take)(list);
        }
        Ok(())
    }
}

/// Whether a file is named as a slice is.
pub fn is_slice(path: &Path) -> bool {
    path.file_name().is_some_and(|name| first_playlist(&name.to_string_lossy()).is_some())
}

/// `mpd.slice.1000-1999.json` begins with playlist 1000.
fn first_playlist(name: &str) -> Option<u64> {
    let (first, last) = name.strip_prefix("mpd.slice.")?.strip_suffix(".json")?.split_once('-')?;
    last.parse::<u64>().ok().and(first.parse().ok())
}

/// What file names are ordered by: as text, but slices by number.
pub fn in_order(name: &str) -> String {
    first_playlist(name).map_or_else(|| name.to_string(), |first| format!("mpd.slice.{first:020}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first track is the data set's own example, shortened; the order of the array is not that of `pos`.
    const SLICE: &str = r#"{"info": {"slice": "0-999", "version": "v1"}, "playlists": [
        {"name": "musical", "collaborative": "false", "pid": 5, "num_tracks": 3, "tracks": [
            {"pos": 1, "artist_name": "B", "track_uri": "spotify:track:2", "track_name": "Two"},
            {"pos": 0, "artist_name": "Degiheugi", "track_uri": "spotify:track:7vqa3sDmtEaVJ2gcvxtRID", "duration_ms": 166264, "track_name": "Finalement"},
            {"pos": 5, "artist_name": null, "track_uri": "spotify:track:3"}]},
        null, {"pid": 6, "tracks": null}, {"pid": 7, "tracks": [null, {"artist_name": "C", "track_name": "D"}, {}]}]}"#;

    #[test]
    fn places_are_by_pos() {
        let mut lists = Vec::new();
        let read = parse(SLICE.as_bytes(), &mut |list| lists.push(list.entries)).unwrap();
        assert_eq!((read.lists, read.unnamed, lists.len()), (4, 2, 3));
        let names: Vec<Option<String>> = lists[0].iter().map(|e| e.as_ref().map(Entry::name)).collect();
        let expected = [Some("Degiheugi - Finalement"), Some("B - Two"), None, Some("spotify:track:3")];
        assert_eq!(names, expected.map(|name| name.map(String::from)));
        assert_eq!(lists[0][3].as_ref().unwrap().ids, ["spotify:track:3", "3"]);
        assert!(lists[1].is_empty() && lists[2][0].as_ref().unwrap().ids.is_empty() && lists[2][1].is_none());
    }

    #[test]
    fn errors_say_where_and_names_order() {
        let fails = |text: &str| parse(text.as_bytes(), &mut |_| {}).unwrap_err();
        assert!(fails("{}").contains("without \"playlists\""));
        assert!(fails(r#"{"playlists": [{}, {"tracks": 3}]}"#).contains("from playlist 2 on"));
        assert!(fails(&r#"{"playlists": ["#.repeat(10_000)).contains("from playlist 1 on"));
        let mut names = ["mpd.slice.10000-10999.json", "b.m3u", "mpd.slice.2000-2999.json"];
        names.sort_by_key(|name| in_order(name));
        assert_eq!(names, ["b.m3u", "mpd.slice.2000-2999.json", "mpd.slice.10000-10999.json"]);
        assert!(is_slice(Path::new("x/mpd.slice.0-999.json")) && !is_slice(Path::new("mpd.slice.json")));
    }
}
