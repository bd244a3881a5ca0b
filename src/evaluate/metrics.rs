//! Annotation MAP, retrieval MAP and ROC-AUC (`paper.md` 3) of scores `[song, tag]` against truth:
//! by tag, by song and overall, beside what knows nothing (prevalence) and what knows only how
//! common a tag is (popularity).

use rayon::prelude::*;
use serde::Serialize;

use super::ranking::{Ranking, Score};
use crate::error::{Error, Result};

/// Tags with fewer positives than this are left out of the figures to be compared, and listed.
pub const MIN_POSITIVES: usize = 5;

/// Scores and truth, both `[song, tag]`, row after row.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a, S> {
    scores: &'a [S],
    truth: &'a [u8],
    tags: usize,
}

impl<'a, S: Score> Table<'a, S> {
    /// Fails where the two have not `tags` columns and the same rows, where a score is not finite
    /// (scikit-learn refuses that too) and where truth is neither 0 nor 1.
    pub fn new(scores: &'a [S], truth: &'a [u8], tags: usize) -> Result<Table<'a, S>> {
        let place = |at: usize| format!("song {}, tag {}", at / tags, at % tags);
        if tags == 0 || scores.is_empty() || !scores.len().is_multiple_of(tags) || truth.len() != scores.len() {
            let what = format!("{} scores and {} truths do not make songs of {tags} tags", scores.len(), truth.len());
            return Err(Error::input("scores", what).help("Both have the shape [songs, tags], with at least one of each."));
        }
        if scores.len() / tags > u32::MAX as usize {
            return Err(Error::input("scores", "more than 4,294,967,295 songs"));
        }
        if let Some(at) = scores.iter().position(|s| !s.finite()) {
            return Err(Error::input("scores", format!("{} is not a finite number", place(at))));
        }
        if let Some(at) = truth.iter().position(|&y| y > 1) {
            return Err(Error::input("truth", format!("{} is {}, neither 0 nor 1", place(at), truth[at])));
        }
        Ok(Table { scores, truth, tags })
    }

    pub fn songs(&self) -> usize {
        self.scores.len() / self.tags
    }

    pub fn tags(&self) -> usize {
        self.tags
    }

    fn column(&self, tag: usize) -> Ranking {
        Ranking::new((tag..self.scores.len()).step_by(self.tags).map(|i| (self.scores[i], self.truth[i] == 1)))
    }
}

/// The three figures of the paper, or three of something else.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures<V> {
    /// Mean over songs with a tag of the average precision of tags ranked for the song.
    pub annotation_map: V,
    /// Mean over tags with a song of the average precision of songs ranked for the tag
    /// (others: macro PR-AUC).
    pub retrieval_map: V,
    /// Mean over tags with both classes of the area under the ROC curve.
    pub roc_auc: V,
}

impl<V> Figures<V> {
    pub fn map<W>(self, mut f: impl FnMut(V) -> W) -> Figures<W> {
        Figures { annotation_map: f(self.annotation_map), retrieval_map: f(self.retrieval_map), roc_auc: f(self.roc_auc) }
    }
}

/// One tag's figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OfTag {
    /// Songs that have it.
    pub positives: usize,
    /// Their share: the average precision of a list in which all songs are equal.
    pub prevalence: f64,
    /// `None` without positives.
    pub average_precision: Option<f64>,
    /// `None` where all songs or none have it.
    pub roc_auc: Option<f64>,
}

/// A table, ranked: what figures and resamples of them are read from.
pub struct Measured {
    truth: Vec<u8>,
    rankings: Vec<Ranking>,
    song_precision: Vec<Option<f64>>,
    by_tag: Vec<OfTag>,
}

impl Measured {
    /// Ranks every row and every column (in parallel; the result does not depend on the threads).
    pub fn new<S: Score>(table: &Table<S>) -> Measured {
        let rankings: Vec<Ranking> = (0..table.tags).into_par_iter().map(|t| table.column(t)).collect();
        let rows = table.scores.par_chunks(table.tags).zip(table.truth.par_chunks(table.tags));
        let song_precision = rows.map(|(s, y)| row_precision(s.iter().copied(), y)).collect();
        let by_tag = rankings.par_iter().enumerate().map(|(t, ranking)| {
            let positives = table.truth.iter().skip(t).step_by(table.tags).filter(|&&y| y == 1).count();
            OfTag {
                positives,
                prevalence: positives as f64 / table.songs() as f64,
                average_precision: ranking.average_precision(|_| 1),
                roc_auc: ranking.roc_auc(|_| 1),
            }
        });
        Measured { truth: table.truth.to_vec(), song_precision, by_tag: by_tag.collect(), rankings }
    }

    pub fn songs(&self) -> usize {
        self.song_precision.len()
    }

    pub fn tags(&self) -> usize {
        self.rankings.len()
    }

    /// `[song, tag]`
    pub fn truth(&self) -> &[u8] {
        &self.truth
    }

    pub fn by_tag(&self) -> &[OfTag] {
        &self.by_tag
    }

    /// Each song's average precision; `None` for songs without tags.
    pub fn by_song(&self) -> &[Option<f64>] {
        &self.song_precision
    }

    /// Tags with at least so many songs.
    pub fn frequent(&self, min_positives: usize) -> Vec<usize> {
        (0..self.tags()).filter(|&t| self.by_tag[t].positives >= min_positives).collect()
    }

    /// The figures, retrieval and ROC-AUC over `tags` only. `None` where nothing is defined.
    pub fn figures(&self, tags: &[usize]) -> Figures<Option<f64>> {
        Figures {
            annotation_map: mean(self.song_precision.iter().copied()),
            retrieval_map: mean(tags.iter().map(|&t| self.by_tag[t].average_precision)),
            roc_auc: mean(tags.iter().map(|&t| self.by_tag[t].roc_auc)),
        }
    }

    /// The figures of a resample in which song s is there `counts[s]` times.
    pub fn resampled(&self, tags: &[usize], counts: &[u32]) -> Figures<Option<f64>> {
        let (mut sum, mut n) = (0.0, 0u64);
        for (precision, &count) in self.song_precision.iter().zip(counts) {
            if let Some(precision) = precision {
                sum += precision * f64::from(count);
                n += u64::from(count);
            }
        }
        Figures {
            annotation_map: (n > 0).then(|| sum / n as f64),
            retrieval_map: mean(tags.iter().map(|&t| self.rankings[t].average_precision(|s| counts[s]))),
            roc_auc: mean(tags.iter().map(|&t| self.rankings[t].roc_auc(|s| counts[s]))),
        }
    }

    /// What a list without any order gets: all scores equal.
    pub fn prevalence(&self) -> Figures<Option<f64>> {
        self.popularity(&vec![0.0; self.tags()])
    }

    /// What a ranking by popularity alone gets: every song has the same scores, one a tag.
    pub fn popularity(&self, popularity: &[f64]) -> Figures<Option<f64>> {
        let rows: Vec<Option<f64>> =
            self.truth.par_chunks(self.tags()).map(|y| row_precision(popularity.iter().copied(), y)).collect();
        Figures {
            annotation_map: mean(rows.into_iter()),
            // All songs tie on every tag.
            retrieval_map: mean(self.by_tag.iter().map(|t| (t.positives > 0).then_some(t.prevalence))),
            roc_auc: mean(self.by_tag.iter().map(|t| t.roc_auc.map(|_| 0.5))),
        }
    }

    /// Everything that a report prints. `popularity`: how common each tag is where the scores were
    /// learned; without it the truth itself is counted, which flatters that ranking a little.
    pub fn report(&self, min_positives: usize, popularity: Option<&[f64]>) -> Report {
        let all: Vec<usize> = (0..self.tags()).collect();
        let frequent = self.frequent(min_positives);
        let counted: Vec<f64> = self.by_tag.iter().map(|t| t.prevalence).collect();
        let over_frequent = self.figures(&frequent);
        Report {
            songs: self.songs(),
            tags: self.tags(),
            figures: self.figures(&all),
            songs_without_tags: self.song_precision.iter().filter(|p| p.is_none()).count(),
            tags_without_songs: self.by_tag.iter().filter(|t| t.average_precision.is_none()).count(),
            tags_without_both_classes: self.by_tag.iter().filter(|t| t.roc_auc.is_none()).count(),
            frequent: Frequent {
                min_positives,
                tags: frequent.len(),
                retrieval_map: over_frequent.retrieval_map,
                roc_auc: over_frequent.roc_auc,
                left_out: all.into_iter().filter(|t| !frequent.contains(t)).collect(),
            },
            prevalence: self.prevalence(),
            popularity: self.popularity(popularity.unwrap_or(&counted)),
        }
    }
}

/// See [`Measured::report`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub songs: usize,
    pub tags: usize,
    #[serde(flatten)]
    pub figures: Figures<Option<f64>>,
    /// Left out of annotation MAP.
    pub songs_without_tags: usize,
    /// Left out of retrieval MAP.
    pub tags_without_songs: usize,
    /// Left out of ROC-AUC.
    pub tags_without_both_classes: usize,
    pub frequent: Frequent,
    pub prevalence: Figures<Option<f64>>,
    pub popularity: Figures<Option<f64>>,
}

/// The figures to compare runs by: over tags with enough songs for them to mean something.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Frequent {
    pub min_positives: usize,
    /// How many tags have that many.
    pub tags: usize,
    pub retrieval_map: Option<f64>,
    pub roc_auc: Option<f64>,
    /// The other tags, by number.
    pub left_out: Vec<usize>,
}

fn row_precision<S: Score>(scores: impl Iterator<Item = S>, truth: &[u8]) -> Option<f64> {
    Ranking::new(scores.zip(truth.iter().map(|&y| y == 1))).average_precision(|_| 1)
}

/// Mean of what is defined.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0u64);
    for value in values.flatten() {
        sum += value;
        n += 1;
    }
    (n > 0).then(|| sum / n as f64)
}
