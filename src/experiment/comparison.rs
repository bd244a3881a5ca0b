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

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten songs, five of them with the tag, counted by hand: the second arm puts 20 of the 25 pairs right, the first 10.
    #[test]
    fn a_gain_is_the_arm_less_the_first() {
        let truth = vec![1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
        let scored = |scores: [f32; 10]| Scored { songs: (0..10).collect(), scores: scores.to_vec(), truth: truth.clone() };
        // Positives above 2 and above 4 of the five others; the last arm is the first again.
        let low = scored([0.45, 0.45, 0.45, 0.45, 0.45, 0.1, 0.2, 0.5, 0.6, 0.7]);
        let high = scored([0.65, 0.65, 0.65, 0.65, 0.65, 0.1, 0.2, 0.5, 0.6, 0.7]);
        let arms = [("low".to_string(), 7, &low), ("high".to_string(), 9, &high), ("again".to_string(), 7, &low)];
        let Comparison { songs, tags, lines } = compare(&arms, 1, 3).unwrap();
        assert_eq!((songs, tags), (10, vec![0]));
        assert_eq!(
            lines.iter().map(|l| (l.arm.as_str(), l.training_songs)).collect::<Vec<_>>(),
            [("low", 7), ("high", 9), ("again", 7)]
        );
        assert_eq!([0, 1, 2].map(|i| lines[i].figures.roc_auc), [Some(0.4), Some(0.8), Some(0.4)]);
        assert!(lines[0].gain.is_none());
        let gain = |i: usize| lines[i].gain.unwrap().roc_auc.unwrap();
        assert!((gain(1).value - 0.4).abs() < 1e-12, "{:?}", gain(1));
        // The gain is the share of two of the others among the five: sqrt(0.24 E[1 / n]), n of them being drawn.
        assert!((gain(1).error / 0.2346 - 1.0).abs() < 0.07, "{:?}", gain(1));
        assert!(gain(1).low < gain(1).value && gain(1).value < gain(1).high, "{:?}", gain(1));
        assert_eq!([gain(2).low, gain(2).value, gain(2).high], [0.0; 3]);
    }
}
