//! Plots as SVG text: two axes, curves, marks with their values as tooltips, bars, a legend underneath.
//! Nothing but text goes in, so the same data gives the same bytes; drawn narrow with large letters, so
//! that a phone can show it.

use std::fmt::Write;

/// Size on the page; a picture is scaled to the width it is given.
const WIDTH: f64 = 480.0;
const PLOT: f64 = 290.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 44.0;
const LETTERS: f64 = 13.0;
const INK: &str = "#0f172a";
const GRID: &str = "#e2e8f0";

/// Colours that differ for most eyes and on grey paper, in the order of their use.
pub const COLOURS: [&str; 8] = ["#c2410c", "#0b6e99", "#4d7c0f", "#7e22ce", "#a16207", "#334155", "#be123c", "#0f766e"];

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stroke {
    #[default]
    Solid,
    Dashed,
    Dotted,
}

/// An axis: values to places on the page.
#[derive(Clone, Debug)]
pub struct Axis {
    name: String,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From `low` to `high`, with ticks at round numbers.
    pub fn linear(name: impl Into<String>, low: f64, high: f64) -> Axis {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        let rough = (high - low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough).unwrap_or(10.0 * power);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|i| (i as f64 * step, format!("{:.decimals$}", i as f64 * step))).collect();
        Axis { name: name.into(), low, high, ticks }
    }

    /// Around values, with a little room; `zero` says whether 0 is on it.
    pub fn around(name: impl Into<String>, values: impl IntoIterator<Item = f64>, zero: bool) -> Axis {
        let finite = values.into_iter().filter(|v| v.is_finite());
        let start = if zero { (0.0f64, 0.0f64) } else { (f64::INFINITY, f64::NEG_INFINITY) };
        let (low, high) = finite.fold(start, |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return Axis::linear(name, 0.0, 1.0);
        }
        let room = if high > low { 0.06 * (high - low) } else { 0.1 * high.abs().max(0.1) };
        Axis::linear(name, if zero && low == 0.0 { 0.0 } else { low - room }, if zero && high == 0.0 { 0.0 } else { high + room })
    }

    /// Places 0, 1, ... with names of their own.
    pub fn names(name: impl Into<String>, names: impl IntoIterator<Item = String>) -> Axis {
        let ticks: Vec<(f64, String)> = names.into_iter().enumerate().map(|(i, name)| (i as f64, name)).collect();
        Axis { name: name.into(), low: -0.6, high: ticks.len() as f64 - 0.4, ticks }
    }

    /// The same with `%` after its numbers.
    pub fn percent(mut self) -> Axis {
        self.ticks.iter_mut().for_each(|tick| tick.1.push_str(" %"));
        self
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// A picture being drawn.
pub struct Plot {
    x: Axis,
    y: Axis,
    parts: String,
    legend: Vec<(String, &'static str, Stroke)>,
    title: String,
}

impl Plot {
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Plot {
        Plot { x, y, parts: String::new(), legend: Vec::new(), title: title.into() }
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT), PLOT - BOTTOM - self.y.share(y) * (PLOT - BOTTOM - TOP))
    }

    /// A line through points; `name` goes into the legend unless it is empty.
    pub fn curve(&mut self, name: &str, points: &[(f64, f64)], colour: &'static str, stroke: Stroke) -> &mut Plot {
        let path: Vec<String> = points.iter().map(|&(x, y)| self.place(x, y)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        let _ = writeln!(
            self.parts,
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{}/>",
            dashes(stroke)
        );
        if !name.is_empty() {
            self.legend.push((name.into(), colour, stroke));
        }
        self
    }

    /// A line from side to side.
    pub fn level(&mut self, name: &str, y: f64, colour: &'static str, stroke: Stroke) -> &mut Plot {
        let (low, high) = (self.x.low, self.x.high);
        self.curve(name, &[(low, y), (high, y)], colour, stroke)
    }

    /// A dot whose tooltip says `about`.
    pub fn dot(&mut self, x: f64, y: f64, colour: &str, about: &str) -> &mut Plot {
        let (x, y) = self.place(x, y);
        let about = escape(about);
        let _ =
            writeln!(self.parts, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"><title>{about}</title></circle>");
        self
    }

    /// An upright interval.
    pub fn whisker(&mut self, x: f64, low: f64, high: f64, colour: &str) -> &mut Plot {
        let ((x, top), (_, bottom)) = (self.place(x, high), self.place(x, low));
        let _ = writeln!(
            self.parts,
            "<path d=\"M{x:.1} {top:.1}V{bottom:.1}M{:.1} {top:.1}h8M{:.1} {bottom:.1}h8\" stroke=\"{colour}\" stroke-width=\"1.2\" fill=\"none\"/>",
            x - 4.0,
            x - 4.0
        );
        self
    }

    /// A bar from 0 (or the axis' end) to `y`, `width` wide in the units of x.
    pub fn bar(&mut self, x: f64, width: f64, y: f64, colour: &str, about: &str) -> &mut Plot {
        let zero = 0.0f64.clamp(self.y.low, self.y.high);
        let ((x0, y0), (x1, y1)) = (self.place(x - width / 2.0, zero), self.place(x + width / 2.0, y));
        let (top, height) = (y0.min(y1), (y0 - y1).abs().max(0.5));
        let about = escape(about);
        let _ = writeln!(
            self.parts,
            "<rect x=\"{x0:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{colour}\" fill-opacity=\"0.85\"><title>{about}</title></rect>",
            (x1 - x0).max(0.5)
        );
        self
    }

    /// A word beside a point.
    pub fn label(&mut self, x: f64, y: f64, text: &str) -> &mut Plot {
        let (x, y) = self.place(x, y);
        // To the left of the point where it would leave the page on the right.
        let fits = x + 8.0 + 0.55 * LETTERS * text.chars().count() as f64 <= WIDTH - RIGHT;
        let (x, anchor) = if fits { (x + 8.0, "start") } else { (x - 8.0, "end") };
        text_at(&mut self.parts, (x, y - 5.0), text, anchor, LETTERS - 1.0);
        self
    }

    /// Names a colour that was drawn without a curve.
    pub fn named(&mut self, name: &str, colour: &'static str) -> &mut Plot {
        self.legend.push((name.into(), colour, Stroke::Solid));
        self
    }

    /// The picture, whole.
    pub fn finish(&self) -> String {
        let height = PLOT + 19.0 * self.legend.len() as f64;
        let mut out = String::new();
        let title = escape(&self.title);
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\" font-family=\"system-ui, sans-serif\" font-size=\"{LETTERS}\">"
        );
        let _ = writeln!(out, "<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>");
        text_at(&mut out, (LEFT, 17.0), &self.title, "start", LETTERS + 1.0);
        text_at(&mut out, (LEFT, TOP - 7.0), &self.y.name, "start", LETTERS - 1.0);
        text_at(&mut out, ((LEFT + WIDTH - RIGHT) / 2.0, PLOT - 8.0), &self.x.name, "middle", LETTERS - 1.0);
        // Names that would run into each other stand on two lines, the lower one where an axis' name would be.
        let half = |name: &str| 0.29 * LETTERS * name.chars().count() as f64;
        let at = |tick: &(f64, String)| self.place(tick.0, self.y.low).0;
        let crowded = self.x.ticks.windows(2).any(|two| at(&two[1]) - at(&two[0]) < half(&two[0].1) + half(&two[1].1));
        for (i, tick) in self.x.ticks.iter().enumerate() {
            let lower = if crowded && self.x.name.is_empty() && i % 2 == 1 { LETTERS } else { 0.0 };
            line(&mut out, (at(tick), TOP), (at(tick), PLOT - BOTTOM));
            text_at(&mut out, (at(tick), PLOT - BOTTOM + 16.0 + lower), &tick.1, "middle", LETTERS - 1.0);
        }
        for (value, name) in &self.y.ticks {
            let (_, y) = self.place(self.x.low, *value);
            line(&mut out, (LEFT, y), (WIDTH - RIGHT, y));
            text_at(&mut out, (LEFT - 6.0, y + 4.0), name, "end", LETTERS - 1.0);
        }
        out.push_str(&self.parts);
        for (i, (name, colour, stroke)) in self.legend.iter().enumerate() {
            let y = PLOT + 19.0 * i as f64 + 8.0;
            let _ = writeln!(out, "<path d=\"M{LEFT} {y}h26\" stroke=\"{colour}\" stroke-width=\"3\"{}/>", dashes(*stroke));
            text_at(&mut out, (LEFT + 34.0, y + 4.0), name, "start", LETTERS - 1.0);
        }
        out.push_str("</svg>\n");
        out
    }
}

fn dashes(stroke: Stroke) -> &'static str {
    match stroke {
        Stroke::Solid => "",
        Stroke::Dashed => " stroke-dasharray=\"7 4\"",
        Stroke::Dotted => " stroke-dasharray=\"2 3\"",
    }
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(out, "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"{GRID}\"/>", from.0, from.1, to.0, to.1);
}

fn text_at(out: &mut String, (x, y): (f64, f64), text: &str, anchor: &str, size: f64) {
    let text = escape(text);
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{INK}\">{text}</text>"
    );
}

/// Text as it stands in XML; what XML cannot hold becomes U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::table::visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let names = |axis: Axis| axis.ticks.iter().map(|t| t.1.clone()).collect::<Vec<_>>();
        assert_eq!(names(Axis::linear("", 0.0, 1.0)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(names(Axis::linear("", 0.52, 0.61)), ["0.52", "0.54", "0.56", "0.58", "0.60"]);
        assert_eq!(names(Axis::linear("", -30.0, 95.0)), ["0", "50"]);
        assert_eq!(names(Axis::linear("", 3.0, 3.0)), ["2.6", "2.8", "3.0", "3.2", "3.4"]);
        assert_eq!(names(Axis::around("", [f64::NAN], false)).len(), 6);
    }

    #[test]
    fn what_is_drawn_lies_inside_and_names_are_escaped() {
        let axis = || Axis::around("<v>", [1.0, 2.0], false);
        let mut plot = Plot::new("A & \"B\"\u{1b}", axis(), axis());
        plot.dot(1.0, 2.0, COLOURS[0], "rock & <roll>").curve("one", &[(1.0, 1.0), (2.0, 2.0)], COLOURS[1], Stroke::Dashed);
        let svg = plot.finish();
        assert!(svg.contains("<title>rock &amp; &lt;roll&gt;</title>") && svg.contains("A &amp; &quot;B&quot;\u{fffd}"));
        let circle = svg.split("<circle ").nth(1).unwrap();
        let number = |name: &str| circle.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        let (x, y): (f64, f64) = (number("cx"), number("cy"));
        assert!((LEFT..WIDTH - RIGHT).contains(&x) && (TOP..PLOT - BOTTOM).contains(&y), "{x} {y}");
    }
}
