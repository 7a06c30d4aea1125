#!/usr/bin/env bash
# Installs Debian packages, and says which; for the other scripts, with what they have found missing.
#
#   ./scripts/install.sh PACKAGE ...
set -euo pipefail

say() { printf '%s\n' "==> $*" >&2; }

[ $# -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null; then
    say "these are missing and there is no apt-get to install them: $*"
    exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
say "installing $*"
"${as_root[@]}" apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq "$@" >&2
