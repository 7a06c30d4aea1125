"""Networks above TCP: every connection of the workers goes through a relay. For where there are no TUN devices; see network.py."""

import signal

import namespaces
from kind import Kind
from namespaces import Namespace
from processes import kill
from relay import Fault, Relay, listening_ports


def network(steps, make_fault, during=None, workers=2):
    """A training whose workers are behind a network with faults.

    - during: what is done to it once the workers have joined, given the relay and a source of random numbers.
    """

    def trial(shop, draw):
        fault = make_fault(draw)
        undisturbed = shop.undisturbed(steps)
        with shop.place() as place:
            with Namespace(place.namespace + "w") as namespace, Relay(namespace, fault, draw) as relay:
                coordinator = place.start(
                    "coordinator", "--bind", "tcp://127.0.0.1:*", "--fallback-after", "100000", *shop.settings(steps),
                    "--run", place.run)
                coordinator.wait_until(lambda: "--connect " in coordinator.errors)
                endpoint = coordinator.errors.split("--connect ")[1].split()[0]
                for port in listening_ports(coordinator.process.pid):
                    relay.carry(port)
                hands = [place.start("worker", "--connect", endpoint, prefix=namespace.prefix) for _ in range(workers)]
                try:
                    if during:
                        coordinator.trains(workers)
                        shop.pause(draw.uniform(0, 0.3))
                        during(shop, relay, draw)
                    outcome = coordinator.finish(240)
                finally:
                    fault.blocked = set()
                    for hand in hands:
                        if hand.runs:
                            kill(hand.process.pid, signal.SIGTERM)
                for hand in hands:
                    hand.finish(20)
            place.expect(outcome, undisturbed)
            return max(1, fault.faults)

    return trial


def blocked(seconds, *directions):
    def during(shop, relay, _):
        relay.block(*directions)
        shop.pause(seconds)
        relay.block()

    return during


def broken(times):
    def during(shop, relay, draw):
        for _ in range(times):
            shop.pause(draw.uniform(0.2, 1))
            relay.break_all()

    return during


def plain(**options):
    return lambda draw: Fault(**options)


def kinds():
    if not namespaces.can_make():
        return
    yield Kind("relay", 1, 1, network(150, plain()), waits=True)
    for milliseconds, steps in [(1, 150), (50, 30), (300, 8)]:
        yield Kind(f"relay delay {milliseconds} ms", 2, 1, network(
            steps, plain(delay=milliseconds / 1000)), waits=True)
    for percent, steps in [(1, 60), (5, 40), (20, 15)]:
        yield Kind(f"relay loss {percent} %", 2, 1, network(steps, plain(loss=percent / 100)), waits=True)
    yield Kind("relay 1 Mbit/s", 2, 1, network(20, plain(rate=125_000)), waits=True)
    yield Kind("relay reset at a byte", 4, 1, network(
        150, lambda draw: Fault(reset_at=draw.randrange(1, 2_000_000))), waits=True)
    yield Kind("relay broken again and again", 1, 1, network(2500, plain(), broken(5)), waits=True)
    for name, directions in [("up", ["up"]), ("down", ["down"]), ("both ways", ["up", "down"])]:
        yield Kind(f"relay cut {name} 8 s", 1, 1, network(1500, plain(), blocked(8, *directions)), waits=True)
    yield Kind("relay cut both ways 60 s", 2, 1, network(1500, plain(), blocked(60, "up", "down")), waits=True)
