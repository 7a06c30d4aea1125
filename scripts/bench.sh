#!/usr/bin/env bash
# Measures Lockstep beside PyTorch, one thread each, in turn, and prints the median ratio of their tokens a second.
#
#   ./scripts/bench.sh [PAIRS] [WORKLOAD:CELL ...]      default: 5 pairs of M:lstm M:gru
#
# PyTorch's side is `bench_torch.py` in $LOCKSTEP_PEERS (default: ../shared/peers) with the Python of $LOCKSTEP_PYTHON; without that,
# a virtual environment is made once in .build-peers and PyTorch is installed there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

pairs="${1:-5}"
[ $# -gt 0 ] && shift
cases=("$@")
[ ${#cases[@]} -gt 0 ] || cases=(M:lstm M:gru)
peers="${LOCKSTEP_PEERS:-../shared/peers}"

./scripts/setup.sh
say "building"
swift build -c release --product lockstep >&2
if [ ! -f "$peers/bench_torch.py" ]; then
    say "no bench_torch.py in $peers: measuring Lockstep alone"
    for case in "${cases[@]}"; do .build/release/lockstep bench --workload "${case%%:*}" --cell "${case##*:}"; done
    exit 0
fi
python="${LOCKSTEP_PYTHON:-}"
if [ -z "$python" ]; then
    python=.build-peers/bin/python
    if [ ! -x "$python" ]; then
        say "making a virtual environment with PyTorch (once)"
        python3 -m venv .build-peers
        .build-peers/bin/pip install -q torch numpy >&2
    fi
fi

printf '%-10s %14s %14s %8s %8s\n' workload "ours, tok/s" "torch, tok/s" ratio "of peak"
for case in "${cases[@]}"; do
    workload="${case%%:*}" cell="${case##*:}"
    for ((pair = 0; pair < pairs; pair++)); do
        ours="$(taskset -c 1 .build/release/lockstep bench --workload "$workload" --cell "$cell" --steps 10 --json)"
        theirs="$(taskset -c 1 "$python" "$peers/bench_torch.py" --workload "$workload" --cell "$cell" --steps 10)"
        printf '%s\t%s\n' "$ours" "$theirs"
    done | python3 -c '
import json, statistics, sys
rows = [[json.loads(part) for part in line.split("\t")] for line in sys.stdin]
ours = statistics.median(a["tokens_per_second"] for a, _ in rows)
theirs = statistics.median(b["tokens_per_second"] for _, b in rows)
ratio = statistics.median(a["tokens_per_second"] / b["tokens_per_second"] for a, b in rows)
peak = statistics.median(a["peak_share"] for a, _ in rows)
print(f"{sys.argv[1]:10} {ours:14,.0f} {theirs:14,.0f} {ratio:8.2f} {100 * peak:6.1f} %")' "$case"
done
