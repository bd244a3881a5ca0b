#!/bin/sh
# Gives every reader of foreign bytes damaged files, each reader for SECONDS (600 unless told), and
# prints its count of files and the memory it took at its peak.
set -eu
cd "$(dirname "$0")"

seconds="${1:-600}"
case "$seconds" in
*[!0-9]* | '')
    echo "usage: ./fuzz.sh [SECONDS]: a whole number, not \"$seconds\"" >&2
    exit 2
    ;;
esac
TAGWALK_FUZZ_SECONDS="$seconds" exec cargo test --release --test hostile_audio --test hostile_tables \
    --test hostile_runs -- --nocapture --test-threads 1
