"""A coordinator that nobody supervises, with workers that others have started and that outlive it."""

import os
import signal
import socket
import time

from kind import Kind
from processes import Wrong, kill


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def restarted(shop, draw):
    """It is killed and started again, twice, while its workers wait and say hello again."""
    steps = 900
    with shop.place() as place:
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        common = ["--bind", endpoint, "--fallback-after", "100000"]
        coordinator = place.start("coordinator", *common, *shop.settings(steps), "--run", place.run)
        coordinator.wait_until(lambda: "--connect " in coordinator.errors)
        hands = [place.start("worker", "--connect", endpoint) for _ in range(2)]
        coordinator.trains(len(hands))
        for death in range(2):
            enough = 300 * death + draw.randint(1, 280)
            if not coordinator.wait_until(lambda: place.steps() > enough):
                raise Wrong(f"it ended before it could be killed: {coordinator.errors[-600:]}")
            kill(coordinator.process.pid, signal.SIGKILL)
            coordinator.finish()
            killed, done = time.time(), place.steps()
            # The steps since the checkpoint are done once more.
            again = killed - saved_at(place)
            coordinator = place.start("resume", place.run, *common, "--json")
            if not coordinator.wait_until(lambda: place.steps() > done):
                raise Wrong(f"it did no new step: {coordinator.errors[-600:]}")
            shop.note_time("stand-alone coordinator killed to first new step", time.time() - killed, limit=3 + again)
            if not all(hand.runs for hand in hands):
                raise Wrong(f"a worker has not outlived its coordinator: {[hand.errors[-300:] for hand in hands]}")
        outcome = coordinator.finish()
        for hand in hands:
            ended = hand.finish(20)
            if ended.code != 0:
                raise Wrong(f"a worker ended with {ended.code} when the run was done: {ended.errors[-300:]}")
        place.expect(outcome, shop.undisturbed(steps))
        return 2


def saved_at(place):
    """When the newest checkpoint was written; the beginning of the run where there is none."""
    latest = os.path.join(place.run, "latest")
    return os.stat(latest if os.path.exists(latest) else os.path.join(place.run, "run.json")).st_mtime


def kinds():
    yield Kind("kill-coordinator stand-alone", 10, 1, restarted)
