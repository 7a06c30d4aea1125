"""Networks between a coordinator and workers in namespaces of their own: slow, lossy, cut, or cut in one direction only.

What is done to packets is done below TCP (`wires.py`), where this user may make TUN devices; otherwise above it (`relays.py`).
"""

import contextlib
import json
import os
import signal
import subprocess
import sys

import namespaces
import relays
from kind import Kind
from namespaces import Namespace
from processes import Wrong, kill

COORDINATOR = "10.77.0.1"
# So long on the way that a minute is some hundreds of steps.
FAR = 0.02


def address(worker):
    return f"10.77.0.{worker + 2}"


class Network:
    """A coordinator's namespace and one for each worker, joined by a process that carries their packets."""

    def __init__(self, place, workers, fault, seed):
        self.place, self.workers, self.fault, self.seed = place, workers, fault, seed
        self.stack = contextlib.ExitStack()
        self.done = {}
        self.others = 0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            names = ["c", *(f"w{number}" for number in range(self.workers))]
            self.ends = [stack.enter_context(Namespace(self.place.namespace + name)) for name in names]
            addresses = [COORDINATOR, *map(address, range(self.workers))]
            settings = {"ends": [[end.name, address] for end, address in zip(self.ends, addresses)],
                        "fault": self.fault, "seed": self.seed}
            program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wires.py")
            # A terminal's Ctrl-C is for this process to pass on.
            self.wires = subprocess.Popen([sys.executable, program, json.dumps(settings)], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True, start_new_session=True,
                                          env={**os.environ, "TMPDIR": self.place.path})
            stack.callback(self.end)
            if self.wires.stdout.readline() != "ready\n":
                raise Wrong(f"{program} ended with {self.wires.wait()}")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *trouble):
        self.stack.close()

    def end(self):
        output, _ = self.wires.communicate()
        self.done = json.loads(output or "{}")

    def order(self, **order):
        self.wires.stdin.write(json.dumps(order) + "\n")
        self.wires.stdin.flush()

    def block(self, *pairs):
        """From now on nothing passes from the first of each to the second."""
        self.order(blocked=pairs)
        self.others += bool(pairs)

    def faults(self):
        return self.others + sum(self.done.get(what, 0) for what in ("lost", "duplicated", "reordered", "resets"))


def keys(shop, workers):
    """Keys of a coordinator and of its workers: what goes beyond this machine's loopback needs them."""
    def make():
        path = os.path.join(shop.root, f"keys-{workers}")
        orders = [["new", path], *(["add", path, f"worker-{number}"] for number in range(1, workers))]
        for order in orders:
            made = subprocess.run([shop.lockstep, "keys", *order], capture_output=True, text=True)
            if made.returncode != 0:
                raise Wrong(f"keys {' '.join(order)}: {made.stderr}")
        directory = os.path.join(path, "workers")
        return path, [os.path.join(directory, name) for name in sorted(os.listdir(directory))]

    return shop.once(("keys", workers), make)


def network(steps, make_fault, during=None, workers=2):
    """A training whose workers are behind a network with faults.

    - make_fault: of a Draw, what `wires.Fault` is made of.
    - during: what is done once the workers have joined, given the workshop, the network and a Draw.
    """

    def trial(shop, draw):
        undisturbed = shop.undisturbed(steps)
        own, theirs = keys(shop, workers)
        with shop.place() as place:
            with Network(place, workers, make_fault(draw), draw.random()) as wires:
                coordinator = place.start(
                    "coordinator", "--bind", f"tcp://{COORDINATOR}:*", "--keys", own, "--fallback-after", "100000",
                    *shop.settings(steps), "--run", place.run, prefix=wires.ends[0].prefix)
                coordinator.wait_until(lambda: "--connect " in coordinator.errors)
                endpoint = coordinator.errors.split("--connect ")[1].split()[0]
                hands = [place.start("worker", "--connect", endpoint, "--keys", key, prefix=end.prefix)
                         for key, end in zip(theirs, wires.ends[1:])]
                if during:
                    coordinator.trains(workers)
                    shop.pause(draw.uniform(0, 0.3))
                    during(shop, wires, draw)
                done = place.steps()
                outcome = coordinator.finish(240)
                wires.block()
                for hand in hands:
                    if hand.runs:
                        kill(hand.process.pid, signal.SIGTERM)
                for hand in hands:
                    hand.finish(20)
            place.expect(outcome, undisturbed)
            if wires.others and " is lost" not in outcome.errors:
                raise Wrong(f"no worker was lost: {outcome.errors[-600:]}")
            if wires.others and done < 0.7 * steps and outcome.errors.count(" joined") <= workers:
                raise Wrong(f"nobody came back though {steps - done} steps were left: {outcome.errors[-600:]}")
            if set(wires.fault) & {"loss", "duplicate", "reorder", "reset_at"} and not wires.faults():
                raise Wrong(f"nothing happened to any packet: {wires.done}")
            # What is late or slow is so in every packet; that is one fault.
            return max(1, wires.faults())

    return trial


def plain(**fault):
    return lambda draw: fault


def cut(seconds, *directions, of=1):
    """Nothing passes for a while: up, to the coordinator; down, from it. It happens to the first so many workers."""

    def during(shop, wires, draw):
        pairs = [pair for worker in range(of) for direction, pair in
                 [("up", (address(worker), COORDINATOR)), ("down", (COORDINATOR, address(worker)))] if direction in directions]
        wires.block(*pairs)
        shop.pause(seconds)
        wires.block()

    return during


def broken(times):
    def during(shop, wires, draw):
        for _ in range(times):
            shop.pause(draw.uniform(0.2, 1))
            wires.order(reset=True)

    return during


def kinds():
    if not can_wire():
        yield from relays.kinds()
        return
    # The longest come first, so that none of them is left at the end alone.
    # A worker stays there each time, so far away that the others have time to come back.
    yield Kind("network cut both ways 60 s", 2, 1, network(
        1200, plain(delay=FAR), cut(60, "up", "down")), waits=True)
    yield Kind("network cut both ways 60 s, two of three", 2, 1, network(
        1200, plain(delay=FAR), cut(60, "up", "down", of=2), workers=3), waits=True)
    for direction in ["up", "down"]:
        yield Kind(f"network cut {direction} 8 s", 2, 1, network(300, plain(delay=FAR), cut(8, direction)), waits=True)
    for milliseconds, steps in [(1, 150), (50, 30), (300, 8)]:
        yield Kind(f"network delay {milliseconds} ms", 2, 1, network(
            steps, plain(delay=milliseconds / 1000)), waits=True)
    for percent, steps in [(1, 150), (5, 60), (20, 30)]:
        yield Kind(f"network loss {percent} %", 2, 1, network(steps, plain(loss=percent / 100)), waits=True)
    yield Kind("network duplicate 10 %", 2, 1, network(150, plain(duplicate=0.1)), waits=True)
    yield Kind("network reorder 10 %", 2, 1, network(60, plain(reorder=0.1)), waits=True)
    yield Kind("network 1 Mbit/s", 2, 1, network(30, plain(rate=125_000)), waits=True)
    yield Kind("network reset at a byte", 2, 1, network(
        150, lambda draw: {"reset_at": draw.randrange(1, 2_000_000)}), waits=True)
    yield Kind("network reset again and again", 2, 1, network(2500, plain(), broken(5)), waits=True)


def can_wire():
    return os.access("/dev/net/tun", os.R_OK | os.W_OK) and namespaces.can_make()


def not_tried():
    if not namespaces.can_make():
        yield "networks: they need the right to make network namespaces"
    elif not can_wire():
        yield "packets that are lost, repeated or overtaken below TCP: they need /dev/net/tun; a relay above TCP is tried instead"
