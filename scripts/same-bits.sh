#!/usr/bin/env bash
# Trains the same runs in one process, on 1, 2, 3 and 5 workers, with a worker killed and another joining, and on every
# instruction set of this machine, and compares the hashes of the trained parameters.
#
#   ./scripts/same-bits.sh FILE [STEPS]         a text, and the steps of each run (default 60)
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

text="${1:-}"
steps="${2:-60}"
if [ ! -r "$text" ]; then
    say "usage: ./scripts/same-bits.sh FILE [STEPS]; FILE '$text' cannot be read, expected a text"
    exit 2
fi
./scripts/setup.sh
say "building"
swift build -c release --product lockstep >&2
lockstep=.build/release/lockstep

work="$(mktemp -d "${TMPDIR:-/tmp}/lockstep-bits-XXXXXX")"
finish() {
    # Only what this script started; a job that has ended is no error.
    local job
    for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
different=0

# The hash of one run: subcommand and arguments.
hash_of() {
    "$lockstep" "$@" "${common[@]}" --run "$(mktemp -d "$work/XXXXXX")/run" --json 2>"$work/log" | sed -n 's/.*"parameters_sha256" : "\(.*\)".*/\1/p'
}

# Counts and prints one comparison.
compare() { # name, hash
    if [ -n "$2" ] && [ "$2" = "$reference" ]; then
        printf '  %-28s %s\n' "$1" equal
    else
        printf '  %-28s %s\n' "$1" "DIFFERENT: ${2:-no hash: $(tail -n 1 "$work/log")}"
        different=1
    fi
}

# A coordinator with two workers, one of which is killed at a random moment; a third joins after that.
disturbed() {
    local place victim other third
    place="$(mktemp -d "$work/XXXXXX")"
    local endpoint="ipc://$place/socket"
    "$lockstep" coordinator --bind "$endpoint" "${common[@]}" --run "$place/run" --json >"$work/summary" 2>"$work/log" &
    local coordinator=$!
    "$lockstep" worker --connect "$endpoint" 2>/dev/null &
    victim=$!
    "$lockstep" worker --connect "$endpoint" 2>/dev/null &
    other=$!
    until grep -q '^step ' "$work/log" || ! kill -0 "$coordinator" 2>/dev/null; do sleep 0.05; done
    sleep "0.$((RANDOM % 90 + 10))"
    kill -KILL "$victim" 2>/dev/null || true
    "$lockstep" worker --connect "$endpoint" 2>/dev/null &
    third=$!
    wait "$coordinator" || true
    wait "$victim" 2>/dev/null || true
    kill "$other" "$third" 2>/dev/null || true
    wait "$other" "$third" 2>/dev/null || true
    sed -n 's/.*"parameters_sha256" : "\(.*\)".*/\1/p' "$work/summary"
}

for cell in lstm gru; do
    for reading in windows stream; do
        common=(--data "$text" --cell "$cell" --hidden-size 64 --embedding-dim 32 --dropout 0.2 --steps "$steps" --validation-every 100000 --checkpoint-every 100000)
        [ "$reading" = stream ] && common+=(--stream)
        reference="$(hash_of train)"
        printf '%s, %s, %s steps, dropout 0.2: %s\n' "$cell" "$reading" "$steps" "$reference"
        for workers in 1 2 3 5; do compare "$workers workers" "$(hash_of train --workers "$workers")"; done
        compare "one killed, one joining" "$(disturbed)"
        if [ "$reading" = windows ]; then
            for isa in $("$lockstep" --version | sed 's/.*available: //; s/[,)]//g'); do
                compare "LOCKSTEP_ISA=$isa" "$(LOCKSTEP_ISA=$isa hash_of train)"
            done
        fi
    done
done
if [ "$different" -ne 0 ]; then
    say "not equal"
    exit 1
fi
say "all equal"
