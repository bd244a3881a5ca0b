//! One ranked list of items, some of them positive: its average precision and its ROC-AUC.
//! Equal scores share one threshold, as in scikit-learn. Items may count several times (a
//! bootstrap's resample), which needs no second sort.

/// A score: f32, or f64 where a file holds that. Compared exactly, in its own type.
pub trait Score: Copy + PartialOrd + Send + Sync {
    fn finite(self) -> bool;
}

impl Score for f32 {
    fn finite(self) -> bool {
        self.is_finite()
    }
}

impl Score for f64 {
    fn finite(self) -> bool {
        self.is_finite()
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    item: u32,
    positive: bool,
    /// The last of those with the same score.
    threshold: bool,
}

/// Items in descending order of their scores.
#[derive(Clone, Debug)]
pub struct Ranking {
    places: Vec<Place>,
}

impl Ranking {
    /// Ranks items 0, 1, ... by pairs (score, positive). Scores are finite.
    pub fn new<S: Score>(pairs: impl Iterator<Item = (S, bool)>) -> Ranking {
        let mut pairs: Vec<(S, u32, bool)> = pairs.zip(0u32..).map(|((score, positive), item)| (score, item, positive)).collect();
        // By item among equals: the order of equals changes nothing, but the same input gives the same list.
        pairs.sort_unstable_by(|a, b| b.0.partial_cmp(&a.0).expect("scores are finite").then(a.1.cmp(&b.1)));
        let places = (0..pairs.len())
            .map(|i| {
                let (score, item, positive) = pairs[i];
                Place { item, positive, threshold: pairs.get(i + 1).is_none_or(|next| next.0 != score) }
            })
            .collect();
        Ranking { places }
    }

    /// Sum over thresholds of (R_n - R_{n-1}) P_n, without interpolation (scikit-learn's
    /// `average_precision_score`); `None` without positives. `count` says how often an item is there.
    pub fn average_precision(&self, count: impl Fn(usize) -> u32) -> Option<f64> {
        let (mut all, mut hits, mut before, mut sum) = (0u64, 0u64, 0u64, 0.0f64);
        for place in &self.places {
            let n = u64::from(count(place.item as usize));
            all += n;
            hits += if place.positive { n } else { 0 };
            if place.threshold && hits > before {
                sum += (hits - before) as f64 * (hits as f64 / all as f64);
                before = hits;
            }
        }
        (hits > 0).then(|| sum / hits as f64)
    }

    /// The area under the ROC curve: the probability that a positive stands above a negative, ties
    /// one half (Mann-Whitney; the trapezoids of scikit-learn's `roc_auc_score`). `None` where
    /// either class is missing.
    pub fn roc_auc(&self, count: impl Fn(usize) -> u32) -> Option<f64> {
        // Counted in half pairs, so that the sum is exact.
        let (mut positives, mut negatives, mut half_pairs) = (0u64, 0u64, 0u128);
        let mut tied = [0u64; 2];
        for place in &self.places {
            tied[usize::from(place.positive)] += u64::from(count(place.item as usize));
            if place.threshold {
                half_pairs += u128::from(tied[0]) * u128::from(2 * positives + tied[1]);
                negatives += tied[0];
                positives += tied[1];
                tied = [0; 2];
            }
        }
        (positives > 0 && negatives > 0).then(|| half_pairs as f64 / (2 * u128::from(positives) * u128::from(negatives)) as f64)
    }
}
