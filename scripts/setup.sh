#!/usr/bin/env bash
# Installs what building needs and the machine lacks. Silent and quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

missing=()
pkg-config --version >/dev/null 2>&1 || missing+=(pkg-config)
pkg-config --exists libzmq 2>/dev/null || missing+=(libzmq3-dev)

./scripts/install.sh "${missing[@]}"

if ! command -v swift >/dev/null; then
    say "swift is not on the PATH; Swift 6.3 or newer is needed: https://www.swift.org/install"
    exit 1
fi
