#!/bin/sh
# How cost grows with the work: time against batch, clip length and channels, clips a second against
# songs and tags. Rounds in turn, since machines change their speed; `plots.py` takes medians.
#
#     benches/growth.sh [FOLDER]        where the lines of JSON go (growth-*.jsonl)
#
# Variables: ROUNDS, STEPS, NETWORK, DEVICE (flags, as `--device gpu`), TAGWALK (else it is built).
set -eu
. "$(dirname "$0")/program.sh"
out=${1:-$root/target/growth}
rounds=${ROUNDS:-3} steps=${STEPS:-8} network=${NETWORK:-3^7-9/2} device=${DEVICE:---device cpu}

mkdir -p "$out"
rm -f "$out"/growth-*.jsonl

# step FILE FLAGS...: one measurement, appended.
step() {
    file=$out/growth-$1.jsonl
    shift
    # shellcheck disable=SC2086
    "$tagwalk" bench step --steps "$steps" --warm-up 2 $device "$@" --json >>"$file"
}

for round in $(seq "$rounds"); do
    echo "round $round of $rounds" >&2
    step batch --network "$network" --batch 2,4,8,16,23,32,46
    for samples in 6561 13122 19683 39366 59049; do
        step clip --network "$network" --clip "$samples" --batch 8
    done
    for divisor in 16 8 4 2 1; do
        step channels --network "${network%/*}/$divisor" --batch 8
    done
    for songs in 1000 10000 100000 1000000; do
        step songs --network "$network" --batch 23 --songs "$songs"
    done
    step tags --network "$network" --batch 23 --tags 50
    step tags --network "$network" --batch 23 --tags 1000
done
