#!/bin/sh
# Product and peers in turn, in one run, again and again, since machines change their speed; then medians, ratios and
# memory at its peak. A peer that is not there, or fails, is said and left out.
#
#     benches/peers/run.sh [FOLDER]        where the lines of JSON and the table go
#
# Variables: PYTHON (with torch), JAX (a Python with jax; default PYTHON), ROUNDS, STEPS, NETWORK, BATCH, MODES (training
# inference), PRECISIONS (f32 mixed), PEERS (of installed tuned last compile jax burn), TURN (what runs a measurement, as
# `chrt -r 1`), TAGWALK (else it is built).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
out=${1:-$root/target/peers}
python=${PYTHON:-python3} jax=${JAX:-${PYTHON:-python3}} turn=${TURN:-}
rounds=${ROUNDS:-3} steps=${STEPS:-6} network=${NETWORK:-3^9} batch=${BATCH:-23}
peers=" ${PEERS:-installed tuned last compile jax burn} "

tagwalk=${TAGWALK:-${CARGO_TARGET_DIR:-$root/target}/release/tagwalk}
[ -n "${TAGWALK:-}" ] || cargo build --release --manifest-path "$root/Cargo.toml"
burn=${BURN_TARGET_DIR:-$root/target/burn}/release/samplecnn-burn
mkdir -p "$out"
lines=$out/throughput.jsonl
: >"$lines"

missing() {
    echo "left out: $1" >&2
    peers=$(echo "$peers" | sed "s/ $2 / /")
}
wanted() { case $peers in *" $1 "*) true ;; *) false ;; esac; }

"$python" -c "import torch, numpy" 2>/dev/null || for peer in installed tuned last compile; do missing "PyTorch ($peer): no torch and numpy in $python" $peer; done
if wanted burn && ! { [ -x "$burn" ] || cargo build --release --target-dir "${burn%/release/*}" --manifest-path "$here/burn/Cargo.toml"; }; then
    missing "Burn: it does not build" burn
fi
if wanted jax && ! "$jax" -c "import jax" 2>/dev/null; then missing "JAX: no jax in $jax" jax; fi

# Keeps freed blocks in the process: without it glibc gives them back, and every step faults its pages in anew.
tuned=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736:glibc.malloc.arena_max=1:glibc.malloc.top_pad=1073741824

# peer NAME COMMAND...: a measurement, appended; one that fails is said and not tried again.
peer() {
    name=$1
    shift
    wanted "$name" || return 0
    # shellcheck disable=SC2086
    "$@" >"$out/line" 2>"$out/log" && cat "$out/line" >>"$lines" || missing "$*: $(tail -n 1 "$out/log")" "$name"
    rm -f "$out/line" "$out/log"
}

for mode in ${MODES:-training inference}; do
    for precision in ${PRECISIONS:-f32 mixed}; do
        common="--network $network --batch $batch --steps $steps --warm-up 2 --mode $mode"
        theirs="$common --precision $(echo "$precision" | sed s/mixed/bf16/)"
        for round in $(seq "$rounds"); do
            echo "$mode, $precision, round $round of $rounds" >&2
            # shellcheck disable=SC2086
            {
                $turn "$tagwalk" bench step $common --precision "$precision" --device cpu --json >>"$lines"
                peer installed $turn "$python" "$here/throughput.py" $theirs
                peer tuned $turn env GLIBC_TUNABLES=$tuned "$python" "$here/throughput.py" $theirs
                peer last $turn env GLIBC_TUNABLES=$tuned "$python" "$here/throughput.py" $theirs --channels-last
                peer compile $turn env GLIBC_TUNABLES=$tuned "$python" "$here/throughput.py" $theirs --compile
                peer compile $turn env GLIBC_TUNABLES=$tuned "$python" "$here/throughput.py" $theirs --compile --channels-last
                peer jax $turn "$jax" "$here/jax/throughput.py" $theirs
                [ "$precision" = mixed ] || peer burn $turn "$burn" $common
            }
        done
    done
done
"$python" "$here/table.py" "$lines" | tee "$out/throughput.md"
