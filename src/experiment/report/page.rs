//! The report as one page that needs no network: tables and figures inline, readable on paper and on a phone.
//! Text is escaped by construction (maud).

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::About;
use super::figures::{Category, Figure};
use super::paper;
use super::results::{Compared, Line, Measure, Panel, Results};
use crate::evaluate::Figures;
use crate::experiment::grid::Spec;

const STYLE: &str = "
:root{color-scheme:light}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:#0f172a;background:#fff;max-width:64rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .4rem;border-bottom:1px solid #e2e8f0}
p{margin:.4rem 0}.note{background:#fef3c7;padding:.5rem .8rem;border-left:4px solid #d97706}
.found{color:#334155}.figures{display:flex;flex-wrap:wrap;gap:1rem}.figures>div{flex:1 1 20rem;max-width:30rem}
svg{width:100%;height:auto;border:1px solid #e2e8f0}
.table{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;margin:.4rem 0}
th,td{padding:.2rem .6rem;border-bottom:1px solid #e2e8f0;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}td.text,th.text{text-align:left;white-space:normal;min-width:14rem}
tr.printed td{color:#64748b;font-style:italic}small,.small{font-size:.85rem;color:#475569}
pre,code{font:.8rem/1.4 ui-monospace,monospace}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f8fafc;padding:.6rem}
summary{cursor:pointer}
@media print{body{font-size:10.5pt;max-width:none;padding:0}h2{break-after:avoid}figure,.figures>div,tr{break-inside:avoid}
.figures>div{flex:1 1 45%}.table{overflow:visible}table{font-size:8pt}th,td{padding:.1rem .3rem}details:not([open]){display:none}}
figure{margin:0}
";

/// The whole page.
pub fn page(results: &Results, spec: &Spec, figures: &[Figure], categories: &[Category], about: &About) -> String {
    let missing = results.missing.len();
    let done = results.all - missing;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Else a browser asks the folder for one, and says that there is none.
                link rel="icon" href="data:,";
                title { "tagwalk: " (about.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Tags borrowed along playlists: " (about.title) }
                p.small { (about.dataset_line) }
                @for note in &about.notes { p.note { (note) } }
                @if missing > 0 {
                    p.note { (missing) " of " (results.all) " runs are missing: means are over the seeds that are there. "
                        "They are listed at the end; the same command does them." }
                }
                h2 { "Table I: the baseline and the proposed" }
                p { "What borrowing tags changes, by mean over seeds, with the paper's printed values. Intervals are "
                    (percent(about.level)) "; those over seeds are corrected for splits that share songs (Nadeau and Bengio)." }
                @for panel in &results.panels { (table_1(panel, spec)) }
                @if let Some(figure) = figures.first() { (draw(figure)) }
                @if let Some(figure) = figures.get(1) { (draw(figure)) }
                @for figure in figures.iter().skip(2).take(3) { (draw(figure)) }
                h2 { "Table II: categories of tags" }
                (table_2(categories))
                @for figure in figures.iter().skip(5) { (draw(figure)) }
                h2 { "All arms" }
                p { "Each beside the baseline, paired by seed: split, removed tags and initial weights are the same. "
                    "Retrieval MAP and ROC-AUC are means over the tags that at least " (about.min_positives)
                    " of a seed's test songs have." }
                @for panel in &results.panels { (all_arms(panel, about)) }
                (distributions(spec))
                h2 { "How it was made" }
                (made(results, spec, about, done))
            }
        }
    }
    .into_string()
}

fn draw(figure: &Figure) -> Markup {
    html! {
        h2 id=(figure.id) { (figure.title) }
        p { (figure.sentence) }
        @if !figure.found.is_empty() { p.found { (figure.found) } }
        figure { div.figures { @for picture in &figure.pictures { div { (PreEscaped(picture)) } } } }
        details {
            summary { "The numbers (data/" (figure.id) ".csv)" }
            pre { (String::from_utf8_lossy(&figure.csv)) }
        }
    }
}

/// A figure, or a dash.
fn number(value: Option<f64>) -> String {
    match value {
        // Rare tags' average precisions are small: three digits that say something.
        Some(v) if v.abs() < 0.0995 && v != 0.0 => format!("{v:.4}"),
        Some(v) => format!("{v:.3}"),
        None => "–".into(),
    }
}

fn signed(value: Option<f64>) -> String {
    value.map_or("–".into(), |v| if v.abs() < 0.00995 { format!("{v:+.4}") } else { format!("{v:+.3}") })
}

fn interval(ends: Option<(f64, f64)>) -> String {
    ends.map_or("–".into(), |(low, high)| format!("{} to {}", signed(Some(low)), signed(Some(high))))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn table_1(panel: &Panel, spec: &Spec) -> Markup {
    let (Some(baseline), Some(proposed)) = (panel.baseline(), panel.proposed(spec)) else {
        return html! { p { (panel.tags) " tags: runs of the baseline or of the proposed arm are missing." } };
    };
    let compared = proposed.compared.as_ref();
    let printed = paper::TABLE_1.iter().find(|p| p.tags == panel.tags);
    html! {
        div.table { table {
            thead { tr {
                th { (panel.tags) " tags" } th { "baseline" } th { "proposed" } th { "difference" } th { "relative" }
                th { "over seeds" } th { "p" } th { "by songs" } th { "by groups" } th { "by tags" }
            } }
            tbody { @for m in Measure::ALL {
                tr {
                    td { (m.name()) }
                    td { (number(m.of(&baseline.mean))) }
                    td { (number(m.of(&proposed.mean))) }
                    td { (signed(compared.and_then(|c| m.of(&c.difference)))) }
                    td { (relative(compared.and_then(|c| m.of(&c.relative)))) }
                    (sure(compared, m))
                }
                @if let Some(p) = printed { tr.printed {
                    td { "the paper, " (m.name()) } td { (number(Some(m.of(&p.baseline)))) } td { (number(Some(m.of(&p.proposed)))) }
                    td { (signed(Some(m.of(&p.proposed) - m.of(&p.baseline)))) } td { (format!("{:+.1} %", m.of(&p.percent))) }
                    td { "–" } td { "–" } td { "–" } td { "–" } td { "–" }
                } }
            } }
        } }
        p.small {
            "Baseline: " (baseline.name) " (" (baseline.what) "). Proposed: " (proposed.name) " (" (proposed.what) ")"
            @if !proposed.chosen.is_empty() { "; r by seed: " (chosen(proposed)) }
            ". " (proposed.runs.len()) " seeds."
            @if printed.is_none() { " The paper prints 50 and 1000 tags: "
                @for (i, p) in paper::TABLE_1.iter().enumerate() {
                    @if i > 0 { "; " }
                    (p.tags) " tags: " (number(Some(p.baseline.annotation_map))) ", " (number(Some(p.baseline.retrieval_map))) ", "
                    (number(Some(p.baseline.roc_auc))) " to " (number(Some(p.proposed.annotation_map))) ", "
                    (number(Some(p.proposed.retrieval_map))) ", " (number(Some(p.proposed.roc_auc)))
                }
                " (annotation MAP, retrieval MAP, ROC-AUC)."
            }
        }
    }
}

fn relative(value: Option<f64>) -> String {
    value.map_or("–".into(), |v| format!("{:+.1} %", 100.0 * v))
}

/// The cells that say how sure a difference is.
fn sure(compared: Option<&Compared>, m: Measure) -> Markup {
    let seeds = compared.and_then(|c| m.of(&c.over_seeds));
    let by = |of: fn(&Compared) -> &Figures<Option<crate::evaluate::paired::Gain>>| {
        compared.and_then(|c| m.of(of(c))).map(|gain| (gain.difference.low, gain.difference.high))
    };
    html! {
        td { (interval(seeds.map(|s| (s.low, s.high)))) }
        td { (seeds.and_then(|s| s.p).map_or("–".into(), |p| if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") })) }
        td { (interval(by(|c| &c.by_songs))) }
        td { (interval(by(|c| &c.by_groups))) }
        td { (interval(by(|c| &c.by_tags))) }
    }
}

fn chosen(line: &Line) -> String {
    line.chosen.iter().map(|(seed, range)| format!("{seed}: {range}")).collect::<Vec<_>>().join(", ")
}

fn table_2(categories: &[Category]) -> Markup {
    html! {
        @if categories.is_empty() {
            p { "None of the measured tags is in a category. The paper's are:" }
            div.table { table {
                thead { tr { th { "category" } th.text { "tags" } } }
                tbody { @for (name, tags) in paper::CATEGORIES { tr { td { (name) " (" (tags.len()) ")" } td.text { (tags.join(", ")) } } } }
            } }
        } @else {
            div.table { table {
                thead { tr { th { "category" } th { "of" } th { "popularity" } th { "retrieval MAP" } th { "ROC-AUC" } th.text { "tags" } } }
                tbody { @for c in categories { tr {
                    td { (c.category) " (" (c.tags) ")" } td { (c.vocabulary) } td { (format!("{:.1} %", c.popularity_percent)) }
                    td { (format!("{:+.1} %", c.map_improvement_percent)) } td { (format!("{:+.1} %", c.auc_improvement_percent)) }
                    td.text { (c.names) }
                } } }
            } }
        }
    }
}

fn all_arms(panel: &Panel, about: &About) -> Markup {
    let row = |name: &str, what: &str, mean: &Figures<Option<f64>>, seeds: Option<usize>, compared: Option<&Compared>| {
        html! { tr {
            td { (name) }
            td { (seeds.map_or(String::new(), |n| n.to_string())) }
            @for m in Measure::ALL { td { (number(m.of(mean))) } }
            td { (signed(compared.and_then(|c| c.difference.roc_auc))) }
            (sure(compared, Measure::RocAuc))
            td.text { (what) }
        } }
    };
    html! {
        div.table { table {
            thead { tr {
                th { (panel.tags) " tags" } th { "seeds" } @for m in Measure::ALL { th { (m.name()) } }
                th { "gain in ROC-AUC" } th { "over seeds" } th { "p" } th { "by songs" } th { "by groups" } th { "by tags" } th.text { "" }
            } }
            tbody {
                @for line in &panel.lines {
                    (row(&line.name, &line.what, &line.mean, Some(line.runs.len()), line.compared.as_ref()))
                }
                (row("popularity alone", "every song gets the training songs' most frequent tags first", &panel.popularity, None, None))
                (row("nothing", "all scores equal; its retrieval MAP is the prevalence", &panel.equal, None, None))
            }
        } }
        p.small {
            (panel.counted) " tags count in at least one seed. "
            @if !panel.left_out.is_empty() {
                "Left out, on fewer than " (about.min_positives) " test songs in every seed: " (panel.left_out.join(", ")) ". "
            }
            @if !panel.resampled {
                "The runs' scores are not here, so there are no intervals by songs, groups and tags."
            }
        }
    }
}

/// The walk and eq. (2) say different things (docs/paper.md, 0.3).
fn distributions(spec: &Spec) -> Markup {
    let r = spec.range;
    let total: f64 = 1.0 + 2.0 * (1..=5).map(|d| r.powi(d)).sum::<f64>();
    html! {
        h2 { "Who lends: the walk and eq. (2)" }
        p { "The paper's pseudo-code and its eq. (2) disagree about the song itself. For the sixth of eleven songs, r = " (r)
            ": the chance of each of the two songs at a distance." }
        div.table { table {
            thead { tr { th { "distance" } @for d in 0..=5 { th { (d) } } } }
            tbody {
                tr { td { "walk (" code { "discard" } ")" } @for d in 0..=5 { td { (format!("{:.4}", if d == 0 { 1.0 - r } else { (1.0 - r) * r.powi(d) / 2.0 })) } } }
                tr { td { "eq. (2) (" code { "eq2" } ")" } @for d in 0..=5 { td { (format!("{:.4}", r.powi(d) / total)) } } }
            }
        } }
    }
}

fn made(results: &Results, spec: &Spec, about: &About, done: usize) -> Markup {
    html! {
        pre { (about.command) }
        div.table { table { tbody {
            @for (name, value) in &about.facts { tr { td { (name) } td.text { (value) } } }
            tr { td { "runs" } td.text { (done) " of " (results.all) } }
            tr { td { "arms" } td.text { (spec.arms.iter().map(|arm| arm.name).collect::<Vec<_>>().join("; ")) } }
        } } }
        details {
            summary { "The runs (runs.csv), each as plain commands" }
            @for run in sorted(results) { p.small { (run.job.title()) ", " (run.finished.row.device) ", "
                (format!("{:.0} s", run.finished.row.seconds)) br; code { (run.finished.row.commands) } } }
        }
        @if !results.missing.is_empty() {
            details open {
                summary { "Missing runs" }
                @for (number, job) in &results.missing { p.small { (number) ": " (job.title()) } }
            }
        }
    }
}

fn sorted(results: &Results) -> Vec<&super::results::Run> {
    let mut runs: Vec<_> = results.runs.values().collect();
    runs.sort_by(|a, b| {
        let key = |run: &super::results::Run| (run.job.seed, run.job.tags, run.job.arm.clone());
        key(a).cmp(&key(b)).then(a.job.range().unwrap_or(0.0).total_cmp(&b.job.range().unwrap_or(0.0)))
    });
    runs
}
