#!/bin/sh
# All that a new GPU is asked, in one command: what it is, whether every kernel computes right on it, which
# tile sizes suit it, how fast its kernels and steps are, and PyTorch in the same run where there is one.
#
#     benches/gpu.sh [FOLDER]        where the results go
#
# Variables: ADAPTER (name or index in `tagwalk devices`; the best real GPU unless told), NETWORK, BATCHES, STEPS,
# PYTHON (with a torch that knows the GPU), GOLDEN=1 (the golden problems on every adapter's first shaders, some minutes).
# Ends with 1 where a kernel computes wrong; what was measured then is no use.
set -eu
root=$(cd "$(dirname "$0")" && pwd)/..
out=${1:-$root/target/gpu}
network=${NETWORK:-3^9} batches=${BATCHES:-8,23,92} steps=${STEPS:-20}
device="--device gpu ${ADAPTER:+--adapter $ADAPTER}"

cargo build --release --manifest-path "$root/Cargo.toml"
tagwalk=${CARGO_TARGET_DIR:-$root/target}/release/tagwalk
mkdir -p "$out"

say() { printf '\n== %s\n' "$*" >&2; }

# checked FILE COMMAND...: what it prints, on the terminal and in FILE; remembers that it failed.
status=0
checked() {
    file=$out/$1
    shift
    "$@" >"$file" || status=1
    cat "$file"
}

say "the adapters"
"$tagwalk" devices | tee "$out/devices.txt"
say "every kernel against the reference"
# shellcheck disable=SC2086
checked check.txt "$tagwalk" check $device
# shellcheck disable=SC2086
checked check-mixed.txt "$tagwalk" check $device --precision mixed
if [ -n "${GOLDEN:-}" ]; then
    say "golden problems"
    checked golden.txt cargo test --release --manifest-path "$root/Cargo.toml" --test golden vulkan -- --nocapture
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
    for mode in training inference; do
        "$tagwalk" bench step $device --network "$network" --batch "$batches" --steps "$steps" --precision mixed --mode "$mode" --json
    done
} | tee "$out/mixed.jsonl"
say "its kernels"
# shellcheck disable=SC2086
"$tagwalk" bench kernels $device --network "$network" --batch "${batches%%,*}" --json >"$out/kernels.jsonl"
if "${PYTHON:-python3}" -c 'import torch; raise SystemExit(not torch.cuda.is_available())' 2>/dev/null; then
    say "PyTorch"
    for mode in training inference; do
        for batch in $(echo "$batches" | tr , ' '); do
            for precision in f32 bf16; do
                for more in "" "--channels-last" "--compile" "--compile --channels-last"; do
                    # shellcheck disable=SC2086
                    "${PYTHON:-python3}" "$root/benches/peers/throughput.py" --device cuda --network "$network" --batch "$batch" \
                        --steps "$steps" --warm-up 3 --mode "$mode" --precision "$precision" $more | tee -a "$out/pytorch.jsonl"
                done
            done
        done
    done
fi
say "results are in $out"
[ "$status" = 0 ] || say "A KERNEL COMPUTES WRONG: see check.txt and check-mixed.txt"
exit "$status"
