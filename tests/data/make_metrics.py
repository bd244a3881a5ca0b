"""Records scikit-learn's metrics of larger tables in metrics.json.

    python make_metrics.py        # needs numpy and scikit-learn; writes next to the script

Scores, truth and song counts are made by the 64-bit linear congruential generator below, which
tests/metrics.rs repeats, so that the file holds results only.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, roc_auc_score

warnings.simplefilter("ignore")


class Numbers:
    """Knuth's MMIX generator; the upper 31 bits."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33


def table(seed, songs, tags, bits, offset, shift, permille):
    draw = Numbers(seed)
    scores = np.zeros((songs, tags), np.float32 if offset == 0 else np.float64)
    truth = np.zeros((songs, tags), int)
    for s in range(songs):
        for t in range(tags):
            truth[s, t] = draw() % 1000 < permille * 4 // (t + 4)
            k = [(draw() << 22 ^ draw()) % 2**bits for _ in range(2)]
            # a positive gets the better of two scores
            scores[s, t] = offset + (max(k) if truth[s, t] else k[0]) / 2**shift
    counts = np.array([draw() % 4 for _ in range(songs)])
    return scores, truth, counts


def figures(scores, truth, counts):
    songs, tags = truth.shape
    both = lambda t: 0 < truth[:, t] @ counts < counts.sum()
    ap = [float(average_precision_score(truth[:, t], scores[:, t], sample_weight=counts))
          if truth[:, t] @ counts else None for t in range(tags)]
    auc = [float(roc_auc_score(truth[:, t], scores[:, t], sample_weight=counts)) if both(t) else None for t in range(tags)]
    rows = [float(average_precision_score(truth[s], scores[s])) if truth[s].any() else None for s in range(songs)]
    mean = lambda v: float(np.mean([x for x in v if x is not None])) if any(x is not None for x in v) else None
    repeated = [r for r, c in zip(rows, counts) for _ in range(c)]
    return {"annotation_map": mean(repeated), "retrieval_map": mean(ap), "roc_auc": mean(auc)}, ap, auc


cases = []
for name, seed, songs, tags, bits, offset, shift, permille in [
    ("few scores", 1, 500, 20, 3, 0, 3, 300),
    ("hardly any ties", 2, 900, 12, 24, 0, 24, 150),
    ("rare tags", 3, 300, 25, 8, 0, 8, 12),
    ("more tags than songs", 4, 7, 60, 5, 0, 5, 400),
    ("f64, equal when rounded to f32", 5, 400, 6, 8, 1, 40, 250),
]:
    scores, truth, counts = table(seed, songs, tags, bits, offset, shift, permille)
    plain, ap, auc = figures(scores, truth, np.ones(songs, int))
    resampled, _, _ = figures(scores, truth, counts)
    cases.append({"name": name, "seed": seed, "songs": songs, "tags": tags, "bits": bits,
                  "offset": offset, "shift": shift, "permille": permille,
                  "positives": int(truth.sum()), **plain, "ap_per_tag": ap, "auc_per_tag": auc, "resampled": resampled})

out = {"scikit_learn": sklearn.__version__, "numpy": np.__version__, "cases": cases}
Path(__file__).with_name("metrics.json").write_text(json.dumps(out, indent=1) + "\n")
