//! What the importers met and what they left out, with the reason; beside it the figure that the makers of
//! a data set or the paper published, where there is one.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A number of things of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The file, or what else was counted in.
    pub of: String,
    pub what: String,
    pub count: u64,
    /// They were left out, for the reason that `what` gives.
    pub dropped: bool,
    /// The figure published for the whole data set, or by the paper.
    pub published: Option<u64>,
}

/// Counts in the order in which they came up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(Vec<Count>);

impl Counts {
    fn entry(&mut self, of: &str, what: &str) -> &mut Count {
        let at = self.0.iter().position(|count| count.of == of && count.what == what).unwrap_or_else(|| {
            let (of, what) = (of.to_string(), what.to_string());
            self.0.push(Count { of, what, count: 0, dropped: false, published: None });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// Adds things that were read.
    pub fn read(&mut self, of: &str, what: &str, count: u64) {
        self.entry(of, what).count += count;
    }

    /// The same, of which a figure is published.
    pub fn published(&mut self, of: &str, what: &str, count: u64, published: u64) {
        let entry = self.entry(of, what);
        entry.count += count;
        entry.published = Some(published);
    }

    /// Adds things that were left out, with the reason in `what`. None are not worth a line.
    pub fn dropped(&mut self, of: &str, what: &str, count: u64) {
        if count > 0 {
            let entry = self.entry(of, what);
            entry.count += count;
            entry.dropped = true;
        }
    }

    /// Adds everything that another has.
    pub fn extend(&mut self, other: Counts) {
        for Count { of, what, count, dropped, published } in other.0 {
            let entry = self.entry(&of, &what);
            entry.count += count;
            entry.dropped |= dropped;
            entry.published = entry.published.or(published);
        }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Count> {
        self.0.iter()
    }
}

/// A file as counts name it.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let mut a = Counts::default();
        a.read("x", "rows", 2);
        a.dropped("x", "empty rows", 0);
        a.dropped("x", "rows without a song", 1);
        let mut b = a.clone();
        b.published("x", "rows", 3, 10);
        a.extend(b);
        let all: Vec<(u64, bool, Option<u64>)> = a.iter().map(|c| (c.count, c.dropped, c.published)).collect();
        assert_eq!(all, [(7, false, Some(10)), (2, true, None)]);
    }
}
