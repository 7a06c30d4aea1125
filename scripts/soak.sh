#!/usr/bin/env bash
# Does to trainings what the world does to them, and compares the trained bits with those of one that nothing happened to.
#
#   ./scripts/soak.sh --sample                  a few trials of each kind, in under a minute
#   ./scripts/soak.sh                           all of them (hours)
#   ./scripts/soak.sh --only kill-coordinator   kinds whose name contains that; --list names them
#   ./scripts/soak.sh --seed 7                  the same trials again; a seed is drawn and printed without
#   ./scripts/soak.sh --simulate 100000         beside them that many seeded simulations of the protocol
#
# Ends with one line, "trials …, faults …, differing bits …, leftovers …", and with 0 if nothing was wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

if ! command -v python3 >/dev/null; then
    say "python3 is missing: apt-get install python3"
    exit 1
fi
simulations=
arguments=()
while [ $# -gt 0 ]; do
    case "$1" in
        --simulate) simulations="${2:-}"; shift ;;
        --simulate=*) simulations="${1#*=}" ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
if [ -n "$simulations" ] && ! [[ "$simulations" =~ ^[1-9][0-9]*$ ]]; then
    say "--simulate '$simulations': expected a positive whole number"
    exit 2
fi
# In a test run the command is there already, and the build directory is the test run's.
if [ -z "${LOCKSTEP_SOAK_BUILT:-}" ]; then
    ./scripts/setup.sh
    say "building"
    swift build -c release --product lockstep >&2
fi
status=0
python3 scripts/soak --lockstep .build/release/lockstep "${arguments[@]}" || status=$?
if [ -n "$simulations" ] && [ "$status" -ne 2 ]; then
    say "$simulations simulations"
    swift build -c release --build-tests >&2
    LOCKSTEP_SIMULATE="$simulations" SWIFT_BACKTRACE=enable=no \
        swift test -c release --skip-build --filter SimulationTests >&2 || status=1
fi
exit "$status"
