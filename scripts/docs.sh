#!/usr/bin/env bash
# Builds the documentation with the toolchain's own docc, into .build-docs. Any warning fails it. Arguments go to `docc convert`.
#
#   ./scripts/docs.sh                                   served at the root of a host
#   ./scripts/docs.sh --hosting-base-path lockstep      under /lockstep, as project pages are
#
# A user of the library imports Lockstep and gets the modules that it re-exports with it; so one symbol graph is made, with all of
# them in it, from the modules that an ordinary release build leaves behind.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

./scripts/setup.sh
toolchain="$(swift -print-target-info | sed -n 's|.*"runtimeResourcePath": "\(.*\)/lib/swift".*|\1/bin|p')"
triple="$(swift -print-target-info | sed -n 's/.*"triple": "\(.*\)".*/\1/p')"
docc="$toolchain/docc"
[ -x "$docc" ] || docc="$(command -v docc || true)"
if [ -z "$docc" ]; then
    say "docc is neither in $toolchain nor on the PATH; it is part of the toolchains of https://www.swift.org/install"
    exit 1
fi

say "building the library in release (the first time takes two minutes)"
swift build -c release --target Lockstep >&2
products="$(swift build -c release --show-bin-path)"

out=.build-docs
rm -rf "$out"
mkdir -p "$out/symbols"
exported="$(sed -n 's/^@_exported public import //p' Sources/Lockstep/Lockstep.swift | paste -sd, -)"
say "reading the public symbols of Lockstep and what it re-exports: ${exported//,/, }"
modulemaps=()
while IFS= read -r map; do
    modulemaps+=(-Xcc "-fmodule-map-file=$map")
done < <(find "$products" -path '*.build/module.modulemap'; find "$PWD/.build/checkouts" -path '*/include/module.modulemap')
swift symbolgraph-extract -module-name Lockstep -target "$triple" -minimum-access-level public -skip-synthesized-members \
    -experimental-allowed-reexported-modules="$exported" -I "$products/Modules" -I Sources/CZeroMQ "${modulemaps[@]}" \
    -module-cache-path "$out/module-cache" -output-dir "$out/symbols"

say "converting Sources/Lockstep/Lockstep.docc"
"$docc" convert Sources/Lockstep/Lockstep.docc --additional-symbol-graph-dir "$out/symbols" --output-dir "$out/Lockstep.doccarchive" \
    --fallback-display-name Lockstep --fallback-bundle-identifier lockstep --warnings-as-errors "$@" >&2
say "the documentation is in $PWD/$out/Lockstep.doccarchive"
say "to read it: python3 -m http.server -d $out/Lockstep.doccarchive, then http://localhost:8000/documentation/lockstep"
