//! M3U and M3U8: an entry a line, lines with `#` are comments. A list of stream segments (HLS) has
//! the same form and is refused.

use super::{Entry, List};

/// Reads a playlist's text; `Err` says what is wrong with it.
pub fn parse(text: &str) -> Result<List, String> {
    let mut list = List::default();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#EXT-X-") {
            return Err(format!("is a list of stream segments (HLS, {line:.40}), not a playlist of songs"));
        }
        if !line.is_empty() && !line.starts_with('#') {
            list.entries.push(Some(Entry::path(line)));
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_and_plain() {
        let text = "#EXTM3U\r\n#EXTINF:123,Sample artist - Sample title\r\nSample.mp3\r\n\r\n#EXTINF:-1 a=\"b\",x\r\n C:\\Music\\a.mp3 \r\n";
        let entries = parse(text).unwrap().entries;
        assert_eq!(entries, ["Sample.mp3", "C:\\Music\\a.mp3"].map(|path| Some(Entry::path(path))));
        assert!(parse("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://x/1.ts\n").unwrap_err().contains("HLS"));
    }
}
