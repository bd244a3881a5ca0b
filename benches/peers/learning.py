"""Does tagwalk learn what PyTorch learns? The same weights, batches and rates, computed twice.

    learning.py losses BATCHES DATASET RUN           200 steps: losses of tagwalk, PyTorch float32 and float64
    learning.py train BATCHES DATASET OUT.npy        PyTorch trains all steps; its probabilities of the test songs
    learning.py compare TABLE                        rows `seed, PyTorch.npy, tagwalk.npy, truth.npy`: paired AUC

BATCHES is what `tagwalk batches` wrote, DATASET what `tagwalk prepare` made, RUN a run's folder with all its
checkpoints (`tagwalk train --checkpoint-steps 5 --keep`).
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
from samplecnn import SampleCNN, losses
from student import t

MIN_POSITIVES = 5


class Dataset:
    """A prepared dataset: int16 waves in shards, tag bits, splits."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.vocabulary = json.loads((folder / "manifest.json").read_text())["vocabulary"]
        self.audio = np.load(folder / "audio.npy")
        self.waves = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("waves-*.npy"))]
        self.splits = np.load(folder / "splits.npy")
        bits = np.unpackbits(np.load(folder / "tags.npy"), axis=1, bitorder="little")
        self.tags = bits[:, : len(self.vocabulary)]

    def cut(self, song, start, length):
        """Samples from `start` on, then silence."""
        shard, first, samples = self.audio[song]
        clip = np.zeros(length, np.int16)
        there = self.waves[shard][int(first + min(start, samples)) : int(first + min(start + length, samples))]
        clip[: len(there)] = there
        return clip

    def test_songs(self):
        return [song for song in range(len(self.audio)) if self.splits[song] == 3 and self.audio[song, 2] > 0]


class Batches:
    """A run's steps as `tagwalk batches` wrote them."""

    def __init__(self, folder, dataset):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        self.network, self.size = self.config["network"], self.config["settings"]["batch"]
        assert self.network["heads"] == 1 and self.config["settings"]["mean"], "one head and the mean loss only"
        assert self.config["settings"]["unbiased_variance"], "PyTorch's running variance is the unbiased one"
        self.initial = load_file(folder / "initial.safetensors")
        names = ["clips", "own", "propagated", "weights", "keep", "rates"]
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
        self.rates = arrays.pop("rates")
        self.arrays = {name: array.reshape(len(self.rates), -1, array.shape[1]) for name, array in arrays.items()}
        self.dataset = dataset

    def step(self, at, dtype):
        part = {name: array[at] for name, array in self.arrays.items()}
        length = self.network["clip_length"]
        clips = np.stack([self.dataset.cut(song, start, length) for song, start in part["clips"]])
        keep = 1 - self.network["dropout"]
        mask = torch.from_numpy(part["keep"] / keep).to(dtype)
        labels = [torch.from_numpy(np.array(part[name])).to(dtype) for name in ("own", "propagated", "weights")]
        return torch.from_numpy(clips).to(dtype) / 32768, mask, labels


def train(batches, steps, dtype, note=lambda *_: None, state=None):
    """Trains over the range `steps` from the given weights, or from `state`, a checkpoint's tensors with
    its momenta; the network and [step, 2] losses, own and propagated."""
    net = SampleCNN(batches.network)
    weights = {name: tensor for name, tensor in (state or batches.initial).items() if not name.startswith("momentum.")}
    missing = net.load_state_dict(weights, strict=False)
    assert not missing.unexpected_keys and all("num_batches" in key for key in missing.missing_keys), missing
    net.to(dtype).train()
    momentum = batches.config["train"]["schedule"]["momentum"]
    weight = batches.config["settings"]["lambda"]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0, momentum=momentum, nesterov=True)
    if state:
        for name, parameter in net.named_parameters():
            optimizer.state[parameter]["momentum_buffer"] = state[f"momentum.{name}"].to(dtype)
    seen = []
    for at in steps:
        for group in optimizer.param_groups:
            group["lr"] = float(np.float32(batches.rates[at]))
        wave, mask, (own, propagated, weights) = batches.step(at, dtype)
        optimizer.zero_grad(set_to_none=True)
        first, second = losses(net(wave, mask), own, propagated, weights)
        (first + weight * second).backward()
        optimizer.step()
        seen.append((first.item(), second.item()))
        note(at, *seen[-1])
    return net, np.array(seen)


def probabilities(net, dataset):
    """[test song, tag]: the mean over a song's consecutive segments, at least one."""
    net.eval()
    length = net.network["clip_length"]
    rows = []
    with torch.inference_mode():
        for song in dataset.test_songs():
            count = max(1, int(dataset.audio[song, 2]) // length)
            clips = np.stack([dataset.cut(song, i * length, length) for i in range(count)])
            wave = torch.from_numpy(clips).float() / 32768
            rows.append(torch.sigmoid(net(wave, torch.ones(()))).mean(0).numpy())
    return np.stack(rows)


def auc(scores, truth):
    """Macro ROC-AUC over tags with at least MIN_POSITIVES positives (and a negative), ties counted half."""
    each = []
    for score, true in zip(scores.T, truth.T.astype(bool)):
        if true.sum() >= MIN_POSITIVES and not true.all():
            wins = (score[true][:, None] > score[~true]) + 0.5 * (score[true][:, None] == score[~true])
            each.append(wins.mean())
    return float(np.mean(each))


def compare_losses(folder, data, run, steps=200):
    batches, run = Batches(folder, Dataset(data)), pathlib.Path(run)
    with open(run / "metrics.jsonl") as file:
        lines = [json.loads(line) for line in file]
    ours = np.array([(line["own"], line["propagated"]) for line in lines if line.get("kind") == "step"])[:steps]
    assert len(ours) == steps, f"{run} has {len(ours)} steps"
    weight = batches.config["settings"]["lambda"]
    total = lambda parts: parts[:, 0] + weight * parts[:, 1]
    stretches = compare_stretches(batches, run, total(ours), total)
    return compare_whole(batches, total(ours), total) and stretches


def compare_stretches(batches, run, ours, total):
    """From each of tagwalk's own checkpoints to the next, PyTorch makes the same steps: all losses are
    compared, and no rounding has more than a few steps to grow."""
    kept = sorted(int(path.stem.removeprefix("step-")) for path in run.glob("step-*.safetensors"))
    ends = [at for at in kept if 0 < at < len(ours)] + [len(ours)]
    errors = {"tagwalk": [], "pytorch_f32": []}
    for begin, end in zip([0] + ends[:-1], ends):
        state = load_file(run / f"step-{begin}.safetensors") if begin else None
        exact, single = (total(train(batches, range(begin, end), dtype, state=state)[1]) for dtype in (torch.float64, torch.float32))
        errors["tagwalk"].append(np.abs(ours[begin:end] - exact) / exact)
        errors["pytorch_f32"].append(np.abs(single - exact) / exact)
    if not all(np.isfinite(e).all() for all in errors.values() for e in all):
        print("a loss is not finite", file=sys.stderr)
        return False
    length = max(len(error) for error in errors["tagwalk"])
    # The largest error of the n-th loss after a checkpoint.
    table = {name: [float(max(e[n] for e in all if n < len(e))) for n in range(length)] for name, all in errors.items()}
    worst = max(own / max(4 * peer, 1e-6) for own, peer in zip(table["tagwalk"], table["pytorch_f32"]))
    print(json.dumps({"stretches": len(ends), "largest_relative_error_by_steps_since": table, "of_bound": worst}))
    print(f"from checkpoint to checkpoint: {worst:.2f} of the bound, 4 times PyTorch float32's error", file=sys.stderr)
    return worst <= 1


def compare_whole(batches, ours, total):
    """The whole way from the same initial weights."""
    steps = len(ours)
    exact = total(train(batches, range(steps), torch.float64)[1])
    error = {"tagwalk": np.abs(ours - exact) / exact}
    # PyTorch in float32 as it is, and twice with initial weights off by a rounding.
    given = batches.initial
    for replica in range(3):
        torch.manual_seed(replica)
        off = lambda t: t * (1 + torch.empty_like(t).uniform_(-(2.0**-24), 2.0**-24)) if replica and t.is_floating_point() else t
        batches.initial = {name: off(tensor) for name, tensor in given.items()}
        error[f"pytorch_f32_{replica}"] = np.abs(total(train(batches, range(steps), torch.float32)[1]) - exact) / exact
    table = [{"steps": n, **{name: float(e[:n].max()) for name, e in error.items()}} for n in (1, 2, 10, 50, 100, 150, 200) if n <= steps]
    parted = {name: int(np.argmax(e > 1e-5)) + 1 if (e > 1e-5).any() else None for name, e in error.items()}
    print(json.dumps({"reference": f"PyTorch {torch.__version__} float64", "largest_relative_error": table,
                      "first_step_off_by_1e-5": parted, "loss": [float(v) for v in exact[[0, steps // 2, steps - 1]]]}))
    if not all(np.isfinite(e).all() for e in error.values()):
        print("a loss is not finite", file=sys.stderr)
        return False
    # Before any rounding can have turned a choice: arithmetic. Later: no further off than float32 itself.
    worst = 0.0
    for row in table:
        own = max(value for name, value in row.items() if name.startswith("pytorch"))
        if row["steps"] <= 2 or row["steps"] >= 50:
            worst = max(worst, row["tagwalk"] / max(own, 1e-6))
    print(f"tagwalk's error is at most {worst:.2f} times PyTorch float32's; the bound is 4", file=sys.stderr)
    return worst <= 4


def compare_runs(table):
    rows = []
    with open(table) as file:
        for line in file:
            seed, *paths = line.split("\t")
            peer, ours, truth = (np.load(path.strip()) for path in paths)
            rows.append({"seed": int(seed), "pytorch": auc(peer, truth), "tagwalk": auc(ours, truth)})
            print(json.dumps(rows[-1]))
    difference = np.array([row["tagwalk"] - row["pytorch"] for row in rows])
    half = t(len(rows) - 1) * difference.std(ddof=1) / len(rows) ** 0.5
    low, high = difference.mean() - half, difference.mean() + half
    print(json.dumps({"seeds": len(rows), "difference": difference.mean(), "low": low, "high": high, "bound": 0.02}))
    return -0.02 <= low and high <= 0.02


def main():
    torch.manual_seed(0)
    command, *rest = sys.argv[1:] or [""]
    if command == "losses" and len(rest) == 3:
        sys.exit(0 if compare_losses(*rest) else 1)
    if command == "train" and len(rest) == 3:
        dataset = Dataset(rest[1])
        batches = Batches(rest[0], dataset)
        steps = len(batches.rates)
        say = lambda at, own, lent: (at + 1) % 100 or print(f"step {at + 1}: own {own:.4f}, propagated {lent:.4f}", file=sys.stderr)
        net, _ = train(batches, range(steps), torch.float32, say)
        np.save(rest[2], probabilities(net, dataset))
        songs = dataset.test_songs()
        np.save(pathlib.Path(rest[2]).with_name("truth.npy"), dataset.tags[songs])
        return
    if command == "compare" and len(rest) == 1:
        sys.exit(0 if compare_runs(*rest) else 1)
    sys.exit(__doc__)


if __name__ == "__main__":
    main()
