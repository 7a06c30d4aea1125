"""Runs trials and counts what was wrong. See ../soak.sh."""

import argparse
import random
import subprocess
import sys
import time

import damage
import disks
import kills
import network
from place import Workshop, Wrong


def main():
    parser = argparse.ArgumentParser(prog="soak.sh")
    parser.add_argument("--lockstep", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help="the same trials again")
    parser.add_argument("--sample", action="store_true", help="a few trials of each kind")
    parser.add_argument("--only", action="append", help="kinds whose name contains this; may be given again")
    parser.add_argument("--trials", type=int, help="so many of each kind")
    parser.add_argument("--minutes", type=float, help="begins no trial after that")
    parser.add_argument("--list", action="store_true", help="names the kinds")
    options = parser.parse_args()

    kinds = [kind for module in (kills, damage, disks, network) for kind in module.kinds()]
    if options.list:
        for name, full, sample, _ in kinds:
            print(f"{name:40} {full:5} trials, {sample} in a sample")
        return 0
    if options.only:
        kinds = [kind for kind in kinds if any(part in kind[0] for part in options.only)]
        if not kinds:
            print(f"--only {' '.join(options.only)}: no such kind of trial; --list names them", file=sys.stderr)
            return 2
    if not list(disks.kinds())[2:]:
        print("not tried: full and read-only disks (they need the right to mount)", file=sys.stderr)
    if not list(network.kinds()):
        print("not tried: networks (they need the right to make network namespaces)", file=sys.stderr)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", file=sys.stderr)
    return run(options, kinds, seed)


def run(options, kinds, seed):
    shop = Workshop(options.lockstep, minds_time=not options.sample)
    begun = time.monotonic()
    counts = {"trials": 0, "faults": 0, "bits": 0, "leftovers": 0, "end": 0}
    try:
        for name, full, sample, trial in kinds:
            number = options.trials or (sample if options.sample and not options.only else full)
            started, done, wrong = time.monotonic(), 0, 0
            for index in range(number):
                if options.minutes and time.monotonic() - begun > 60 * options.minutes:
                    break
                done += 1
                try:
                    # Each trial has its own numbers: it can be done again without those before it.
                    counts["faults"] += trial(shop, random.Random(f"{seed} {name} {index}"))
                except Wrong as error:
                    wrong += 1
                    counts[error.kind] += 1
                    print(f"{name}, trial {index + 1}: {error}", file=sys.stderr)
                except (OSError, subprocess.SubprocessError) as error:
                    wrong += 1
                    counts["end"] += 1
                    print(f"{name}, trial {index + 1}: the trial itself failed: {error}", file=sys.stderr)
            counts["trials"] += done
            if done:
                print(f"{name:40} {done:5} trials  {wrong} wrong  {time.monotonic() - started:6.1f} s", file=sys.stderr)
        for name, times in sorted(shop.times.items()):
            print(f"{name}: {min(times):.2f} to {max(times):.2f} s, {len(times)} times", file=sys.stderr)
    finally:
        shop.close()
    others = f", other failures {counts['end']}" if counts["end"] else ""
    print(f"trials {counts['trials']}, faults {counts['faults']}, differing bits {counts['bits']}, "
          f"leftovers {counts['leftovers']}{others}")
    return 1 if counts["bits"] or counts["leftovers"] or counts["end"] else 0


if __name__ == "__main__":
    sys.exit(main())
