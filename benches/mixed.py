"""What benches/mixed.sh found: mixed precision beside f32, both tagwalk's.

    mixed.py losses FOLDER            runs f32-real, other-real, mixed-real: their losses, step by step
    mixed.py seeds FOLDER SEED...     runs f32-SEED and mixed-SEED: paired test AUC
"""

import json
import pathlib
import statistics
import sys

from student import t


def losses(run):
    with open(run / "metrics.jsonl") as file:
        lines = [json.loads(line) for line in file]
    return [line["loss"] for line in lines if line.get("kind") == "step"]


def apart(exact, others):
    """How far another run's losses are from `exact`, as shares of it."""
    relative = [b / a - 1 for a, b in zip(exact, others)]
    worst = max(range(len(relative)), key=lambda i: abs(relative[i]))
    return {
        "mean": statistics.mean(relative),
        "root_mean_square": statistics.mean(r * r for r in relative) ** 0.5,
        "largest": relative[worst],
        "largest_at_step": worst + 1,
        "last_20": sum(others[-20:]) / sum(exact[-20:]) - 1,
        "by_step": {n: relative[n - 1] for n in (1, 2, 5, 10, 20, 50, 100, 150, 200) if n <= len(relative)},
    }


def compare_losses(folder):
    """Within 0.5 % at the first two steps, where rounding has not grown; within 2 % in the mean of all steps and of the last
    20; and in root mean square no further from f32 than 2 %, or than half as much again as another run in f32 is, but 5 % at
    most: two runs that differ in a last bit only soon part, and by more than 2 %."""
    exact, other, mixed = (losses(folder / f"{name}-real") for name in ("f32", "other", "mixed"))
    assert len(exact) == len(other) == len(mixed) > 0
    result = {"steps": len(exact), "mixed": apart(exact, mixed), "other_f32": apart(exact, other)}
    found = result["mixed"]
    first = max(abs(found["by_step"].get(step, 0.0)) for step in (1, 2))
    square = min(0.05, max(0.02, 1.5 * result["other_f32"]["root_mean_square"]))
    result["bounds"] = {
        "first_two": [first, 0.005],
        "mean": [abs(found["mean"]), 0.02],
        "last_20": [abs(found["last_20"]), 0.02],
        "root_mean_square": [found["root_mean_square"], square],
    }
    result["losses"] = {"f32": exact, "other_f32": other, "mixed": mixed}
    print(json.dumps(result))
    return all(value <= bound for value, bound in result["bounds"].values())


def compare_seeds(folder, seeds):
    rows = []
    for seed in seeds:
        read = lambda precision: json.loads((folder / f"{precision}-{seed}" / "evaluate.json").read_text())
        rows.append({"seed": int(seed), **{p: read(p)["frequent"]["roc_auc"] for p in ("f32", "mixed")}})
        print(json.dumps(rows[-1]))
    difference = [row["mixed"] - row["f32"] for row in rows]
    half = t(len(rows) - 1) * statistics.stdev(difference) / len(rows) ** 0.5
    mean = statistics.mean(difference)
    low, high = mean - half, mean + half
    print(json.dumps({"seeds": len(rows), "difference": mean, "low": low, "high": high, "bound": 0.02}))
    return -0.02 <= low and high <= 0.02


command, folder, *rest = sys.argv[1:] or ["", ""]
if command == "losses":
    sys.exit(0 if compare_losses(pathlib.Path(folder)) else 1)
if command == "seeds" and len(rest) > 1:
    sys.exit(0 if compare_seeds(pathlib.Path(folder), rest) else 1)
sys.exit(__doc__)
