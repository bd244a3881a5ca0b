//! What a grid's rows say: each arm's figures as means over seeds, its gain over the baseline paired by seed,
//! and how sure that is. Where an arm was trained with several ranges or rates, each seed's is chosen by that
//! seed's validation songs; its test songs have no say.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::compared::{Compared, Comparing, IntervalRow};
use crate::error::Result;
use crate::evaluate::Figures;
use crate::experiment::grid::store::RUNS;
use crate::experiment::grid::{Finished, Job, Spec, Store};

/// A figure, as a choice is made by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum Measure {
    AnnotationMap,
    RetrievalMap,
    RocAuc,
}

impl Measure {
    pub const ALL: [Measure; 3] = [Measure::AnnotationMap, Measure::RetrievalMap, Measure::RocAuc];

    pub fn of<V: Copy>(self, figures: &Figures<V>) -> V {
        match self {
            Measure::AnnotationMap => figures.annotation_map,
            Measure::RetrievalMap => figures.retrieval_map,
            Measure::RocAuc => figures.roc_auc,
        }
    }

    /// For the head of a column.
    pub fn short(self) -> &'static str {
        if self == Measure::RetrievalMap { "retrieval MAP" } else { self.name() }
    }

    /// As people say it; retrieval MAP is what others call macro PR-AUC.
    pub fn name(self) -> &'static str {
        match self {
            Measure::AnnotationMap => "annotation MAP",
            Measure::RetrievalMap => "retrieval MAP (macro PR-AUC)",
            Measure::RocAuc => "ROC-AUC",
        }
    }
}

/// How rows are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Test songs that a tag needs to count.
    pub min_positives: usize,
    /// What a range is chosen by, on validation songs.
    pub choose_by: Measure,
    pub level: f64,
    pub replicates: usize,
}

/// A finished run of the grid.
pub struct Run {
    pub job: Job,
    pub finished: Finished,
    /// On test songs, retrieval MAP and ROC-AUC over the tags that count.
    pub test: Figures<Option<f64>>,
    /// On validation songs, over all tags.
    pub valid: Figures<Option<f64>>,
}

/// An arm, at one range or at the chosen ones.
#[derive(Clone, Debug)]
pub struct Line {
    pub arm: String,
    pub name: String,
    pub what: String,
    /// Where it is one of a scan.
    pub range: Option<f64>,
    /// Hash of each seed's run.
    pub runs: BTreeMap<u64, String>,
    /// What each seed chose, where it had a choice, and what that is: `r` or `rate`.
    pub chosen: BTreeMap<u64, f64>,
    pub choice: &'static str,
    pub mean: Figures<Option<f64>>,
    pub valid: Figures<Option<f64>>,
    /// What it is compared with.
    pub against: String,
    /// None for the baseline.
    pub compared: Option<Compared>,
}

impl Line {
    /// What each seed chose: `seed: value, ...`.
    pub fn choices(&self) -> String {
        let said = |value: f64| if value != 0.0 && value < 0.001 { format!("{value:.2e}") } else { (value as f32).to_string() };
        self.chosen.iter().map(|(&seed, &value)| format!("{seed}: {}", said(value))).collect::<Vec<_>>().join(", ")
    }
}

/// The choice of a learning rate.
const RATE: &str = "rate";

/// How many tags count, on enough test songs of a seed.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// In a seed, at least and at most.
    pub fewest: usize,
    pub most: usize,
    /// Tags that count in some seeds only, with the number of those; and those that count in none.
    pub some: Vec<(String, usize)>,
    pub none: Vec<String>,
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.fewest == self.most {
            true => write!(f, "{}", self.most),
            false => write!(f, "{} to {}", self.fewest, self.most),
        }
    }
}

/// All arms with one vocabulary.
pub struct Panel {
    pub tags: usize,
    pub lines: Vec<Line>,
    /// Each scanned arm's lines, one a range, ascending.
    pub scans: Vec<Vec<Line>>,
    /// What knows nothing of a song: all tags equal, and the frequent ones first.
    pub equal: Figures<Option<f64>>,
    pub popularity: Figures<Option<f64>>,
    pub counted: Counted,
    /// Scores were there for the intervals over songs.
    pub resampled: bool,
}

impl Panel {
    /// The line of the baseline.
    pub fn baseline(&self) -> Option<&Line> {
        self.lines.iter().find(|line| line.compared.is_none())
    }

    /// The line of the arm that is proposed.
    pub fn proposed(&self, spec: &Spec) -> Option<&Line> {
        let name = spec.scanned.first()?;
        self.lines.iter().find(|line| line.arm == *name && line.range.is_none())
    }
}

/// Everything.
pub struct Results {
    pub runs: HashMap<String, Run>,
    pub panels: Vec<Panel>,
    /// The bootstrap's intervals, so that they need no scores again.
    pub intervals: Vec<IntervalRow>,
    /// Jobs without a row, by their numbers.
    pub missing: Vec<(usize, Job)>,
    pub all: usize,
}

impl Results {
    /// Reads the rows that there are for a grid's jobs. `say` hears of rows that cannot be trusted.
    pub fn new(
        spec: &Spec,
        jobs: &[Job],
        store: &Store,
        dataset: &Path,
        options: &Options,
        say: &dyn Fn(&str),
    ) -> Result<Results> {
        use crate::experiment::grid::store::Found;
        let (mut kept, wrong) = store.collected();
        wrong.iter().for_each(|what| say(&format!("{what}: it is left out; the table as it is stays as {RUNS}.damaged")));
        let (mut runs, mut missing) = (HashMap::new(), Vec::new());
        for (i, job) in jobs.iter().enumerate() {
            let hash = job.hash();
            let finished = match store.find(&hash) {
                Found::Finished(finished) => Some(*finished),
                Found::Broken(what) => {
                    say(&format!("{what}: it is left out; run the grid again"));
                    None
                }
                Found::Nothing => kept.remove(&hash),
            };
            match finished {
                Some(finished) => {
                    let test = figures(&finished, options.min_positives);
                    let valid = finished.row.valid();
                    runs.insert(hash, Run { job: job.clone(), finished, test, valid });
                }
                None => missing.push((i + 1, job.clone())),
            }
        }
        let mut results = Results { runs, panels: Vec::new(), intervals: Vec::new(), missing, all: jobs.len() };
        let mut tops: Vec<usize> = jobs.iter().map(|job| job.tags()).collect();
        tops.sort_unstable();
        tops.dedup();
        for tags in tops {
            let panel = results.panel(spec, jobs, tags, store, dataset, options)?;
            results.panels.push(panel);
        }
        Ok(results)
    }

    fn panel(
        &mut self,
        spec: &Spec,
        jobs: &[Job],
        tags: usize,
        store: &Store,
        dataset: &Path,
        options: &Options,
    ) -> Result<Panel> {
        let mut lines = Vec::new();
        let mut scans = Vec::new();
        for arm in &spec.arms {
            let own =
                || jobs.iter().filter(|job| job.tags() == tags && *job.arm == *arm.name && self.runs.contains_key(&job.hash()));
            let line = |name: String, range: Option<f64>, runs: BTreeMap<u64, String>| Line {
                arm: arm.name.to_string(),
                name,
                what: arm.what.to_string(),
                range,
                mean: self.mean(&runs, |run| run.test),
                valid: self.mean(&runs, |run| run.valid),
                runs,
                chosen: BTreeMap::new(),
                choice: "",
                against: String::new(),
                compared: None,
            };
            let best = |choice: &'static str, among: &mut dyn Iterator<Item = &Job>, of: fn(&Job) -> f64| {
                let (runs, chosen) = self.choose(among, of, options.choose_by);
                Line { chosen, choice, ..line(format!("{}, {choice} chosen on validation", arm.name), None, runs) }
            };
            let range = |job: &Job| job.train.propagation.range;
            if spec.is_scanned(&arm.name) && spec.ranges.len() > 1 {
                let mut scan = Vec::new();
                for &r in &spec.ranges {
                    let at = own().filter(|job| spec.scans(arm, job) && range(job) == r);
                    let runs: BTreeMap<u64, String> = at.map(|job| (job.seed, job.hash())).collect();
                    scan.push(line(format!("{}, r = {r}", arm.name), Some(r), runs));
                }
                scan.retain(|line| !line.runs.is_empty());
                // r = 0 is an arm of its own: it borrows from the nearest, or from nobody.
                lines.extend(scan.iter().filter(|line| line.range == Some(0.0)).cloned());
                lines.push(best("r", &mut own().filter(|job| spec.scans(arm, job)), range));
                scans.push(scan);
            } else {
                let runs: BTreeMap<u64, String> =
                    own().filter(|job| spec.scans(arm, job)).map(|job| (job.seed, job.hash())).collect();
                if let (true, false, &[r]) = (spec.is_scanned(&arm.name), runs.is_empty(), &spec.ranges[..]) {
                    scans.push(vec![line(format!("{}, r = {r}", arm.name), Some(r), runs.clone())]);
                }
                lines.push(line(arm.name.to_string(), None, runs));
            }
            if spec.is_tuned(&arm.name) {
                lines.push(best(RATE, &mut own().filter(|job| spec.tunes(arm, job)), |job| job.train.schedule.rate));
            }
        }
        lines.retain(|line| !line.runs.is_empty());
        let mut resampled = false;
        let is_baseline = |line: &Line| line.range.is_none() && spec.arms.first().is_some_and(|arm| *arm.name == *line.arm);
        if let Some(baseline) = lines.iter().position(is_baseline) {
            let baseline = lines.remove(baseline);
            // A chosen rate is a gain by itself: it is measured by a baseline that has its rate chosen, where there is one.
            let tuned = lines.iter().find(|line| line.choice == RATE && line.arm == baseline.arm).cloned();
            let mut comparing = Comparing::new(&self.runs, store, dataset, options)?;
            for line in lines.iter_mut().chain(scans.iter_mut().flatten()) {
                let from = tuned.as_ref().filter(|tuned| line.choice == RATE && line.arm != tuned.arm).unwrap_or(&baseline);
                let compared = comparing.with(from, line)?;
                resampled |= compared.by_songs.roc_auc.is_some();
                line.against.clone_from(&from.name);
                line.compared = Some(compared);
            }
            self.intervals.extend(comparing.intervals());
            lines.insert(0, baseline);
        }
        let (equal, popularity) = self.without_hearing(&lines, options);
        let counted = self.counted(&lines, options);
        Ok(Panel { tags, lines, scans, equal, popularity, counted, resampled })
    }

    /// Of each seed the run that its validation songs like best, and its value; of equals the one with the smaller value.
    fn choose<'j>(
        &self,
        among: &mut dyn Iterator<Item = &'j Job>,
        of: fn(&Job) -> f64,
        by: Measure,
    ) -> (BTreeMap<u64, String>, BTreeMap<u64, f64>) {
        let mut among: Vec<&Job> = among.collect();
        among.sort_by(|a, b| of(a).total_cmp(&of(b)));
        let liked = among.into_iter().map(|job| {
            let hash = job.hash();
            (job.seed, by.of(&self.runs[&hash].valid), (hash, of(job)))
        });
        liked_best(liked).into_iter().map(|(seed, (hash, value))| ((seed, hash), (seed, value))).unzip()
    }

    fn mean(&self, runs: &BTreeMap<u64, String>, of: impl Fn(&Run) -> Figures<Option<f64>>) -> Figures<Option<f64>> {
        let all: Vec<Figures<Option<f64>>> = runs.values().map(|hash| of(&self.runs[hash])).collect();
        each(|m| mean(all.iter().map(|f| m.of(f))))
    }

    /// What needs no network: all equal, and by popularity.
    fn without_hearing(&self, lines: &[Line], options: &Options) -> (Figures<Option<f64>>, Figures<Option<f64>>) {
        let Some(line) = lines.first() else { return (each(|_| None), each(|_| None)) };
        let rows: Vec<&Finished> = line.runs.values().map(|hash| &self.runs[hash].finished).collect();
        let prevalence = mean(rows.iter().map(|finished| {
            let tags = frequent(finished, options.min_positives);
            mean(tags.iter().map(|&t| Some(finished.tags[t].prevalence)))
        }));
        let of = |annotation_map| Figures { annotation_map, retrieval_map: prevalence, roc_auc: prevalence.map(|_| 0.5) };
        (
            of(mean(rows.iter().map(|finished| finished.row.equal_annotation_map))),
            of(mean(rows.iter().map(|finished| finished.row.popularity_annotation_map))),
        )
    }

    /// How many tags count.
    fn counted(&self, lines: &[Line], options: &Options) -> Counted {
        let Some(line) = lines.first() else { return Counted::default() };
        let seeds: Vec<Vec<usize>> =
            line.runs.values().map(|hash| frequent(&self.runs[hash].finished, options.min_positives)).collect();
        let (mut some, mut none) = (Vec::new(), Vec::new());
        let names = line.runs.values().next().map_or(&[][..], |hash| &self.runs[hash].finished.tags[..]);
        for (t, tag) in names.iter().enumerate() {
            match seeds.iter().filter(|tags| tags.contains(&t)).count() {
                0 => none.push(tag.tag.clone()),
                n if n < seeds.len() => some.push((tag.tag.clone(), n)),
                _ => {}
            }
        }
        let sizes = || seeds.iter().map(Vec::len);
        Counted { fewest: sizes().min().unwrap_or(0), most: sizes().max().unwrap_or(0), some, none }
    }
}

/// Of each seed what its validation songs like best; of equals the first. What has no figure of validation songs is liked least.
pub fn liked_best<T>(among: impl Iterator<Item = (u64, Option<f64>, T)>) -> BTreeMap<u64, T> {
    let mut best: BTreeMap<u64, (f64, T)> = BTreeMap::new();
    for (seed, liked, one) in among {
        let liked = liked.unwrap_or(f64::NEG_INFINITY);
        if best.get(&seed).is_none_or(|best| liked > best.0) {
            best.insert(seed, (liked, one));
        }
    }
    best.into_iter().map(|(seed, best)| (seed, best.1)).collect()
}

/// A value for each figure.
pub fn each<V>(of: impl Fn(Measure) -> V) -> Figures<V> {
    Figures { annotation_map: of(Measure::AnnotationMap), retrieval_map: of(Measure::RetrievalMap), roc_auc: of(Measure::RocAuc) }
}

/// Mean of what is there.
pub fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, n) = values.into_iter().flatten().fold((0.0, 0u32), |(sum, n), v| (sum + v, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

/// The tags that enough test songs have.
pub fn frequent(finished: &Finished, min_positives: usize) -> Vec<usize> {
    (0..finished.tags.len()).filter(|&t| finished.tags[t].positives >= min_positives).collect()
}

/// A run's figures over the tags that count.
pub fn figures(finished: &Finished, min_positives: usize) -> Figures<Option<f64>> {
    let tags = frequent(finished, min_positives);
    Figures {
        annotation_map: finished.row.annotation_map,
        retrieval_map: mean(tags.iter().map(|&t| finished.tags[t].average_precision)),
        roc_auc: mean(tags.iter().map(|&t| finished.tags[t].roc_auc)),
    }
}
