//! What the report says of itself, and the table that is printed.

use std::collections::BTreeSet;

use super::source::{MSD, Source};
use super::{Args, own_command};
use crate::commands::{figures, print};
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::evaluate::Figures;
use crate::experiment::grid::spec::SplitBy;
use crate::experiment::grid::{Job, Spec, Store};
use crate::experiment::report::results::{Measure, Options, Results};
use crate::experiment::report::{self, About, paper};
use crate::format::table::{Align, Table, figure};

/// Level of every interval.
const LEVEL: f64 = 0.95;

/// Reads the rows, writes the report and prints its main table.
pub fn write(args: &Args, source: &Source, spec: &Spec, jobs: &[Job], store: &Store) -> Result<()> {
    let options =
        Options { min_positives: args.min_positives, choose_by: args.choose_by, level: LEVEL, replicates: args.bootstrap };
    let results = Results::new(spec, jobs, store, source.dataset.folder(), &options, &|what| print::note(what))?;
    if results.runs.is_empty() {
        let others = if store.collected().0.is_empty() { "" } else { "The rows there are of other flags. " };
        return Err(Error::input(&args.out, "holds no finished run of this grid: there is nothing to report")
            .help(format!("{others}The same command without --collect does this grid's runs.")));
    }
    let about = about(args, source, spec, &results)?;
    let page = report::write(&results, spec, &source.dataset, store, &about)?;
    let grouped = source.dataset.manifest().groups > 0;
    for panel in &results.panels {
        use Align::{Left, Right};
        let tags = format!("{} tags", panel.tags);
        let mut table = Table::new(&[
            (&tags, Left),
            ("seeds", Right),
            ("annotation MAP", Right),
            ("retrieval MAP", Right),
            ("ROC-AUC", Right),
            ("gain", Right),
            ("95 % over seeds", Left),
            (if grouped { "by groups" } else { "by songs" }, Left),
        ]);
        let row = |table: &mut Table, name: &str, seeds: String, mean: &Figures<Option<f64>>, gain: [String; 3]| {
            let figures = Measure::ALL.map(|m| figure(m.of(mean)));
            table.row([name.to_string(), seeds].into_iter().chain(figures).chain(gain));
        };
        for line in &panel.lines {
            let compared = line.compared.as_ref();
            let ends = |low: f64, high: f64| format!("{low:+.3} to {high:+.3}");
            let gain = [
                compared.and_then(|c| c.difference.roc_auc).map_or(String::new(), |v| format!("{v:+.3}")),
                compared.and_then(|c| c.over_seeds.roc_auc).map_or(String::new(), |s| ends(s.low, s.high)),
                compared
                    .and_then(|c| if grouped { c.by_groups.roc_auc } else { c.by_songs.roc_auc })
                    .map_or(String::new(), |g| ends(g.low, g.high)),
            ];
            let seeds = compared.map_or(line.runs.len(), |c| c.seeds).to_string();
            row(&mut table, &line.name, seeds, &line.mean, gain);
        }
        row(&mut table, "popularity alone", String::new(), &panel.popularity, Default::default());
        print::line(format_args!(
            "{table}\nRetrieval MAP (macro PR-AUC) and ROC-AUC are means over the tags that at least {} of a seed's test songs have: {} of {}.\n",
            args.min_positives, panel.counted, panel.tags
        ))?;
    }
    if !results.missing.is_empty() {
        let some: Vec<String> = results.missing.iter().take(20).map(|m| m.0.to_string()).collect();
        let more = if results.missing.len() > 20 { ", ..." } else { "" };
        print::note(format_args!("{} of {} runs are missing: {}{more}", results.missing.len(), results.all, some.join(", ")));
    }
    for note in &about.notes {
        print::note(note);
    }
    let own: BTreeSet<String> = jobs.iter().map(Job::hash).collect();
    let others = store.collected().0.into_keys().filter(|hash| !own.contains(hash)).count();
    if others > 0 {
        print::note(format_args!(
            "runs.csv also keeps {others} rows of other flags; the report is of this command's, but for its figure of one factor at a time"
        ));
    }
    print::line(format_args!("report: {}", page.display()))
}

fn about(args: &Args, source: &Source, spec: &Spec, results: &Results) -> Result<About> {
    let dataset = &source.dataset;
    let categories = match (&args.categories, &source.categories) {
        (Some(path), _) | (None, Some(path)) => report::read_categories(path)?,
        (None, None) => paper::CATEGORIES
            .iter()
            .map(|(name, tags)| (name.to_string(), tags.iter().map(|tag| tag.to_string()).collect()))
            .collect(),
    };
    let rows = || results.runs.values().map(|run| &run.finished.row);
    let all = |of: &dyn Fn(&crate::experiment::grid::Row) -> String| {
        rows().map(of).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ")
    };
    let seconds: f64 = rows().map(|row| row.seconds).sum();
    let ranges: Vec<String> = spec.ranges.iter().map(f64::to_string).collect();
    let remove = spec.arms.iter().map(|arm| arm.propagation.remove).fold(0.0, f64::max);
    let count = |side| dataset.heard(side).count();
    let facts = [
        ("dataset", format!("fingerprint {}", dataset.fingerprint())),
        ("network", spec.network.clone()),
        (
            "training",
            format!(
                "{} steps of {} clips in every run, so that arms are compared at equal cost (the paper stops on validation, row A6); rate {}, a fifth after 60 % and after 85 % of the steps, Nesterov momentum 0.9, mean loss, lambda 1 where an arm has no others; the last weights are scored",
                spec.steps, spec.batch, spec.rate
            ),
        ),
        ("precision", args.device.precision.resolve().name().into()),
        ("removed", format!("{:.0} % of the tagged training songs lose all tags, by seed", 100.0 * remove)),
        (
            "seeds",
            format!(
                "{} to {}: each decides {}removed tags and initial weights",
                spec.seeds.start,
                spec.seeds.end - 1,
                if spec.split == SplitBy::Prepared { "" } else { "split, " }
            ),
        ),
        (
            "search ranges",
            format!(
                "{} for {}; {} for other arms",
                ranges.join(", "),
                if spec.scanned.is_empty() { "no arm".into() } else { spec.scanned.join("; ") },
                spec.range
            ),
        ),
        (
            "rates",
            match spec.arms.iter().filter(|arm| spec.is_tuned(&arm.name)).map(|arm| arm.name.as_str()).collect::<Vec<_>>()[..] {
                [] => "one".into(),
                ref tuned => format!(
                    "{} times {} for {} at r = {}; where losses are summed, over clips times tags: the same steps",
                    spec.rates.iter().map(f64::to_string).collect::<Vec<_>>().join(", "),
                    spec.rate,
                    tuned.join("; "),
                    spec.range
                ),
            },
        ),
        (
            "chosen by",
            format!(
                "{} of each seed's validation songs, over all tags{}",
                args.choose_by.name(),
                if dataset.manifest().options.get("world").is_some() { ", by their true tags" } else { "" }
            ),
        ),
        (
            "intervals",
            format!(
                "{:.0} %; over seeds: corrected resampled t (Nadeau and Bengio) on paired differences; by songs, groups, tags: the mean paired difference ± z standard errors by {} bootstrap resamples, the same song being the same draw in every seed",
                100.0 * LEVEL,
                args.bootstrap
            ),
        ),
        ("device", all(&|row| row.device.clone())),
        ("program", format!("tagwalk {}", all(&|row| row.program.clone()))),
        ("time", format!("{:.0} minutes of runs, added up", seconds / 60.0)),
    ];
    let mut notes = Vec::new();
    notes.extend(split_note(dataset, spec.split));
    notes.extend(figures::few(rows().map(|row| row.test_songs).min().unwrap_or(0)));
    if spec.seeds.end - spec.seeds.start < 2 {
        notes.push("One seed alone: nothing can be said of how much a figure moves from seed to seed.".into());
    }
    let word = args.dataset.to_string_lossy();
    Ok(About {
        title: source.title.clone(),
        dataset_line: format!(
            "{} training, {} validation and {} test songs with audio, {} tags, {} playlists, {} songs without audio that lend.{}",
            count(Split::Train),
            count(Split::Valid),
            count(Split::Test),
            dataset.vocabulary().len(),
            dataset.playlists().len(),
            (0..dataset.songs()).filter(|&s| dataset.samples(s) == 0).count(),
            if word == MSD { " The paper: 26,844, 10,054 and 6,354 songs, 80,578 playlists." } else { "" }
        ),
        notes,
        command: own_command(&[]),
        facts: facts.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
        min_positives: args.min_positives,
        choose_by: args.choose_by,
        level: LEVEL,
        categories,
    })
}

/// Says what a random split means.
fn split_note(dataset: &Dataset, split: SplitBy) -> Option<String> {
    let random = "Random split: songs of one group (artist, album, game) are on all sides, so what is learned may be which \
                  group a song is from.";
    if dataset.manifest().groups == 0 {
        let drawn = if split == SplitBy::Songs { "Random split. " } else { "" };
        return Some(format!(
            "{drawn}The dataset has no groups (artist, album, game): how far its split keeps them apart is not known."
        ));
    }
    match split {
        SplitBy::Groups => None,
        SplitBy::Songs => Some(random.into()),
        SplitBy::Prepared => {
            let mut sides: std::collections::HashMap<u32, Split> = std::collections::HashMap::new();
            let mut mixed = 0;
            for song in (0..dataset.songs()).filter(|&s| dataset.split(s) != Split::None) {
                if let Some(group) = dataset.group(song) {
                    mixed += usize::from(*sides.entry(group).or_insert(dataset.split(song)) != dataset.split(song));
                }
            }
            (mixed > 0).then(|| random.into())
        }
    }
}
