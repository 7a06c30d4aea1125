#!/usr/bin/env bash
# Builds everything in release and runs all tests. Arguments go to `swift test`.
#
#   ./scripts/test.sh                                       everything
#   LOCKSTEP_GOLDEN=DIR ./scripts/test.sh --filter Golden   reference cases from DIR; ends with the number of cases
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

./scripts/setup.sh --trials
say "building (the first time takes a few minutes)"
# The one build that the commands use too: `swift test` by itself would build everything again, its own way.
swift build -c release --build-tests
say "testing"
# A test that ends the process ends the run: the toolchain's crash reporter can wait for ever for a process that is gone.
export SWIFT_BACKTRACE="${SWIFT_BACKTRACE:-enable=no}"
# Five times what the tests take on two cores.
test_run=(timeout --foreground 1200 swift test -c release --skip-build)
case "$*" in
*Golden*)
    log="$(mktemp)"
    trap 'rm -f "$log"' EXIT
    status=0
    "${test_run[@]}" "$@" 2>&1 | tee "$log" || status=$?
    grep -E '^[0-9]+ cases$' "$log" | tail -n 1 || true
    exit "$status"
    ;;
*) exec "${test_run[@]}" "$@" ;;
esac
