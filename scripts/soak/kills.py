"""Processes that are killed or stopped."""

import os
import signal
import time

from kind import Kind
from processes import Wrong, kill

STEPS = 300

COORDINATOR_POINTS = ["before-step", "some-shards", "reduced", "updated", "checkpoint-written", "checkpoint-unsealed",
                      "checkpoint-unnamed", "checkpoint-named"]


def coordinator(point):
    """The coordinator dies at a point of a random step; its supervisor starts it again."""

    def trial(shop, draw):
        step = draw.randint(1, STEPS - 1)
        if point.startswith("checkpoint"):
            step = 50 * draw.randint(1, STEPS // 50 - 1)
        with shop.place() as place:
            mark = os.path.join(place.path, "mark")
            orders, workers = [f"{point}:{step}:{mark}"], draw.randint(1, 3)
            if point == "some-shards":
                # A step whose shards all came from one worker has no such point: the first that has one is taken.
                orders, workers = [f"{point}:{later}:{mark}" for later in range(step // 2 + 1, STEPS)], 3
            outcome = place.train(STEPS, workers=workers, environment={
                "LOCKSTEP_CRASH_AT": ",".join(orders)}).finish()
            if not os.path.exists(mark):
                raise Wrong(f"step {step}: the point was not reached")
            place.expect(outcome, shop.undisturbed(STEPS))
            return 1

    return trial


def everything(shop, draw):
    """All processes die at once, at a random moment; another number of workers goes on."""
    steps = 1000
    with shop.place() as place:
        number = draw.randint(1, 3)
        command = place.train(steps, workers=number)
        command.wait_until(lambda: os.path.exists(os.path.join(place.run, "run.json")))
        shop.pause(draw.uniform(0, 1.2))
        # One that is stopped cannot end with the others.
        workers = command.workers()
        if workers and draw.random() < 0.3:
            kill(workers[0], signal.SIGSTOP)
        faults = sum(kill(process, signal.SIGKILL) for process in [command.process.pid, *place.living()])
        command.finish()
        another = draw.choice([other for other in range(5) if other != number])
        place.expect(place.resume(workers=another).finish(), shop.undisturbed(steps))
        return faults


def restart(shop, draw):
    """The coordinator dies at a random moment; the time until there is a step that had not been done before."""
    steps = 1500
    with shop.place() as place:
        command = place.train(steps, workers=2)
        command.wait_until(lambda: place.steps() > draw.randint(1, 900))
        process = command.coordinator()
        if not process or not kill(process, signal.SIGKILL):
            raise Wrong("the training ended before it could be killed")
        killed = time.monotonic()
        done = place.steps()
        command.wait_until(lambda: place.steps() > done)
        shop.note_time("coordinator killed to first new step", time.monotonic() - killed, limit=3)
        place.expect(command.finish(), shop.undisturbed(steps))
        return 1


def outpaced(shop, draw):
    """The coordinator dies again and again before the run's settings want a checkpoint."""
    steps, seldom = 8000, ["--checkpoint-every", "1000000"]
    undisturbed = shop.undisturbed(steps, seldom)
    with shop.place() as place:
        begun = time.monotonic()
        outcome = place.train(steps, [*seldom, "--chaos", "kill coordinator every 2s"]).finish()
        place.expect(outcome, undisturbed)
        deaths = outcome.errors.count("it is started again")
        shop.note_time(f"{steps} steps, a kill every 2 s and no checkpoint asked for", time.monotonic() - begun, limit=120)
        return deaths


def one_after_another(kills, pause):
    """A random process of the training dies now and then, until enough have."""

    def trial(shop, draw):
        steps = 4000
        faults = 0
        while faults < kills:
            with shop.place() as place:
                command = place.train(steps, workers=3)
                while command.runs and faults < kills:
                    if command.ends_within(pause):
                        break
                    supervisor = command.process.pid
                    candidates = [process for process in [supervisor, command.coordinator(), *command.workers()] if process]
                    victim = draw.choice(candidates)
                    faults += kill(victim, signal.SIGKILL)
                    if victim == supervisor:
                        command.finish()
                        # The coordinator saves and ends, and its workers with it.
                        command.wait_for(lambda: not place.living())
                        command = place.resume(workers=3) if place.is_made() else place.train(steps, workers=3)
                place.expect(command.finish(), shop.undisturbed(steps))
        return faults

    return trial


def stopped(who, seconds):
    """A process is stopped for a while and goes on."""

    def trial(shop, draw):
        steps = 1500
        with shop.place() as place:
            command = place.train(steps, workers=2)
            command.trains(2)
            shop.pause(draw.uniform(0, 0.3))
            process = command.coordinator() if who == "coordinator" else draw.choice(command.workers())
            if not kill(process, signal.SIGSTOP):
                raise Wrong("the training ended before it could be stopped")
            shop.pause(seconds)
            kill(process, signal.SIGCONT)
            place.expect(command.finish(), shop.undisturbed(steps))
            return 1

    return trial


def asked_to_stop(shop, draw):
    """A signal at a random moment: saved and stopped within five seconds, nothing left, and gone on with."""
    steps = 1000
    number = draw.choice([signal.SIGINT, signal.SIGTERM])
    with shop.place() as place:
        command = place.train(steps, workers=2)
        command.wait_until(lambda: os.path.exists(os.path.join(place.run, "run.json")))
        shop.pause(draw.uniform(0, 1))
        # A worker that does not answer must not be waited for.
        workers = command.workers()
        if workers and draw.random() < 0.3:
            kill(workers[0], signal.SIGSTOP)
        asked = time.monotonic()
        command.process.send_signal(number)
        outcome = command.finish()
        if outcome.code not in (0, 128 + number):
            raise Wrong(f"exit code {outcome.code}: {outcome.errors[-400:]}")
        shop.note_time("signal to end", time.monotonic() - asked, limit=5)
        place.expect_nothing_left()
        place.expect(place.resume(workers=1).finish(), shop.undisturbed(steps))
        return 1


def kinds():
    """Name, trials in a full run, trials in a sample, trial."""
    for point in COORDINATOR_POINTS:
        yield Kind(f"kill-coordinator {point}", 20, 1, coordinator(point))
    yield Kind("kill-coordinator anywhere", 20, 1, restart)
    yield Kind("kill-coordinator sooner than checkpoints", 4, 1, outpaced)
    yield Kind("kill-everything", 50, 1, everything)
    yield Kind("signal", 20, 1, asked_to_stop)
    yield Kind("kill-one-after-another fast", 2, 1, one_after_another(20, 0.3))
    # 300 kills in all.
    yield Kind("kill-one-after-another", 15, 1, one_after_another(20, 2.0), waits=True)
    yield Kind("stop-worker 60 s", 2, 1, stopped("worker", 60), waits=True)
    yield Kind("stop-worker 10 s", 2, 1, stopped("worker", 10), waits=True)
    yield Kind("stop-worker 1 s", 2, 1, stopped("worker", 1), waits=True)
    yield Kind("stop-coordinator 30 s", 2, 1, stopped("coordinator", 30), waits=True)
