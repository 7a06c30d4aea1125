"""Every single write of a run goes wrong once: no room, a disk that is read-only by now, no descriptor; or the clock jumps at it."""

import errno
import os
import shutil
import subprocess

from kind import Kind
from processes import Wrong

STEPS = 6
OFTEN = ["--validation-every", "2", "--checkpoint-every", "2"]
DAY = 86400


def library(shop):
    def make():
        path = os.path.join(shop.root, "sites.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sites.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", source, "-o", path, "-ldl"], check=True)
        return path

    return shop.once("sites.so", make)


def environment(shop, run, **more):
    return {"LD_PRELOAD": library(shop), "SOAK_BELOW": run, **{f"SOAK_{name.upper()}": str(value) for name, value in more.items()}}


def writes(shop, **more):
    """What the run writes when nothing goes wrong, one line each."""
    def make():
        with shop.place() as place:
            log = os.path.join(place.path, "log")
            outcome = place.train(STEPS, OFTEN, workers=0,
                                  environment=environment(shop, place.run, log=log, **more)).finish()
            place.expect(outcome, shop.undisturbed(STEPS, OFTEN))
            with open(log) as file:
                return file.read().splitlines()

    return shop.once(("writes", *more), make)


def refused(number, sentence, **more):
    """A write fails, and those after it. The command says so and fails; with the fault gone the run goes on."""

    def trial(shop, draw):
        what = writes(shop, **more)[draw.index]
        # A coordinator with a worker has some of these writes only: its supervisor does others.
        for workers in [1, 0] if draw.random() < 0.5 else [0]:
            with shop.place() as place:
                mark = os.path.join(place.path, "mark")
                outcome = place.train(STEPS, OFTEN, workers=workers, environment=environment(
                    shop, place.run, at=draw.index + 1, error=number, mark=mark, **more)).finish()
                if os.path.exists(mark):
                    hold(shop, draw, place, outcome, what)
                    return 1
                place.expect(outcome, shop.undisturbed(STEPS, OFTEN))
        raise Wrong(f"write {draw.index + 1} ({what}) was not reached")

    def hold(shop, draw, place, outcome, what):
        lines = [line for line in outcome.errors.splitlines() if sentence in line]
        # A place where no run can be begun is bad input.
        codes = [1] if os.path.exists(os.path.join(place.run, "run.json")) else [1, 2]
        if outcome.code == 0 and what.startswith("read "):
            # What is only looked at may be done without, as long as nothing is the worse for it.
            return place.expect(outcome, shop.undisturbed(STEPS, OFTEN))
        if outcome.code not in codes or len(lines) != 1:
            raise Wrong(f"write {draw.index + 1} ({what}): exit code {outcome.code}, expected 1 and one sentence with "
                        f"'{sentence}': {outcome.errors[-500:]}")
        place.expect(place.go_on(STEPS, OFTEN, workers=draw.randint(0, 2)), shop.undisturbed(STEPS, OFTEN))

    return trial


def clock_jump(shop, draw):
    """The time of day jumps at a write, forwards or backwards by a day."""
    with shop.place() as place:
        outcome = place.train(STEPS, OFTEN, workers=0, environment=environment(
            shop, place.run, at=draw.index + 1, clock=draw.choice([DAY, -DAY]))).finish()
        place.expect(outcome, shop.undisturbed(STEPS, OFTEN))
        return 1


def clock_jumps(shop, draw):
    """It jumps forwards a day and then back over two in the middle of a training with workers."""
    steps = 1200
    with shop.place() as place:
        outcome = place.train(steps, workers=2, environment={"LD_PRELOAD": library(shop), "SOAK_CLOCK": str(DAY)}).finish()
        place.expect(outcome, shop.undisturbed(steps))
        return 2


def all_writes(shop):
    return len(writes(shop))


def all_opens(shop):
    return len(writes(shop, opens=1, once=1))


def kinds():
    if can_compile():
        yield Kind("clock jump", 2, 1, clock_jumps)
        yield Kind("full at each write", all_writes, 1, refused(errno.ENOSPC, "No space left on device"))
        yield Kind("read-only at each write", all_writes, 1, refused(errno.EROFS, "Read-only file system"))
        yield Kind("no descriptor at each open", all_opens, 1, refused(errno.EMFILE, "Too many open files", opens=1, once=1))
        yield Kind("clock jump at each write", all_writes, 1, clock_jump)


def can_compile():
    return shutil.which("cc") is not None


def not_tried():
    if not can_compile():
        yield "each single write refused, and jumps of the clock: they need a C compiler (cc)"
