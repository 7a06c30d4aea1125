#!/usr/bin/env bash
# How long it takes until the shards of a worker that is gone are given to others: until the coordinator says that it is lost, since
# both happen in the same moment.
#
#   ./scripts/loss-times.sh          20 kills of a local worker, 3 workers that fall silent
#   ./scripts/loss-times.sh 5 1
set -euo pipefail
cd "$(dirname "$0")/.."
kills="${1:-20}"
silences="${2:-3}"
lockstep="$PWD/.build/release/lockstep"
[ -x "$lockstep" ] || swift build -c release --product lockstep >&2

place="$(mktemp -d "${TMPDIR:-/tmp}/lockstep-loss-XXXXXX")"
started=()
finish() {
    for process in "${started[@]}"; do kill -CONT "$process" 2>/dev/null || true; done
    for process in "${started[@]}"; do kill -TERM "$process" 2>/dev/null || true; done
    for process in "${started[@]}"; do wait "$process" 2>/dev/null || true; done
    rm -rf "$place"
}
trap finish EXIT

# A training without an end, its words stamped with the moment at which they come.
endless=(--set reber --steps 4000000000 --validation-every 4000000000 --checkpoint-every 4000000000)
begin() {
    local name="$1"
    shift
    mkfifo "$place/$name.words"
    : >"$place/$name"
    while IFS= read -r line; do printf '%s %s\n' "${EPOCHREALTIME/./}" "$line"; done <"$place/$name.words" >>"$place/$name" &
    "$lockstep" "$@" --run "$place/run-$name" "${endless[@]}" 2>"$place/$name.words" >/dev/null &
    started+=("$!")
}

# Waits for so many lines with these words and prints the last one.
await() {
    local file="$1" count="$2" words="$3"
    until [ "$(grep -c -- "$words" "$place/$file" || true)" -ge "$count" ]; do sleep 0.005; done
    grep -- "$words" "$place/$file" | sed -n "${count}p"
}

process_in() { sed 's/.*worker [^ ]*:\([0-9]*\) .*/\1/' <<<"$1"; }

summary() { sort -n | awk -v what="$1" '{ t[NR] = $1 } END { printf "%s: median %.0f ms, most %.0f ms, of %d\n", what, t[int((NR + 1) / 2)] / 1000, t[NR] / 1000, NR }'; }

begin local train --workers 2
joined=2
for ((trial = 1; trial <= kills; trial++)); do
    process="$(process_in "$(await local "$joined" joined)")"
    sleep "0.$((RANDOM % 5))"
    killed="${EPOCHREALTIME/./}"
    kill -KILL "$process"
    lost="$(await local 1 ":$process is lost")"
    echo $((${lost%% *} - killed))
    joined=$((joined + 1))
done >"$place/kills"
summary "a local worker is killed" <"$place/kills"

mkdir -m 700 "$place/sockets"
begin remote coordinator --bind "ipc://$place/sockets/data"
await remote 1 --connect >/dev/null
for number in 1 2; do
    "$lockstep" worker --connect "ipc://$place/sockets/data" 2>/dev/null &
    started+=("$!")
done
silent="${started[-1]}"
joined=2
for ((trial = 1; trial <= silences; trial++)); do
    await remote "$joined" joined >/dev/null
    sleep "1.$((RANDOM % 10))"
    stopped="${EPOCHREALTIME/./}"
    kill -STOP "$silent"
    lost="$(await remote "$trial" ":$silent is lost")"
    echo $((${lost%% *} - stopped))
    kill -CONT "$silent"
    joined=$((joined + 1))
done >"$place/silences"
summary "a worker falls silent" <"$place/silences"
