//! Cells of CSV files that are written (RFC 4180).

/// A cell, quoted where it must be.
pub fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}
