"""A place for one trial: its own directory and TMPDIR, the command, and what must be true afterwards."""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

SMALL = ["--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--seq-len", "12",
         "--validation-every", "150", "--checkpoint-every", "50", "--keep-checkpoints", "2"]


class Wrong(Exception):
    """What a trial found: bits that differ, leftovers, an end that was not expected."""

    def __init__(self, sentence, kind="end"):
        super().__init__(sentence)
        self.kind = kind


class Workshop:
    """What all trials share: the command, a text, and the hashes of trainings that nothing happened to."""

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
        self.expected = {}
        self.times = {}
        self.count = 0

    def settings(self, steps, more=()):
        return ["--data", self.text, "--steps", str(steps), *SMALL, *more, "--json"]

    def hash(self, steps, more=()):
        """The fault-free hash, from one process with no workers: computed once for each training."""
        key = (steps, tuple(more))
        if key not in self.expected:
            with self.place() as place:
                self.expected[key] = place.train(steps, more, workers=0).finish().hash()
        return self.expected[key]

    def note_time(self, name, seconds, limit):
        """Keeps the time for the end; one above the limit is wrong where time says anything."""
        self.times.setdefault(name, []).append(seconds)
        if self.minds_time and seconds > limit:
            raise Wrong(f"{name}: {seconds:.1f} s, expected at most {limit} s")

    def place(self):
        self.count += 1
        return Place(self, os.path.join(self.root, str(self.count)))

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)


class Place:
    def __init__(self, shop, path):
        self.shop, self.path = shop, path
        self.run = os.path.join(path, "run")
        self.shared = shared_memory()

    def __enter__(self):
        os.mkdir(self.path, 0o700)
        return self

    def __exit__(self, kind, error, trace):
        for process in self.living():
            kill(process, signal.SIGKILL)
        if kind is None:
            shutil.rmtree(self.path, ignore_errors=True)

    def start(self, *arguments, environment=None, prefix=()):
        return Command(self, [*prefix, self.shop.lockstep, *arguments], environment or {})

    def train(self, steps, more=(), workers=2, environment=None, run=None, prefix=()):
        number = ["--workers", str(workers)] if workers else []
        return self.start("train", *self.shop.settings(steps, more), *number, "--run", run or self.run,
                          environment=environment, prefix=prefix)

    def resume(self, workers=2, environment=None, run=None):
        number = ["--workers", str(workers)] if workers else []
        return self.start("resume", run or self.run, *number, "--json", environment=environment)

    def steps(self):
        """Lines of the ledger: steps that are done."""
        try:
            with open(os.path.join(self.run, "ledger.jsonl"), "rb") as file:
                return file.read().count(b"\n")
        except FileNotFoundError:
            return 0

    def living(self):
        """Processes that were started with this place as their TMPDIR."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if f"TMPDIR={self.path}".encode() in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                pass
        return found

    def leftovers(self):
        left = [f"process {process} ({command_line(process)})" for process in self.living()]
        left += [name for name in os.listdir(self.path) if name.startswith("lockstep-")]
        for directory, _, names in os.walk(self.path):
            left += [os.path.join(directory, name) for name in names if name.startswith(".tmp-")]
        return left + sorted(shared_memory() - self.shared)

    def expect(self, outcome, hash):
        """The bits are those of a training that nothing happened to, and nothing is left behind."""
        if outcome.code != 0:
            raise Wrong(f"exit code {outcome.code}: {outcome.errors[-600:]}")
        if outcome.hash() != hash:
            raise Wrong(f"parameters_sha256 {outcome.hash()}, fault-free {hash}: {self.path}", "bits")
        self.expect_nothing_left()

    def expect_nothing_left(self):
        end = time.monotonic() + 5
        while self.leftovers() and time.monotonic() < end:
            time.sleep(0.05)
        left = self.leftovers()
        if left:
            raise Wrong(f"left behind: {', '.join(left)}", "leftovers")


class Outcome:
    def __init__(self, code, output, errors):
        self.code, self.output, self.errors = code, output, errors

    def hash(self):
        try:
            return json.loads(self.output)["parameters_sha256"]
        except (ValueError, KeyError):
            return f"none: {self.output[-200:]}{self.errors[-400:]}"


class Command:
    """A command that runs; what it prints goes to files, so that it never waits for this process."""

    def __init__(self, place, arguments, environment):
        place.number = getattr(place, "number", 0) + 1
        self.files = [os.path.join(place.path, f"{place.number}.{kind}") for kind in ("out", "err")]
        self.place = place
        with open(self.files[0], "w") as output, open(self.files[1], "w") as errors:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                env={**os.environ, "TMPDIR": place.path, **environment})

    @property
    def errors(self):
        with open(self.files[1]) as file:
            return file.read()

    @property
    def runs(self):
        return self.process.poll() is None

    def wait_until(self, condition, seconds=60):
        """Waits until the condition holds; false when the command ended first."""
        end = time.monotonic() + seconds
        while self.runs:
            if condition():
                return True
            if time.monotonic() > end:
                raise Wrong(f"nothing after {seconds} s: {self.errors[-400:]}")
            time.sleep(0.004)
        return condition()

    def trains(self, workers):
        """Waits until that many workers have joined."""
        return self.wait_until(lambda: self.errors.count(" joined") >= workers)

    def coordinator(self):
        return next(iter(children(self.process.pid)), None)

    def workers(self):
        coordinator = self.coordinator()
        return children(coordinator) if coordinator else []

    def finish(self, seconds=180):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Wrong(f"has not ended after {seconds} s: {self.errors[-600:]}") from None
        with open(self.files[0]) as file:
            return Outcome(self.process.returncode, file.read(), self.errors)


def children(parent):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z" and int(fields[1]) == parent:
                found.append(int(name))
    return sorted(found)


def kill(process, number):
    """Whether it was there to be sent a signal."""
    try:
        os.kill(process, number)
        return True
    except ProcessLookupError:
        return False


def command_line(process):
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")[:80]
    except OSError:
        return "gone"


def shared_memory():
    """Segments of shared memory that have a name; directories there are somebody's scratch."""
    try:
        with os.scandir("/dev/shm") as entries:
            return {entry.path for entry in entries if "lockstep" in entry.name and entry.is_file()}
    except OSError:
        return set()
