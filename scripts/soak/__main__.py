"""Runs trials and counts what was wrong. See ../soak.sh."""

import argparse
import random
import shlex
import signal
import sys

import damage
import disks
import kills
import namespaces
import network
import powercut
import sites
import standalone
import workers
from lanes import Lanes
from place import Workshop

MODULES = (kills, standalone, workers, damage, sites, powercut, disks, network)


def main():
    parser = argparse.ArgumentParser(prog="soak.sh")
    parser.add_argument("--lockstep", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help="the same trials again")
    parser.add_argument("--sample", action="store_true", help="one trial of each kind, or a few")
    parser.add_argument("--only", action="append", help="kinds whose name contains this; may be given again")
    parser.add_argument("--trials", type=int, help="so many of each kind")
    parser.add_argument("--trial", type=span, help="this one of each kind, or these: 7, or 1-500")
    parser.add_argument("--jobs", type=int, help="trials at a time; default: 3, in a sample 4")
    parser.add_argument("--minutes", type=float, help="begins no trial after that")
    parser.add_argument("--list", action="store_true", help="names the kinds")
    options = parser.parse_args()

    kinds = [kind for module in MODULES for kind in module.kinds()]
    if options.list:
        for kind in kinds:
            count = "  all" if callable(kind.full) else f"{kind.full:5}"
            print(f"{kind.name:40} {count} trials, {kind.sample} in a sample")
        return 0
    if options.only:
        kinds = [kind for kind in kinds if chosen(kind.name, options.only, kinds)]
        if not kinds:
            print(f"--only {' '.join(options.only)}: no such kind of trial; --list names them", file=sys.stderr)
            return 2
    else:
        for module in MODULES:
            for sentence in getattr(module, "not_tried", list)():
                print(f"not tried: {sentence}", file=sys.stderr)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", file=sys.stderr)
    return run(options, kinds, seed)


def span(text):
    first, _, last = text.partition("-")
    first, last = int(first), int(last or first)
    if not 1 <= first <= last:
        raise ValueError(text)
    return range(first - 1, last)


def chosen(name, parts, kinds):
    """A name that is given whole means that kind alone."""
    names = {kind.name for kind in kinds}
    return any(part == name if part in names else part in name for part in parts)


def trials_of(kind, shop, options, seed):
    """The numbers of the trials of a kind, from 0; those of a sample are drawn."""
    full = kind.count(shop)
    if options.trial:
        return [index for index in options.trial if index < max(full, options.trials or 0)]
    if options.trials:
        return list(range(options.trials))
    if options.sample and not options.only:
        return sorted(random.Random(f"{seed} {kind.name}").sample(range(full), min(kind.sample, full)))
    return list(range(full))


def run(options, kinds, seed):
    namespaces.tidy()
    shop = Workshop(options.lockstep, minds_time=not options.sample)
    lanes = Lanes(shop, seed, options.minutes)

    def end(number, _):
        print(f"{signal.Signals(number).name}: ending", file=sys.stderr)
        shop.end()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        for kind in kinds:
            lanes.add(kind, lambda: trials_of(kind, shop, options, seed))
        lanes.run(options.jobs or (4 if options.sample else 3))
        for name, times in sorted(shop.times.items()):
            print(f"{name}: {min(times):.2f} to {max(times):.2f} s, {len(times)} times", file=sys.stderr)
    finally:
        shop.close()
        namespaces.tidy()
    for failure in lanes.failures:
        print(f"{failure.sentence}\n    again: ./scripts/soak.sh --only {shlex.quote(failure.kind)} "
              f"--trial {failure.number} --seed {seed}", file=sys.stderr)
    if shop.keeps and not shop.ended.is_set():
        print(f"what they left to look at: {shop.root}", file=sys.stderr)
    counts = lanes.counts
    others = f", other failures {counts['end']}" if counts["end"] else ""
    ended = ", ended before all were done" if shop.ended.is_set() else ""
    print(f"trials {counts['trials']}, faults {counts['faults']}, differing bits {counts['bits']}, "
          f"leftovers {counts['leftovers']}{others}{ended}")
    return 1 if lanes.failures or shop.ended.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
