"""Measures what attacks cost a training: steps a second with each of them and without, in turn, on one run.

    python3 scripts/bench/attacks.py [PAIRS] [ATTACK ...] [--lockstep FILE] [--window SECONDS] [--json]

A coordinator and two workers of one thread train over TCP on loopback. A window with the attack and one without follow one another;
the figure is the median over pairs of the ratio of their steps, and beside it the rate at which the attack was made. Attackers are
processes of the same machine at the lowest priority: what they compute themselves is part of what they cost, and is printed as a
share of one core. `curve` compares whole runs with keys and without, and `curve-m` the same of a model of the size of bench's M.
"""

import argparse
import contextlib
import ctypes
import ctypes.util
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
import struct
import subprocess
import sys
import tempfile
import threading
import time

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

# ZMTP 3.1 (rfc.zeromq.org/spec/37)


def greeting(mechanism=b"NULL"):
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + b"\0" + bytes(31)


def ready(identity):
    def field(name, value):
        return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value

    body = b"\x05READY" + field(b"Socket-Type", b"DEALER") + field(b"Identity", identity)
    return b"\x04" + bytes([len(body)]) + body


def frame(content, more=False):
    flags = 1 if more else 0
    if len(content) < 256:
        return bytes([flags, len(content)]) + content
    return bytes([flags | 2]) + struct.pack(">Q", len(content)) + content


def frames(session):
    """The message frames of one direction of a recorded connection."""
    place, found = 64, []
    while place + 2 <= len(session):
        flags = session[place]
        length, begin = (session[place + 1], place + 2)
        if flags & 2:
            if place + 9 > len(session):
                break
            length, begin = struct.unpack_from(">Q", session, place + 1)[0], place + 9
        if begin + length > len(session):
            break
        if not flags & 4:
            found.append(bytes(session[begin:begin + length]))
        place = begin + length
    return found


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


# Attacks: each goes on until it is killed, and counts what it did.


def connection(port):
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def paced(rate, count):
    """One turn after the other, at most so many a second."""
    due = time.monotonic()
    while True:
        due = max(due + 1 / rate, time.monotonic() - 0.1)
        time.sleep(max(0, due - time.monotonic()))
        yield
        with count.get_lock():
            count.value += 1


def one_by_one(rate, body):
    def attack(target, count):
        for _ in paced(rate, count):
            with contextlib.suppress(OSError):
                body(target)

    return attack


def random_bytes(target):
    with connection(target.port) as peer:
        peer.sendall(random.choice([b"", greeting(), greeting(b"CURVE")]) + random.randbytes(3000))


def churn(target):
    connection(target.port).close()


def null_client(target):
    with connection(target.port) as peer:
        peer.sendall(greeting() + ready(random.randbytes(8).replace(b"\0", b"x")))
        peer.recv(4096)
        peer.sendall(frame(bytes(80)))


def silent(target, count):
    peers = []
    for _ in paced(2000, count):
        with contextlib.suppress(OSError):
            peers.append(connection(target.port))
        if len(peers) >= 1000:
            peers.pop(0).close()
            time.sleep(0.005)


def half_frames(target, count):
    """Each announces the longest frame and sends all of it but a byte, before its handshake has failed."""
    peers, content = [], bytes((1 << 20) - 1)
    for _ in paced(100, count):
        with contextlib.suppress(OSError):
            peer = connection(target.port)
            peer.sendall(greeting(b"CURVE" if target.keys else b"NULL") + b"\x02" + struct.pack(">Q", 1 << 20) + content)
            peers.append(peer)
        if len(peers) > 300:
            peers.pop(0).close()


def member(target):
    """A connection whose hello is a good worker's."""
    peer = connection(target.port)
    peer.sendall(greeting() + ready(b"A" + random.randbytes(8).replace(b"\0", b"x")))
    heard = 0
    # libzmq takes a frame that comes before its own introduction for a part of the handshake.
    while heard < 64 + 20:
        count = len(peer.recv(4096))
        if count == 0:
            raise ConnectionError("cut within the handshake")
        heard += count
    peer.sendall(frame(target.said[0]))
    return peer


def endless(target, count):
    """One message that never ends, in frames of 1 MiB."""
    content = frame(bytes(1 << 20), more=True)
    while True:
        with contextlib.suppress(OSError), member(target) as peer:
            for _ in paced(200, count):
                peer.sendall(content)


def mutations(target):
    with member(target) as peer:
        content = bytearray(random.choice(target.said))
        content[random.randrange(min(len(content), 100))] ^= 1 << random.randrange(8)
        peer.sendall(frame(bytes(content)))
        peer.recv(4096)


def slow_reader(target, count):
    """A worker that pings and takes work, and reads 1 KiB a second."""
    while True:
        with contextlib.suppress(OSError), member(target) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in paced(1, count):
                peer.sendall(b"".join(map(frame, target.said[:2])))
                peer.recv(1024)


def wrong_key(target, count):
    zmq = ctypes.CDLL(ctypes.util.find_library("zmq") or "libzmq.so.5")
    for function in (zmq.zmq_ctx_new, zmq.zmq_socket):
        function.restype = ctypes.c_void_p
    context = ctypes.c_void_p(zmq.zmq_ctx_new())

    def option(peer, number, value):
        zmq.zmq_setsockopt(peer, number, value, ctypes.c_size_t(len(value)))

    server = re.search(r'public-key = "(.*)"', (pathlib.Path(target.keys) / "coordinator.key").read_text()).group(1).encode()
    for _ in paced(200, count):
        public, secret = ctypes.create_string_buffer(41), ctypes.create_string_buffer(41)
        zmq.zmq_curve_keypair(public, secret)
        peer = ctypes.c_void_p(zmq.zmq_socket(context, 5))
        for number, value in [(50, server), (48, public.value), (49, secret.value), (17, struct.pack("i", 0))]:
            option(peer, number, value)
        zmq.zmq_connect(peer, f"tcp://127.0.0.1:{target.port}".encode())
        time.sleep(0.004)
        zmq.zmq_close(peer)


# name: what it is, whether the run has keys, what does it, how many processes
ATTACKS = {
    "random": ("connections of random bytes", True, one_by_one(500, random_bytes), 1),
    "silent": ("1,000 connections that never speak, ever new ones", True, silent, 1),
    "churn": ("connections that are closed at once", True, one_by_one(2000, churn), 1),
    "null": ("clients without keys", True, one_by_one(500, null_client), 1),
    "wrong-key": ("clients with a wrong key", True, wrong_key, 1),
    "half-frames": ("frames of 1 MiB before the handshake has failed", True, half_frames, 1),
    "slow-one": ("one worker that reads 1 KiB a second", False, slow_reader, 1),
    "slow": ("four workers that read 1 KiB a second", False, slow_reader, 4),
    "mutations": ("changed messages, each of a new worker", False, one_by_one(300, mutations), 1),
    "endless": ("messages that never end", False, endless, 1),
}


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
            self.said = frames(relay.said)

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


def measure(name, options):
    title, keys, function, processes = ATTACKS[name]
    run = Run(options.lockstep, keys)
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
        "attack": name, "what": title, "steps_per_second": statistics.median(speeds), "ratio": statistics.median(ratios),
        "rate": statistics.median(rates), "attackers_share": statistics.median(shares), "coordinator_peak_mib": round(peak), "log_bytes": log,
    }


def curve(options, name):
    ratios, speeds = [], []
    training, size = TRAINING, "1 layer of 384"
    if name == "curve-m":
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
        "attack": name, "what": f"keys, and nobody about ({size})", "steps_per_second": statistics.median(speeds),
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
    names = options.what or [*ATTACKS, "curve", "curve-m"]
    for name in names:
        if name not in ATTACKS and name not in ("curve", "curve-m"):
            parser.error(f"'{name}': expected {', '.join(ATTACKS)}, curve or curve-m")
    if options.pairs < 1:
        parser.error(f"pairs {options.pairs}: expected a whole number from 1")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not options.json:
        model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        print(f"{model}, {os.cpu_count()} processors; medians of {options.pairs} pairs of {options.window:g} s")
        print("\n| attack | a second | attackers' share of a core | steps/s without | of them with it | coordinator's peak, MiB |")
        print("|" + " --- |" * 6)
    for name in names:
        result = curve(options, name) if name.startswith("curve") else measure(name, options)
        if options.json:
            print(json.dumps(result), flush=True)
            continue
        rate = f"{result['rate']:,.0f}" if "rate" in result else "–"
        share = f"{100 * result['attackers_share']:.0f} %" if "rate" in result else "–"
        peak = f"{result['coordinator_peak_mib']}" if "rate" in result else "–"
        print(f"| {result['what']} | {rate} | {share} | {result['steps_per_second']:.1f} | {100 * result['ratio']:.0f} % | {peak} |", flush=True)


if __name__ == "__main__":
    main()
