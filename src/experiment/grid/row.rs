//! What is kept of a finished run: a row of its figures, and a row a tag; both tables of CSV.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::evaluate::Figures;
use crate::experiment::recovery::Pairs;
use crate::format::hex;

/// A run. Figures of the validation songs are what choices are made by; those of the test songs are taken
/// once, by the weights that training ended with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub hash: String,
    /// 16 hex digits of the dataset's fingerprint.
    pub dataset: String,
    /// Of a made-up world: how much its playlists know of its tags, the share of its songs that nobody annotates, and the
    /// mean share of any other's true tags that is recorded.
    pub coherence: Option<f64>,
    pub untagged: Option<f64>,
    pub recorded: Option<f64>,
    pub arm: String,
    /// None where the arm borrows nothing.
    pub range: Option<f64>,
    pub seed: u64,
    pub tags: usize,
    /// `prepared`, `songs` or `groups`.
    pub sides: String,
    pub remove: f64,
    /// As `--network` has it; `linear` or `group` where there is none: then nothing is stepped, and the rate is 0.
    pub network: String,
    pub steps: u64,
    pub batch: usize,
    pub rate: f64,
    /// `mean` or `sum`
    pub reduction: String,
    /// Songs of the split's training side that have audio; those of them that the arm trains on.
    pub split_songs: usize,
    pub training_songs: usize,
    pub valid_songs: usize,
    pub test_songs: usize,
    /// Groups among the test songs; those without one count each for itself.
    pub test_groups: usize,
    pub valid_annotation_map: Option<f64>,
    pub valid_retrieval_map: Option<f64>,
    pub valid_roc_auc: Option<f64>,
    pub annotation_map: Option<f64>,
    /// Over all tags that are defined, as the paper's; figures for comparison are made from [`TagRow`]s.
    pub retrieval_map: Option<f64>,
    pub roc_auc: Option<f64>,
    /// Annotation MAP of all tags equal, and of the training songs' most frequent tags first.
    pub equal_annotation_map: Option<f64>,
    pub popularity_annotation_map: Option<f64>,
    /// Pairs of a training song and a tag: true and not known, and how many of them a draw for every song is expected to
    /// bring; not true, and how many of them; the same two with any other lender as likely ([`crate::experiment::recovery`]).
    /// None where nothing is borrowed from those that a walk draws, or where no tag is known to be missing.
    pub missing: Option<u64>,
    pub recovered: Option<f64>,
    pub untrue: Option<u64>,
    pub wrong: Option<f64>,
    pub recovered_at_random: Option<f64>,
    pub wrong_at_random: Option<f64>,
    pub seconds: f64,
    pub device: String,
    pub program: String,
    /// What makes the same run without a grid.
    pub commands: String,
    /// Of everything above and the tags' rows.
    pub check: String,
}

impl Row {
    /// Figures of the validation songs, over all tags.
    pub fn valid(&self) -> Figures<Option<f64>> {
        Figures {
            annotation_map: self.valid_annotation_map,
            retrieval_map: self.valid_retrieval_map,
            roc_auc: self.valid_roc_auc,
        }
    }

    /// What a draw for every song brings, as far as a row has it.
    pub fn pairs(&self) -> Option<Pairs> {
        Some(Pairs {
            missing: self.missing?,
            recovered: self.recovered?,
            untrue: self.untrue?,
            wrong: self.wrong?,
            recovered_at_random: self.recovered_at_random?,
            wrong_at_random: self.wrong_at_random?,
            ..Pairs::default()
        })
    }
}

/// A tag of a run's test songs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TagRow {
    pub hash: String,
    pub tag: String,
    /// Songs of the dataset that have it.
    pub songs: usize,
    /// Test songs that have it.
    pub positives: usize,
    pub prevalence: f64,
    pub average_precision: Option<f64>,
    pub roc_auc: Option<f64>,
}

/// A run with its tags, in the order of the vocabulary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finished {
    pub row: Row,
    pub tags: Vec<TagRow>,
}

impl Finished {
    /// Puts the check in its place.
    pub fn seal(&mut self) {
        self.row.check = self.sum();
    }

    /// Whether nothing was changed since it was sealed; says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.row.check != self.sum() {
            return Err("its check does not fit its figures".into());
        }
        if self.tags.len() != self.row.tags {
            return Err(format!("it has {} tags, and rows of {}", self.row.tags, self.tags.len()));
        }
        Ok(())
    }

    fn sum(&self) -> String {
        let row = Row { check: String::new(), ..self.row.clone() };
        let mut sha = Sha256::new();
        sha.update(write(&[row]));
        sha.update(write(&self.tags));
        hex(&sha.finalize()[..8])
    }
}

/// A table with a header.
pub fn write<T: Serialize>(rows: &[T]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).expect("rows are flat and memory does not fail");
    }
    writer.into_inner().expect("memory does not fail")
}

/// The same, with the header also where there is no row.
pub fn write_headed<T: Serialize + Default>(rows: &[T]) -> Vec<u8> {
    if !rows.is_empty() {
        return write(rows);
    }
    let mut header = write(&[T::default()]);
    header.truncate(header.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1));
    header
}

/// The rows of a table that can be read, and what is wrong with the others.
pub fn read_each<T: DeserializeOwned>(bytes: &[u8]) -> (Vec<T>, Vec<String>) {
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for row in csv::Reader::from_reader(bytes).deserialize() {
        match row {
            Ok(row) => rows.push(row),
            Err(e) => wrong.push(e.to_string()),
        }
    }
    (rows, wrong)
}

/// A table's rows; says what is wrong, and where.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, String> {
    csv::Reader::from_reader(bytes).deserialize().map(|row| row.map_err(|e| e.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_rows_has_its_header() {
        #[derive(Default, Serialize)]
        struct Two {
            first: usize,
            second: Option<f64>,
        }
        assert_eq!(write_headed::<Two>(&[]), b"first,second\n");
        assert_eq!(write_headed(&[Two { first: 1, second: Some(0.5) }]), b"first,second\n1,0.5\n");
    }

    #[test]
    fn what_is_written_is_read_and_a_change_is_noticed() {
        let row = Row { arm: "none, \"zero\"\nrows".into(), range: Some(0.1 + 0.2), tags: 1, ..Row::default() };
        let tag = TagRow { tag: "a,b".into(), prevalence: 1.0 / 3.0, average_precision: None, ..TagRow::default() };
        let mut finished = Finished { row, tags: vec![tag] };
        finished.seal();
        let again = Finished {
            row: read(&write(&[finished.row.clone()])).unwrap().remove(0),
            tags: read(&write(&finished.tags)).unwrap(),
        };
        assert_eq!(again, finished);
        again.check().unwrap();
        let mut changed = again.clone();
        changed.tags[0].positives += 1;
        assert!(changed.check().is_err());
        let mut changed = again;
        changed.row.roc_auc = Some(0.5);
        assert!(changed.check().is_err());
        assert!(read::<Row>(b"hash,arm\nx").is_err());
    }
}
