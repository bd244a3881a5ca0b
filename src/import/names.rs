//! Finding the song that a table or playlist means by a name: by its path, else by its file name
//! without extension where that is one song's only; Unicode forms and case are folded only when
//! nothing else matches.

use std::cell::OnceCell;
use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// What a name turned out to mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A song, by its path.
    Path(u32),
    /// A song, by a part of its path or a folded form.
    Likeness(u32),
    /// Several songs could be meant.
    Several,
    Nothing,
}

impl Found {
    pub fn song(self) -> Option<u32> {
        match self {
            Found::Path(song) | Found::Likeness(song) => Some(song),
            Found::Several | Found::Nothing => None,
        }
    }
}

/// A song, or the knowledge that there are several.
type Only = Option<u32>;

#[derive(Default)]
struct Keys {
    paths: HashMap<String, Only>,
    /// Paths without extensions.
    bare: HashMap<String, Only>,
    /// File names without extensions.
    stems: HashMap<String, Only>,
}

impl Keys {
    fn new<'a>(names: impl Iterator<Item = (u32, std::borrow::Cow<'a, str>)>) -> Keys {
        let mut keys = Keys::default();
        let mut add = |map: fn(&mut Keys) -> &mut HashMap<String, Only>, key: &str, song| {
            map(&mut keys).entry(key.to_string()).and_modify(|only| *only = None).or_insert(Some(song));
        };
        for (song, name) in names {
            add(|k| &mut k.paths, &name, song);
            add(|k| &mut k.bare, bare(&name), song);
            add(|k| &mut k.stems, bare_stem(&name), song);
        }
        keys
    }

    /// By path, by the path's end (the table may count from a higher folder), by path without
    /// extension, by stem.
    fn find(&self, name: &str) -> Found {
        if let Some(Some(song)) = self.paths.get(name) {
            return Found::Path(*song);
        }
        let ends = name.match_indices('/').filter_map(|(i, _)| self.paths.get(&name[i + 1..]));
        let keys =
            self.paths.get(name).into_iter().chain(ends).chain(self.bare.get(bare(name))).chain(self.stems.get(bare_stem(name)));
        let mut several = false;
        for key in keys {
            match key {
                Some(song) => return Found::Likeness(*song),
                None => several = true,
            }
        }
        if several { Found::Several } else { Found::Nothing }
    }
}

/// Songs by name.
pub struct Names {
    names: Vec<String>,
    exact: Keys,
    folded: OnceCell<Keys>,
}

impl Names {
    /// Songs, each name once; a song's number is its place.
    pub fn new(names: Vec<String>) -> Names {
        let exact = Keys::new((0u32..).zip(names.iter().map(|n| n.as_str().into())));
        Names { names, exact, folded: OnceCell::new() }
    }

    pub fn names(&self) -> &[String] {
        &self.names
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
        let folded = self.folded.get_or_init(|| Keys::new((0u32..).zip(self.names.iter().map(|n| fold(n).into()))));
        match folded.find(&fold(&name)) {
            Found::Path(song) => Found::Likeness(song),
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
        assert_eq!(names.find("C:\\Music\\b\\two.mp3"), Found::Likeness(2));
        assert_eq!(names.find("b/two.wav"), Found::Likeness(2));
        assert_eq!(names.find("elsewhere/One.wav"), Found::Likeness(0));
        assert_eq!(names.find("two"), Found::Several);
        assert_eq!(names.find("three"), Found::Nothing);
        assert_eq!(names.find("no ext"), Found::Likeness(5));
        // Decomposed accents and another case; two songs that differ in case only are not told apart by it.
        assert_eq!(names.find("megto\u{308}rt a\u{301}lom.MP3"), Found::Likeness(4));
        assert_eq!(names.find("ONE.ogg"), Found::Several);
        assert_eq!(names.find("../../etc/passwd"), Found::Nothing);
        assert_eq!(names.find(""), Found::Nothing);
    }

    #[test]
    fn marks_before_the_extension() {
        let names = Names::new(["8/9/8947470.clip.mp3", "15/215.low.mp3", ".clip.mp3"].map(String::from).to_vec());
        for (name, song) in [("8947470", 0), ("8/9/8947470.npy", 0), ("15/215.mp3", 1), (".clip", 2)] {
            assert_eq!(names.find(name), Found::Likeness(song), "{name}");
        }
    }
}
