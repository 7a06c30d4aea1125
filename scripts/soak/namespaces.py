"""Network namespaces of these trials. A device made in one ends with the process that holds it, and with the namespace."""

import contextlib
import ctypes
import os
import re
import subprocess

DIRECTORY = "/run/netns"
CLONE_NEWNET = 0x40000000


def prefix(process=None):
    return f"soak-{process or os.getpid()}-"


def present():
    """Names of the namespaces of all such trials, of whichever process."""
    try:
        return sorted(name for name in os.listdir(DIRECTORY) if re.match(r"soak-\d+-", name))
    except OSError:
        return []


def remove(name):
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def tidy():
    """Removes what is left by this process, and by one that was killed."""
    for name in present():
        process = name.split("-")[1]
        if process == str(os.getpid()) or not os.path.exists(f"/proc/{process}"):
            remove(name)


def can_make():
    """Whether this user may make them."""
    name = f"{prefix()}try"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    except OSError:
        return False
    if made:
        remove(name)
    return made


@contextlib.contextmanager
def inside(name):
    """This thread goes into a namespace and comes back: what is opened within stays there."""
    library = ctypes.CDLL(None, use_errno=True)

    def enter(namespace):
        if library.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    with open("/proc/thread-self/ns/net") as here, open(f"{DIRECTORY}/{name}") as there:
        enter(there)
        try:
            yield
        finally:
            enter(here)


class Namespace:
    """A network namespace with a loopback, for as long as it is used."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run(["ip", "-n", self.name, "link", "set", "lo", "up"], check=True)
        return self

    def __exit__(self, *_):
        remove(self.name)

    @property
    def prefix(self):
        return ["ip", "netns", "exec", self.name]
