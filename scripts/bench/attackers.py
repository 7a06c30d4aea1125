"""Those who attack a training: strangers without keys over raw sockets, and workers that mean harm."""

import contextlib
import ctypes
import ctypes.util
import functools
import pathlib
import random
import re
import select
import socket
import struct
import time

# ZMTP 3.1 (rfc.zeromq.org/spec/37)


def greeting(mechanism=b"NULL"):
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + b"\0" + bytes(31)


def ready(identity):
    def field(name, value):
        return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value

    body = b"\x05READY" + field(b"Socket-Type", b"DEALER") + field(b"Identity", identity)
    return b"\x04" + bytes([len(body)]) + body


def frame(content, more=False):
    flags = 1 if more else 0
    if len(content) < 256:
        return bytes([flags, len(content)]) + content
    return bytes([flags | 2]) + struct.pack(">Q", len(content)) + content


def next_frame(content, place):
    """Flags, begin and end of the frame at a place of what was received; none before all of it is there."""
    if place + 9 > len(content) and (place + 2 > len(content) or content[place] & 2):
        return None
    flags, length, begin = content[place], content[place + 1], place + 2
    if flags & 2:
        length, begin = struct.unpack_from(">Q", content, place + 1)[0], place + 9
    return (flags, begin, begin + length) if begin + length <= len(content) else None


def frames(session):
    """The message frames of one direction of a recorded connection."""
    place, found = 64, []
    while following := next_frame(session, place):
        flags, begin, place = following
        if not flags & 4:
            found.append(bytes(session[begin:place]))
    return found


def name(session):
    """The routing id that the side of a recorded connection has given itself."""
    place = bytes(session).index(b"\x08Identity") + 9
    length, = struct.unpack_from(">I", session, place)
    return bytes(session[place + 4:place + 4 + length])


# The protocol (Protocol.md)

PRIME, ONES = 0x9E3779B185EBCA87, (1 << 64) - 1


@functools.lru_cache(maxsize=64)
def lanes(content):
    """The 32 lanes of the protocol's checksum."""
    values = [(lane + 1) * PRIME & ONES for lane in range(32)]
    for index, (word,) in enumerate(struct.iter_unpack("<Q", content + bytes(-len(content) % 256))):
        value = (values[index % 32] ^ word) * PRIME & ONES
        values[index % 32] = (value << 29 | value >> 35) & ONES
    return values


def checksum(content, seed=0):
    value = (seed + len(content)) & ONES
    for lane in lanes(content):
        value = (value ^ lane) * PRIME & ONES
        value ^= value >> 32
    return value


def message(run, kind, payload, step=0, first=0, count=0, offset=0, total=0):
    """One frame of the protocol; `run` is the 24 bytes of run and incarnation."""
    header = b"LKSP" + struct.pack("<HH", 3, kind) + run
    header += struct.pack("<QIIQQII", step, first, count, offset, total, len(payload), 0)
    return header + struct.pack("<Q", checksum(payload, checksum(header + bytes(8)))) + payload


# Attacks: each goes on until it is killed, and counts what it did.
# `target` has the port, the directory of the keys or none, and what a good worker has said and is called where there are none.


def connection(port):
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def paced(rate, count):
    """One turn after the other, at most so many a second."""
    due = time.monotonic()
    while True:
        due = max(due + 1 / rate, time.monotonic() - 0.1)
        time.sleep(max(0, due - time.monotonic()))
        yield
        with count.get_lock():
            count.value += 1


def one_by_one(rate, body):
    def attack(target, count):
        for _ in paced(rate, count):
            with contextlib.suppress(OSError):
                body(target)

    return attack


def random_bytes(target):
    with connection(target.port) as peer:
        peer.sendall(random.choice([b"", greeting(), greeting(b"CURVE")]) + random.randbytes(3000))


def churn(target):
    connection(target.port).close()


def null_client(target):
    with connection(target.port) as peer:
        peer.sendall(greeting() + ready(random.randbytes(8).replace(b"\0", b"x")))
        peer.recv(4096)
        peer.sendall(frame(bytes(80)))


def silent(target, count):
    peers = []
    for _ in paced(2000, count):
        with contextlib.suppress(OSError):
            peers.append(connection(target.port))
        if len(peers) >= 1000:
            peers.pop(0).close()
            time.sleep(0.005)


def half_frames(target, count):
    """Each announces the longest frame and sends all of it but a byte, before its handshake has failed."""
    peers, content = [], bytes((1 << 20) - 1)
    for _ in paced(100, count):
        with contextlib.suppress(OSError):
            peer = connection(target.port)
            peer.sendall(greeting(b"CURVE" if target.keys else b"NULL") + b"\x02" + struct.pack(">Q", 1 << 20) + content)
            peers.append(peer)
        if len(peers) > 300:
            peers.pop(0).close()


class Member:
    """A connection whose hello is a good worker's, under a name of its own or a given one."""

    def __init__(self, target, name=None):
        self.peer = connection(target.port)
        self.peer.sendall(greeting() + ready(name or b"A" + random.randbytes(8).replace(b"\0", b"x")))
        self.heard = b""
        # libzmq takes a frame that comes before its own introduction for a part of the handshake.
        while len(self.heard) < 64 + 20:
            self.hear()
        self.peer.sendall(frame(target.said[0]))

    def hear(self):
        content = self.peer.recv(1 << 16)
        if not content:
            raise ConnectionError("cut")
        self.heard += content

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.close()


class FalseWorker(Member):
    """A member that speaks the protocol (Protocol.md): it pulls work, and what becomes of that is for the attack to say."""

    def __init__(self, target):
        super().__init__(target)
        self.place, self.run, self.session, self.progress, self.last_ping = 64, None, 1, 0, 0
        self.assignments, self.pieces = [], {}
        while self.run is None:
            self.take(1)

    def take(self, wait):
        """Takes in what comes within so many seconds; whole assignments are in `assignments` then."""
        if self.run and time.monotonic() - self.last_ping > 1:
            self.last_ping = time.monotonic()
            self.say(5, self.status(1))
        if select.select([self.peer], [], [], wait)[0]:
            self.hear()
            for content in self.messages():
                self.understand(content)

    def messages(self):
        """The whole frames of messages that have come; commands are left out."""
        while following := next_frame(self.heard, self.place):
            flags, begin, end = following
            content, self.heard, self.place = self.heard[begin:end], self.heard[end:], 0
            if not flags & 4:
                yield content

    def understand(self, content):
        kind, = struct.unpack_from("<H", content, 6)
        step, first, count, offset, total = struct.unpack_from("<QIIQQ", content, 32)
        payload = content[80:]
        if kind == 16:
            self.run = content[8:32]
            self.shards, self.parameter_bytes = struct.unpack_from("<IQ", payload, 8)
        elif kind == 19:
            stream = self.pieces.setdefault((step, first, count), bytearray(total))
            stream[offset:offset + len(payload)] = payload
            if offset + len(payload) == total:
                self.assignments.append((step, first, count, bytes(self.pieces.pop((step, first, count)))))
        elif kind in (17, 22):
            raise ConnectionError("refused")

    def status(self, computing):
        self.progress += 1
        return struct.pack("<QIIQ", self.session, 1, computing, self.progress)

    def say(self, kind, payload, step=0, first=0, count=0, offset=0, total=0):
        self.peer.sendall(frame(message(self.run, kind, payload, step, first, count, offset, total)))

    def pull(self, done=None):
        step, first, count, _ = done or (0, 0, 0, None)
        self.say(2, self.status(0), step, first, count)

    def answer(self, assignment, value):
        """Answers in the right form, with gradients that are all one value."""
        step, first, count, stream = assignment
        _, begin, _, shards, batch, length, rows, _ = struct.unpack_from("<Q7I", stream)
        targets = struct.unpack_from(f"<{length * rows}i", stream, 36 + 4 * length * rows)
        # The numbers in front are the same in every answer: checksums of whole pieces are kept.
        gradients = struct.pack("<f", value) * (self.parameter_bytes // 4)
        each, shard = batch // shards, first
        while shard < first + count:
            size = 1
            while shard % (2 * size) == 0 and shard + 2 * size <= first + count:
                size *= 2
            columns = range((shard - begin) * each, (shard - begin + size) * each)
            tokens = sum(targets[time * rows + column] >= 0 for time in range(length) for column in columns)
            body = gradients + struct.pack("<dQ", 2.0 * tokens, tokens) + struct.pack("<Q", 7) * size
            for offset in range(0, len(body), 1 << 20):
                self.say(3, body[offset:offset + (1 << 20)], step, shard, size, offset, len(body))
            shard += size
        self.pull(assignment)


def endless(target, count):
    """One message that never ends, in frames of 1 MiB."""
    content = frame(bytes(1 << 20), more=True)
    while True:
        with contextlib.suppress(OSError), Member(target) as member:
            for _ in paced(200, count):
                member.peer.sendall(content)


def mutations(target):
    with Member(target) as member:
        content = bytearray(random.choice(target.said))
        content[random.randrange(min(len(content), 100))] ^= 1 << random.randrange(8)
        member.peer.sendall(frame(bytes(content)))
        member.hear()


def slow_reader(target, count):
    """A worker that pings and takes work, and reads 1 KiB a second."""
    while True:
        with contextlib.suppress(OSError), Member(target) as member:
            member.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in paced(1, count):
                member.peer.sendall(b"".join(map(frame, target.said[:2])))
                member.peer.recv(1024)


def gigabyte(target):
    with connection(target.port) as peer:
        peer.sendall(greeting(b"CURVE" if target.keys else b"NULL") + b"\x02" + struct.pack(">Q", 1 << 30) + bytes(1000))
        peer.recv(4096)


def replay(target):
    """All that a good worker said in another connection, once more."""
    with Member(target) as member:
        for content in target.said[1:]:
            member.peer.sendall(frame(content))
        member.hear()


def same_name(target):
    """Says hello under the name of a worker that is there."""
    with connection(target.port) as peer:
        peer.sendall(greeting() + ready(target.name) + frame(target.said[0]))
        peer.recv(4096)


def many_frames(target):
    with Member(target) as member:
        member.peer.sendall(frame(b"", more=True) * 9999 + frame(b""))
        member.hear()


def hellos(target, count):
    """One hello after the other, nothing read."""
    content = None
    while True:
        with contextlib.suppress(OSError), Member(target) as member:
            content = content or frame(target.said[0]) * 20
            for _ in paced(500, count):
                member.peer.sendall(content)


def as_worker(act):
    """A worker that pulls, and does with every assignment what `act` says."""
    def attack(target, count):
        while True:
            with contextlib.suppress(OSError), FalseWorker(target) as worker:
                worker.pull()
                while True:
                    worker.take(0.2)
                    while worker.assignments:
                        act(worker, worker.assignments.pop(0))
                        with count.get_lock():
                            count.value += 1
            time.sleep(1)

    return attack


def mute(worker, assignment):
    """Takes it and never answers."""


def empty_handed(worker, assignment):
    worker.pull(assignment)


def late(worker, assignment):
    """Answers rightly in form, and just before a range of a quick step is called late."""
    until = time.monotonic() + 0.45
    while (left := until - time.monotonic()) > 0:
        worker.take(left)
    worker.answer(assignment, 0)


def wrong(worker, assignment):
    worker.answer(assignment, 1e-6)


def wrong_key(target, count):
    zmq = ctypes.CDLL(ctypes.util.find_library("zmq") or "libzmq.so.5")
    for function in (zmq.zmq_ctx_new, zmq.zmq_socket):
        function.restype = ctypes.c_void_p
    context = ctypes.c_void_p(zmq.zmq_ctx_new())

    def option(peer, number, value):
        zmq.zmq_setsockopt(peer, number, value, ctypes.c_size_t(len(value)))

    server = re.search(r'public-key = "(.*)"', (pathlib.Path(target.keys) / "coordinator.key").read_text()).group(1).encode()
    for _ in paced(200, count):
        public, secret = ctypes.create_string_buffer(41), ctypes.create_string_buffer(41)
        zmq.zmq_curve_keypair(public, secret)
        peer = ctypes.c_void_p(zmq.zmq_socket(context, 5))
        for number, value in [(50, server), (48, public.value), (49, secret.value), (17, struct.pack("i", 0))]:
            option(peer, number, value)
        zmq.zmq_connect(peer, f"tcp://127.0.0.1:{target.port}".encode())
        time.sleep(0.004)
        zmq.zmq_close(peer)


# name: what it is, what does it, how many processes; whether the run has keys, and what else it is told
ATTACKS = {
    "random": ("connections of random bytes", one_by_one(500, random_bytes), 1, True, []),
    "silent": ("1,000 connections that never speak, ever new ones", silent, 1, True, []),
    "churn": ("connections that are closed at once", one_by_one(2000, churn), 1, True, []),
    "null": ("clients without keys", one_by_one(500, null_client), 1, True, []),
    "wrong-key": ("clients with a wrong key", wrong_key, 1, True, []),
    "half-frames": ("frames of 1 MiB before the handshake has failed", half_frames, 1, True, []),
    "gigabyte": ("a frame of 1 GiB is announced", one_by_one(200, gigabyte), 1, True, []),
    "replay": ("a recorded session is played back", one_by_one(2, replay), 1, False, []),
    "replays": ("the same, twenty times a second", one_by_one(20, replay), 1, False, []),
    "same-name": ("hellos under the name of a worker that is there", one_by_one(200, same_name), 1, False, []),
    "many-frames": ("messages of 10,000 empty frames, each of a new worker", one_by_one(20, many_frames), 1, False, []),
    "mutations": ("changed messages, each of a new worker", one_by_one(300, mutations), 1, False, []),
    "endless": ("messages that never end", endless, 1, False, []),
    "hellos": ("hellos twenty at a time, nothing read", hellos, 1, False, []),
    "slow-one": ("one worker that reads 1 KiB a second", slow_reader, 1, False, []),
    "slow": ("four workers that read 1 KiB a second", slow_reader, 4, False, []),
    "mute": ("four workers that take work and never answer", as_worker(mute), 4, False, []),
    "empty-handed": ("four workers that say that they are done, and have answered nothing", as_worker(empty_handed), 4, False, []),
    "late": ("a worker that answers just before it is late", as_worker(late), 1, False, []),
    "wrong": ("a worker that answers wrongly, each second under a new name", as_worker(wrong), 1, False, ["--audit", "100%"]),
}
