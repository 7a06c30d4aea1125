"""Runs Lockstep and its peers in turn and prints the tables of the README; scripts/bench.sh calls it.

Every figure is the median over pairs of a ratio between two runs that followed one another; the order changes from pair to pair.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

STEPS = {"hello": 400, "S": 100, "M": 12, "Z": 10, "XL": 5}
TABLES = ["step", "bf16", "two", "infer", "shards", "threads", "memory", "packed"]


class Bench:
    def __init__(self, options):
        self.options = options
        self.peers = pathlib.Path(options.peers) if options.peers else None

    def run(self, command, core):
        pinned = ["taskset", "-c", str(core), *command] if core is not None else command
        result = subprocess.run(pinned, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"{' '.join(pinned)}\nended with {result.returncode}: {result.stderr.strip()[-2000:]}")
        return json.loads(result.stdout.strip().splitlines()[-1])

    def ours(self, workload, cell, *flags, core=1):
        steps = ["--steps", str(STEPS[workload])]
        return self.run([self.options.lockstep, "bench", "--workload", workload, "--cell", cell, *steps, "--json", *flags], core)

    def torch(self, workload, cell, *flags, core=1):
        return self.peer("bench_torch.py", workload, cell, *flags, core=core)

    def jax(self, workload, cell):
        return self.peer("bench_jax.py", workload, cell)

    def peer(self, script, workload, cell, *flags, core=1):
        steps = ["--steps", str(STEPS[workload])]
        return self.run([self.options.python, str(self.peers / script), "--workload", workload, "--cell", cell, *steps, *flags], core)

    def has(self, peer):
        return self.peers is not None and (peer != "jax" or self.options.jax)

    def in_turn(self, *runs):
        """The results of the runs for each pair, in the runs' own order; every other pair starts from the other end."""
        rows = []
        for pair in range(self.options.pairs):
            order = range(len(runs)) if pair % 2 == 0 else reversed(range(len(runs)))
            results = {index: runs[index]() for index in order}
            rows.append([results[index] for index in range(len(runs))])
        return rows


def median(values):
    return statistics.median(values)


def speed(result):
    return result["tokens_per_second"]


def table(*titles):
    print("\n| " + " | ".join(titles) + " |\n|" + " --- |" * len(titles), flush=True)


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def step(bench, cases):
    """Complete training steps on one core, one thread."""
    table("workload, cell", "Lockstep, tokens/s", "PyTorch, tokens/s", "JAX, tokens/s", "ratio over the faster", "of the multiply-add peak")
    for workload, cell in cases:
        runs = [lambda: bench.ours(workload, cell)]
        if bench.has("torch"):
            runs.append(lambda: bench.torch(workload, cell))
        if bench.has("jax"):
            runs.append(lambda: bench.jax(workload, cell))
        rows = bench.in_turn(*runs)
        speeds = [f"{median(speed(r[index]) for r in rows):,.0f}" for index in range(len(runs))]
        ratio = f"{median(speed(r[0]) / max(map(speed, r[1:])) for r in rows):.2f}" if len(runs) > 1 else "–"
        peak = f"{100 * median(r[0]['peak_share'] for r in rows):.1f} %"
        row(f"{workload}, {cell}", *speeds, *["–"] * (3 - len(runs)), ratio, peak)


def bf16(bench, cases):
    """Complete training steps on one core, one thread, products of bf16 against products of fp32 and PyTorch's autocast to bf16."""
    table("workload, cell", "bf16, tokens/s", "over fp32", "of the bf16 peak", "PyTorch autocast, tokens/s", "ratio")
    for workload, cell in cases:
        runs = [lambda: bench.ours(workload, cell, "--precision", "bf16"), lambda: bench.ours(workload, cell)]
        if bench.has("torch"):
            runs.append(lambda: bench.torch(workload, cell, "--bf16"))
        rows = bench.in_turn(*runs)
        over = f"{median(speed(r[0]) / speed(r[1]) for r in rows):.2f}"
        peak = f"{100 * median(r[0]['peak_share'] for r in rows):.1f} %"
        theirs = ["–", "–"]
        if len(runs) > 2:
            theirs = [f"{median(speed(r[2]) for r in rows):,.0f}", f"{median(speed(r[0]) / speed(r[2]) for r in rows):.2f}"]
        row(f"{workload}, {cell}", f"{median(speed(r[0]) for r in rows):,.0f}", over, peak, *theirs)


def two(bench, cases):
    """Two local worker processes against one process of one thread, the batch per process kept."""
    table("workload, cell", "Lockstep, efficiency", "PyTorch DDP over Gloo, efficiency", "Lockstep over DDP, two processes each")
    for workload, cell in cases:
        runs = [
            lambda: bench.ours(workload, cell, core=None),
            lambda: bench.ours(workload, cell, "--workers", "2", core=None),
        ]
        if bench.has("torch"):
            runs.append(lambda: bench.torch(workload, cell, core=None))
            runs.append(lambda: bench.torch(workload, cell, "--processes", "2", core=None))
        rows = bench.in_turn(*runs)

        def efficiency(first):
            return f"{100 * median(speed(r[first + 1]) / speed(r[first]) / 2 for r in rows):.0f} %"

        theirs = [efficiency(2), f"{median(speed(r[1]) / speed(r[3]) for r in rows):.2f}"] if len(runs) > 2 else ["–", "–"]
        row(f"{workload}, {cell}", efficiency(0), *theirs)


def threads(bench, cases):
    """Two threads of one process against one, the batch per thread kept."""
    table("workload, cell", "two threads, efficiency")
    for workload, cell in cases:
        rows = bench.in_turn(
            lambda: bench.ours(workload, cell, core=None), lambda: bench.ours(workload, cell, "--threads", "2", core=None))
        row(f"{workload}, {cell}", f"{100 * median(speed(b) / speed(a) / 2 for a, b in rows):.0f} %")


def shards(bench, cases):
    """Batch 64 in eight shards against one, one process of one thread."""
    table("workload, cell", "eight shards cost")
    for workload, cell in cases:
        rows = bench.in_turn(
            *[lambda count=count: bench.ours(workload, cell, "--batch-size", "64", "--shards", str(count)) for count in (1, 8)])
        row(f"{workload}, {cell}", f"{100 * (median(b['milliseconds'] / a['milliseconds'] for a, b in rows) - 1):.1f} %")


def infer(bench, cases):
    """One sequence, one token at a time."""
    table("workload, cell", "Lockstep, tokens/s", "PyTorch, tokens/s", "ratio")
    for workload, cell in cases:
        runs = [lambda: bench.ours(workload, cell, "--mode", "infer")]
        if bench.has("torch"):
            runs.append(lambda: bench.torch(workload, cell, "--mode", "infer"))
        rows = bench.in_turn(*runs)
        theirs = [f"{median(speed(r[1]) for r in rows):,.0f}", f"{median(speed(r[0]) / speed(r[1]) for r in rows):.1f}"]
        row(f"{workload}, {cell}", f"{median(speed(r[0]) for r in rows):,.0f}", *(theirs if len(runs) > 1 else ["–", "–"]))


def memory(bench, cases):
    """The most memory that a process held while it trained."""
    table("workload, cell", "Lockstep, MiB", "PyTorch, MiB")
    for workload, cell in cases:
        ours = bench.ours(workload, cell)["peak_rss_mb"]
        theirs = f"{bench.torch(workload, cell)['peak_rss_mb']:,.0f}" if bench.has("torch") else "–"
        row(f"{workload}, {cell}", f"{ours:,.0f}", theirs)


def packed(bench, cases):
    """A real token of a batch with lengths from 1 to T against one of equal lengths: forward and backward of the recurrent layers."""
    table("workload, cell", "time per real token, packed over equal lengths")
    for workload, cell in cases:
        ratios = [bench.ours(workload, cell, "--packed")["ratio"] for _ in range(bench.options.pairs)]
        row(f"{workload}, {cell}", f"{median(ratios):.2f}")


def cases(workloads, cells=("lstm", "gru")):
    return [(workload, cell) for workload in workloads for cell in cells]


DEFAULTS = {
    "step": cases(["S", "M", "Z", "XL", "hello"]), "bf16": cases(["S", "M", "Z"]) + [("XL", "lstm")], "two": cases(["M", "Z", "XL"], ["lstm"]), "infer": cases(["S", "M"]),
    "shards": cases(["M"]), "threads": cases(["M", "Z", "XL"], ["lstm"]), "memory": cases(["M", "Z", "XL"], ["lstm"]),
    "packed": cases(["M", "Z"], ["lstm"]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=int, nargs="?", default=5)
    parser.add_argument("what", nargs="*", help=f"tables ({', '.join(TABLES)}) and WORKLOAD:CELL, the cases of the table before it")
    parser.add_argument("--lockstep", required=True)
    parser.add_argument("--python", default="")
    parser.add_argument("--peers", default="", help="where bench_torch.py lies; empty: Lockstep alone")
    parser.add_argument("--jax", action="store_true", help="JAX is there")
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error(f"pairs {options.pairs}: expected a whole number from 1")
    wanted = []
    for name in options.what or TABLES:
        if name in TABLES:
            wanted.append((name, []))
            continue
        workload, colon, cell = name.partition(":")
        if not colon or workload not in STEPS or cell not in ("lstm", "gru", "rnn"):
            parser.error(f"'{name}': expected {', '.join(TABLES)} or WORKLOAD:CELL with {', '.join(STEPS)} and lstm, gru, rnn")
        if not wanted:
            wanted.append(("step", []))
        wanted[-1][1].append((workload, cell))
    bench = Bench(options)
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    print(f"{model}, {os.cpu_count()} processors; medians of {options.pairs} pairs, each in turn")
    for name, own in wanted:
        function = globals()[name]
        print(f"\n{function.__doc__.strip()}")
        function(bench, own or DEFAULTS[name])


if __name__ == "__main__":
    main()
