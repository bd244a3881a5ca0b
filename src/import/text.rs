//! Text of unknown origin: UTF-8 with or without its mark, else Windows-1252; lines of any ending,
//! read one at a time with a limit, so that no file can ask for more memory than one line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes of a line at most: a 0/1 table with a million columns.
const LINE: usize = 4 << 20;
/// Bytes of a small text file (a playlist) at most.
const WHOLE: u64 = 64 << 20;

/// What Windows-1252 has at 0x80 to 0x9f (WHATWG Encoding Standard, index windows-1252); the other
/// bytes are Latin-1's.
const WINDOWS_1252: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}',
    '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// UTF-8 where it is that, else Windows-1252. A byte order mark is taken off.
pub fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => {
            bytes.iter().map(|&b| if (0x80..0xa0).contains(&b) { WINDOWS_1252[b as usize - 0x80] } else { b as char }).collect()
        }
    }
}

/// A small text file, whole.
pub fn read(path: &Path) -> Result<String> {
    let bytes = bytes(path, WHOLE)?;
    check(path, &bytes)?;
    Ok(decode(&bytes))
}

/// A file of at most `limit` bytes, whole.
pub fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let bytes = beginning(path, limit as usize + 1)?;
    if bytes.len() as u64 > limit {
        return Err(Error::input(path, format!("is larger than {} MiB", limit >> 20)));
    }
    Ok(bytes)
}

/// A file's first bytes, as many as asked for or as there are.
pub fn beginning(path: &Path, bytes: usize) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|e| Error::io(path, "cannot open", e))?;
    let mut start = Vec::new();
    file.take(bytes as u64).read_to_end(&mut start).map_err(|e| Error::io(path, "cannot read", e))?;
    Ok(start)
}

/// Refuses what is text in none of the encodings read here.
pub fn check(path: &Path, start: &[u8]) -> Result<()> {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(Error::input(path, "is UTF-16").help("Save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8 OLD > NEW."));
    }
    if start.starts_with(b"\x1f\x8b") {
        return Err(Error::input(path, "is compressed").help("Unpack it first: gunzip FILE."));
    }
    Ok(())
}

/// A text file's lines, without their ends, numbered from 1.
pub struct Lines<R> {
    place: std::path::PathBuf,
    reader: R,
    number: usize,
    bytes: Vec<u8>,
}

impl Lines<BufReader<File>> {
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, "cannot open", e))?;
        Lines::new(BufReader::with_capacity(1 << 16, file), path)
    }
}

impl<R: BufRead> Lines<R> {
    /// Reads from anything; `place` is what errors name.
    pub fn new(mut reader: R, place: &Path) -> Result<Self> {
        let start = reader.fill_buf().map_err(|e| Error::io(place, "cannot read", e))?;
        check(place, start)?;
        Ok(Lines { place: place.to_path_buf(), reader, number: 0, bytes: Vec::new() })
    }

    /// What errors name.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The number of the line that came last.
    pub fn number(&self) -> usize {
        self.number
    }

    /// An error about the line that came last.
    pub fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::input(&self.place, format!("line {}: {what}", self.number))
    }

    /// The next line, `None` at the end.
    pub fn line(&mut self) -> Result<Option<String>> {
        self.bytes.clear();
        self.number += 1;
        let limited = &mut (&mut self.reader).take(LINE as u64 + 1);
        let n = limited.read_until(b'\n', &mut self.bytes).map_err(|e| Error::io(&self.place, "cannot read", e))?;
        if n == 0 {
            return Ok(None);
        }
        if n > LINE {
            return Err(self.wrong(format!("is longer than {} MiB", LINE >> 20)));
        }
        let line = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some(if self.number == 1 { decode(line) } else { decode_inner(line) }))
    }
}

/// As [`decode`], past a file's beginning, where a mark would be a character.
fn decode_inner(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => decode(bytes),
    }
}

/// A line for a person's list: control characters, which would break the list's rows, become spaces.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_marks_and_line_ends() {
        assert_eq!(decode("\u{feff}Álom".as_bytes()), "Álom");
        assert_eq!(decode(b"Megt\xf6rt \x80 \x93\xc1lom\x94"), "Megtört € “Álom”");
        let mut lines = Lines::new(&b"\xef\xbb\xbfa\r\nb\n\n\xe9"[..], Path::new("x")).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.line().unwrap() {
            all.push(line);
        }
        assert_eq!(all, ["a", "b", "", "é"]);
        assert!(Lines::new(&b"\xff\xfea\0"[..], Path::new("x")).is_err());
        let long = vec![b'x'; LINE + 2];
        assert!(Lines::new(&long[..], Path::new("x")).unwrap().line().unwrap_err().to_string().contains("line 1"));
    }
}
