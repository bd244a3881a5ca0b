//! Runs around a grid's own setting, one factor at a time: tags that are removed, playlists that know less of the tags (worlds
//! of `tagwalk synth`), and the search range. Rows of other grids in the same folder count where they differ in the factor
//! alone. Beside the gain stands what a draw brings: tags that were missing, and wrong ones.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::About;
use super::compared::over_seeds;
use super::results::{Measure, Results, figures, mean};
use crate::evaluate::Figures;
use crate::evaluate::seeds::OverSeeds;
use crate::experiment::grid::{Finished, Row, Spec};
use crate::experiment::recovery::Pairs;

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    Removed,
    Coherence,
}

impl Factor {
    pub fn name(self) -> &'static str {
        match self {
            Factor::Removed => "share of the tagged training songs that lose their tags",
            Factor::Coherence => "coherence of playlists with tags",
        }
    }

    pub fn of(self, row: &Row) -> Option<f64> {
        match self {
            Factor::Removed => Some(row.remove),
            Factor::Coherence => row.coherence,
        }
    }

    /// Whether rows are alike but for this factor, arm, range and seed.
    pub fn differ_only_in(self, a: &Row, b: &Row) -> bool {
        let same =
            |row: &Row| (row.network.clone(), row.steps, row.batch, row.rate, row.reduction.clone(), row.sides.clone(), row.tags);
        same(a) == same(b)
            && match self {
                Factor::Removed => a.dataset == b.dataset,
                Factor::Coherence => a.remove == b.remove && a.untagged == b.untagged && a.recorded == b.recorded,
            }
    }
}

/// Runs of one setting, by seed: of the baseline, and of the proposed arm at each range (as bits, which are in order).
#[derive(Default)]
pub struct Setting<'a> {
    pub baseline: BTreeMap<u64, &'a Finished>,
    pub proposed: BTreeMap<u64, BTreeMap<u64, &'a Finished>>,
}

/// A setting at one range, as `data/factors.csv` has it.
#[derive(Serialize)]
pub struct Point {
    factor: &'static str,
    value: f64,
    range: f64,
    measure: &'static str,
    seeds: usize,
    baseline: Option<f64>,
    proposed: Option<f64>,
    validation: Option<f64>,
    gain: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    /// Of the missing tags, those that a draw brings; of the untrue pairs; of the new tags, the true ones, and as many with
    /// random lenders.
    recovered: Option<f64>,
    wrong: Option<f64>,
    precision: Option<f64>,
    precision_at_random: Option<f64>,
}

pub struct Around<'a> {
    min_positives: usize,
    level: f64,
    /// The search range at which other factors are compared.
    pub range: f64,
    /// The share of tags that the grid itself removes.
    pub remove: f64,
    /// Settings by factor and value, in order.
    pub all: Vec<(Factor, f64, Setting<'a>)>,
}

impl<'a> Around<'a> {
    pub fn new(results: &Results, spec: &Spec, kept: Vec<&'a Finished>, about: &About) -> Option<Around<'a>> {
        let (baseline, proposed) = (&spec.arms.first()?.name, spec.scanned.first()?);
        let panel = results.panels.last()?;
        let own = |name: &str| {
            let line = panel.lines.iter().find(|line| line.arm == name)?;
            line.runs.values().next().map(|hash| &results.runs[hash].finished.row)
        };
        // An arm's first line is at the grid's rate.
        let here = own(baseline)?;
        // Rows do not tell all that a grid or a world may be set to: the grid's own are told by their runs, and of others' two
        // datasets, or two rows of one arm, range and seed, are two grids, of which neither may differ in the factor alone.
        let own: HashSet<&str> = results.runs.keys().map(String::as_str).collect();
        let mut all: Vec<(Factor, f64, Setting)> = Vec::new();
        for factor in [Factor::Removed, Factor::Coherence] {
            let mut by_value: BTreeMap<u64, Setting> = BTreeMap::new();
            let (mut mixed, mut datasets): (BTreeSet<u64>, BTreeMap<u64, &str>) = Default::default();
            for finished in kept.iter().filter(|f| factor.differ_only_in(here, &f.row)) {
                let row = &finished.row;
                let Some(value) = factor.of(row) else { continue };
                let is_here = Some(value) == factor.of(here);
                if is_here && !own.contains(row.hash.as_str()) {
                    continue;
                }
                let setting = by_value.entry(value.to_bits()).or_default();
                let runs = match row.range {
                    None if row.arm == *baseline => &mut setting.baseline,
                    Some(range) if row.arm == *proposed => setting.proposed.entry(range.to_bits()).or_default(),
                    _ => continue,
                };
                let (value, twice) = (value.to_bits(), runs.insert(row.seed, finished).is_some());
                if twice || *datasets.entry(value).or_insert(&row.dataset) != row.dataset {
                    mixed.insert(value);
                }
            }
            by_value
                .retain(|value, setting| !mixed.contains(value) && !setting.baseline.is_empty() && !setting.proposed.is_empty());
            all.extend(by_value.into_iter().map(|(value, setting)| (factor, f64::from_bits(value), setting)));
        }
        Some(Around { min_positives: about.min_positives, level: about.level, range: spec.range, remove: here.remove, all })
    }

    pub fn of(&self, factor: Factor) -> impl Iterator<Item = (f64, &Setting<'a>)> {
        self.all.iter().filter(move |one| one.0 == factor).map(|(_, value, setting)| (*value, setting))
    }

    pub fn test(&self, finished: &Finished) -> Figures<Option<f64>> {
        figures(finished, self.min_positives)
    }

    /// Differences by seed, and how sure their mean is.
    pub fn gain(
        &self,
        from: &BTreeMap<u64, &Finished>,
        to: &BTreeMap<u64, &Finished>,
        m: Measure,
    ) -> (Vec<f64>, Option<OverSeeds>) {
        let both = || to.iter().filter_map(|(seed, b)| Some((*from.get(seed)?, *b)));
        let differences: Vec<f64> = both().filter_map(|(a, b)| Some(m.of(&self.test(b))? - m.of(&self.test(a))?)).collect();
        let sure = over_seeds(&differences, both().map(|(_, b)| &b.row), self.level);
        (differences, sure)
    }

    pub fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for (factor, value, setting) in &self.all {
            for (range, runs) in &setting.proposed {
                let share = |of: fn(&Pairs) -> Option<f64>| brought(runs, of);
                for m in Measure::ALL {
                    let (differences, sure) = self.gain(&setting.baseline, runs, m);
                    points.push(Point {
                        factor: factor.name(),
                        value: *value,
                        range: f64::from_bits(*range),
                        measure: m.name(),
                        seeds: differences.len(),
                        baseline: mean(setting.baseline.values().map(|f| m.of(&self.test(f)))),
                        proposed: mean(runs.values().map(|f| m.of(&self.test(f)))),
                        validation: mean(runs.values().map(|f| m.of(&f.row.valid()))),
                        gain: mean(differences.into_iter().map(Some)),
                        low: sure.map(|s| s.low),
                        high: sure.map(|s| s.high),
                        recovered: share(Pairs::recovered_share),
                        wrong: share(Pairs::wrong_share),
                        precision: share(Pairs::precision),
                        precision_at_random: share(Pairs::precision_at_random),
                    });
                }
            }
        }
        points
    }
}

/// A share of what draws bring, by mean over seeds.
pub fn brought(runs: &BTreeMap<u64, &Finished>, of: fn(&Pairs) -> Option<f64>) -> Option<f64> {
    mean(runs.values().map(|f| of(&f.row.pairs()?)))
}
