#!/bin/sh
# Does mixed precision learn what f32 learns? tagwalk alone, both precisions from the same weights on the
# same batches: losses of 200 steps of the real network, then test AUC of the small one over some seeds.
#
#     benches/mixed.sh DATASET [FOLDER]     FOLDER gets runs and results
#
# Variables: PYTHON, SEEDS, STEPS (of a seed), REAL_STEPS (0: none), FLAGS (of `tagwalk train`), TAGWALK (else it is built).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/..
data=$1
out=${2:-$root/target/mixed}
python=${PYTHON:-python3}
seeds=${SEEDS:-0 1 2 3 4 5 6 7} steps=${STEPS:-696} real=${REAL_STEPS:-200}
flags="--schedule fixed --device cpu --quiet ${FLAGS:---mode walk --exclude-self}"

if [ -z "${TAGWALK:-}" ]; then
    cargo build --release --manifest-path "$root/Cargo.toml"
    TAGWALK=${CARGO_TARGET_DIR:-$root/target}/release/tagwalk
fi
mkdir -p "$out"

for seed in $seeds; do
    for precision in f32 mixed; do
        echo "seed $seed, $precision" >&2
        run=$out/$precision-$seed
        rm -rf "$run"
        "$TAGWALK" train "$data" --out "$run" $flags --network 3^5-81 --rate 0.05 --steps "$steps" --seed "$seed" --precision $precision
        "$TAGWALK" evaluate "$run" --weights last --device cpu --precision $precision --json >"$run/evaluate.json"
    done
done
"$python" "$here/mixed.py" seeds "$out" $seeds | tee "$out/mixed-seeds.jsonl"

if [ "$real" -gt 0 ]; then
    for precision in f32 mixed; do
        echo "$real steps of the real network, $precision" >&2
        rm -rf "$out/$precision-real"
        "$TAGWALK" train "$data" --out "$out/$precision-real" $flags --rate 0.01 --steps "$real" --seed 0 --precision $precision
    done
    "$python" "$here/mixed.py" losses "$out" | tee "$out/mixed-losses.json"
fi
