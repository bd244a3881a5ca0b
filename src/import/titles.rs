//! Finding songs by artist and title, for playlists that share no ids or paths with what one has. Case, the
//! composition of accents and runs of blanks make no difference; nothing is guessed beyond that.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// Songs by artist and title.
#[derive(Default)]
pub struct Titles {
    songs: HashMap<String, String>,
    /// Pairs of artist and title that several songs have; the first is meant.
    pub shared: u64,
}

impl Titles {
    /// Adds a song. Without an artist or a title it cannot be found.
    pub fn add(&mut self, artist: &str, title: &str, song: &str) {
        let Some(key) = key(artist, title) else { return };
        match self.songs.entry(key) {
            std::collections::hash_map::Entry::Occupied(first) => self.shared += u64::from(first.get() != song),
            std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(song.to_string())),
        }
    }

    pub fn find(&self, artist: &str, title: &str) -> Option<&str> {
        self.songs.get(&key(artist, title)?).map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.songs.is_empty()
    }
}

/// The same for what differs in case, composition and blanks only.
fn key(artist: &str, title: &str) -> Option<String> {
    let fold = |text: &str| {
        let lower: String = text.nfc().flat_map(char::to_lowercase).nfc().collect();
        lower.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (artist, title) = (fold(artist), fold(title));
    (!artist.is_empty() && !title.is_empty()).then(|| format!("{artist}\n{title}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_and_first() {
        let mut titles = Titles::default();
        titles.add("Björk", "Jóga", "a");
        titles.add("BJO\u{308}RK", " jóga ", "b");
        titles.add("Björk", "", "c");
        titles.add("Björk", "Jóga (live)", "d");
        assert_eq!((titles.find("bjo\u{308}rk", "JO\u{301}GA"), titles.shared), (Some("a"), 1));
        assert_eq!(titles.find("Björk", "Jóga  (Live)"), Some("d"));
        assert_eq!((titles.find("Björk", ""), titles.find("Bjork", "Joga")), (None, None));
    }
}
