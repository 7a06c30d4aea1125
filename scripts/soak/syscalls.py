"""System calls that change files, as strace sees them, and what a disk holds for certain after some of them."""

import os
import re

# What no call of which is known here would be missed in silence.
NAMES = ("openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fsync,fdatasync,sync_file_range,rename,"
         "renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,fallocate,copy_file_range,sendfile")


def trace(log):
    return ["strace", "-f", "-y", "-xx", "-s", "16777216", "-e", f"trace={NAMES}", "-o", log]


class Call:
    """- since: for a synchronisation, how many calls had returned when it began; only those it makes safe."""

    def __init__(self, name, path, since=0, other=None, offset=0, data=b"", flags=""):
        self.name, self.path, self.since, self.other = name, path, since, other
        self.offset, self.data, self.flags = offset, data, flags

    def __str__(self):
        return f"{self.name} {self.path}" + (f" to {self.other}" if self.other else "")


class Directory:
    def __init__(self):
        self.safe, self.names, self.pending = {}, {}, []


class File:
    def __init__(self):
        self.safe, self.bytes, self.pending = bytearray(), bytearray(), []


class Disk:
    """Grants no more than POSIX: the bytes of a file are safe after its own fsync, a name after that of its directory, and of what is
    not safe any part may be lost and any part kept."""

    def __init__(self):
        self.root = Directory()
        self.time = 0

    @staticmethod
    def calls(log, root, below):
        """The calls that change what lies at `below`, with paths from `root`, in the order in which they returned."""
        begun, found = {}, []
        inside = lambda path: path in (root, below) or path.startswith(below + "/")
        relative = lambda path: os.path.relpath(path, root)
        with open(log) as file:
            for line in file:
                process, line = line.split(None, 1)
                if line.startswith(("+++", "---")):
                    continue
                if line.rstrip().endswith("<unfinished ...>"):
                    begun[process] = (line.rstrip()[:-len("<unfinished ...>")], len(found))
                    continue
                since = len(found)
                if line.startswith("<..."):
                    start, since = begun.pop(process)
                    line = start + line.split("resumed>", 1)[1]
                match = re.match(r"(\w+)\((.*)\)\s+= (-?\d+|\?)", line.rstrip())
                if not match or match[3].startswith(("-", "?")):
                    continue
                call = parse(match[1], match[2], int(match[3]), inside, since)
                if call:
                    call.path = relative(call.path)
                    call.other = call.other and relative(call.other)
                    found.append(call)
        return found

    def node(self, path):
        node = self.root
        if path == ".":
            return node
        for part in path.split("/"):
            node = node.names.get(part) if isinstance(node, Directory) else None
        return node

    def safe(self, path):
        """What lies there for certain, if anything does."""
        node = self.root
        for part in path.split("/"):
            node = node.safe.get(part) if isinstance(node, Directory) else None
        return node

    def parent(self, path):
        head, _, name = path.rpartition("/")
        return (self.node(head) if head else self.root), name

    def change(self, directory, *change):
        self.apply(directory.names, change)
        directory.pending.append((self.time, change))

    @staticmethod
    def apply(names, change):
        what, name, more = change
        if what == "set":
            names[name] = more
        elif what == "unset":
            names.pop(name, None)
        elif name in names:
            names[more] = names.pop(name)

    def perform(self, call):
        self.time += 1
        directory, name = self.parent(call.path)
        node = directory.names.get(name)
        if call.name == "mkdir":
            self.change(directory, "set", name, Directory())
        elif call.name == "open":
            if node is None:
                self.change(directory, "set", name, File())
            elif "O_TRUNC" in call.flags:
                self.write(node, 0, None)
        elif call.name == "write":
            self.write(node, call.offset, call.data)
        elif call.name == "truncate":
            self.write(node, call.offset, None)
        elif call.name == "fsync":
            self.synchronize(self.node(call.path), call.since)
        elif call.name == "rename":
            other, new = self.parent(call.other)
            assert other is directory, f"{call}: to another directory"
            self.change(directory, "move", name, new)
        elif call.name == "remove":
            self.change(directory, "unset", name, None)

    def write(self, file, offset, data):
        self.store(file.bytes, offset, data)
        file.pending.append((self.time, (offset, data)))

    @staticmethod
    def store(bytes, offset, data):
        if len(bytes) < offset:
            bytes.extend(b"\0" * (offset - len(bytes)))
        if data is None:
            del bytes[offset:]
        else:
            bytes[offset:offset + len(data)] = data

    def synchronize(self, node, since):
        # What returned after it had begun it need not have seen.
        for _, change in [pending for pending in node.pending if pending[0] <= since]:
            self.apply(node.safe, change) if isinstance(node, Directory) else self.store(node.safe, *change)
        node.pending = [pending for pending in node.pending if pending[0] > since]

    def cut(self, path, keeps_name, keeps_data, directory=None):
        """Writes below `path` what a power cut leaves."""
        directory = directory or self.root
        names = dict(directory.safe)
        for _, change in directory.pending:
            if keeps_name():
                self.apply(names, change)
        for name, node in sorted(names.items()):
            place = os.path.join(path, name)
            if isinstance(node, Directory):
                os.mkdir(place)
                self.cut(place, keeps_name, keeps_data, node)
                continue
            content = bytearray(node.safe)
            for _, change in node.pending:
                if keeps_data():
                    self.store(content, *change)
            with open(place, "wb") as file:
                file.write(content)


def text(argument):
    """A string as strace -xx writes it."""
    return bytes.fromhex(argument.strip('"').replace("\\x", ""))


def parse(name, arguments, result, inside, since):
    """A call that changes what is inside, or none for one that does not."""
    parts = arguments.split(", ")
    # Paths that strace adds to descriptors are written like strings.
    opened = re.match(r'\d+<((?:\\x[0-9a-f]{2})*)>', parts[0])
    path = os.fsdecode(text(opened[1])) if opened else os.fsdecode(text(parts[0])) if parts[0].startswith('"') else None
    if name == "openat":
        base = re.match(r'(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>', parts[0])
        path = os.path.join(os.fsdecode(text(base[1])), os.fsdecode(text(parts[1])))
        return Call("open", path, since, flags=parts[2]) if "O_CREAT" in parts[2] and inside(path) else None
    if path is None or not inside(path):
        return None
    if name == "pwrite64":
        return Call("write", path, since, offset=int(parts[3]), data=text(parts[1])[:result])
    if name == "ftruncate":
        return Call("truncate", path, since, offset=int(parts[1]))
    if name in ("fsync", "fdatasync"):
        return Call("fsync", path, since)
    if name == "rename":
        return Call("rename", path, since, other=os.fsdecode(text(parts[1])))
    if name == "mkdir":
        return Call("mkdir", path, since)
    if name in ("unlink", "rmdir"):
        return Call("remove", path, since)
    raise ValueError(f"{name} changes {path}: what it leaves after a power cut is not known here")
