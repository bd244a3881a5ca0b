#!/bin/sh
# Is a grid the same by whatever starts its runs? The same grid by GNU parallel and as a Slurm array of this one host, each killed
# half-way (SIGKILL), collected with holes, continued and collected, and compared with the plain command: rows without their
# times, tags, intervals and the table of arms must agree to the byte.
#
#     benches/many_machines.sh DATASET OUT [FLAG...]       FLAGs of `tagwalk reproduce`
#
# OUT gets plain/, parallel/ and slurm/. If OUT/plain has all rows already, they are taken. What is not installed, or answers no
# `sinfo`, is left out and said so; the script ends with 1 where anything differs. Variables: TAGWALK (else it is built), JOBS (2).
set -eu
. "$(dirname "$0")/program.sh"
dataset=$1 out=$2
shift 2
jobs=${JOBS:-2}
mkdir -p "$out/bin"
ln -sf "$(realpath "$tagwalk")" "$out/bin/tagwalk"
PATH=$(realpath "$out/bin"):$PATH
export PATH

# grid FOLDER FLAGS...: the grid, into OUT/FOLDER.
grid() {
    folder=$out/$1
    shift
    tagwalk reproduce "$dataset" --out "$folder" --threads 1 "$@"
}
# rows FOLDER: how many runs are finished there.
rows() {
    find "$out/$1/rows" -name '*.csv' ! -name '*.tags.csv' 2>/dev/null | wc -l
}
# half FOLDER ALL STILL...: waits until half of ALL runs are finished, as long as the command STILL says that some are at work.
half() {
    folder=$1 enough=$(($2 / 2))
    shift 2
    until [ "$(rows "$folder")" -ge "$enough" ]; do
        "$@" || { echo "$folder: it ended before half of the runs were finished" >&2 && exit 1; }
        sleep 0.2
    done
}
# same FOLDER: whether what was collected there is what the plain command collects.
same() {
    for table in tags.csv data/arms.csv; do
        cmp "$out/plain/$table" "$out/$1/$table" || status=1
    done
    # Beside the whole grid's, intervals of what was collected half-way are kept there.
    for of in plain "$1"; do sort "$out/$of/intervals.csv" >"$out/$of.intervals"; done
    missing=$(comm -23 "$out/plain.intervals" "$out/$1.intervals" | wc -l)
    [ "$missing" = 0 ] || { echo "$1/intervals.csv: $missing lines of the plain command's are not there" && status=1; }
    # All columns but those of the clock, of folders, and the sum over all columns.
    for of in plain "$1"; do
        python3 -c '
import csv, sys
for row in csv.DictReader(open(sys.argv[1])):
    print([value for name, value in row.items() if name not in ("seconds", "commands", "check")])
' "$out/$of/runs.csv" >"$out/$of.rows"
    done
    cmp "$out/plain.rows" "$out/$1.rows" || status=1
}

status=0
grid plain "$@" >/dev/null
all=$(rows plain)
echo "plain: $all runs"

if command -v parallel >/dev/null; then
    mkdir -p "$out/parallel"
    grid parallel "$@" --list >"$out/parallel.lines"
    parallel --will-cite --jobs "$jobs" <"$out/parallel.lines" >"$out/parallel.log" 2>&1 &
    half parallel "$all" kill -0 "$!"
    # Its jobs are in process groups of their own, and would outlive it.
    running=$(pgrep -P "$!" || true)
    kill -s KILL "$!" $running $(for job in $running; do pgrep -P "$job"; done) || true
    sleep 1
    grid parallel "$@" --collect 2>&1 >/dev/null | grep missing || echo "GNU parallel was done before it could be killed"
    grid parallel "$@" --list | parallel --will-cite --jobs "$jobs" >>"$out/parallel.log" 2>&1
    grid parallel "$@" --collect >/dev/null
    same parallel
    echo "GNU parallel, killed and continued: $(rows parallel) runs"
else
    echo "GNU parallel is not installed: left out"
fi

if sinfo >/dev/null 2>&1; then
    mkdir -p "$out/slurm"
    {
        printf '#!/bin/sh\n#SBATCH --cpus-per-task=1\n#SBATCH --output=%s/slurm/%%a.log\n' "$(realpath "$out")"
        printf 'exec tagwalk reproduce "$@" --threads "$SLURM_CPUS_PER_TASK" --only "$SLURM_ARRAY_TASK_ID"\n'
    } >"$out/slurm.sh"
    array() {
        sbatch --parsable --array="1-$all" "$out/slurm.sh" "$(realpath "$dataset")" --out "$(realpath "$out/slurm")" "$@"
    }
    # Both make what all runs share.
    grid slurm "$@" --list >/dev/null
    job=$(array "$@")
    working() { [ -n "$(squeue --noheader --jobs "$job" 2>/dev/null)" ]; }
    half slurm "$all" working
    scancel --signal=KILL --full "$job" || true
    scancel "$job"
    while working; do sleep 1; done
    grid slurm "$@" --collect 2>&1 >/dev/null | grep missing || echo "the array was done before it could be killed"
    job=$(array "$@")
    while working; do sleep 1; done
    grid slurm "$@" --collect >/dev/null
    same slurm
    echo "Slurm array, killed and continued: $(rows slurm) runs"
else
    echo "Slurm does not answer: left out"
fi
[ "$status" = 0 ] && echo "all the same" || echo "THEY DIFFER"
exit "$status"
