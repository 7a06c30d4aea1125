#!/usr/bin/env bash
# Measures Lockstep beside PyTorch and JAX, in turn, and prints the tables that the README quotes.
#
#   ./scripts/bench.sh                                        every table, 5 pairs
#   ./scripts/bench.sh PAIRS [TABLE | WORKLOAD:CELL ...]      step, bf16, two, infer, shards, threads, memory, packed
#   ./scripts/bench.sh 5 M:lstm M:gru                         training steps of these
#   ./scripts/bench.sh 3 two Z:lstm                           two processes against one, of this
#   ./scripts/bench.sh attacks [PAIRS] [ATTACK ...]           what attacks cost a training, and keys (scripts/bench/attacks.py)
#
# The peers' side is `bench_torch.py` and `bench_jax.py` in $LOCKSTEP_PEERS (default: ../shared/peers) with the Python of
# $LOCKSTEP_PYTHON; without that, a virtual environment is made once in .build-peers and PyTorch and JAX are installed there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

peers="${LOCKSTEP_PEERS:-../shared/peers}"
python="${LOCKSTEP_PYTHON:-}"

./scripts/setup.sh
say "building"
swift build -c release --product lockstep >&2

flags=(--lockstep .build/release/lockstep)
if [ "${1:-}" = attacks ]; then
    shift
    exec python3 scripts/bench/attacks.py "${flags[@]}" "$@"
fi
if [ ! -f "$peers/bench_torch.py" ]; then
    say "no bench_torch.py in $peers: measuring Lockstep alone"
else
    if [ -z "$python" ]; then
        python=.build-peers/bin/python
        if [ ! -x "$python" ]; then
            say "making a virtual environment with PyTorch and JAX (once)"
            python3 -m venv .build-peers
            .build-peers/bin/pip install -q torch numpy jax >&2 || say "not everything could be installed"
        fi
    fi
    if "$python" -c 'import torch' 2>/dev/null; then
        flags+=(--python "$python" --peers "$peers")
        if "$python" -c 'import jax' 2>/dev/null; then
            flags+=(--jax)
        else
            say "JAX is not to be had for $python: measuring beside PyTorch alone"
        fi
    else
        say "PyTorch is not to be had for $python: measuring Lockstep alone"
    fi
fi
exec python3 scripts/bench/measure.py "${flags[@]}" "$@"
