#!/usr/bin/env bash
# Gives one reader of foreign bytes whatever libFuzzer thinks of, for so many seconds.
#
#   ./scripts/fuzz.sh TARGET SECONDS     frame, conversation, payload, safetensors, configuration, vocabulary, text, ledger or manifest
#   ./scripts/fuzz.sh all SECONDS        each of them in turn, SECONDS each
#   ./scripts/fuzz.sh live SECONDS       raw connections to a running coordinator, SECONDS without keys and SECONDS with them
#
# Seeds are in Tests/Fuzzing/Corpus; what is learned stays in .build-fuzz/corpus, and an input that ends the process in
# .build-fuzz/findings. A finding goes into the corpus, so that the test suite tries it for ever, and gets a test that says what was wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "==> $*" >&2; }
targets=(frame conversation payload safetensors configuration vocabulary text ledger manifest)
usage() {
    say "$1; expected: ./scripts/fuzz.sh TARGET SECONDS, TARGET one of ${targets[*]}, all, live"
    exit 2
}

[ $# -eq 2 ] || usage "$# arguments"
[[ " ${targets[*]} all live " == *" $1 "* ]] || usage "target '$1'"
[[ "$2" =~ ^[1-9][0-9]*$ ]] || usage "seconds '$2'"
if [ "$1" = live ]; then
    say "building"
    swift build -c release --build-tests >&2
    LOCKSTEP_FUZZ_SECONDS="$2" SWIFT_BACKTRACE=enable=no exec swift test -c release --skip-build --filter 'fuzzer of live'
fi
[ "$1" = all ] || targets=("$1")

build=.build-fuzz
say "building with coverage for libFuzzer (the first time takes some minutes)"
swift build -c release --scratch-path "$build" --target Fuzzing -Xswiftc -sanitize=fuzzer >&2
# The package has no product for this: its flags would be unsafe in a dependency. The target's objects make the program.
find "$build/release/" -path '*.build/*' -name '*.o' -print0 | sort -z | xargs -0 swiftc -sanitize=fuzzer -o "$build/fuzz"

status=0
for target in "${targets[@]}"; do
    mkdir -p "$build/corpus/$target" "$build/findings"
    say "$target, $2 s"
    LOCKSTEP_FUZZ_TARGET="$target" SWIFT_BACKTRACE=enable=no "$build/fuzz" \
        -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$build/findings/$target-" "$build/corpus/$target" "Tests/Fuzzing/Corpus/$target" || status=1
done
[ "$status" -eq 0 ] && say "nothing found" || say "found: $(ls "$build/findings" | tr '\n' ' ')"
exit "$status"
