#!/usr/bin/env bash
# Installs what building needs and the machine lacks. Silent and quick when there is nothing to do.
#
#   ./scripts/setup.sh            what building needs
#   ./scripts/setup.sh --trials   and the tools of the trials of faults (soak.sh), as far as this user may
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

missing=()
pkg-config --version >/dev/null 2>&1 || missing+=(pkg-config)
pkg-config --exists libzmq 2>/dev/null || missing+=(libzmq3-dev)

./scripts/install.sh "${missing[@]}"

if [ "${1:-}" = --trials ]; then
    tools=()
    command -v python3 >/dev/null || tools+=(python3)
    command -v strace >/dev/null || tools+=(strace)
    command -v ip >/dev/null || tools+=(iproute2)
    # Without them there are fewer trials, and those say which: no reason to stop.
    if [ ${#tools[@]} -gt 0 ]; then
        if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
            ./scripts/install.sh "${tools[@]}" || say "${tools[*]} could not be installed; trials that need them are left out"
        else
            say "missing, and only root can install them: ${tools[*]}; trials that need them are left out"
        fi
    fi
fi

if ! command -v swift >/dev/null; then
    say "swift is not on the PATH; Swift 6.3 or newer is needed: https://www.swift.org/install"
    exit 1
fi
