"""Measures what attacks cost a training: steps a second with each of them and without, in turn, on one run.

    python3 scripts/bench/attacks.py [PAIRS] [ATTACK ...] [--lockstep FILE] [--window SECONDS] [--json]

A coordinator and two workers of one thread train over TCP on loopback. A window with the attack and one without follow one another;
the figure is the median over pairs of the ratio of their steps, and beside it the rate at which the attack was made. Attackers are
processes of the same machine at the lowest priority: what they compute themselves is part of what they cost, and is printed as a
share of one core. `curve` compares whole runs with keys and without, and `curve-m` the same of a model of the size of bench's M.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from attackers import ATTACKS, frames, name

TRAINING = [
    "--set", "addition", "--hidden-size", "384", "--embedding-dim", "64", "--batch-size", "64", "--shards", "8", "--threads", "1",
]
# 256 bytes, embedding 128, hidden 512, 2 layers, as `lockstep bench --workload M`.
LARGER = [
    "--tokens", "bytes", "--embedding-dim", "128", "--hidden-size", "512", "--num-layers", "2", "--seq-len", "64", "--batch-size", "64",
    "--shards", "8", "--threads", "1",
]
ENDLESS = [
    "--steps", "10000000", "--validation-every", "10000000", "--checkpoint-every", "10000000", "--fallback-after", "100000",
]

class Relay:
    """Stands between one worker and the coordinator and writes down what the worker says."""

    def __init__(self, port):
        self.said = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, args=(port,), daemon=True).start()

    def run(self, port):
        worker, _ = self.listener.accept()
        coordinator = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=self.carry, args=(coordinator, worker, None), daemon=True).start()
        self.carry(worker, coordinator, self.said)

    def carry(self, source, target, said):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if said is not None and len(said) < 8 << 20:
                    said += data
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Run:
    """A coordinator and two workers that train."""

    def __init__(self, lockstep, keys, training=TRAINING, relays=True):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="lockstep-attacks-"))
        self.keys = str(self.place / "keys") if keys else None
        own = ["--keys", self.keys] if keys else []
        if keys:
            subprocess.run([lockstep, "keys", "new", self.keys], check=True, stdout=subprocess.DEVNULL)
        self.log = open(self.place / "log", "w+")
        command = [lockstep, "coordinator", "--bind", "tcp://127.0.0.1:*", "--run", str(self.place / "run"), *own, *training, *ENDLESS]
        self.coordinator = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log)
        self.port = self.wait_for(r"--connect tcp://127\.0\.0\.1:(\d+)")
        self.said = []
        relay = Relay(self.port) if relays and not keys else None
        self.workers = []
        for port in (self.port, relay.port if relay else self.port):
            worker = [lockstep, "worker", "--connect", f"tcp://127.0.0.1:{port}", *own]
            self.workers.append(subprocess.Popen(worker, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.ledger = self.place / "run" / "ledger.jsonl"
        self.begin(relay)

    def begin(self, relay):
        deadline = time.monotonic() + 60
        while self.steps() < 20:
            if time.monotonic() > deadline or self.coordinator.poll() is not None:
                sys.exit(f"the training does not begin:\n{(self.place / 'log').read_text()}")
            time.sleep(0.05)
        if relay:
            self.said, self.name = frames(relay.said), name(relay.said)

    def wait_for(self, pattern):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.coordinator.poll() is None:
            if found := re.search(pattern, (self.place / "log").read_text()):
                return int(found.group(1))
            time.sleep(0.02)
        sys.exit(f"the coordinator does not begin:\n{(self.place / 'log').read_text()}")

    def steps(self):
        try:
            with open(self.ledger, "rb") as ledger:
                ledger.seek(max(0, os.path.getsize(self.ledger) - 4096))
                lines = ledger.read().splitlines()
            return max((json.loads(line).get("step", 0) for line in lines[1:] if line.endswith(b"}")), default=0)
        except (OSError, ValueError):
            return 0

    def speed(self, seconds):
        begin, first = time.monotonic(), self.steps()
        time.sleep(seconds)
        return (self.steps() - first) / (time.monotonic() - begin)

    def peak_memory(self):
        status = pathlib.Path(f"/proc/{self.coordinator.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) / 1024

    def end(self):
        for process in [*self.workers, self.coordinator]:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.log.close()
        shutil.rmtree(self.place)


def processor_seconds(processes):
    seconds = 0
    for process in processes:
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def attacker(function, run, count):
    os.nice(19)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    random.seed()
    function(run, count)


def measure(attack, options):
    title, function, processes, keys, more = ATTACKS[attack]
    run = Run(options.lockstep, keys, TRAINING + more)
    ratios, rates, shares, speeds = [], [], [], []
    try:
        for pair in range(options.pairs):
            def quietly():
                return run.speed(options.window)

            def attacked():
                count = multiprocessing.Value("q", 0)
                peers = [multiprocessing.Process(target=attacker, args=(function, run, count)) for _ in range(processes)]
                for peer in peers:
                    peer.start()
                time.sleep(0.3)
                before, used = count.value, processor_seconds(peers)
                speed = run.speed(options.window)
                rates.append((count.value - before) / options.window)
                shares.append((processor_seconds(peers) - used) / options.window)
                for peer in peers:
                    peer.kill()
                    peer.join()
                return speed

            results = [body() for body in ((quietly, attacked) if pair % 2 == 0 else (attacked, quietly))]
            quiet, loud = results if pair % 2 == 0 else reversed(results)
            ratios.append(loud / quiet)
            speeds.append(quiet)
            if run.coordinator.poll() is not None:
                sys.exit(f"the coordinator ended:\n{(run.place / 'log').read_text()[-2000:]}")
        peak = run.peak_memory()
        log = (run.place / "log").stat().st_size
    finally:
        run.end()
    return {
        "attack": attack, "what": title, "steps_per_second": statistics.median(speeds), "ratio": statistics.median(ratios),
        "rate": statistics.median(rates), "attackers_share": statistics.median(shares), "coordinator_peak_mib": round(peak), "log_bytes": log,
    }


def curve(options, attack):
    ratios, speeds = [], []
    training, size = TRAINING, "1 layer of 384"
    if attack == "curve-m":
        text = tempfile.NamedTemporaryFile()
        text.write(random.Random(1).randbytes(1 << 20))
        text.flush()
        training, size = ["--data", text.name, *LARGER], "the size of M"
    for pair in range(options.pairs):
        results = {}
        for keys in ((False, True) if pair % 2 == 0 else (True, False)):
            run = Run(options.lockstep, keys, training, relays=False)
            try:
                results[keys] = run.speed(options.window)
            finally:
                run.end()
        ratios.append(results[True] / results[False])
        speeds.append(results[False])
    return {
        "attack": attack, "what": f"keys, and nobody about ({size})", "steps_per_second": statistics.median(speeds),
        "ratio": statistics.median(ratios),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=int, nargs="?", default=5)
    parser.add_argument("what", nargs="*", help=f"{', '.join(ATTACKS)}, curve, curve-m")
    parser.add_argument("--lockstep", default=".build/release/lockstep")
    parser.add_argument("--window", type=float, default=4)
    parser.add_argument("--json", action="store_true", help="one line of JSON for each")
    options = parser.parse_args()
    attacks = options.what or [*ATTACKS, "curve", "curve-m"]
    for attack in attacks:
        if attack not in ATTACKS and attack not in ("curve", "curve-m"):
            parser.error(f"'{attack}': expected {', '.join(ATTACKS)}, curve or curve-m")
    if options.pairs < 1:
        parser.error(f"pairs {options.pairs}: expected a whole number from 1")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not options.json:
        model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        print(f"{model}, {os.cpu_count()} processors; medians of {options.pairs} pairs of {options.window:g} s")
        print("\n| attack | a second | attackers' share of a core | steps/s without | of them with it | coordinator's peak, MiB |")
        print("|" + " --- |" * 6)
    for attack in attacks:
        result = curve(options, attack) if attack.startswith("curve") else measure(attack, options)
        if options.json:
            print(json.dumps(result), flush=True)
            continue
        rate = f"{result['rate']:,.0f}" if "rate" in result else "–"
        share = f"{100 * result['attackers_share']:.0f} %" if "rate" in result else "–"
        peak = f"{result['coordinator_peak_mib']}" if "rate" in result else "–"
        print(f"| {result['what']} | {rate} | {share} | {result['steps_per_second']:.1f} | {100 * result['ratio']:.0f} % | {peak} |", flush=True)


if __name__ == "__main__":
    main()
