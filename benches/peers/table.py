"""Lines of JSON from run.sh as a table: the median over rounds, its range, the ratio to PyTorch with malloc tuned."""

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
    layout = ", channels-last" if line["channels_last"] else ""
    return f"{line['system']}, malloc {line['malloc']}{layout}"


with open(sys.argv[1]) as file:
    lines = [json.loads(text) for text in file]
print(f"{cpu()}, {os.cpu_count()} threads; {lines[0]['network']}, batch {lines[0]['batch']}, float32\n")
print("| mode | system | clips/s, median of rounds (range) | ratio to tuned PyTorch | peak memory, MiB |")
print("|---|---|---|---|---|")
for mode in dict.fromkeys(line["mode"] for line in lines):
    groups = {}
    for line in lines:
        if line["mode"] == mode:
            groups.setdefault(name(line), []).append(line)
    speed = {key: statistics.median(line["clips_per_second"] for line in group) for key, group in groups.items()}
    bar = next((speed[key] for key in groups if key.endswith("malloc tuned")), None)
    for key, group in groups.items():
        each = [line["clips_per_second"] for line in group]
        ratio = f"{speed[key] / bar:.2f}" if bar else ""
        memory = max(line["peak_memory_mib"] for line in group)
        print(f"| {mode} | {key} | {speed[key]:.1f} ({min(each):.1f} to {max(each):.1f}) | {ratio} | {memory:,.0f} |")
