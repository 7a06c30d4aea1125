"""Disks that are full or cannot be written, few descriptors, a clock that jumps."""

import errno
import os
import subprocess
import time

from place import Wrong

STEPS = 300

# Adds a day to the time of day after a second, and takes two off after two more.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static long jump(void) {
    static int (*real)(clockid_t, struct timespec *);
    static struct timespec begun;
    struct timespec now;
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    real(CLOCK_MONOTONIC, &now);
    if (!begun.tv_sec) begun = now;
    long seconds = now.tv_sec - begun.tv_sec;
    return seconds < 1 ? 0 : seconds < 3 ? 86400 : -86400;
}
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) time->tv_sec += jump();
    return result;
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


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


def go_on(place, run, steps, workers):
    """Resumes a run, or begins it when the fault came before there was one."""
    if os.path.exists(os.path.join(run, "run.json")):
        return place.resume(workers=workers, run=run).finish()
    return place.train(steps, workers=workers, run=run).finish()


def full_disk(shop, draw):
    """The disk is full at a random size; with room again the run goes on."""
    with shop.place() as place, Disk(os.path.join(place.path, "disk"), draw.randint(4, 700)) as disk:
        run = os.path.join(disk.path, "run")
        outcome = place.train(STEPS, workers=draw.randint(0, 2), run=run).finish()
        if outcome.code == 0:
            place.expect(outcome, shop.hash(STEPS))
            return 0
        if outcome.code != 1 or "space" not in outcome.errors:
            raise Wrong(f"exit code {outcome.code}, expected 1 and a sentence about space: {outcome.errors[-400:]}")
        disk.change("size=64m")
        place.expect(go_on(place, run, STEPS, workers=1), shop.hash(STEPS))
        return 1


def lost_room(shop, draw):
    """The disk has no more room from a random moment on."""
    steps = 1000
    with shop.place() as place, Disk(os.path.join(place.path, "disk"), 4 << 10) as disk:
        run = os.path.join(disk.path, "run")
        command = place.train(steps, workers=1, run=run)
        command.wait_until(lambda: os.path.exists(os.path.join(run, "run.json")))
        time.sleep(draw.uniform(0, 0.5))
        disk.fill()
        outcome = command.finish()
        if outcome.code == 0:
            place.expect(outcome, shop.hash(steps))
            return 0
        if outcome.code != 1:
            raise Wrong(f"exit code {outcome.code}, expected 1: {outcome.errors[-400:]}")
        disk.empty()
        place.expect(go_on(place, run, steps, workers=1), shop.hash(steps))
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
        if outcome.code != 1 or outcome.errors.count("\n") > 2:
            raise Wrong(f"exit code {outcome.code}, expected 1 and a sentence: {outcome.errors[-400:]}")
        disk.change("rw")
        place.expect(place.resume(workers=1, run=run).finish(), shop.hash(STEPS))
        return 1


def few_descriptors(shop, draw):
    with shop.place() as place:
        limit = ["bash", "-c", 'ulimit -n 64; exec "$@"', "-"]
        place.expect(place.train(STEPS, workers=3, prefix=limit).finish(), shop.hash(STEPS))
        return 1


def clock_jump(shop, draw):
    steps = 1200
    library = os.path.join(shop.root, "clock.so")
    if not os.path.exists(library):
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", library, "-ldl"],
                       input=CLOCK.encode(), check=True)
    with shop.place() as place:
        outcome = place.train(steps, workers=2, environment={"LD_PRELOAD": library}).finish()
        place.expect(outcome, shop.hash(steps))
        return 2


def kinds():
    if can_mount():
        yield "disk full", 60, 1, full_disk
        yield "disk loses its room", 10, 1, lost_room
        yield "disk read-only", 4, 1, unwritable_directory
    yield "64 descriptors", 2, 1, few_descriptors
    yield "clock jump", 2, 1, clock_jump
