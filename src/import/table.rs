//! Tables people have: a row a line, cells between tabs (or commas, where the first line has no
//! tab), perhaps in quotes, perhaps with a header.

use std::io::BufRead;
use std::path::Path;

use super::text::Lines;
use crate::error::{Error, Result};

/// Rows of a table, one at a time.
pub struct Rows<R> {
    lines: Lines<R>,
    delimiter: char,
    /// Cells of the first row.
    first: Vec<String>,
    /// The first row is no header and has yet to be given.
    pending: bool,
    /// Rows may go on past the header's end: MTG-Jamendo writes a cell for each tag under its last one.
    open_ended: bool,
}

impl Rows<std::io::BufReader<std::fs::File>> {
    pub fn open(path: &Path) -> Result<Self> {
        Rows::new(Lines::open(path)?)
    }
}

impl<R: BufRead> Rows<R> {
    pub fn new(mut lines: Lines<R>) -> Result<Rows<R>> {
        loop {
            let Some(line) = lines.line()? else {
                return Err(lines.wrong("the table is empty"));
            };
            if !line.trim().is_empty() {
                let delimiter = if line.contains('\t') || !line.contains(',') { '\t' } else { ',' };
                let first = cells(&line, delimiter);
                let open_ended = first[0] == "TRACK_ID" && first.last().is_some_and(|last| last == "TAGS");
                return Ok(Rows { lines, delimiter, first, pending: true, open_ended });
            }
        }
    }

    /// The first row, header or not.
    pub fn first(&self) -> &[String] {
        &self.first
    }

    /// Whether rows go on past the header's end, with a tag in each cell from its last one on.
    pub fn is_open_ended(&self) -> bool {
        self.open_ended
    }

    /// Says that the first row is a header: rows begin after it.
    pub fn skip_header(&mut self) {
        self.pending = false;
    }

    /// The next row that is not blank. It has as many cells as the first, or more where that is open-ended.
    pub fn row(&mut self) -> Result<Option<Vec<String>>> {
        if std::mem::take(&mut self.pending) {
            return Ok(Some(self.first.clone()));
        }
        while let Some(line) = self.lines.line()? {
            if line.trim().is_empty() {
                continue;
            }
            let row = cells(&line, self.delimiter);
            if row.len() < self.first.len() || row.len() > self.first.len() && !self.open_ended {
                return Err(self.wrong(format!("has {} cells, the first line has {}", row.len(), self.first.len())));
            }
            return Ok(Some(row));
        }
        Ok(None)
    }

    /// The file, as counts name it.
    pub fn place(&self) -> String {
        super::counts::file_name(self.lines.place())
    }

    /// An error about the row that came last.
    pub fn wrong(&self, what: impl std::fmt::Display) -> Error {
        self.lines.wrong(what)
    }
}

/// Names of columns that hold a song, in order of preference.
pub const SONG: [&str; 7] = ["mp3_path", "path", "song", "file", "name", "track_id", "clip_id"];

/// The place of a header's column, without regard to case.
pub fn column(header: &[String], name: &str) -> Option<usize> {
    header.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name))
}

/// The column that holds the song: the first of [`SONG`] that is there.
pub fn song_column(header: &[String]) -> Option<usize> {
    SONG.iter().find_map(|name| column(header, name))
}

/// Cuts a line. A cell in quotes may hold the delimiter and doubled quotes; a quote anywhere else,
/// or one that is not closed at a cell's end, is a character like others (tags hold quotes).
fn cells(line: &str, delimiter: char) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = line;
    loop {
        if let Some((cell, after)) = rest.strip_prefix('"').and_then(|inner| quoted(inner, delimiter)) {
            all.push(cell);
            match after {
                Some(after) => rest = after,
                None => return all,
            }
        } else if let Some((cell, after)) = rest.split_once(delimiter) {
            all.push(cell.to_string());
            rest = after;
        } else {
            all.push(rest.to_string());
            return all;
        }
    }
}

/// A cell whose opening quote was taken off, and what is after its delimiter; `None` where it does
/// not end in a quote before a delimiter or the line's end.
fn quoted(inner: &str, delimiter: char) -> Option<(String, Option<&str>)> {
    let mut cell = String::new();
    let mut rest = inner;
    loop {
        let (before, after) = rest.split_once('"')?;
        cell.push_str(before);
        if let Some(after) = after.strip_prefix('"') {
            cell.push('"');
            rest = after;
        } else if after.is_empty() {
            return Some((cell, None));
        } else {
            return after.strip_prefix(delimiter).map(|after| (cell, Some(after)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_and_without_quotes() {
        assert_eq!(cells("\"2\"\t\"0\"\t\"f/a.mp3\"", '\t'), ["2", "0", "f/a.mp3"]);
        assert_eq!(cells("2\t\t0", '\t'), ["2", "", "0"]);
        assert_eq!(cells("\"a,b\",\"say \"\"hi\"\"\",c", ','), ["a,b", "say \"hi\"", "c"]);
        // Free text in a table without quoting: two such lines must stay two lines.
        assert_eq!(cells("x.ogg\t\"weird al\" yankovic", '\t'), ["x.ogg", "\"weird al\" yankovic"]);
        assert_eq!(cells("x.ogg\t\"open", '\t'), ["x.ogg", "\"open"]);
        assert_eq!(cells("christian \"crystan\" hoffmann\tb", '\t'), ["christian \"crystan\" hoffmann", "b"]);
        assert_eq!(cells("", '\t'), [""]);
    }
}
