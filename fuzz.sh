#!/bin/sh
# Gives every reader of foreign bytes damaged files, each reader for SECONDS (600 unless told), and
# prints its count of files and the memory it took at its peak. Which damage is done follows from SEED (the
# time unless told), which is printed, so that what was found can be found again.
#
#     ./fuzz.sh [SECONDS [SEED]]
set -eu
cd "$(dirname "$0")"

seconds="${1:-600}" seed="${2:-$(date +%s)}"
case "$seconds$seed" in
*[!0-9]* | '')
    echo "usage: ./fuzz.sh [SECONDS [SEED]]: whole numbers, not \"$seconds\" and \"$seed\"" >&2
    exit 2
    ;;
esac
TAGWALK_FUZZ_SECONDS="$seconds" TAGWALK_FUZZ_SEED="$seed" exec cargo test --release --test hostile_audio --test hostile_tables \
    --test hostile_runs -- --nocapture --test-threads 1
