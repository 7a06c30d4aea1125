"""Disks that are full or cannot be written, few descriptors. See sites.py for each single write."""

import errno
import os
import subprocess

from kind import Kind
from processes import Wrong

STEPS = 300

class Disk:
    """A file system of its own, in memory, of a size that can be changed."""

    def __init__(self, path, kilobytes):
        self.path = path
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", path], check=True)

    def change(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def fill(self):
        with open(os.path.join(self.path, "filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def empty(self):
        os.remove(os.path.join(self.path, "filler"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=False)


def can_mount():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0


def full_disk(shop, draw):
    """The disk is full at a random size; with room again the run goes on."""
    with shop.place() as place, Disk(os.path.join(place.path, "disk"), draw.randint(4, 700)) as disk:
        run = os.path.join(disk.path, "run")
        outcome = place.train(STEPS, workers=draw.randint(0, 2), run=run).finish()
        if outcome.code == 0:
            place.expect(outcome, shop.undisturbed(STEPS), run=run)
            return 0
        if outcome.code != 1 or "space" not in outcome.errors:
            raise Wrong(f"exit code {outcome.code}, expected 1 and a sentence about space: {outcome.errors[-400:]}")
        disk.change("size=64m")
        place.expect(place.go_on(STEPS, run=run), shop.undisturbed(STEPS), run=run)
        return 1


def lost_room(shop, draw):
    """The disk has no more room from a random moment on."""
    steps = 1000
    with shop.place() as place, Disk(os.path.join(place.path, "disk"), 4 << 10) as disk:
        run = os.path.join(disk.path, "run")
        command = place.train(steps, workers=1, run=run)
        command.wait_until(lambda: os.path.exists(os.path.join(run, "run.json")))
        shop.pause(draw.uniform(0, 0.5))
        disk.fill()
        outcome = command.finish()
        if outcome.code == 0:
            place.expect(outcome, shop.undisturbed(steps), run=run)
            return 0
        if outcome.code != 1:
            raise Wrong(f"exit code {outcome.code}, expected 1: {outcome.errors[-400:]}")
        disk.empty()
        place.expect(place.go_on(steps, run=run), shop.undisturbed(steps), run=run)
        return 1


def unwritable_directory(shop, draw):
    """A run whose directory is read-only is refused with a sentence, and goes on once it is not."""
    with shop.place() as place, Disk(os.path.join(place.path, "disk"), 4 << 10) as disk:
        run = os.path.join(disk.path, "run")
        command = place.train(STEPS, workers=0, run=run)
        command.wait_until(lambda: os.path.exists(os.path.join(run, "latest")))
        command.process.kill()
        command.finish()
        disk.change("ro")
        outcome = place.resume(workers=draw.randint(0, 1), run=run).finish()
        if outcome.code != 2 or outcome.errors.count("\n") != 1:
            raise Wrong(f"exit code {outcome.code}, expected 2 and a sentence: {outcome.errors[-400:]}")
        disk.change("rw")
        place.expect(place.resume(workers=1, run=run).finish(), shop.undisturbed(STEPS), run=run)
        return 1


def few_descriptors(shop, draw):
    with shop.place() as place:
        limit = ["bash", "-c", 'ulimit -n 64; exec "$@"', "-"]
        place.expect(place.train(STEPS, workers=draw.randint(0, 3), prefix=limit).finish(), shop.undisturbed(STEPS))
        return 1


def kinds():
    if can_mount():
        yield Kind("disk full", 60, 1, full_disk)
        yield Kind("disk loses its room", 10, 1, lost_room)
        yield Kind("disk read-only", 4, 1, unwritable_directory)
    yield Kind("64 descriptors", 4, 1, few_descriptors)


def not_tried():
    if not can_mount():
        yield "small and read-only disks: they need the right to mount"
