#!/usr/bin/env bash
# Shows that Arm computes the same bits: builds the C kernels for this machine and for aarch64, runs every function over the same
# random shapes and values here (all instruction sets there are) and under qemu (NEON and portable), and compares the hashes.
# LOCKSTEP_TEST_SEED repeats a run.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }

cross=aarch64-linux-gnu-gcc
emulator() { command -v qemu-aarch64-static || command -v qemu-aarch64; }

missing=()
command -v "$cross" >/dev/null || missing+=(gcc-aarch64-linux-gnu)
[ -e /usr/aarch64-linux-gnu/include/stdio.h ] || missing+=(libc6-dev-arm64-cross)
emulator >/dev/null || missing+=(qemu-user-static)
./scripts/install.sh "${missing[@]}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seed=${LOCKSTEP_TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
kernels=Sources/CKernels
flags=(-O2 -ffp-contract=off -fno-math-errno -I "$kernels/include" -I "$kernels")

say "building for this machine and for aarch64 (seed $seed)"
# The files for x86 choose their instructions by clang's attribute; clang comes with Swift.
clang "${flags[@]}" "$kernels"/*.c scripts/arm/compare.c -o "$work/here" -lm
"$cross" "${flags[@]}" -Wall -Wextra -Wno-unknown-pragmas -static "$kernels"/*.c scripts/arm/compare.c -o "$work/arm" -lm

arm() { "$(emulator)" "$work/arm" "$@"; }

"$work/here" portable "$seed" >"$work/reference"
checked=()
different=0
compare() { # name, command ...
    local name=$1
    shift
    say "running $name"
    "$@" >"$work/result"
    checked+=("$name")
    if ! cmp -s "$work/reference" "$work/result"; then
        different=1
        say "$name differs from portable here in: $(diff "$work/reference" "$work/result" | awk '/^>/ {printf "%s ", $2}')"
    fi
}

for isa in $("$work/here" --list); do compare "$isa here" "$work/here" "$isa" "$seed"; done
for isa in $(arm --list); do compare "$isa on aarch64" arm "$isa" "$seed"; done

if [ "$different" -ne 0 ]; then
    say "not equal; LOCKSTEP_TEST_SEED=$seed repeats it"
    exit 1
fi
list=$(printf ', %s' "${checked[@]}")
say "equal bits in $(wc -l <"$work/reference") groups of functions: ${list:2}"
