//! PLS: INI style, `FileN=` keys in any order and case, ordered by N; the other keys are not needed,
//! and `NumberOfEntries` is often wrong.

use super::{Entry, List};

/// Reads a playlist's text; `Err` says what is wrong with it.
pub fn parse(text: &str) -> Result<List, String> {
    let mut entries: Vec<(u64, &str)> = Vec::new();
    let mut section = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.eq_ignore_ascii_case("[playlist]");
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| section) else { continue };
        let key = key.trim();
        let number = key.get(..4).filter(|k| k.eq_ignore_ascii_case("file")).and_then(|_| key[4..].parse().ok());
        if let Some(number) = number.filter(|_| !value.trim().is_empty()) {
            entries.push((number, value.trim()));
        }
    }
    if entries.is_empty() && !text.to_lowercase().contains("[playlist]") {
        return Err("has no [playlist] section".into());
    }
    entries.sort_by_key(|entry| entry.0);
    Ok(List { entries: entries.into_iter().map(|(_, path)| Some(Entry::path(path))).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_by_number() {
        let text = "[Playlist]\nfile10=c.mp3\nTitle10=File2=x\nFILE2=b=2.mp3\nFile0=a.mp3\nFile=no\nFileX=no\nNumberOfEntries=7\n[other]\nFile1=no\n";
        let entries = parse(text).unwrap().entries;
        assert_eq!(entries, ["a.mp3", "b=2.mp3", "c.mp3"].map(|e| Some(Entry::path(e))));
        assert!(parse("File1=a.mp3").is_err());
        assert!(parse("[playlist]\n").unwrap().entries.is_empty());
    }
}
