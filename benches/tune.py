#!/usr/bin/env python3
"""Whether `tagwalk tune` makes a step faster: untuned and tuned steps in turn, and the 95 % interval of
the ratio (Student's t over the logarithms of the pairs' ratios). A run's figure is its fastest step, since
whatever else the machine does only ever lengthens one. Needs Python alone.

    benches/tune.py TAGWALK OUT.jsonl --pairs 10 -- --device gpu --adapter llvmpipe --network 3^5-81 --batch 2

What stands behind `--` goes to `tagwalk tune` and `tagwalk bench step` alike.
"""
import argparse
import json
import math
import subprocess
import sys
import tempfile

# Two-sided 95 % quantiles of Student's t, by degrees of freedom.
T = {7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 11: 2.201, 12: 2.179, 13: 2.160, 14: 2.145, 15: 2.131, 19: 2.093, 29: 2.045}


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tagwalk")
    parser.add_argument("out")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60)
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, flags = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1 :]
    if args.pairs - 1 not in T:
        sys.exit(f"--pairs: one of {', '.join(str(n + 1) for n in T)}")
    with tempfile.TemporaryDirectory() as folder, open(args.out, "w") as out:
        cache = f"{folder}/tune.json"
        out.write(run([args.tagwalk, "tune", "--json", "--seconds", str(args.seconds), "--cache", cache, *flags]))
        out.write(run([args.tagwalk, "tune", "--show", "--json", "--cache", cache]))
        step = [args.tagwalk, "bench", "step", "--json", "--steps", str(args.steps), "--warm-up", "2", "--cache", cache, *flags]
        logs = []
        for pair in range(args.pairs):
            # Who goes first alternates, so that a machine that slows down favours neither.
            order = [["--no-tune"], []] if pair % 2 == 0 else [[], ["--no-tune"]]
            ms = {}
            for how in order:
                line = json.loads(run(step + how))
                ms["untuned" if how else "tuned"] = line["step_ms"]["least"]
                out.write(json.dumps({"kind": "step", "pair": pair, **line}) + "\n")
                out.flush()
            logs.append(math.log(ms["tuned"] / ms["untuned"]))
            print(f"pair {pair}: untuned {ms['untuned']:.1f} ms, tuned {ms['tuned']:.1f} ms", file=sys.stderr)
        n = len(logs)
        mean = sum(logs) / n
        half = T[n - 1] * math.sqrt(sum((v - mean) ** 2 for v in logs) / (n - 1) / n)
        ratio, low, high = math.exp(mean), math.exp(mean - half), math.exp(mean + half)
        print(f"tuned / untuned step: {ratio:.3f}, 95 % interval {low:.3f} to {high:.3f} over {n} pairs")
        out.write(json.dumps({"kind": "ratio", "ratio": ratio, "low": low, "high": high, "pairs": n}) + "\n")


if __name__ == "__main__":
    main()
