#!/usr/bin/env bash
# Installs what building needs and the machine lacks. Silent and quick when there is nothing to do.
set -euo pipefail

say() { printf '%s\n' "==> $*" >&2; }

missing=()
pkg-config --version >/dev/null 2>&1 || missing+=(pkg-config)
pkg-config --exists libzmq 2>/dev/null || missing+=(libzmq3-dev)

if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        say "these are missing and there is no apt-get to install them: ${missing[*]}"
        exit 1
    fi
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq "${missing[@]}" >&2
fi

if ! command -v swift >/dev/null; then
    say "swift is not on the PATH; Swift 6.3 or newer is needed: https://www.swift.org/install"
    exit 1
fi
