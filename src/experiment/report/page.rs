//! The report as one page that needs no network: tables and figures inline, readable on paper and on a phone.

use super::About;
use super::compared::{Compared, Ends};
use super::figures::Figure;
use super::paper;
use super::results::{Line, Measure, Panel, Results, Run};
use super::tags::{self, Category};
use crate::evaluate::Figures;
use crate::experiment::grid::Spec;
use crate::format::html::{Html, all, el, row, table};
use crate::format::svg::escape;

const STYLE: &str = "
:root{color-scheme:light}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:#0f172a;background:#fff;max-width:72rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .4rem;border-bottom:1px solid #e2e8f0}
p{margin:.4rem 0}.note{background:#fef3c7;padding:.5rem .8rem;border-left:4px solid #d97706}
.found{color:#334155}.figures{display:flex;flex-wrap:wrap;gap:1rem}.figures>div{flex:1 1 24rem;min-width:min(24rem,100%);max-width:30rem}
svg{width:100%;height:auto;border:1px solid #e2e8f0}
.table{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;margin:.4rem 0}
th,td{padding:.2rem .5rem;border-bottom:1px solid #e2e8f0;text-align:right}
th:first-child,td:first-child{text-align:left;min-width:8rem}td small{display:block}td.text,th.text{text-align:left;min-width:14rem}
tr.printed td{color:#64748b;font-style:italic}small,.small{font-size:.85rem;color:#475569}
pre,code{font:.8rem/1.4 ui-monospace,monospace}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f8fafc;padding:.6rem}
summary{cursor:pointer}
@media print{body{font-size:10.5pt;max-width:none;padding:0}h2{break-after:avoid}figure,.figures>div,tr{break-inside:avoid}
.figures>div{flex:1 1 45%;min-width:0}.table{overflow:visible}table{font-size:8pt}th,td{padding:.1rem .3rem}details:not([open]){display:none}}
figure{margin:0}
";

/// The whole page.
pub fn page(results: &Results, spec: &Spec, figures: &[Figure], categories: &[Category], about: &About) -> String {
    let missing = results.missing.len();
    let mut parts = vec![
        el("h1", format!("Tags borrowed along playlists: {}", about.title)),
        el("p.small", &about.dataset_line),
        all(about.notes.iter().map(|note| el("p.note", note))),
    ];
    if missing > 0 {
        let text = format!(
            "{missing} of {} runs are missing: means are over the seeds that are there. They are listed at the end; the same \
             command does them.",
            results.all
        );
        parts.push(el("p.note", text));
    }
    parts.push(el("h2", "Table I: the baseline and the proposed"));
    parts.push(el(
        "p",
        format!(
            "What borrowing tags changes, by mean over seeds, with the paper's printed values. Intervals are {}; those over \
             seeds are corrected for training songs that seeds share (Nadeau and Bengio).",
            percent(about.level)
        ),
    ));
    parts.extend(results.panels.iter().map(|panel| table_1(panel, spec)));
    // Fig. 6 is drawn from Table II.
    let (before, after) =
        figures.split_at(figures.iter().position(|figure| figure.id == tags::BY_CATEGORY).unwrap_or(figures.len()));
    parts.extend(before.iter().map(draw));
    parts.push(el("h2", "Table II: categories of tags"));
    parts.push(table_2(categories));
    let left_out = format!("Tags on fewer than {} test songs of a seed are left out of that seed.", about.min_positives);
    parts.push(el("p.small", left_out));
    parts.extend(after.iter().map(draw));
    parts.push(el("h2", "All arms"));
    parts.push(el(
        "p",
        format!(
            "Each beside the baseline, paired by seed: split, removed tags and initial weights are the same. An arm whose rate is \
             chosen stands beside the baseline whose rate is chosen, where that is there. Retrieval MAP (what others call macro \
             PR-AUC) and ROC-AUC are means over the tags that at least {} of a seed's test songs have. Intervals are of the gain \
             in ROC-AUC.",
            about.min_positives
        ),
    ));
    parts.extend(results.panels.iter().map(|panel| all_arms(panel, about)));
    parts.push(distributions(spec));
    parts.push(made(results, spec, about));
    let title = escape(&about.title);
    // The empty icon: else a browser asks the folder for one, and says that there is none.
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>tagwalk: {title}</title>\n<style>{STYLE}</style></head>\n<body>\n{}</body></html>\n",
        all(parts).as_str()
    )
}

fn draw(figure: &Figure) -> Html {
    let pictures = figure.pictures.iter().map(|picture| el("div", Html::raw(picture.clone())));
    let numbers =
        all([el("summary", format!("The numbers (data/{}.csv)", figure.id)), el("pre", String::from_utf8_lossy(&figure.csv))]);
    all([
        el(&format!("h2#{}", figure.id), &figure.title),
        el("p", &figure.sentence),
        if figure.found.is_empty() { Html::default() } else { el("p.found", &figure.found) },
        el("figure", el("div.figures", all(pictures))),
        el("details", numbers),
    ])
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
    ends.map_or("–".into(), |(low, high)| format!("{} to\u{a0}{}", signed(Some(low)), signed(Some(high))))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn table_1(panel: &Panel, spec: &Spec) -> Html {
    let (Some(baseline), Some(proposed)) = (panel.baseline(), panel.proposed(spec)) else {
        return el("p", format!("{} tags: runs of the baseline or of the proposed arm are missing.", panel.tags));
    };
    let compared = proposed.compared.as_ref();
    let printed = paper::TABLE_1.iter().find(|p| p.tags == panel.tags);
    let head = [&format!("{} tags", panel.tags), "baseline", "proposed", "difference", "relative"];
    let head: Vec<String> = head.into_iter().chain(SURE).map(String::from).collect();
    let mut rows = Vec::new();
    for m in Measure::ALL {
        let own = [
            m.name().to_string(),
            number(m.of(&baseline.mean)),
            number(m.of(&proposed.mean)),
            signed(compared.and_then(|c| m.of(&c.difference))),
            relative(compared.and_then(|c| m.of(&c.relative))),
        ];
        rows.push(row(own.into_iter().chain(sure(compared, m))));
        if let Some(p) = printed {
            let theirs = [
                format!("the paper, {}", m.name()),
                number(Some(m.of(&p.baseline))),
                number(Some(m.of(&p.proposed))),
                signed(Some(m.of(&p.proposed) - m.of(&p.baseline))),
                format!("{:+.1}\u{a0}%", m.of(&p.percent)),
            ];
            let cells = theirs.into_iter().chain(SURE.map(|_| "–".to_string()));
            rows.push(el("tr.printed", all(cells.map(|cell| el("td", cell)))));
        }
    }
    let mut about = format!("Baseline: {} ({}). Proposed: {} ({})", baseline.name, baseline.what, proposed.name, proposed.what);
    about.push_str(&chosen(proposed));
    let seeds = proposed.compared.as_ref().map_or(proposed.runs.len(), |compared| compared.seeds);
    about.push_str(&format!(". {seeds} seeds, {} of the {} tags.", panel.counted, panel.tags));
    if printed.is_none() {
        let three = |f: &Figures<f64>| Measure::ALL.map(|m| number(Some(m.of(f)))).join(", ");
        let each = paper::TABLE_1.iter().map(|p| format!("{} tags: {} to {}", p.tags, three(&p.baseline), three(&p.proposed)));
        about.push_str(&format!(
            " The paper prints (annotation MAP, retrieval MAP, ROC-AUC) {}.",
            each.collect::<Vec<_>>().join("; ")
        ));
    }
    all([table(&head, rows), el("p.small", about)])
}

fn relative(value: Option<f64>) -> String {
    value.map_or("–".into(), |v| format!("{:+.1}\u{a0}%", 100.0 * v))
}

/// Columns of [`sure`].
const SURE: [&str; 5] = ["over seeds", "p", "by songs", "by groups", "by tags"];

/// How sure a difference is.
fn sure(compared: Option<&Compared>, m: Measure) -> [String; 5] {
    let seeds = compared.and_then(|c| m.of(&c.over_seeds));
    let by = |of: fn(&Compared) -> &Figures<Option<Ends>>| {
        interval(compared.and_then(|c| m.of(of(c))).map(|gain| (gain.low, gain.high)))
    };
    let p = seeds.and_then(|s| s.p).map_or("–".into(), |p| if p < 0.001 { "<\u{a0}0.001".into() } else { format!("{p:.3}") });
    let over = interval(seeds.map(|s| (s.low, s.high)));
    [over, p, by(|c| &c.by_songs), by(|c| &c.by_groups), by(|c| &c.by_tags)]
}

/// What each seed chose, where there was a choice.
fn chosen(line: &Line) -> String {
    if line.chosen.is_empty() { String::new() } else { format!("; {} by seed: {}", line.choice, line.choices()) }
}

fn table_2(categories: &[Category]) -> Html {
    let with_text = |cells: Vec<String>, text: String| {
        el("tr", all(cells.into_iter().map(|cell| el("td", cell)).chain([el("td.text", text)])))
    };
    if categories.is_empty() {
        let own = paper::CATEGORIES.map(|(name, tags)| with_text(vec![format!("{name} ({})", tags.len())], tags.join(", ")));
        let head = ["category".to_string(), ".tags".into()];
        return all([el("p", "None of the measured tags is in a category. The paper's are:"), table(&head, own)]);
    }
    let head = ["category", "of", "popularity", "retrieval MAP", "ROC-AUC", ".tags"].map(String::from);
    let rows = categories.iter().map(|c| {
        let cells = vec![
            format!("{} ({})", c.category, c.tags),
            format!("{}\u{a0}tags", c.vocabulary),
            format!("{:.1}\u{a0}%", c.popularity_percent),
            format!("{:+.1} %", c.map_improvement_percent),
            format!("{:+.1} %", c.auc_improvement_percent),
        ];
        with_text(cells, c.names.clone())
    });
    table(&head, rows)
}

fn all_arms(panel: &Panel, about: &About) -> Html {
    let row = |name: &str, what: &str, mean: &Figures<Option<f64>>, seeds: Option<usize>, compared: Option<&Compared>| {
        let cells = [seeds.map_or(String::new(), |n| n.to_string())]
            .into_iter()
            .chain(Measure::ALL.map(|m| number(m.of(mean))))
            .chain([signed(compared.and_then(|c| c.difference.roc_auc))])
            .chain(sure(compared, Measure::RocAuc));
        let name = el("td", all([Html::from(name), el("small", what)]));
        el("tr", all([name].into_iter().chain(cells.map(|cell| el("td", cell)))))
    };
    let head: Vec<String> = [format!("{} tags", panel.tags), "seeds".into()]
        .into_iter()
        .chain(Measure::ALL.map(|m| m.short().to_string()))
        .chain(["gain in ROC-AUC".into()])
        .chain(SURE.map(String::from))
        .collect();
    let baseline = panel.baseline().map_or("", |line| &line.name);
    let lines = panel.lines.iter().map(|line| {
        let compared = line.compared.as_ref();
        let against = match compared.is_some() && line.against != *baseline {
            true => format!("; beside {}", line.against),
            false => String::new(),
        };
        let what = format!("{}{}{against}", line.what, chosen(line));
        let seeds = compared.map_or(line.runs.len(), |compared| compared.seeds);
        row(&line.name, &what, &line.mean, Some(seeds), compared)
    });
    let beside = [
        row("popularity alone", "every song gets the training songs' most frequent tags first", &panel.popularity, None, None),
        row("nothing", "all scores equal; its retrieval MAP is the prevalence", &panel.equal, None, None),
    ];
    let counted = &panel.counted;
    let mut text = format!("{counted} of the {} tags count in a seed.", panel.tags);
    if !counted.some.is_empty() {
        let seeds = panel.lines.first().map_or(0, |line| line.runs.len());
        let some: Vec<String> = counted.some.iter().map(|(tag, n)| format!("{tag} ({n})")).collect();
        text.push_str(&format!(" In some of {seeds} seeds only: {}.", some.join(", ")));
    }
    if !counted.none.is_empty() {
        let none = counted.none.join(", ");
        text.push_str(&format!(" Left out, on fewer than {} test songs in every seed: {none}.", about.min_positives));
    }
    if panel.baseline().is_none() {
        text.push_str(" The baseline's runs are missing, so there is nothing to compare with.");
    } else if !panel.resampled {
        text.push_str(" The runs' scores are not here, so there are no intervals by songs, groups and tags.");
    }
    all([table(&head, lines.chain(beside)), el("p.small", text)])
}

/// The walk and eq. (2) say different things (docs/paper.md, 0.3).
fn distributions(spec: &Spec) -> Html {
    let r = spec.range;
    let total: f64 = 1.0 + 2.0 * (1..=5).map(|d| r.powi(d)).sum::<f64>();
    let line =
        |name: &str, of: &dyn Fn(i32) -> f64| row([name.to_string()].into_iter().chain((0..=5).map(|d| format!("{:.4}", of(d)))));
    let head: Vec<String> = ["distance".to_string()].into_iter().chain((0..=5).map(|d| d.to_string())).collect();
    let rows = [
        line("walk (discard)", &|d| if d == 0 { 1.0 - r } else { (1.0 - r) * r.powi(d) / 2.0 }),
        line("eq. (2) (eq2)", &|d| r.powi(d) / total),
    ];
    let text = format!(
        "The paper's pseudo-code and its eq. (2) disagree about the song itself. For the sixth of eleven songs, r = {r}: the \
         chance of each of the two songs at a distance."
    );
    all([el("h2", "Who lends: the walk and eq. (2)"), el("p", text), table(&head, rows)])
}

fn made(results: &Results, spec: &Spec, about: &About) -> Html {
    let fact = |name: &str, value: &str| el("tr", all([el("td", name), el("td.text", value)]));
    let arms: Vec<&str> = spec.arms.iter().map(|arm| &*arm.name).collect();
    let done = format!("{} of {}", results.all - results.missing.len(), results.all);
    let facts = about.facts.iter().map(|(name, value)| fact(name, value));
    let runs = sorted(results).into_iter().map(|run| {
        let row = &run.finished.row;
        let text = format!("{}, {}, {:.0} s", run.job.title(), row.device, row.seconds);
        el("p.small", all([Html::from(text), Html::raw("<br>"), el("code", &row.commands)]))
    });
    let mut parts = vec![
        el("h2", "How it was made"),
        el("pre", &about.command),
        table(&[], facts.chain([fact("runs", &done), fact("arms", &arms.join("; "))])),
        el("details", all([el("summary", "The runs (runs.csv), each as plain commands")].into_iter().chain(runs))),
    ];
    if !results.missing.is_empty() {
        let missing = results.missing.iter().map(|(number, job)| el("p.small", format!("{number}: {}", job.title())));
        parts.extend([el("h2", "Missing runs"), all(missing)]);
    }
    all(parts)
}

fn sorted(results: &Results) -> Vec<&Run> {
    let mut runs: Vec<&Run> = results.runs.values().collect();
    let key = |run: &Run| (run.job.seed, run.job.tags(), run.job.arm.clone(), run.job.range().map(f64::to_bits));
    runs.sort_by_key(|run| key(run));
    runs
}
