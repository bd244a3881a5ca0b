//! Tables for people: aligned columns of text. Control characters of names never reach a terminal.
//! Widths count characters, so that a column of wide (East Asian) ones stands out to the right.

use std::fmt;

/// Which side of its column a cell stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A table with a head; rows are added, then it is displayed.
#[derive(Clone, Debug)]
pub struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns by head and side.
    pub fn new(columns: &[(&str, Align)]) -> Table {
        let head = columns.iter().map(|(name, _)| (*name).to_string()).collect();
        Table { aligns: columns.iter().map(|c| c.1).collect(), rows: vec![head] }
    }

    /// Adds a row, one cell a column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl fmt::Display>) -> &mut Table {
        let cells: Vec<String> = cells.into_iter().map(|c| visible(&c.to_string())).collect();
        assert_eq!(cells.len(), self.aligns.len(), "one cell a column");
        self.rows.push(cells);
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> =
            (0..self.aligns.len()).map(|c| self.rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0)).collect();
        for (i, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for ((cell, &width), align) in row.iter().zip(&widths).zip(&self.aligns) {
                let space = " ".repeat(width - cell.chars().count());
                line.push_str(if line.is_empty() { "" } else { "  " });
                match align {
                    Align::Left => line.extend([cell.as_str(), &space]),
                    Align::Right => line.extend([space.as_str(), cell]),
                }
            }
            f.write_str(if i == 0 { "" } else { "\n" })?;
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}

/// Text as it may be shown: control characters, and those that turn the direction of writing,
/// become U+FFFD.
pub fn visible(text: &str) -> String {
    let hidden = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// A number with three decimals, or a dash where there is none.
pub fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |v| format!("{v:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_escapes_do_not_pass() {
        let mut table = Table::new(&[("tag", Align::Left), ("songs", Align::Right)]);
        table.row(["rock", "12"]).row(["évil\u{1b}[2J\u{202e}", "7"]);
        assert_eq!(table.to_string(), "tag        songs\nrock          12\névil\u{fffd}[2J\u{fffd}      7");
    }
}
