"""Trials in lanes: the first begins with those that compute, the others with those that mostly wait."""

import collections
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from kind import Draw
from processes import Interrupted, Wrong

PROGRESS = 30


@dataclass
class Failure:
    kind: str
    number: int
    sentence: str


# What a trial may raise without keeping the others from being done.
FAILURES = (Wrong, OSError, ValueError, LookupError, subprocess.SubprocessError)


def described(error):
    """The sentence and what it counts as."""
    if isinstance(error, Wrong):
        return f"{error}", error.kind
    return f"the trial itself failed: {type(error).__name__}: {error}", "end"


class Lanes:
    def __init__(self, shop, seed, minutes=None):
        self.shop, self.seed = shop, seed
        self.end = time.monotonic() + 60 * minutes if minutes else None
        self.waiting = {False: collections.deque(), True: collections.deque()}
        self.left = collections.Counter()
        self.done = collections.Counter()
        self.wrong = collections.Counter()
        self.seconds = collections.Counter()
        self.counts = {"trials": 0, "faults": 0, "bits": 0, "leftovers": 0, "end": 0}
        self.failures = []
        self.current = {}
        self.lock = threading.Lock()

    def add(self, kind, trials):
        """Takes up trials of a kind, given a function that counts them out."""
        try:
            indices = trials()
        except FAILURES as error:
            self.left[kind.name] = 1
            self.count(kind.name, 0, 0, 0, *described(error))
            return
        self.left[kind.name] = len(indices)
        self.waiting[kind.waits].extend((kind, index) for index in indices)

    def run(self, lanes):
        total = sum(self.left.values())
        threads = [threading.Thread(target=self.lane, args=(number,)) for number in range(max(1, min(lanes, total)))]
        for thread in threads:
            thread.start()
        said = time.monotonic()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
                if time.monotonic() - said > PROGRESS:
                    said = time.monotonic()
                    with self.lock:
                        now = "; ".join(sorted(self.current.values()))
                    self.say(f"{self.counts['trials']} of {total} trials, {len(self.failures)} wrong; now {now}")
        for name, left in self.left.items():
            if left and self.done[name]:
                self.say_kind(name)

    def lane(self, number):
        while trial := self.next(prefers_waiting=number > 0):
            kind, index = trial
            with self.lock:
                self.current[number] = f"{kind.name}, trial {index + 1}"
            begun = time.monotonic()
            faults, failure, what = 0, None, None
            try:
                faults = kind.trial(self.shop, Draw(self.seed, kind.name, index))
            except Interrupted:
                return
            except FAILURES as error:
                failure, what = described(error)
            if self.shop.ended.is_set():
                return
            self.count(kind.name, index, time.monotonic() - begun, faults, failure, what)

    def next(self, prefers_waiting):
        with self.lock:
            if self.shop.ended.is_set() or self.end and time.monotonic() > self.end:
                return None
            for waits in (prefers_waiting, not prefers_waiting):
                if self.waiting[waits]:
                    return self.waiting[waits].popleft()
            return None

    def count(self, name, index, seconds, faults, failure, what):
        with self.lock:
            self.counts["trials"] += 1
            self.counts["faults"] += faults
            self.seconds[name] += seconds
            self.done[name] += 1
            self.left[name] -= 1
            if failure:
                self.wrong[name] += 1
                self.counts[what] += 1
                self.failures.append(Failure(name, index + 1, f"{name}, trial {index + 1}: {failure}"))
                self.say(self.failures[-1].sentence)
            if not self.left[name]:
                self.say_kind(name)

    def say_kind(self, name):
        self.say(f"{name:40} {self.done[name]:5} trials  {self.wrong[name]} wrong  {self.seconds[name]:6.1f} s")

    @staticmethod
    def say(sentence):
        print(sentence, file=sys.stderr, flush=True)
