#!/bin/sh
# Does mixed precision learn what f32 learns? tagwalk alone, both precisions from the same weights on the
# same batches: test AUC of the small network over some seeds, then the losses of 200 steps of the real one,
# beside a second run in f32 by other instructions, which shows how far rounding alone drives two runs apart.
#
#     benches/mixed.sh DATASET [FOLDER]     FOLDER gets runs and results
#
# Variables: PYTHON, SEEDS, STEPS (of a seed), REAL_STEPS (0: none), OTHER (the instructions of the second run in f32:
# avx2, or portable), FLAGS (of `tagwalk train`), TAGWALK (else it is built).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$(dirname "$0")/program.sh"
data=$1
out=${2:-$root/target/mixed}
python=${PYTHON:-python3}
seeds=${SEEDS:-0 1 2 3 4 5 6 7} steps=${STEPS:-696} steps_real=${REAL_STEPS:-200} other=${OTHER:-avx2}
flags="--schedule fixed --device cpu --quiet ${FLAGS:---mode walk --exclude-self}"

mkdir -p "$out"

# judge WHAT FILE SEED...: what was found, on the terminal and in FILE; outside its bounds, the script ends with 1.
status=0
judge() {
    what=$1 file=$2
    shift 2
    "$python" "$here/mixed.py" "$what" "$out" "$@" >"$out/$file" || status=1
    cat "$out/$file"
}

for seed in $seeds; do
    for precision in f32 mixed; do
        echo "seed $seed, $precision" >&2
        run=$out/$precision-$seed
        rm -rf "$run"
        "$tagwalk" train "$data" --out "$run" $flags --network 3^5-81 --rate 0.05 --steps "$steps" --seed "$seed" --precision $precision
        "$tagwalk" evaluate "$run" --weights last --device cpu --precision $precision --json >"$run/evaluate.json"
    done
done
judge seeds mixed-seeds.jsonl $seeds

# real NAME FLAGS...: the released network, into NAME-real.
real() {
    name=$1
    shift
    echo "$steps_real steps of the real network, $name" >&2
    rm -rf "$out/$name-real"
    "$tagwalk" train "$data" --out "$out/$name-real" $flags --rate 0.01 --steps "$steps_real" --seed 0 "$@"
}
if [ "$steps_real" -gt 0 ]; then
    real f32 --precision f32
    real other --precision f32 --family "$other"
    real mixed --precision mixed
    judge losses mixed-losses.json
fi
exit "$status"
