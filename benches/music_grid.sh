#!/bin/sh
# All arms on real music whose training songs have mostly no tags: 616 clips of free games' music, the 50 most frequent of their
# tags, 80 % of the training songs without any, sides of single songs (`songs`: what is learned may be which game a song is
# from) or of whole games (`groups`), drawn by the seed with removed tags and initial weights.
#
# The real network, with and without borrowed tags only, goes into a folder of its own beside:
#
#     GRID=real-songs NETWORK=3^9 RATE=0.01 RATES=1 STEPS=500 FLAGS="--arms none,walk-exclude-self" RANGES=0.4 \
#         benches/music_grid.sh MUSIC OUT songs 3
#
#     benches/music_grid.sh MUSIC OUT songs|groups [SEEDS]
#
# MUSIC has audio/, playlists/, tags.tsv, songs.tsv and splits_random.tsv (for the shares of the sides). OUT gets data/, made
# once, and songs/ or groups/, the grid. The network is 3^5-81, STEPS steps of 23 clips: 1740, 40,000 clips. A seed has 24 runs
# of the network, of about 85 s each on one core of a Zen 4: ten take three hours on two cores, a third of that with STEPS=580,
# a fifth with that and FLAGS="--precision mixed" on cores with AMX. Variables: STEPS, NETWORK, RATE, RATES (multiples of it
# that are chosen among), RANGES, GRID (the folder), FLAGS (of `tagwalk reproduce`), TAGWALK (the program; else it is built).
set -eu
. "$(dirname "$0")/program.sh"
music=$1 out=$2 by=$3 seeds=${4:-10} steps=${STEPS:-1740}
if [ ! -e "$out/data/manifest.json" ]; then
    mkdir -p "$out"
    "$tagwalk" prepare --out "$out/data" --audio "$music/audio" --tags "$music/tags.tsv" --playlists "$music/playlists" \
        --songs "$music/songs.tsv" --group-column game --split "$music/splits_random.tsv" --excerpt 0:12 --top 50
fi
# shellcheck disable=SC2086
"$tagwalk" reproduce "$out/data" --out "$out/${GRID:-$by}" --seeds "$seeds" --split-by "$by" --remove 0.8 \
    --network "${NETWORK:-3^5-81}" --rate "${RATE:-0.05}" --steps "$steps" --rates "${RATES:-1,2,4}" \
    --ranges "${RANGES:-0,0.2,0.4,0.6,0.8}" --categories "$root/benches/music_categories.tsv" ${FLAGS:-}
