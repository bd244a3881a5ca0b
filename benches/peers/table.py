"""Lines of JSON from run.sh as a table: the median over rounds, its range, and tagwalk's speed over each peer's. bf16 of
a peer stands beside tagwalk's mixed precision."""

import json
import os
import statistics
import sys


def cpu():
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def name(line):
    if "system" not in line:
        return f"tagwalk, {line['family']}"
    malloc = f", malloc {line['malloc']}" if "malloc" in line else ""
    layout = ", channels-last" if line.get("channels_last") else ""
    return f"{line['system']}{malloc}{layout}{', compiled' if line.get('compiled') else ''}"


with open(sys.argv[1]) as file:
    lines = [json.loads(text) for text in file]
for line in lines:
    line["precision"] = "mixed" if line["precision"] == "bf16" else line["precision"]
print(f"{cpu()}, {os.cpu_count()} threads; {lines[0]['network']}, batch {lines[0]['batch']}\n")
print("| mode | precision | system | clips/s, median of rounds (range) | tagwalk's ratio to it | peak memory, MiB |")
print("|---|---|---|---|---|---|")
for mode, precision in dict.fromkeys((line["mode"], line["precision"]) for line in lines):
    groups = {}
    for line in lines:
        if (line["mode"], line["precision"]) == (mode, precision):
            groups.setdefault(name(line), []).append(line)
    speed = {key: statistics.median(line["clips_per_second"] for line in group) for key, group in groups.items()}
    own = next((speed[key] for key in groups if key.startswith("tagwalk")), None)
    for key, group in groups.items():
        each = [line["clips_per_second"] for line in group]
        ratio = f"{own / speed[key]:.2f}" if own and not key.startswith("tagwalk") else ""
        memory = max(line["peak_memory_mib"] for line in group)
        print(f"| {mode} | {precision} | {key} | {speed[key]:.1f} ({min(each):.1f} to {max(each):.1f}) | {ratio} | {memory:,.0f} |")
