"""Clips a second of SampleCNN in PyTorch on the CPU, eager or compiled, float32 or bf16 (autocast): training or inference.

One training step: int16 clips to float, forward, two-term loss, backward, Nesterov SGD. Prints one JSON
object with the members of `tagwalk bench step --json`, so that the two can be set side by side.
"""

import argparse
import json
import os
import resource
import time

import numpy as np
import torch

from samplecnn import SampleCNN, losses, member

MEMBERS = {"3^9": (3, 9, 3), "3^5-81": (3, 5, 81)}


def peak_memory_mib():
    """The process at its peak; VmHWM where there is one, as the product reads it."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=MEMBERS, default="3^9")
    parser.add_argument("--batch", type=int, default=23)
    parser.add_argument("--tags", type=int, default=50)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--mode", choices=["training", "inference"], default="training")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile with its default mode; needs a C++ compiler")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="bf16: autocast, weights stay float32")
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch chooses")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda: clips and labels are uploaded each step")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    net = SampleCNN(member(*MEMBERS[args.network], args.tags), args.channels_last)
    if args.channels_last:
        net = net.to(memory_format=torch.channels_last)
    net = net.to(args.device)
    run = torch.compile(net) if args.compile else net
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    length = net.network["clip_length"]
    draw = lambda p, *shape: (torch.rand(*shape) < p).float()
    batches = [
        (
            torch.randint(-20_000, 20_000, (args.batch, length), dtype=torch.int16),
            draw(0.1, args.batch, args.tags),
            draw(0.1, args.batch, args.tags),
            torch.stack([torch.ones(args.batch), draw(0.5, args.batch)]),
        )
        for _ in range(4)
    ]

    def cast():
        return torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=args.precision == "bf16")

    def train(samples, own, propagated, weights):
        optimizer.zero_grad(set_to_none=True)
        with cast():
            logits = run(samples.float().mul_(1 / 32768))
        first, second = losses(logits.float(), own, propagated, weights)
        (first + second).backward()
        optimizer.step()
        return first.item()

    def infer(samples, *_):
        with torch.inference_mode(), cast():
            return torch.sigmoid(run(samples.float().mul_(1 / 32768))).sum().item()

    training = args.mode == "training"
    net.train(training)
    step = train if training else infer
    times = []
    faults = 0
    for i in range(args.warm_up + args.steps):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        start = time.perf_counter()
        step(*[tensor.to(args.device) for tensor in batches[i % len(batches)]])
        if i >= args.warm_up:
            times.append((time.perf_counter() - start) * 1e3)
            faults += resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    least, p10, median, p90, most = np.quantile(times, [0, 0.1, 0.5, 0.9, 1])
    print(
        json.dumps(
            {
                "schema": 1,
                "system": f"PyTorch {torch.__version__}",
                "network": args.network,
                "batch": args.batch,
                "steps": args.steps,
                "mode": args.mode,
                "precision": args.precision,
                "device": "CPU" if args.device == "cpu" else torch.cuda.get_device_name(),
                "threads": torch.get_num_threads(),
                "channels_last": args.channels_last,
                "compiled": args.compile,
                "malloc": "tuned" if "GLIBC_TUNABLES" in os.environ else "as installed",
                "clips_per_second": args.batch * 1e3 / median,
                "spread": (p90 - p10) / median,
                "step_ms": {"least": least, "p10": p10, "median": median, "p90": p90, "most": most},
                "page_faults_a_step": faults / args.steps,
                "peak_memory_mib": peak_memory_mib(),
            }
        )
    )


if __name__ == "__main__":
    main()
