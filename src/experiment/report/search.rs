//! Figs. 3 and 4: figures against the search range.

use serde::Serialize;

use super::figures::Figure;
use super::paper;
use super::results::{Line, Measure, Results};
use crate::experiment::grid::{Spec, row};
use crate::format::svg::{Axis, COLOURS, Plot, Stroke};

/// A picture a vocabulary and figure.
pub fn search_range(results: &Results, spec: &Spec, measures: &[Measure], number: u32, about: &str) -> Figure {
    #[derive(Default, Serialize)]
    struct Point<'a> {
        measure: &'a str,
        tags: usize,
        arm: &'a str,
        range: f64,
        seeds: usize,
        test: Option<f64>,
        validation: Option<f64>,
        baseline: Option<f64>,
        difference: Option<f64>,
        difference_low: Option<f64>,
        difference_high: Option<f64>,
    }
    let (mut pictures, mut rows, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for &measure in measures {
        for panel in &results.panels {
            let baseline = panel.baseline().and_then(|line| measure.of(&line.mean));
            let value = |line: &Line| measure.of(&line.mean);
            let sure = |line: &Line| line.compared.as_ref().and_then(|c| measure.of(&c.over_seeds));
            let ends = |line: &Line| {
                let (value, baseline) = (value(line)?, baseline?);
                let sure = sure(line)?;
                // The error is the difference's: it is drawn around the arm's mean. Whole intervals of few seeds
                // would be all there is to see.
                Some((value, baseline + sure.mean - sure.error, baseline + sure.mean + sure.error))
            };
            let lines = || panel.scans.iter().flatten();
            let validation = |line: &Line| measure.of(&line.valid);
            let values: Vec<f64> =
                lines().filter_map(value).chain(baseline).chain(lines().filter_map(ends).flat_map(|e| [e.1, e.2])).collect();
            let reach = spec.ranges.iter().copied().fold(0.0, f64::max);
            let mut plot = Plot::new(
                format!("Fig. {number}: {}, {} tags", measure.name(), panel.tags),
                Axis::linear("search range r", -0.03, reach.max(0.1) + 0.03),
                Axis::around(measure.name(), values, false),
            );
            for (i, scan) in panel.scans.iter().enumerate() {
                let points: Vec<(f64, f64)> = scan.iter().filter_map(|line| Some((line.range?, value(line)?))).collect();
                let colour = COLOURS[i % COLOURS.len()];
                let arm = scan.first().map_or("", |line| line.arm.as_str());
                plot.curve(arm, &points, colour, Stroke::Solid);
                for line in scan {
                    let (Some(range), Some(y)) = (line.range, value(line)) else { continue };
                    if let Some((_, low, high)) = ends(line) {
                        plot.whisker(range, low, high, colour);
                    }
                    plot.dot(range, y, colour, &format!("{}: {y:.3}", line.name));
                    let compared = line.compared.as_ref();
                    rows.push(Point {
                        measure: measure.name(),
                        tags: panel.tags,
                        arm: &line.arm,
                        range,
                        seeds: line.runs.len(),
                        test: Some(y),
                        validation: validation(line),
                        baseline,
                        difference: compared.and_then(|c| measure.of(&c.difference)),
                        difference_low: sure(line).map(|s| s.low),
                        difference_high: sure(line).map(|s| s.high),
                    });
                }
                let best = scan.iter().filter_map(|line| Some((line.range?, value(line)?))).max_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((range, y)) = best {
                    let highest = if scan.len() > 1 { "highest at" } else { "only" };
                    found.push(format!("{arm}, {} tags, {}: {highest} r = {range} ({y:.3})", panel.tags, measure.name()));
                }
            }
            if let Some(baseline) = baseline {
                let name = panel.baseline().map_or("", |line| line.name.as_str());
                plot.level(&format!("baseline: {name}"), baseline, COLOURS[5], Stroke::Dashed);
            }
            pictures.push(plot.finish());
        }
    }
    let printed: Vec<String> = paper::TABLE_1.iter().map(|p| format!("{} with {} tags", p.best_range, p.tags)).collect();
    Figure {
        id: format!("fig{number}"),
        title: format!("Fig. {number}: {about} against the search range"),
        sentence: format!(
            "If borrowing helps, the curve lies above the dashed line; if near songs help more than far ones, it falls at large \
             r. The paper found the best r at {}. These are test songs, and no choice is made by them; whiskers are one \
             standard error, over seeds, of the difference from the baseline.",
            printed.join(" and ")
        ),
        found: if found.is_empty() {
            "No run of an arm whose range is scanned yet.".into()
        } else {
            format!("{}.", found.join("; "))
        },
        pictures,
        csv: row::write_headed(&rows),
    }
}
