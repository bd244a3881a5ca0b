#!/bin/sh
# All that a new GPU is asked, in one command: what it is, whether every kernel computes right on it, which
# tile sizes suit it, how fast its kernels and steps are, and PyTorch in the same run where there is one.
#
#     benches/gpu.sh [FOLDER]        where the results go
#
# Variables: ADAPTER (name or index in `tagwalk devices`; the best real GPU unless told), NETWORK, BATCHES, STEPS,
# PYTHON (with a torch that knows the GPU), GOLDEN=1 (the golden problems on every adapter's first shaders, some minutes).
set -eu
root=$(cd "$(dirname "$0")" && pwd)/..
out=${1:-$root/target/gpu}
network=${NETWORK:-3^9} batches=${BATCHES:-8,23,92} steps=${STEPS:-20}
device="--device gpu ${ADAPTER:+--adapter $ADAPTER}"

cargo build --release --manifest-path "$root/Cargo.toml"
tagwalk=${CARGO_TARGET_DIR:-$root/target}/release/tagwalk
mkdir -p "$out"

say() { printf '\n== %s\n' "$*" >&2; }

say "the adapters"
"$tagwalk" devices | tee "$out/devices.txt"
say "every kernel against the reference"
# shellcheck disable=SC2086
"$tagwalk" check $device | tee "$out/check.txt"
# shellcheck disable=SC2086
"$tagwalk" check $device --precision mixed | tee "$out/check-mixed.txt"
if [ -n "${GOLDEN:-}" ]; then
    say "golden problems"
    (cd "$root" && cargo test --release --test golden vulkan -- --nocapture) | tee "$out/golden.txt"
fi
say "untuned, tuned"
# shellcheck disable=SC2086
"$tagwalk" bench step $device --network "$network" --batch "$batches" --steps "$steps" --no-tune --json | tee "$out/untuned.jsonl"
# shellcheck disable=SC2086
"$tagwalk" tune $device --network "$network" --batch "${batches%%,*}" | tee "$out/tune.txt"
for mode in training inference; do
    # shellcheck disable=SC2086
    "$tagwalk" bench step $device --network "$network" --batch "$batches" --steps "$steps" --mode "$mode" --json |
        tee -a "$out/step.jsonl"
done
say "mixed precision, untuned and tuned"
# shellcheck disable=SC2086
{
    "$tagwalk" bench step $device --network "$network" --batch "$batches" --steps "$steps" --precision mixed --no-tune --json
    "$tagwalk" tune $device --network "$network" --batch "${batches%%,*}" --precision mixed >&2
    "$tagwalk" bench step $device --network "$network" --batch "$batches" --steps "$steps" --precision mixed --json
} | tee "$out/mixed.jsonl"
say "its kernels"
# shellcheck disable=SC2086
"$tagwalk" bench kernels $device --network "$network" --batch "${batches%%,*}" --json >"$out/kernels.jsonl"
if "${PYTHON:-python3}" -c 'import torch; raise SystemExit(not torch.cuda.is_available())' 2>/dev/null; then
    say "PyTorch"
    for mode in training inference; do
        for batch in $(echo "$batches" | tr , ' '); do
            for more in "" "--channels-last"; do
                # shellcheck disable=SC2086
                "${PYTHON:-python3}" "$root/benches/peers/throughput.py" --device cuda --network "$network" --batch "$batch" \
                    --steps "$steps" --warm-up 3 --mode "$mode" $more | tee -a "$out/pytorch.jsonl"
            done
        done
    done
fi
say "results are in $out"
