#!/bin/sh
# What the paper leaves open, asked in the world of worlds.sh (docs/reproduction.md, rows C2 and C7 to C10), at its setting: other
# readings of the walk and other modes, weights and ranges of tags, artists and their mixture with playlists as contexts,
# several hops, two heads, leaking lenders; other members of the family; and whether more tags gain more.
#
#     benches/questions.sh OUT [SEEDS]
#
# OUT gets worlds/1, as worlds.sh makes it, and questions/, the grid of all arms but the members of the family, which have a
# grid each, since a gain is one over the same network without borrowing: m-2/ to m-5/. For the last question it gets
# worlds/tags and tags/: 1600 songs, 200 tags that become rare more slowly, the 50 most frequent beside all. A seed has 32
# runs of the network, of about 12 s each on one core of a Xeon of 2023: five take 17 minutes on two cores. Variables: STEPS
# (700), FLAGS (of every grid), TAGWALK (the program; else it is built).
set -eu
. "$(dirname "$0")/program.sh"
out=$1 seeds=${2:-5} steps=${STEPS:-700}

# world NAME FLAGS...: playlists as coherent as can be, songs that only lend.
world() {
    name=$1
    shift
    "$tagwalk" synth --out "$out/worlds/$name" --coherence 1 --nearest-of 1000 --lenders 1600 --seconds 6 --playlists 4000 \
        --untagged 0 --recorded 0.6 --sparse-everywhere "$@"
}

# grid WORLD FOLDER NETWORK FLAGS...: one grid, a range and a rate for all.
grid() {
    name=$1 folder=$2 network=$3
    shift 3
    # shellcheck disable=SC2086
    "$tagwalk" reproduce "$out/worlds/$name" --out "$out/$folder" --seeds "$seeds" --split-by groups --remove 0.8 \
        --network "$network" --rate 0.05 --steps "$steps" --ranges 0.4 --rates 1 ${FLAGS:-} "$@"
}
small=3^5-81/2

world 1 --songs 800
# Tags by their frequency, which is the order of that file: the ten most frequent, and the others.
frequency=$out/worlds/frequency.tsv
awk -F'\t' 'NR == 1 { print; next } { print $1 "\t" (NR <= 11 ? "frequent" : "rare") }' "$out/worlds/1/truth/categories.tsv" > "$frequency"
arms=none,walk-exclude-self,walk,walk-weighted,expected-exclude-self,expected,walk-printed,walk-clamp,walk-redraw,walk-eq2,walk-wrap
arms=$arms,songs-without-tags-pass,songs-without-tags-lend-zeros,idf-weights,along-groups,playlists-and-groups
arms=$arms,three-hops,r-1,leaking-lenders,two-heads
grid 1 questions "$small" --top all --arms "$arms" \
    --with "near for frequent tags, far for rare: --exclude-self --categories $frequency --range-by-category frequent=0,rare=0.8" \
    --with "far for frequent tags, near for rare: --exclude-self --categories $frequency --range-by-category frequent=0.8,rare=0"

grid 1 m-2 2^8-77/2 --top all --arms none,walk-exclude-self
grid 1 m-4 4^4-77/2 --top all --arms none,walk-exclude-self
grid 1 m-5 5^3-157/2 --top all --arms none,walk-exclude-self

world tags --songs 1600 --tags 200 --tail 0.65
grid tags tags "$small" --top 50,all --arms none,walk-exclude-self
