#!/usr/bin/env bash
# Does to trainings what the world does to them, and compares the trained bits with those of one that nothing happened to.
#
#   ./scripts/soak.sh --sample                  a trial of each kind, or a few, in some minutes
#   ./scripts/soak.sh                           all of them, in an hour or two
#   ./scripts/soak.sh --only kill-coordinator   kinds whose name contains that, or the one that is named so; --list names them
#   ./scripts/soak.sh --seed 7                  the same trials again; a seed is drawn and printed without
#   ./scripts/soak.sh --only 'damage bit' --trial 501-1000 --seed 7     these trials alone, each as it is among all of them
#   ./scripts/soak.sh --simulate 100000         beside them that many seeded simulations of the protocol
#
# Says on standard error how far it is; a trial that finds something keeps no other from being done, and is named at the end with the
# command that does it again. Ends with one line, "trials …, faults …, differing bits …, leftovers …", and with 0 if nothing was wrong.
# Everything is tried as root with strace, a C compiler, ip (iproute2) and /dev/net/tun; without one of them it says what was not. What
# is missing of python3, strace and iproute2 is installed where this user is root and there is apt-get.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

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
    ./scripts/setup.sh --trials
    say "building"
    swift build -c release --product lockstep >&2
fi
if ! command -v python3 >/dev/null; then
    say "python3 is missing: apt-get install python3"
    exit 1
fi
status=0
# Whoever ends this script ends the trials, and they take away what they have made.
python3 scripts/soak --lockstep .build/release/lockstep "${arguments[@]}" &
trials=$!
trap 'kill -TERM "$trials" 2>/dev/null || true' INT TERM HUP
wait "$trials" || status=$?
while kill -0 "$trials" 2>/dev/null; do
    status=0
    wait "$trials" || status=$?
done
trap - INT TERM HUP
if [ -n "$simulations" ] && [ "$status" -ne 2 ]; then
    say "$simulations simulations"
    swift build -c release --build-tests >&2
    LOCKSTEP_SIMULATE="$simulations" SWIFT_BACKTRACE=enable=no \
        swift test -c release --skip-build --filter SimulationTests >&2 || status=1
fi
exit "$status"
