"""The command as a process, and what can be seen of processes."""

import json
import os
import subprocess
import time


class Wrong(Exception):
    """What a trial found: bits that differ, leftovers, an end that was not expected."""

    def __init__(self, sentence, kind="end"):
        super().__init__(sentence)
        self.kind = kind


class Interrupted(Exception):
    """The trials are to end now."""


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
            self.place.shop.pause(0.004)
        return condition()

    def wait_for(self, condition, seconds=30):
        """Waits until the condition holds, whether the command runs or not."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Wrong(f"not so after {seconds} s: {self.errors[-400:]}")
            self.place.shop.pause(0.02)

    def trains(self, workers):
        """Waits until that many workers have joined."""
        return self.wait_until(lambda: self.errors.count(" joined") >= workers)

    def coordinator(self):
        return next(iter(children(self.process.pid)), None)

    def workers(self):
        coordinator = self.coordinator()
        return children(coordinator) if coordinator else []

    def ends_within(self, seconds):
        end = time.monotonic() + seconds
        while True:
            try:
                self.process.wait(max(0, min(0.5, end - time.monotonic())))
                return True
            except subprocess.TimeoutExpired:
                self.place.shop.pause(0)
                if time.monotonic() >= end:
                    return False

    def finish(self, seconds=180):
        if not self.ends_within(seconds):
            raise Wrong(f"has not ended after {seconds} s: {self.errors[-600:]}")
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


def processes_below(path):
    """Processes that were started with that directory, or one in it, as their TMPDIR."""
    found, mark = [], f"TMPDIR={path}".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                values = file.read().split(b"\0")
        except OSError:
            continue
        if any(value == mark or value.startswith(mark + b"/") for value in values):
            found.append(int(name))
    return found


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
