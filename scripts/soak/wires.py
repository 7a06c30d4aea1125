"""A network of TUN devices, one in each of some namespaces, whose packets this process carries: late, twice, overtaken, or not at all.

Run as a program, with one argument of JSON: `ends`, a namespace and its address each; `seed`; `fault`, see `Fault`. Says "ready" when
the devices are up. Each line on standard input is an object: `blocked`, pairs of addresses, from and to, between which nothing passes
any more; `reset`, which breaks every connection there is. With the end of its input it prints what it did, and ends; the devices
end with it.
"""

import fcntl
import heapq
import itertools
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

import namespaces

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
TCP, RST, ACK = 6, 0x04, 0x10


class Fault:
    """What the network does to each packet.

    - delay: seconds on the way.
    - loss, duplicate, reorder: shares of packets that are lost, arrive twice, or so late that others overtake them.
    - rate: bytes a second from one end to another, or none for as fast as it goes. Half a second's worth waits; what is more is lost.
    - reset_at: bytes of content after which a connection is reset, once.
    """

    def __init__(self, delay=0.0, loss=0.0, duplicate=0.0, reorder=0.0, rate=None, reset_at=None):
        self.delay, self.loss, self.duplicate, self.reorder = delay, loss, duplicate, reorder
        self.rate, self.reset_at = rate, reset_at


class Packet:
    """An IPv4 packet and, where it has one, its TCP header."""

    def __init__(self, data):
        self.data = data
        self.source, self.target = data[12:16], data[16:20]
        self.content, self.flow = 0, None
        start = 4 * (data[0] & 15)
        if data[9] == TCP and len(data) >= start + 20:
            ports = struct.unpack_from("!HH", data, start)
            self.sequence, self.acknowledged = struct.unpack_from("!II", data, start + 4)
            length = struct.unpack_from("!H", data, 2)[0]
            self.content = max(0, length - start - 4 * (data[start + 12] >> 4))
            self.ports = ports
            self.flow = frozenset([(self.source, ports[0]), (self.target, ports[1])])

    def resets(self):
        """What ends the connection for both: to its target in the name of its source, and the other way round."""
        return [reset(self.source, self.target, self.ports, self.sequence),
                reset(self.target, self.source, self.ports[::-1], self.acknowledged)]


def reset(source, target, ports, sequence):
    segment = struct.pack("!HHIIBBHHH", *ports, sequence, 0, 5 << 4, RST, 0, 0, 0)
    pseudo = source + target + struct.pack("!BBH", 0, TCP, len(segment))
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, TCP, 0, source, target)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def device(namespace, address):
    """A TUN device in a namespace, with that address."""
    with namespaces.inside(namespace):
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"soak", IFF_TUN | IFF_NO_PI))
        subprocess.run(["ip", "addr", "add", f"{address}/24", "dev", "soak"], check=True)
        subprocess.run(["ip", "link", "set", "soak", "up"], check=True)
        return tun


class Wires:
    def __init__(self, ends, fault, seed):
        self.devices = {socket.inet_aton(address): device(namespace, address) for namespace, address in ends}
        self.fault, self.draw = fault, random.Random(seed)
        self.way, self.numbers = [], itertools.count()
        self.free = {}
        self.blocked = set()
        self.flows, self.doomed = set(), set()
        self.content = 0
        self.done = dict.fromkeys(["carried", "lost", "duplicated", "reordered", "blocked", "resets"], 0)

    def take(self, data):
        if data[0] >> 4 != 4 or len(data) < 20:
            return
        packet = Packet(data)
        if packet.target not in self.devices:
            return
        fault, done, now = self.fault, self.done, time.monotonic()
        if (packet.source, packet.target) in self.blocked:
            done["blocked"] += 1
            return
        if packet.flow and packet.content:
            self.flows.add(packet.flow)
            self.content += packet.content
            if packet.flow in self.doomed or fault.reset_at is not None and self.content >= fault.reset_at:
                if packet.flow not in self.doomed:
                    fault.reset_at = None
                self.doomed.discard(packet.flow)
                self.flows.discard(packet.flow)
                done["resets"] += 1
                for answer in packet.resets():
                    self.send(now, answer)
                return
        if self.draw.random() < fault.loss:
            done["lost"] += 1
            return
        due = now
        if fault.rate:
            link = (packet.source, packet.target)
            due = max(self.free.get(link, 0), now) + len(data) / fault.rate
            if due - now > 0.5:
                done["lost"] += 1
                return
            self.free[link] = due
        due += fault.delay
        if self.draw.random() < fault.reorder:
            done["reordered"] += 1
            due += self.draw.uniform(0.002, 0.03)
        self.send(due, data)
        if self.draw.random() < fault.duplicate:
            done["duplicated"] += 1
            self.send(due + self.draw.uniform(0, 0.01), data)

    def send(self, due, data):
        heapq.heappush(self.way, (due, next(self.numbers), data))

    def give(self):
        now = time.monotonic()
        while self.way and self.way[0][0] <= now:
            data = heapq.heappop(self.way)[2]
            try:
                os.write(self.devices[data[16:20]], data)
                self.done["carried"] += 1
            except OSError:
                # The device's queue is full, or it goes away: a packet that is lost.
                self.done["lost"] += 1

    def order(self, line):
        order = json.loads(line)
        if "blocked" in order:
            self.blocked = {(socket.inet_aton(source), socket.inet_aton(target)) for source, target in order["blocked"]}
        if order.get("reset"):
            self.doomed = set(self.flows)

    def run(self):
        """Carries until standard input ends."""
        orders = b""
        poll = select.poll()
        for file in [0, *self.devices.values()]:
            poll.register(file, select.POLLIN)
        while True:
            wait = max(0, self.way[0][0] - time.monotonic()) * 1000 if self.way else None
            for file, _ in poll.poll(wait):
                if file == 0:
                    read = os.read(0, 65536)
                    if not read:
                        return
                    *lines, orders = (orders + read).split(b"\n")
                    for line in lines:
                        self.order(line)
                    continue
                try:
                    for _ in range(64):
                        self.take(os.read(file, 2048))
                except OSError:
                    pass
            self.give()


def main():
    settings = json.loads(sys.argv[1])
    wires = Wires(settings["ends"], Fault(**settings["fault"]), settings["seed"])
    print("ready", flush=True)
    try:
        wires.run()
    except KeyboardInterrupt:
        pass
    print(json.dumps(wires.done))


if __name__ == "__main__":
    main()
