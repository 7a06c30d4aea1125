"""A power cut after every system call of a run that makes checkpoints, with what was not synchronised lost in part or whole."""

import os
import re
import shutil

from kind import Kind
from processes import Wrong
from syscalls import Disk, trace

STEPS = 6
OFTEN = ["--validation-every", "2", "--checkpoint-every", "2"]

# What is kept of the names and of the bytes that were not synchronised; none for a choice of its own each time.
LOSSES = {"everything": (False, False), "nothing": (True, True), "bytes": (True, False), "names": (False, True),
          "some": (None, None), "others": (None, None)}


def calls(shop):
    """The calls by which a run from its beginning to its end changes its directory."""
    def make():
        with shop.place() as place:
            log = os.path.join(place.path, "trace")
            outcome = place.train(STEPS, OFTEN, workers=0, prefix=trace(log)).finish()
            place.expect(outcome, shop.undisturbed(STEPS, OFTEN))
            found = list(Disk.calls(log, place.path, place.run))
        if sum(call.name == "fsync" for call in found) < 20:
            raise Wrong(f"{len(found)} calls were traced, and nearly none of them synchronises")
        return found

    return shop.once("calls", make)


def cut(shop, draw):
    """The run is as a cut leaves it after so many calls. It goes on, or begins anew when it was not yet there."""
    found = calls(shop)
    faults = 0
    for what, (names, data) in LOSSES.items():
        disk = Disk()
        for call in found[:draw.index]:
            disk.perform(call)
        with shop.place() as place:
            disk.cut(place.path, lambda: draw.random() < 0.5 if names is None else names,
                     lambda: draw.random() < 0.5 if data is None else data)
            last = found[draw.index - 1] if draw.index else "none"
            outcome = place.go_on(STEPS, OFTEN, workers=0)
            if outcome.code != 0:
                raise Wrong(f"{what} not synchronised lost after {draw.index} calls, the last {last}: "
                            f"exit code {outcome.code}: {outcome.errors[-500:]}")
            place.expect(outcome, shop.undisturbed(STEPS, OFTEN))
            safe, begun = newest_checkpoint(disk), first_step(outcome)
            if begun < safe:
                raise Wrong(f"{what} not synchronised lost after {draw.index} calls, the last {last}: gone on with after step "
                            f"{begun}, and the checkpoint of step {safe} was safe: {outcome.errors[-500:]}")
            faults += 1
    return faults


def newest_checkpoint(disk):
    """The step of the newest checkpoint that is safe, by its name; 0 for none."""
    names = getattr(disk.safe("run/checkpoints"), "safe", {})
    return max((int(name[5:]) for name in names if name.startswith("step-")), default=0)


def first_step(outcome):
    """The step after which a run has been gone on with, as it says."""
    if "nothing is left to train" in outcome.errors:
        return STEPS
    said = re.search(r"after step (\d+) of", outcome.errors)
    return int(said[1]) if said else 0


def kinds():
    if shutil.which("strace"):
        yield Kind("power cut after each call", lambda shop: len(calls(shop)) + 1, 1, cut)


def not_tried():
    if not shutil.which("strace"):
        yield "power cuts: they need strace"
