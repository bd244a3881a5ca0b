//! Finding the song that a table or playlist means by a name: by its path, as far as both have folders, else
//! by its file name without extension where that is one song's only; Unicode forms and case are folded
//! only when nothing else matches.

use std::cell::OnceCell;
use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// What a name turned out to mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A song, by its path.
    Path(u32),
    /// A song, by the end of its path with or without the extension: the name says nothing else.
    End(u32),
    /// A song, by its path with another extension or in a folded form.
    Likeness(u32),
    /// A song, by its file name alone: the folders differ.
    FileName(u32),
    /// Several songs could be meant.
    Several,
    Nothing,
}

impl Found {
    pub fn song(self) -> Option<u32> {
        match self {
            Found::Path(song) | Found::End(song) | Found::Likeness(song) | Found::FileName(song) => Some(song),
            Found::Several | Found::Nothing => None,
        }
    }
}

/// A song, or the knowledge that there are several.
type Only = Option<u32>;

/// Folders of a name, from its end, in which a song is looked for: a bound for names that are no paths.
const DEEPEST: usize = 32;

#[derive(Default)]
struct Keys {
    names: Vec<String>,
    paths: HashMap<String, Only>,
    /// Paths without extensions.
    bare: HashMap<String, Only>,
    /// Their last folders and file names.
    tails: HashMap<String, Only>,
    /// File names without extensions.
    stems: HashMap<String, Only>,
}

impl Keys {
    fn new(names: Vec<String>) -> Keys {
        let mut keys = Keys::default();
        let add = |map: &mut HashMap<String, Only>, key: &str, song| {
            map.entry(key.to_string()).and_modify(|only| *only = None).or_insert(Some(song));
        };
        for (song, name) in (0u32..).zip(&names) {
            add(&mut keys.paths, name, song);
            add(&mut keys.bare, bare(name), song);
            add(&mut keys.stems, bare_stem(name), song);
            if let Some(tail) = tail(bare(name)) {
                add(&mut keys.tails, tail, song);
            }
        }
        keys.names = names;
        keys
    }

    /// By path, by the path's end (the table may count from a higher or a lower folder), by the same without
    /// extension, by stem.
    fn find(&self, name: &str) -> Found {
        let mut ends: Vec<&str> = name.rmatch_indices('/').take(DEEPEST).map(|(i, _)| &name[i + 1..]).collect();
        // By its file name alone comes last.
        let file = if ends.is_empty() { name } else { ends.remove(0) };
        ends.reverse();
        let ends = || std::iter::once(name).chain(ends.iter().copied());
        let whole = ends().flat_map(|end| [self.paths.get(end), self.bare.get(end)]);
        let other = ends().map(|end| self.bare.get(bare(end)));
        let tails = [name, bare(name)].map(|name| tail(name).and_then(|tail| self.tails.get(tail)));
        let tails = tails.map(|only| only.filter(|only| only.is_none_or(|song| self.folders_agree(name, song))));
        let alone = [self.paths.get(file), self.bare.get(file), self.stems.get(file), self.stems.get(bare_stem(file))];
        let mut several = false;
        for key in whole.chain(other).chain(tails).chain(alone).flatten() {
            match key {
                Some(song) => return self.kind(name, *song),
                None => several = true,
            }
        }
        if several { Found::Several } else { Found::Nothing }
    }

    /// Whether the folders of a name and of a song are the same, from the last one up as far as both go.
    fn folders_agree(&self, name: &str, song: u32) -> bool {
        let of_song = &self.names[song as usize];
        name.rsplit('/').skip(1).zip(of_song.rsplit('/').skip(1)).all(|(a, b)| a == b)
            && (!name.contains('/') || of_song.contains('/'))
    }

    /// By what a name means a song that was found by it.
    fn kind(&self, name: &str, song: u32) -> Found {
        let of_song = &self.names[song as usize];
        let [file, song_file] = [name, of_song].map(|path| path.rsplit('/').next().unwrap_or(path));
        if name == of_song {
            Found::Path(song)
        } else if !self.folders_agree(name, song) {
            Found::FileName(song)
        } else if file == song_file || file == bare(song_file) {
            Found::End(song)
        } else {
            Found::Likeness(song)
        }
    }
}

/// Songs by name.
pub struct Names {
    exact: Keys,
    folded: OnceCell<Keys>,
}

impl Names {
    /// Songs, each name once; a song's number is its place.
    pub fn new(names: Vec<String>) -> Names {
        Names { exact: Keys::new(names), folded: OnceCell::new() }
    }

    pub fn names(&self) -> &[String] {
        &self.exact.names
    }

    /// The song whose path this is exactly.
    pub fn path(&self, name: &str) -> Option<u32> {
        self.exact.paths.get(&clean(name)).copied().flatten()
    }

    /// The song that is meant; see the top of the page.
    pub fn find(&self, name: &str) -> Found {
        let name = clean(name);
        match self.exact.find(&name) {
            Found::Nothing => {}
            found => return found,
        }
        let folded = self.folded.get_or_init(|| Keys::new(self.names().iter().map(|name| fold(name)).collect()));
        match folded.find(&fold(&name)) {
            Found::Path(song) | Found::End(song) => Found::Likeness(song),
            found => found,
        }
    }
}

/// A path as songs are named: `/` between folders, no `.`, `..`, doubled or leading separators.
pub fn clean(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Without regard to case and to how accents are composed.
fn fold(name: &str) -> String {
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// What 7digital's previews (`123.clip.mp3`) and Jamendo's small files (`215.low.mp3`) have before the extension.
const MARKS: [&str; 2] = [".clip", ".low"];

/// Without the extension, and without a mark before it.
pub fn bare(path: &str) -> &str {
    let file = path.rfind('/').map_or(0, |i| i + 1);
    let bare = match path[file..].rfind('.') {
        Some(dot) if dot > 0 => &path[..file + dot],
        _ => return path,
    };
    let unmarked = MARKS.iter().find_map(|mark| bare.strip_suffix(mark));
    unmarked.filter(|name| name.len() > file).unwrap_or(bare)
}

/// The last folder and the file's name, where there is a folder.
fn tail(path: &str) -> Option<&str> {
    let file = path.rfind('/')?;
    Some(path[..file].rfind('/').map_or(path, |i| &path[i + 1..]))
}

/// The same without folders. (`Dataset::find` keeps the mark, since it looks among names as they are.)
pub fn bare_stem(path: &str) -> &str {
    let bare = bare(path);
    bare.rsplit('/').next().unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_before_stems_before_folding() {
        let songs = ["a/One.ogg", "b/one.ogg", "b/two.mp3", "c/two.flac", "Megtört Álom.mp3", "d/x.y/no ext"];
        let names = Names::new(songs.map(String::from).to_vec());
        assert_eq!(names.find("a/One.ogg"), Found::Path(0));
        assert_eq!(names.find("./b\\one.ogg"), Found::Path(1));
        assert_eq!(names.find("C:\\Music\\b\\two.mp3"), Found::End(2));
        assert_eq!(names.find("b/two"), Found::End(2));
        assert_eq!(names.find("/abs/b/two.wav"), Found::Likeness(2));
        assert_eq!(names.find("elsewhere/One.wav"), Found::FileName(0));
        assert_eq!(names.find("two"), Found::Several);
        assert_eq!(names.find("three"), Found::Nothing);
        assert_eq!(names.find("no ext"), Found::End(5));
        // Decomposed accents and another case; two songs that differ in case only are not told apart by it.
        assert_eq!(names.find("megto\u{308}rt a\u{301}lom.MP3"), Found::Likeness(4));
        assert_eq!(names.find("ONE.ogg"), Found::Several);
        assert_eq!(names.find("../../etc/passwd"), Found::Nothing);
        assert_eq!(names.find(""), Found::Nothing);
    }

    #[test]
    fn folders_decide_where_both_have_them() {
        let songs = ["x/b/Mr. Four.ogg", "y/c/Mr. Four.ogg", "y/b/five.ogg", "six.ogg", "z/b/eight.ogg", "w/c/eight.ogg"];
        let names = Names::new(songs.map(String::from).to_vec());
        // A table may count from a lower folder, too; a dot in a title is no extension.
        for (name, song) in [("b/Mr. Four", 0), ("c/Mr. Four.ogg", 1), ("a/y/c/Mr. Four", 1), ("b/five", 2), ("six", 3)] {
            assert_eq!(names.find(name), Found::End(song), "{name}");
        }
        for (name, song) in [("b/Mr. Four.mp3", 0), ("B/FIVE", 2), ("b/eight.wav", 4)] {
            assert_eq!(names.find(name), Found::Likeness(song), "{name}");
        }
        // Another folder: by the file name alone, and that only where it is one song's.
        for (name, song) in [("zz/five.ogg", 2), ("x/b/five.ogg", 2), ("Other Band/six.mp3", 3), ("A/FIVE.mp3", 2)] {
            assert_eq!(names.find(name), Found::FileName(song), "{name}");
        }
        for name in ["d/Mr. Four.ogg", "x/c/eight.ogg", "eight"] {
            assert_eq!(names.find(name), Found::Several, "{name}");
        }
        // Text without end that is no path takes no time.
        assert_eq!(names.find(&"a/".repeat(1 << 20)), Found::Nothing);
    }

    #[test]
    fn marks_before_the_extension() {
        let names = Names::new(["8/9/8947470.clip.mp3", "15/215.low.mp3", ".clip.mp3"].map(String::from).to_vec());
        for (name, song) in [("8947470", 0), ("8/9/8947470.npy", 0), ("15/215.mp3", 1), (".clip", 2)] {
            assert_eq!(names.find(name).song(), Some(song), "{name}");
        }
    }
}
