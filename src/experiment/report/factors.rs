//! One factor at a time, as figures: what draws bring, the gain as tags and playlists change, and how flat the best search
//! range is.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::About;
use super::around::{self, Around, Factor, Setting};
use super::figures::Figure;
use super::results::{Measure, Results, liked_best, mean};
use crate::evaluate::seeds::OverSeeds;
use crate::experiment::grid::{Finished, Spec, row};
use crate::experiment::recovery::Pairs;
use crate::format::svg::{Axis, COLOURS, Plot, Stroke};

/// The figures, as far as there are rows for them.
pub fn factors<'a>(results: &Results, spec: &Spec, kept: impl Iterator<Item = &'a Finished>, about: &About) -> Vec<Figure> {
    let Some(around) = Around::new(results, spec, kept.collect(), about) else { return Vec::new() };
    let mut all = Vec::new();
    all.extend(brought(&around));
    all.extend(one_at_a_time(&around));
    all.extend(best_range(&around, about.choose_by));
    all
}

/// The runs of the grid's own setting.
fn own<'s, 'a>(around: &'s Around<'a>) -> Option<&'s Setting<'a>> {
    around.of(Factor::Removed).find(|(removed, _)| *removed == around.remove).map(|(_, setting)| setting)
}

/// Recovered and wrong tags by search range.
fn brought(around: &Around) -> Option<Figure> {
    #[derive(Serialize)]
    struct At {
        range: f64,
        recovered: f64,
        wrong: f64,
        precision: f64,
        precision_at_random: f64,
    }
    let rows: Vec<At> = own(around)?
        .proposed
        .iter()
        .filter_map(|(range, runs)| {
            Some(At {
                range: f64::from_bits(*range),
                recovered: around::brought(runs, Pairs::recovered_share)?,
                wrong: around::brought(runs, Pairs::wrong_share)?,
                precision: around::brought(runs, Pairs::precision)?,
                precision_at_random: around::brought(runs, Pairs::precision_at_random)?,
            })
        })
        .collect();
    let last = rows.last()?.range;
    type Curve<'a> = (&'a str, fn(&At) -> f64, Stroke);
    let curve = |of: fn(&At) -> f64| rows.iter().map(|at| (at.range, 100.0 * of(at))).collect::<Vec<_>>();
    let picture = |title: &str, name: &str, curves: [Curve; 2]| {
        let values = curves.iter().flat_map(|(_, of, _)| rows.iter().map(|at| 100.0 * of(at)));
        let axis = Axis::around(name, values.collect::<Vec<_>>(), true).percent();
        let mut plot = Plot::new(title, Axis::linear("search range r", -0.03, last.max(0.1) + 0.03), axis);
        for (i, (name, of, stroke)) in curves.into_iter().enumerate() {
            plot.curve(name, &curve(of), COLOURS[i], stroke);
            for (x, y) in curve(of) {
                plot.dot(x, y, COLOURS[i], &format!("{name}, r = {x}: {y:.2} %"));
            }
        }
        plot.finish()
    };
    let pictures = vec![
        picture(
            "Recovered and wrong tags",
            "share of such pairs that a draw brings",
            [
                ("recovered, of those missing", |at| at.recovered, Stroke::Solid),
                ("wrong, of those not true", |at| at.wrong, Stroke::Dashed),
            ],
        ),
        picture(
            "New tags that are true",
            "share of the tags that a draw adds",
            [
                ("along playlists", |at| at.precision, Stroke::Solid),
                ("from any lender", |at| at.precision_at_random, Stroke::Dashed),
            ],
        ),
    ];
    Some(Figure {
        id: "recovery".into(),
        title: "Recovered and wrong tags".into(),
        sentence:
            "One draw for every training song: of the true tags that are missing how many it brings, and of those that are \
                   not true. Exact, without training; borrowing can only help where the solid line of the second picture is \
                   above the dashed one."
                .into(),
        found: String::new(),
        pictures,
        csv: row::write(&rows),
    })
}

/// The gain as one factor changes.
fn one_at_a_time(around: &Around) -> Option<Figure> {
    let (mut pictures, mut found) = (Vec::new(), Vec::new());
    for factor in [Factor::Removed, Factor::Coherence] {
        let range = around.range.to_bits();
        let at: Vec<(f64, OverSeeds, &BTreeMap<u64, &Finished>)> = around
            .of(factor)
            .filter_map(|(value, setting)| {
                let runs = setting.proposed.get(&range)?;
                Some((value, around.gain(&setting.baseline, runs, Measure::RocAuc).1?, runs))
            })
            .collect();
        if at.len() < 2 {
            continue;
        }
        let (first, last) = (at[0].0, at[at.len() - 1].0);
        let room = 0.06 * (last - first);
        let axis = || Axis::linear(factor.name(), first - room, last + room);
        let values = at.iter().flat_map(|(_, sure, _)| [sure.low, sure.high, 0.0]);
        let mut plot = Plot::new(
            format!("Gain in ROC-AUC, r = {}", around.range),
            axis(),
            Axis::around("proposed less baseline", values.collect::<Vec<_>>(), false),
        );
        plot.level("no gain", 0.0, COLOURS[5], Stroke::Dashed);
        let points: Vec<(f64, f64)> = at.iter().map(|(value, sure, _)| (*value, sure.mean)).collect();
        plot.curve("mean over seeds, 95 % interval", &points, COLOURS[0], Stroke::Solid);
        for (value, sure, _) in &at {
            plot.whisker(*value, sure.low, sure.high, COLOURS[0]);
            plot.dot(
                *value,
                sure.mean,
                COLOURS[0],
                &format!("{value}: {:+.3}, {:+.3} to {:+.3}", sure.mean, sure.low, sure.high),
            );
        }
        pictures.push(plot.finish());
        let of = |of: fn(&Pairs) -> Option<f64>| -> Vec<(f64, f64)> {
            at.iter().filter_map(|(value, _, runs)| Some((*value, 100.0 * around::brought(runs, of)?))).collect()
        };
        let curves = [
            ("recovered, of those missing", of(Pairs::recovered_share), Stroke::Solid),
            ("wrong, of those not true", of(Pairs::wrong_share), Stroke::Dashed),
            ("new tags that are true", of(Pairs::precision), Stroke::Solid),
            ("the same from any lender", of(Pairs::precision_at_random), Stroke::Dashed),
        ];
        let values: Vec<f64> = curves.iter().flat_map(|curve| curve.1.iter().map(|point| point.1)).collect();
        if !values.is_empty() {
            let mut plot = Plot::new("What a draw brings", axis(), Axis::around("share", values, true).percent());
            for (i, (name, points, stroke)) in curves.iter().enumerate() {
                plot.curve(name, points, COLOURS[i], *stroke);
                for &(x, y) in points {
                    plot.dot(x, y, COLOURS[i], &format!("{name}, {x}: {y:.2} %"));
                }
            }
            pictures.push(plot.finish());
        }
        let each = at.iter().map(|(value, sure, _)| format!("{value}: {:+.3}", sure.mean)).collect::<Vec<_>>();
        found.push(format!("{}: {}", factor.name(), each.join(", ")));
    }
    (!pictures.is_empty()).then(|| Figure {
        id: "factors".into(),
        title: "One factor at a time".into(),
        sentence: "The gain over the baseline, paired by seed, as one factor changes and all else stays: few missing tags leave \
                   nothing to recover, and playlists that know nothing of the tags lend noise, so that borrowing must lose. \
                   Intervals are corrected for splits that share songs."
            .into(),
        found: format!("{}.", found.join("; ")),
        pictures,
        csv: row::write(&around.points()),
    })
}

/// Where the best range lies, and how flat it is around it.
fn best_range(around: &Around, choose_by: Measure) -> Option<Figure> {
    #[derive(Serialize)]
    struct At {
        factor: &'static str,
        value: f64,
        range: f64,
        seeds: usize,
        gain: f64,
        below_best: Option<f64>,
        below_best_error: Option<f64>,
        chosen_by_seeds: usize,
    }
    let (mut rows, mut pictures, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let mut told = BTreeSet::new();
    for factor in [Factor::Removed, Factor::Coherence] {
        let mut curves = Vec::new();
        for (value, setting) in around.of(factor).filter(|(_, setting)| setting.proposed.len() > 2) {
            let gain = |runs: &BTreeMap<u64, &Finished>| {
                let differences = around.gain(&setting.baseline, runs, Measure::RocAuc).0;
                mean(differences.into_iter().map(Some))
            };
            let gains: Vec<(f64, f64, &BTreeMap<u64, &Finished>)> =
                setting.proposed.iter().filter_map(|(r, runs)| Some((f64::from_bits(*r), gain(runs)?, runs))).collect();
            let Some(best) = gains.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
            let liked = gains.iter().flat_map(|&(range, _, runs)| {
                runs.iter().map(move |(&seed, finished)| (seed, choose_by.of(&finished.row.valid()), range))
            });
            let chosen = liked_best(liked);
            let mut flat = Vec::new();
            for (range, gain, runs) in &gains {
                let (differences, below) = around.gain(runs, best.2, Measure::RocAuc);
                // The best itself, or what is the same to the last digit, has no error; one seed alone says nothing of others.
                let equal = differences.iter().all(|d| *d == 0.0);
                if equal || below.is_some_and(|sure| sure.mean <= sure.error) {
                    flat.push(*range);
                }
                let below_best = mean(differences.into_iter().map(Some));
                let below_best_error = if equal && best.2.len() > 1 { Some(0.0) } else { below.map(|sure| sure.error) };
                let chosen_by_seeds = chosen.values().filter(|&one| one == range).count();
                let (factor, seeds, gain, range) = (factor.name(), runs.len(), *gain, *range);
                rows.push(At { factor, value, range, seeds, gain, below_best, below_best_error, chosen_by_seeds });
            }
            let points: Vec<(f64, f64)> = gains.iter().map(|one| (one.0, one.1)).collect();
            // A setting that belongs to both factors is told once.
            if told.insert(points.iter().map(|point| point.1.to_bits()).collect::<Vec<_>>()) {
                let near = match best.2.len() {
                    0 | 1 => "one seed says nothing of how flat".into(),
                    _ => format!(
                        "within a standard error of it: r = {}",
                        flat.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
                    ),
                };
                found.push(format!("{} {value}: best at r = {} ({:+.3}); {near}", factor.name(), best.0, best.1));
            }
            curves.push((value, points));
        }
        let alone = factor == Factor::Coherence && curves.len() < 2;
        if curves.is_empty() || alone {
            continue;
        }
        let values = curves.iter().flat_map(|curve| curve.1.iter().map(|point| point.1)).chain([0.0]);
        let last = curves.iter().flat_map(|curve| curve.1.iter().map(|point| point.0)).fold(0.1, f64::max);
        let mut plot = Plot::new(
            "Gain in ROC-AUC by range",
            Axis::linear("search range r", -0.03, last + 0.03),
            Axis::around("proposed less baseline", values.collect::<Vec<_>>(), false),
        );
        plot.level("no gain", 0.0, COLOURS[5], Stroke::Dashed);
        for (i, (value, points)) in curves.iter().enumerate() {
            let name = format!("{}: {value}", factor.name());
            plot.curve(&name, points, COLOURS[i % COLOURS.len()], Stroke::Solid);
            for &(x, y) in points {
                plot.dot(x, y, COLOURS[i % COLOURS.len()], &format!("r = {x}: {y:+.3}"));
            }
        }
        pictures.push(plot.finish());
    }
    (!pictures.is_empty()).then(|| Figure {
        id: "range".into(),
        title: "The best range, and how flat it is".into(),
        sentence: "Mean gain over seeds by search range. A range counts as being as good as the best where the best exceeds it, \
                   paired by seed, by no more than one standard error. No choice is made here: the table's is made on validation."
            .into(),
        found: format!("{}.", found.join("; ")),
        pictures,
        csv: row::write(&rows),
    })
}
