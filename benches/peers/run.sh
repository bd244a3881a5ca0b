#!/bin/sh
# Product and peer in turn, in one run: tagwalk, PyTorch as installed, PyTorch with malloc tuned,
# the same channels-last; again and again, since machines change their speed. Then medians, ratios
# and memory at its peak.
#
#     benches/peers/run.sh [FOLDER]        where the lines of JSON and the table go
#
# Variables: PYTHON (with torch), ROUNDS, STEPS, NETWORK, BATCH, MODES.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
out=${1:-$root/target/peers}
python=${PYTHON:-python3}
rounds=${ROUNDS:-3} steps=${STEPS:-6} network=${NETWORK:-3^9} batch=${BATCH:-23}

cargo build --release --manifest-path "$root/Cargo.toml"
tagwalk=${CARGO_TARGET_DIR:-$root/target}/release/tagwalk
mkdir -p "$out"
lines=$out/throughput.jsonl
: >"$lines"

# Keeps freed blocks in the process: without it glibc gives them back, and every step faults its pages in anew.
tuned=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736:glibc.malloc.arena_max=1:glibc.malloc.top_pad=1073741824

for mode in ${MODES:-training inference}; do
    common="--network $network --batch $batch --steps $steps --warm-up 2 --mode $mode"
    for round in $(seq "$rounds"); do
        echo "$mode, round $round of $rounds" >&2
        "$tagwalk" bench step $common --device cpu --json >>"$lines"
        "$python" "$here/throughput.py" $common >>"$lines"
        GLIBC_TUNABLES=$tuned "$python" "$here/throughput.py" $common >>"$lines"
        GLIBC_TUNABLES=$tuned "$python" "$here/throughput.py" $common --channels-last >>"$lines"
    done
done
"$python" "$here/table.py" "$lines" | tee "$out/throughput.md"
