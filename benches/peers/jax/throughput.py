"""Clips a second of SampleCNN in JAX on the CPU: the step of ../throughput.py, compiled by XLA, with the same members
in its JSON. float32, or bf16: convolutions of bf16, weights and statistics float32.
"""

import argparse
import json
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# (module, modules, first filter), as in ../samplecnn.py.
MEMBERS = {"3^9": (3, 9, 3), "3^5-81": (3, 5, 81)}
EPS, RUNNING, DROPOUT, RATE, MOMENTUM = 1e-3, 0.01, 0.5, 0.01, 0.9


def peak_memory_mib():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def layers(module, modules, first):
    """(channels in, out, kernel, stride, padding, pool) of each layer."""
    rows = [(1, 128, first, first, (0, 0), 1)]
    for i in range(1, modules + 1):
        cout = 512 if i == modules else 128 if i <= 2 else 256
        rows.append((rows[-1][1], cout, module, 1, ((module - 1) // 2, module // 2), module))
    return rows + [(512, 512, 1, 1, (0, 0), 1)]


def initial(table, tags, key):
    """Parameters and running statistics."""
    weights, running = [], []
    for cin, cout, kernel, *_ in table:
        key, own = jax.random.split(key)
        limit = (6 / (cin * kernel)) ** 0.5
        w = jax.random.uniform(own, (kernel, cin, cout), minval=-limit, maxval=limit)
        weights.append((w, jnp.zeros(cout), jnp.ones(cout), jnp.zeros(cout)))
        running.append((jnp.zeros(cout), jnp.ones(cout)))
    key, own = jax.random.split(key)
    limit = (6 / (table[-1][1] + tags)) ** 0.5
    dense = (jax.random.uniform(own, (table[-1][1], tags), minval=-limit, maxval=limit), jnp.zeros(tags))
    return (weights, dense), running


def forward(table, parameters, running, samples, dtype, key=None):
    """Logits, and the running statistics after; `key` draws dropout and says that it trains."""
    weights, (dense, bias) = parameters
    x = samples.astype(jnp.float32)[:, :, None] * (1 / 32768)
    after = []
    for (_, _, _, stride, padding, pool), (w, b, gamma, beta), (mean, variance) in zip(table, weights, running):
        dimensions = ("NWC", "WIO", "NWC")
        z = lax.conv_general_dilated(x.astype(dtype), w.astype(dtype), (stride,), [padding], dimension_numbers=dimensions)
        z = z.astype(jnp.float32) + b
        if key is not None:
            own = z.mean((0, 1)), z.var((0, 1))
            after.append(tuple(old + RUNNING * (new - old) for old, new in zip((mean, variance), own)))
            mean, variance = own
        x = jax.nn.relu((z - mean) * lax.rsqrt(variance + EPS) * gamma + beta)
        if pool > 1:
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, pool, 1), (1, pool, 1), "VALID")
    x = x.reshape(len(x), -1)
    if key is not None:
        x = jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, x.shape), x / (1 - DROPOUT), 0)
    return x @ dense + bias, after


def two_terms(logits, own, propagated, weights):
    """Own and supportive cross-entropy, mean over clips and tags; weights [2, clip]."""
    bce = lambda labels: jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    return sum((bce(labels) * w[:, None]).mean() for labels, w in zip((own, propagated), weights))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=MEMBERS, default="3^9")
    parser.add_argument("--batch", type=int, default=23)
    parser.add_argument("--tags", type=int, default=50)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--mode", choices=["training", "inference"], default="training")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    args = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")

    module, modules, first = MEMBERS[args.network]
    table, length = layers(module, modules, first), first * module**modules
    dtype = jnp.float32 if args.precision == "f32" else jnp.bfloat16
    key = jax.random.key(0)
    parameters, running = initial(table, args.tags, key)
    momenta = jax.tree.map(jnp.zeros_like, parameters)

    def train(parameters, momenta, running, key, samples, own, propagated, weights):
        def loss(parameters):
            logits, after = forward(table, parameters, running, samples, dtype, key)
            return two_terms(logits, own, propagated, weights), after

        (value, running), gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
        momenta = jax.tree.map(lambda m, g: MOMENTUM * m + g, momenta, gradients)
        update = lambda p, m, g: p - RATE * (g + MOMENTUM * m)
        return jax.tree.map(update, parameters, momenta, gradients), momenta, running, value

    train = jax.jit(train, donate_argnums=(0, 1, 2))
    infer = jax.jit(lambda parameters, running, samples: jax.nn.sigmoid(forward(table, parameters, running, samples, dtype)[0]).sum())

    draw = np.random.default_rng(0)
    labels = lambda: (draw.random((args.batch, args.tags)) < 0.1).astype(np.float32)
    lent = lambda: np.stack([np.ones(args.batch), draw.random(args.batch) < 0.5]).astype(np.float32)
    samples = lambda: draw.integers(-20_000, 20_000, (args.batch, length), dtype=np.int16)
    batches = [(samples(), labels(), labels(), lent()) for _ in range(4)]
    times = []
    for i in range(args.warm_up + args.steps):
        batch = batches[i % len(batches)]
        start = time.perf_counter()
        if args.mode == "training":
            drop = jax.random.fold_in(key, i)
            parameters, momenta, running, value = train(parameters, momenta, running, drop, *batch)
        else:
            value = infer(parameters, running, batch[0])
        # The loss alone could be there before the update.
        jax.block_until_ready((parameters, value))
        assert np.isfinite(float(value))
        if i >= args.warm_up:
            times.append((time.perf_counter() - start) * 1e3)
    least, p10, median, p90, most = np.quantile(times, [0, 0.1, 0.5, 0.9, 1])
    print(
        json.dumps(
            {
                "schema": 1,
                "system": f"JAX {jax.__version__}",
                "network": args.network,
                "batch": args.batch,
                "steps": args.steps,
                "mode": args.mode,
                "precision": args.precision,
                "device": "CPU",
                "clips_per_second": args.batch * 1e3 / median,
                "spread": (p90 - p10) / median,
                "step_ms": {"least": least, "p10": p10, "median": median, "p90": p90, "most": most},
                "peak_memory_mib": peak_memory_mib(),
            }
        )
    )


if __name__ == "__main__":
    main()
