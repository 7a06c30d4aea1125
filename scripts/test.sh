#!/usr/bin/env bash
# Builds everything in release and runs all tests. Arguments go to `swift test`, for example: ./scripts/test.sh --filter Golden
set -euo pipefail
cd "$(dirname "$0")/.."

./scripts/setup.sh
printf '%s\n' "==> building (the first time takes a few minutes)" >&2

swift build -c release
printf '%s\n' "==> testing" >&2
exec swift test -c release "$@"
