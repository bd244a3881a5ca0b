#!/bin/sh
# One factor at a time on made-up worlds of which the truth is known: how many tags are removed, how much playlists know of
# them, and the search range, around one setting. All runs in one folder, all rows in its runs.csv; the last command is the
# grid of the setting itself, with all arms, and its report has the figures of all of them.
#
#     benches/worlds.sh OUT [SEEDS]
#
# The setting: 800 songs of 6 s by about 200 artists and 1600 that only lend, 50 tags of which annotators record 60 %, 4000
# playlists in which each next song is the nearest in style of 1000 drawn (coherence 1); 80 % of the training songs lose all tags;
# sides of whole artists, drawn by the seed with removed tags and initial weights; the small network at half its width, STEPS
# steps of 23 clips (700). Test songs are measured against their true tags. With coherence 0 playlists know nothing of the
# tags: there borrowing must lose. A seed has 38 runs of the network, of about 12 s each on one core of a Xeon of 2023: ten
# take 40 minutes on two cores, if nobody else uses them.
#
# OUT gets worlds/ and grid/. To draw the report again without training, put runs.csv, tags.csv and intervals.csv into an
# empty OUT/grid and run the same command: it finds all runs done. Variables: STEPS; COHERENCE and REMOVED, the other values
# of either; RANGES; FLAGS (of every grid), TAGWALK (the program; else it is built).
set -eu
. "$(dirname "$0")/program.sh"
out=$1 seeds=${2:-10} steps=${STEPS:-700}

# grid COHERENCE FLAGS...: the runs of one setting.
grid() {
    world=$out/worlds/$1
    shift
    # shellcheck disable=SC2086
    "$tagwalk" reproduce "$world" --out "$out/grid" --seeds "$seeds" --split-by groups --top all --network 3^5-81/2 \
        --rate 0.05 --steps "$steps" ${FLAGS:-} "$@"
}
pair="--arms none,walk-exclude-self --scan walk-exclude-self --ranges 0.4 --rates 1 --bootstrap 0"

for coherence in 1 ${COHERENCE:-0 0.25 0.5 0.8}; do
    "$tagwalk" synth --out "$out/worlds/$coherence" --coherence "$coherence" --nearest-of 1000 --songs 800 --lenders 1600 \
        --seconds 6 --playlists 4000 --untagged 0 --recorded 0.6 --sparse-everywhere
done
for coherence in ${COHERENCE:-0 0.25 0.5 0.8}; do
    # shellcheck disable=SC2086
    grid "$coherence" --remove 0.8 $pair
done
for removed in ${REMOVED:-0 0.5 0.95}; do
    # shellcheck disable=SC2086
    grid 1 --remove "$removed" $pair
done
grid 1 --remove 0.8 --rates 1,2,4 --ranges "${RANGES:-0,0.2,0.4,0.6,0.8,1}"
