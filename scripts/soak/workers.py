"""Workers that are killed in each of the states that a worker is in."""

import os

from kind import Kind
from processes import Wrong

STEPS = 12
# Parameters and gradients of more than one frame, so that a half of either can have travelled.
LARGE = ["--hidden-size", "256", "--embedding-dim", "64", "--batch-size", "8", "--seq-len", "8",
         "--validation-every", "1000", "--checkpoint-every", "5"]

STATES = ["greeted", "idle", "parameters", "computing", "answering", "answered"]


def worker(state):
    """A worker dies in a state of a random step; by shared memory or by messages."""

    def trial(shop, draw):
        first = draw.randint(1, STEPS - 3)
        # One that has just answered may have its next range already: the first step after which it has none is taken.
        steps = [0] if state == "greeted" else range(first, STEPS)
        number = draw.randint(1, 3)
        sharing = draw.choice(["on", "off"])
        with shop.place() as place:
            mark = os.path.join(place.path, "mark")
            outcome = place.train(STEPS, LARGE, workers=number, environment={
                "LOCKSTEP_CRASH_AT": ",".join(f"worker-{state}:{step}:{mark}" for step in steps),
                "LOCKSTEP_SHARED_MEMORY": sharing}).finish()
            if not os.path.exists(mark):
                raise Wrong(f"{number} workers, from step {first}: the state was not reached")
            place.expect(outcome, shop.undisturbed(STEPS, LARGE))
            return 1

    return trial


def kinds():
    for state in STATES:
        yield Kind(f"kill-worker {state}", 20, 1, worker(state))
