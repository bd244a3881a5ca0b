#!/bin/sh
# The whole path with the released network on real music: prepare, train with and without borrowed
# tags on collections whose training songs have mostly none, evaluate, tag.
#
#     benches/music.sh MUSIC OUT [STEPS]
#
# MUSIC has audio/, playlists/, splits_random.tsv and tags_sparse80_random.tsv. OUT gets the dataset,
# both runs and music.jsonl: an object a stage. Variables: TAGWALK (the program), FLAGS (of `tagwalk train`).
set -eu
. "$(dirname "$0")/program.sh"
music=$1 out=$2 steps=${3:-400}
mkdir -p "$out"
: >"$out/music.jsonl"

# stage NAME COMMAND...: runs it, and notes the seconds it took, its exit code and its last line of JSON.
stage() {
    name=$1 begin=$(date +%s.%N) code=0
    shift
    "$@" >"$out/$name.out" || code=$?
    end=$(date +%s.%N)
    last=$(tail -n 1 "$out/$name.out")
    case $last in "{"*) ;; *) last=null ;; esac
    echo "{\"stage\":\"$name\",\"seconds\":$(echo "$begin $end" | awk "{printf \"%.1f\", \$2 - \$1}"),\"exit\":$code,\"result\":$last}" >>"$out/music.jsonl"
    [ "$code" -le 1 ] || exit "$code"
}

rm -rf "$out/data" "$out/none" "$out/walk"
stage prepare "$tagwalk" prepare --json --out "$out/data" --audio "$music/audio" --tags "$music/tags_sparse80_random.tsv" \
    --split "$music/splits_random.tsv" --playlists "$music/playlists" --top 50
for arm in none walk; do
    flags="--mode none"
    [ "$arm" = none ] || flags="--mode walk --exclude-self"
    # shellcheck disable=SC2086
    stage "train-$arm" "$tagwalk" train "$out/data" --out "$out/$arm" $flags --steps "$steps" --device cpu --json ${FLAGS:-}
    grep '"kind":"epoch"\|"kind":"end"' "$out/$arm/metrics.jsonl" >>"$out/music.jsonl"
    stage "evaluate-$arm" "$tagwalk" evaluate "$out/$arm" --device cpu --json
done
first=$(find "$music/audio/0ad" -type f | sort | head -n 1)
stage tag "$tagwalk" tag "$out/walk" "$first" --top 5 --json --device cpu
echo "see $out/music.jsonl" >&2
