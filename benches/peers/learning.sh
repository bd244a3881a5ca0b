#!/bin/sh
# Learning, not only arithmetic: tagwalk and PyTorch train the small family member from the same
# weights on the same batches. First the losses of 200 steps, then test AUC over some seeds.
#
#     benches/peers/learning.sh DATASET [FOLDER]     FOLDER gets runs, batches and results
#
# Variables: PYTHON (with torch, numpy, safetensors), SEEDS, STEPS, FLAGS (of `tagwalk train`).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
data=$1
out=${2:-$root/target/learning}
python=${PYTHON:-python3}
seeds=${SEEDS:-0 1 2 3 4 5 6 7} steps=${STEPS:-696}
flags="--network 3^5-81 --schedule fixed --running-variance unbiased ${FLAGS:---mode walk --exclude-self}"

cargo build --release --manifest-path "$root/Cargo.toml"
tagwalk=${CARGO_TARGET_DIR:-$root/target}/release/tagwalk
mkdir -p "$out"
# PyTorch keeps its freed blocks, as in run.sh: less than half the time.
export GLIBC_TUNABLES=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736:glibc.malloc.arena_max=1:glibc.malloc.top_pad=1073741824

# The paper's rate: at a larger one the rounding of a few steps is all that is seen.
echo "losses of 200 steps" >&2
rm -rf "$out/losses" "$out/losses-batches"
"$tagwalk" train "$data" --out "$out/losses" $flags --rate 0.01 --steps 200 --seed 0 --device cpu --quiet \
    --checkpoint-steps 5 --keep
"$tagwalk" batches "$data" --out "$out/losses-batches" $flags --rate 0.01 --steps 200 --seed 0
"$python" "$here/learning.py" losses "$out/losses-batches" "$data" "$out/losses" >"$out/losses.json" || { cat "$out/losses.json"; exit 1; }
cat "$out/losses.json"

table=$out/runs.tsv
: >"$table"
for seed in $seeds; do
    echo "seed $seed" >&2
    run=$out/run-$seed batches=$out/batches-$seed
    rm -rf "$run" "$batches"
    "$tagwalk" train "$data" --out "$run" $flags --rate 0.05 --steps "$steps" --seed "$seed" --device cpu --quiet
    "$tagwalk" evaluate "$run" --weights last --device cpu --json >"$run/evaluate.json"
    "$tagwalk" batches "$data" --out "$batches" $flags --rate 0.05 --steps "$steps" --seed "$seed"
    "$python" "$here/learning.py" train "$batches" "$data" "$batches/pytorch.npy"
    printf '%s\t%s\t%s\t%s\n' "$seed" "$batches/pytorch.npy" "$run/probabilities-test-last.npy" "$batches/truth.npy" >>"$table"
done
"$python" "$here/learning.py" compare "$table" >"$out/seeds.jsonl" || { cat "$out/seeds.jsonl"; exit 1; }
cat "$out/seeds.jsonl"
