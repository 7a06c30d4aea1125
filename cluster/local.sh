#!/usr/bin/env bash
# Trains on this machine with one coordinator and two workers, then shows a sample. Nothing has to be there before but Swift.
# Whatever of it is killed is started again, and the trained bits are the same.
#
#   ./cluster/local.sh                          the built-in addition task
#   ./cluster/local.sh --data FILE              a text of your own; every flag of `lockstep train` works
#   WORKERS=4 ./cluster/local.sh
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
workers="${WORKERS:-2}"
if ! [[ "$workers" =~ ^[0-9]+$ ]]; then
    echo "WORKERS='$workers': expected a whole number" >&2
    exit 2
fi

say() { printf '%s\n' "==> $*" >&2; }

"$root/scripts/setup.sh"
say "building in release (the first time takes a few minutes)"
(cd "$root" && swift build -c release --product lockstep >&2)
lockstep="$root/.build/release/lockstep"

run=
arguments=("$@")
for ((i = 0; i < ${#arguments[@]}; i++)); do
    case "${arguments[i]}" in
        --run) run="${arguments[i + 1]:-}" ;;
        --run=*) run="${arguments[i]#--run=}" ;;
    esac
done
if [ -z "$run" ]; then
    number=1
    while [ -e "runs/local-$number" ]; do number=$((number + 1)); done
    run="runs/local-$number"
    set -- "$@" --run "$run"
fi

say "starting a coordinator and $workers workers; the run goes to $run"
"$lockstep" train --workers "$workers" "$@" &
training=$!
# Signals are the training's to answer: it finishes the step, saves, and stops the workers.
for name in INT TERM HUP; do trap "kill -$name $training 2>/dev/null || true" "$name"; done

# A signal ends `wait` early, so it is asked again until the training is really gone.
status=0
wait "$training" || status=$?
while kill -0 "$training" 2>/dev/null; do
    status=0
    wait "$training" || status=$?
done
[ "$status" -eq 0 ] || exit "$status"

# With --json, standard output is one JSON object.
for argument in "$@"; do [ "$argument" != --json ] || exit 0; done
say "a sample"
"$lockstep" sample "$run" --length 60 --temperature 0.5
