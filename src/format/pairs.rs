//! Files of two columns between tabs, a name and what it stands for: categories and weights of tags.

use std::path::Path;

use crate::error::{Error, Result};

/// Bytes of such a file at most: names for a million tags.
const LIMIT: u64 = 64 << 20;

/// Name and value of each line that is not blank; a first line that reads `tag` or `category`, then another
/// heading, is left out where `is_value` does not take that heading. UTF-8, with or without its mark, lines of
/// any ending.
pub fn read(path: &Path, is_value: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>> {
    let length = std::fs::metadata(path).map_err(|e| Error::io(path, "cannot open", e))?.len();
    if length > LIMIT {
        return Err(Error::input(path, format!("is larger than {} MiB", LIMIT >> 20)));
    }
    let text = std::fs::read(path).map_err(|e| Error::io(path, "cannot read", e))?;
    let text = String::from_utf8(text).map_err(|_| Error::input(path, "is not UTF-8"))?;
    parse(&text, is_value).map_err(|what| Error::input(path, what).help("A line is a name, a tab, and what it stands for."))
}

/// The same of a text; `Err` says what is wrong in which line.
pub fn parse(text: &str, is_value: impl Fn(&str) -> bool) -> std::result::Result<Vec<(String, String)>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut all: Vec<(String, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(|line| line.trim_end_matches('\r'))) {
        if line.trim().is_empty() {
            continue;
        }
        let Some((name, value)) = line.split_once('\t').map(|(name, value)| (name.trim(), value.trim())) else {
            return Err(format!("line {number} has no tab"));
        };
        if name.is_empty() || value.is_empty() || value.contains('\t') {
            return Err(format!("line {number} is not a name and a value"));
        }
        let heading = ["tag", "category", "name"].iter().any(|head| name.eq_ignore_ascii_case(head));
        let titled = ["category", "weight", "range", "value"].iter().any(|head| value.eq_ignore_ascii_case(head));
        if number == 1 && heading && titled {
            continue;
        }
        if !is_value(value) {
            return Err(format!("line {number}: {value:?} is no value for {name:?}"));
        }
        all.push((name.into(), value.into()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_marks_and_endings() {
        let pairs = |text| parse(text, |_| true);
        let one = vec![("rock".to_string(), "genre".to_string())];
        assert_eq!(pairs("\u{feff}tag\tcategory\r\nrock\tgenre\r\n\n").unwrap(), one);
        assert_eq!(pairs("rock\tgenre").unwrap(), one);
        assert!(pairs("").unwrap().is_empty());
        for (wrong, says) in [("rock", "line 1 has no tab"), ("a\tb\n\tgenre", "line 2"), ("a\tb\tc", "line 1")] {
            assert!(pairs(wrong).unwrap_err().contains(says), "{wrong:?}");
        }
        let error = parse("rock\tloud", |value| value.parse::<f64>().is_ok()).unwrap_err();
        assert!(error.contains("\"loud\"") && error.contains("\"rock\""), "{error}");
    }
}
