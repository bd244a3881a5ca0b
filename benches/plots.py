"""Pictures of lines of JSON that lie in a folder of results: kernels*.jsonl (`tagwalk bench kernels`)
as a roofline, growth-*.jsonl (`benches/growth.sh`) as cost against work.

    python3 benches/plots.py FOLDER        writes *.svg beside them

Standard library alone; SVG is text.
"""

import json
import math
import statistics
import sys
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 50, 50
COLOURS = ["#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce", "#a16207", "#be123c", "#0f766e", "#334155", "#1d4ed8"]


class Axis:
    """Values to places on the page, linear or by powers."""

    def __init__(self, values, first, last, log):
        self.log, self.first, self.last = log, first, last
        low, high = min(values), max(values)
        if log:
            self.low, self.high = math.log10(low) - 0.1, math.log10(high) + 0.1
        else:
            self.low, self.high = 0, high * 1.08

    def at(self, value):
        value = math.log10(value) if self.log else value
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self):
        if self.log:
            powers = range(math.floor(self.low), math.ceil(self.high) + 1)
            each = [m * 10.0**p for p in powers for m in ([1, 2, 5] if self.high - self.low < 3 else [1])]
            return [v for v in each if self.low <= math.log10(v) <= self.high]
        step = 10 ** math.floor(math.log10(self.high / 2))
        step = next(step * m for m in (1, 2, 5, 10) if self.high / (step * m) <= 6)
        return [i * step for i in range(int(self.high / step) + 1)]


class Plot:
    """A page with two axes on it."""

    def __init__(self, title, x_name, y_name, xs, ys, log=(False, False)):
        self.x = Axis(xs, LEFT, WIDTH - RIGHT, log[0])
        self.y = Axis(ys, HEIGHT - BOTTOM, TOP, log[1])
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        ]
        self.text(LEFT, 24, title, size=14)
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_name, anchor="middle")
        self.text(LEFT, TOP - 10, y_name)
        for value in self.x.ticks():
            at = self.x.at(value)
            self.line([(at, TOP), (at, HEIGHT - BOTTOM)], "#e2e8f0")
            self.text(at, HEIGHT - BOTTOM + 15, f"{value:,.10g}", anchor="middle")
        for value in self.y.ticks():
            at = self.y.at(value)
            self.line([(LEFT, at), (WIDTH - RIGHT, at)], "#e2e8f0")
            self.text(LEFT - 6, at + 4, f"{value:,.10g}", anchor="end")

    def text(self, x, y, text, anchor="start", size=11, colour="#0f172a"):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
        )

    def line(self, points, colour, width=1, dashes="none"):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"/>'
        )

    def curve(self, points, colour, dashes="none"):
        self.line([(self.x.at(x), self.y.at(y)) for x, y in points], colour, 2, dashes)

    def dot(self, x, y, colour, radius=4, about=""):
        self.parts.append(
            f'<circle cx="{self.x.at(x):.1f}" cy="{self.y.at(y):.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.8">'
            f"<title>{escape(about)}</title></circle>"
        )

    def legend(self, names):
        for i, (name, colour) in enumerate(names):
            y = TOP + 10 + 18 * i
            self.parts.append(f'<circle cx="{WIDTH - RIGHT + 16}" cy="{y}" r="4" fill="{colour}"/>')
            self.text(WIDTH - RIGHT + 26, y + 4, name)

    def write(self, path):
        path.write_text("\n".join(self.parts + ["</svg>"]) + "\n")
        print(path)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def where(line):
    return line.get("processor") or line["device"]


def roofline(path):
    """Each call by its operations a byte and its speed, under what the machine reaches; area by share of the step."""
    calls = [line for line in read(path) if line["flops"] and line["peaks"]]
    if not calls:
        return
    peak = statistics.median(call["peaks"]["gflops_per_second"] for call in calls)
    copy = statistics.median(call["peaks"]["copy_gb_per_second"] for call in calls)
    place = [(call["flops"] / call["bytes"], call["gflops_per_second"]) for call in calls]
    xs = [x for x, _ in place] + [peak / copy * 4]
    ys = [y for _, y in place] + [peak * 1.5]
    first = calls[0]
    title = f"{first['network']}, batch {first['batch']}, {first['mode']}, {first['family']}: {where(first)}"
    reached = f"GFLOP/s; dashed: {peak:.0f} GFLOP/s and {copy:.1f} GB/s, measured between the steps"
    plot = Plot(title, "operations a byte (direct convolution, least bytes)", reached, xs, ys, (True, True))
    ridge, right, left = peak / copy, max(xs) * 1.2, min(xs)
    bottom = max(left * copy, min(ys))
    plot.curve([(bottom / copy, bottom), (ridge, peak), (right, peak)], "#64748b", "6 3")
    colours = dict(zip(dict.fromkeys(call["kernel"] for call in calls), COLOURS))
    for call, (x, y) in zip(calls, place):
        about = f"{call['label']}: {call['ms']['median']:.2f} ms, {100 * call['share']:.1f} % of the step"
        plot.dot(x, y, colours[call["kernel"]], 3 + 18 * math.sqrt(call["share"]), about)
    plot.legend(colours.items())
    plot.write(path.with_name(path.stem.replace("kernels", "roofline") + ".svg"))


def channels(line):
    return 128 // int(line["network"].partition("/")[2] or 1)


def median_ms(line):
    return line["step_ms"]["median"]


def clips(line):
    return line["clips_per_second"]


def speed(line):
    return line["gflops_per_second"]


# What grows, by the name of its file: both axes' names and values, and whether the first goes by powers.
GROWTH = {
    "batch": ("clips a step", lambda line: line["batch"], "ms a step", median_ms, False),
    "clip": ("samples a clip", lambda line: line["clip"], "ms a step", median_ms, False),
    "channels": ("channels of the first layers", channels, "GFLOP/s (operations grow with the square)", speed, False),
    "songs": ("songs", lambda line: line["songs"], "clips a second", clips, True),
    "tags": ("tags", lambda line: line["tags"], "clips a second", clips, True),
}


def growth(path):
    """Medians of rounds with their range."""
    x_name, x_of, y_name, y_of, log = GROWTH[path.stem.removeprefix("growth-")]
    lines = read(path)
    groups = {}
    for line in lines:
        groups.setdefault(x_of(line), []).append(y_of(line))
    points = sorted((x, statistics.median(ys)) for x, ys in groups.items())
    first = lines[0]
    network = first["network"].partition("/")[0] if x_of is channels else first["network"]
    title = f"{network}, {first['mode']}, {first['family']}: {where(first)}"
    plot = Plot(title, x_name, y_name, list(groups), [y for ys in groups.values() for y in ys], (log, False))
    for x, ys in groups.items():
        plot.line([(plot.x.at(x), plot.y.at(min(ys))), (plot.x.at(x), plot.y.at(max(ys)))], COLOURS[0])
    plot.curve(points, COLOURS[0])
    for x, y in points:
        plot.dot(x, y, COLOURS[0], 4, f"{x:,}: {y:.4g}")
    plot.write(path.with_suffix(".svg"))


def main():
    folder = Path(sys.argv[1])
    for path in sorted(folder.glob("kernels*.jsonl")):
        roofline(path)
    for path in sorted(folder.glob("growth-*.jsonl")):
        growth(path)


if __name__ == "__main__":
    main()
