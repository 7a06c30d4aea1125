"""A network that does what it likes, between workers in a network namespace of their own and a coordinator outside of it.

The namespace has nothing but its loopback; each port of the coordinator is listened to in there, and what comes is carried out and
back by this process: late, slowly, in one direction only, or not at all.
"""

import asyncio
import os
import socket
import threading

import namespaces

SEGMENT = 1448
RETRANSMISSION = 0.2


class Fault:
    """What the network does to each connection.

    - delay: seconds in each direction.
    - loss: share of segments that arrive one retransmission later, and all behind them: what a lost packet is to those who use TCP.
    - rate: bytes a second in each direction, or none for as fast as it goes.
    - reset_at: bytes after which a connection is reset, once.
    """

    def __init__(self, delay=0.0, loss=0.0, rate=None, reset_at=None):
        self.delay, self.loss, self.rate, self.reset_at = delay, loss, rate, reset_at
        self.blocked = set()
        self.faults = 0
        self.carried = 0


def listen(namespace, port):
    """A socket in the namespace."""
    with namespaces.inside(namespace.name):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        return listener


class Relay:
    """Carries connections from ports in a namespace to the same ports outside, on a thread of its own."""

    def __init__(self, namespace, fault, draw):
        self.namespace, self.fault, self.draw = namespace, fault, draw
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.ports = set()
        self.writers = set()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        async def end():
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self.loop)
        self.thread.join(5)

    def carry(self, port):
        if port in self.ports:
            return
        self.ports.add(port)
        listener = listen(self.namespace, port)

        async def serve():
            await asyncio.start_server(lambda *ends: self.connection(port, *ends), sock=listener)

        asyncio.run_coroutine_threadsafe(serve(), self.loop).result(5)

    def block(self, *directions):
        """What is sent that way waits until it is unblocked, as behind a broken line."""
        self.fault.blocked = set(directions)
        self.fault.faults += bool(directions)

    def break_all(self):
        """Resets every connection."""
        async def reset():
            for writer in list(self.writers):
                self.reset(writer)

        asyncio.run_coroutine_threadsafe(reset(), self.loop).result(5)
        self.fault.faults += 1

    @staticmethod
    def reset(writer):
        connection = writer.get_extra_info("socket")
        if connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async def connection(self, port, reader, writer):
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        ends = {writer, other_writer}
        self.writers |= ends
        try:
            await asyncio.gather(self.pump("up", reader, other_writer, ends), self.pump("down", other_reader, writer, ends))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.writers -= ends
            for end in ends:
                end.close()

    async def pump(self, direction, reader, writer, ends):
        """One direction of one connection. What is on the way is bounded, as a window is."""
        fault = self.fault
        way = asyncio.Queue(200)

        async def take():
            held_until = 0.0
            while data := await reader.read(SEGMENT):
                now = self.loop.time()
                if self.draw.random() < fault.loss:
                    fault.faults += 1
                    held_until = max(held_until, now) + RETRANSMISSION
                await way.put((max(now, held_until) + fault.delay, data))
            await way.put((self.loop.time() + fault.delay, b""))

        async def give():
            while True:
                due, data = await way.get()
                await asyncio.sleep(max(0, due - self.loop.time()))
                while direction in fault.blocked:
                    await asyncio.sleep(0.02)
                if not data:
                    writer.close()
                    return
                if fault.rate:
                    await asyncio.sleep(len(data) / fault.rate)
                fault.carried += len(data)
                if fault.reset_at is not None and fault.carried >= fault.reset_at:
                    fault.reset_at = None
                    fault.faults += 1
                    for end in ends:
                        self.reset(end)
                    return
                writer.write(data)
                await writer.drain()

        await asyncio.gather(take(), give())


def listening_ports(process):
    """TCP ports at which a process listens."""
    sockets = set()
    for name in os.listdir(f"/proc/{process}/fd"):
        try:
            target = os.readlink(f"/proc/{process}/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{process}/net/{table}") as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in sockets:
                    ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports
