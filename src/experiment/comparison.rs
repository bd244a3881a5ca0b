//! Arms side by side: each one's figures, and its difference from the first arm with an interval
//! that resamples songs in pairs.

use serde::Serialize;

use crate::error::Result;
use crate::evaluate::Figures;
use crate::evaluate::bootstrap::{self, Interval};
use crate::evaluate::metrics::{MIN_POSITIVES, Measured, Table};
use crate::evaluate::songs::Scored;

/// An arm's line.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub arm: String,
    pub training_songs: usize,
    /// Annotation MAP over songs; retrieval MAP and ROC-AUC over tags with at least
    /// [`MIN_POSITIVES`] test songs.
    pub figures: Figures<Option<f64>>,
    /// This arm minus the first one, 95 % interval over test songs; none for the first.
    pub gain: Option<Figures<Option<Interval>>>,
}

/// Tags that count, and the lines in the order of the arms.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub songs: usize,
    /// Tags with at least [`MIN_POSITIVES`] test songs, as places in the vocabulary.
    pub tags: Vec<usize>,
    pub lines: Vec<Line>,
}

/// Compares arms (name, training songs, scores of the same songs) with the first of them.
pub fn compare(arms: &[(String, usize, &Scored)], tags: usize, seed: u64) -> Result<Comparison> {
    let measured =
        arms.iter().map(|(.., s)| Ok(Measured::new(&Table::new(&s.scores, &s.truth, tags)?))).collect::<Result<Vec<_>>>()?;
    let counted = measured[0].frequent(MIN_POSITIVES);
    let options = bootstrap::Options::new(&measured[0], MIN_POSITIVES, seed);
    let mut lines = Vec::new();
    for (i, (name, training_songs, _)) in arms.iter().enumerate() {
        let gain = if i == 0 { None } else { Some(bootstrap::differences(&measured[0], &measured[i], &options)?) };
        lines.push(Line { arm: name.clone(), training_songs: *training_songs, figures: measured[i].figures(&counted), gain });
    }
    Ok(Comparison { songs: measured[0].songs(), tags: counted, lines })
}
