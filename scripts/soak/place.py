"""A place for one trial: its own directory and TMPDIR, the command, and what must be true afterwards."""

import itertools
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from dataclasses import dataclass

import namespaces
from processes import Command, Interrupted, Wrong, command_line, kill, processes_below, shared_memory

SMALL = ["--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--seq-len", "12",
         "--validation-every", "150", "--checkpoint-every", "50", "--keep-checkpoints", "2"]


@dataclass(frozen=True)
class Undisturbed:
    """What a training comes to that nothing happens to."""

    hash: str
    run: str


class Workshop:
    """What all trials share: the command, a text, and trainings that nothing happened to."""

    def __init__(self, lockstep, minds_time):
        # A sample runs beside other tests, where nothing can be said of time.
        self.minds_time = minds_time
        self.lockstep = os.path.abspath(lockstep)
        self.root = tempfile.mkdtemp(prefix="soak-")
        self.text = os.path.join(self.root, "text")
        words = ["the ", "cat ", "sat ", "on a ", "mat.\n", "why? "]
        draw = random.Random(5)
        with open(self.text, "w") as file:
            file.write("".join(draw.choice(words) for _ in range(3000)))
        self.made = {}
        self.making = {}
        self.times = {}
        self.numbers = itertools.count(1)
        self.ended = threading.Event()
        self.keeps = False

    def once(self, key, make):
        """What is made when it is first needed, and the same for all trials."""
        with self.making.setdefault(key, threading.RLock()):
            if key not in self.made:
                self.made[key] = make()
            return self.made[key]

    def settings(self, steps, more=()):
        usual = [word for name, value in zip(SMALL[::2], SMALL[1::2]) if name not in more for word in (name, value)]
        return ["--data", self.text, "--steps", str(steps), *usual, *more, "--json"]

    def undisturbed(self, steps, more=()):
        """A training in one process that nothing happens to: done once for each, and its run kept."""
        def train():
            path = os.path.join(self.root, f"undisturbed-{next(self.numbers)}")
            with self.place() as place:
                outcome = place.train(steps, more, workers=0).finish()
                if outcome.code != 0:
                    raise Wrong(f"without a fault: exit code {outcome.code}: {outcome.errors[-600:]}")
                os.rename(place.run, path)
            return Undisturbed(outcome.hash(), path)

        return self.once(("undisturbed", steps, *more), train)

    def pause(self, seconds):
        """Sleeps, unless the trials are to end."""
        if self.ended.wait(seconds):
            raise Interrupted()

    def note_time(self, name, seconds, limit):
        """Keeps the time for the end; one above the limit is wrong where time says anything."""
        self.times.setdefault(name, []).append(seconds)
        if self.minds_time and seconds > limit:
            raise Wrong(f"{name}: {seconds:.1f} s, expected at most {limit} s")

    def place(self):
        number = next(self.numbers)
        return Place(self, number, os.path.join(self.root, str(number)))

    def end(self):
        """Makes every trial that runs end at once."""
        self.ended.set()
        for process in processes_below(self.root):
            kill(process, signal.SIGKILL)

    def close(self):
        """Removes everything but the places of trials that found something."""
        for process in processes_below(self.root):
            kill(process, signal.SIGKILL)
        if self.keeps and not self.ended.is_set():
            return
        shutil.rmtree(self.root, ignore_errors=True)


class Place:
    def __init__(self, shop, number, path):
        self.shop, self.path = shop, path
        self.run = os.path.join(path, "run")
        self.namespace = f"{namespaces.prefix()}{number}-"
        self.shared = shared_memory()

    def __enter__(self):
        os.mkdir(self.path, 0o700)
        return self

    def __exit__(self, kind, error, trace):
        for process in self.living():
            kill(process, signal.SIGKILL)
        if kind is None:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.shop.keeps = True

    def start(self, *arguments, environment=None, prefix=()):
        return Command(self, [*prefix, self.shop.lockstep, *arguments], environment or {})

    def train(self, steps, more=(), workers=2, environment=None, run=None, prefix=()):
        number = ["--workers", str(workers)] if workers else []
        return self.start("train", *self.shop.settings(steps, more), *number, "--run", run or self.run,
                          environment=environment, prefix=prefix)

    def resume(self, workers=2, environment=None, run=None):
        number = ["--workers", str(workers)] if workers else []
        return self.start("resume", run or self.run, *number, "--json", environment=environment)

    def is_made(self, run=None):
        return os.path.exists(os.path.join(run or self.run, "run.json"))

    def go_on(self, steps, more=(), workers=1, run=None):
        """Resumes a run, or begins it when the fault came before there was one."""
        if self.is_made(run):
            return self.resume(workers=workers, run=run).finish()
        return self.train(steps, more, workers=workers, run=run).finish()

    def steps(self):
        """Lines of the ledger: steps that are done."""
        try:
            with open(os.path.join(self.run, "ledger.jsonl"), "rb") as file:
                return file.read().count(b"\n")
        except FileNotFoundError:
            return 0

    def living(self):
        return processes_below(self.path)

    def leftovers(self):
        left = [f"process {process} ({command_line(process)})" for process in self.living()]
        left += [name for name in os.listdir(self.path) if name.startswith("lockstep-")]
        for directory, directories, names in os.walk(self.path):
            left += [os.path.join(directory, name) for name in directories + names
                     if name.startswith((".tmp-", ".writing-", ".removing-"))]
        left += [f"network namespace {name}" for name in namespaces.present() if name.startswith(self.namespace)]
        return left + sorted(shared_memory() - self.shared)

    def expect(self, outcome, undisturbed, run=None, ledger_lost=False):
        """The bits are those of a training that nothing happened to, all that its run says is true, and nothing is left behind.

        - run: where it lies, if not in `self.run`.
        - ledger_lost: whether lines of the ledger may be gone for good, so that `verify` and `diff` may say so.
        """
        if outcome.code != 0:
            raise Wrong(f"exit code {outcome.code}: {outcome.errors[-600:]}")
        if outcome.hash() != undisturbed.hash:
            raise Wrong(f"parameters_sha256 {outcome.hash()}, fault-free {undisturbed.hash}: {self.path}", "bits")
        run = run or self.run
        for question in (["verify", run], ["diff", undisturbed.run, run]):
            answer = self.start(*question).finish()
            if answer.code not in ((0, 2) if ledger_lost else (0,)):
                raise Wrong(f"{' '.join(question)}: exit code {answer.code}: {answer.output[-400:]}{answer.errors[-400:]}",
                            "bits" if answer.code == 1 else "end")
        self.expect_nothing_left()

    def expect_nothing_left(self):
        end = time.monotonic() + 5
        while self.leftovers() and time.monotonic() < end:
            self.shop.pause(0.05)
        left = self.leftovers()
        if left:
            raise Wrong(f"left behind: {', '.join(left)}", "leftovers")
