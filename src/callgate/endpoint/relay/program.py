"""Opens sockets on a vantage for a phone that runs elsewhere; knows nothing of the protocols inside.

Shipped as text (`relay_source`) behind the prober, whose ICMP readings it shares, and its frames; so it is written
like them: standard library of Python 3.6 or later, neither root nor raw sockets, ASCII without apostrophes and template
braces. Run as a program (`python3 -c SOURCE SECONDS`) it ends when its stdin does, when nobody reads its stdout, after
30 s without a word, and after SECONDS (3600 at most) in any case; nothing is left behind.
"""

import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Any

from callgate.endpoint.relay.channels import Connection, Datagrams
from callgate.endpoint.relay.frames import (
    CHANNELS,
    CHUNK,
    CREDIT,
    DATA,
    END,
    GONE,
    GRAM,
    GREETING,
    PING,
    TCP,
    UDP,
    WINDOW,
    Frames,
    frame,
)

OUTPUT_BYTES = 4 * WINDOW  # beyond it nothing more is read from the network
PIPE_BYTES = 4096  # what a pipe that is ready takes without blocking (pipe(7), PIPE_BUF)
LIFE_SECONDS = 3600
IDLE_SECONDS = 30.0


class Relay:
    """All channels, between stdin and stdout."""

    def __init__(self) -> None:
        self.channels: dict[int, Connection | Datagrams] = {}
        self.output = bytearray(GREETING)
        self.frames = Frames()
        self.heard = time.monotonic()

    def has_room(self) -> bool:
        """Whether more may be read from the network."""
        return len(self.output) < OUTPUT_BYTES

    def put(self, data: bytes) -> None:
        """Print a frame, when there is room."""
        self.output += data

    def say(self, kind: int, channel: int, what: "dict[str, Any]") -> None:
        """Print a frame of JSON."""
        self.put(frame(kind, channel, json.dumps(what).encode("ascii")))

    def run(self) -> None:
        """Work until stdin ends, stdout breaks, or nothing was heard for too long."""
        while True:
            now = time.monotonic()
            if now - self.heard > IDLE_SECONDS:
                return
            poller, channels = select.poll(), {}
            poller.register(0, select.POLLIN)
            poller.register(1, select.POLLOUT if self.output else 0)
            due = self.heard + IDLE_SECONDS
            for channel in self.channels.values():
                if channel.deadline is not None:
                    due = min(due, channel.deadline)
                events = channel.events()
                if events and channel.sock is not None:
                    channels[channel.sock.fileno()] = channel
                    poller.register(channel.sock, events)
            ready = dict(poller.poll(max(0, int((due - now) * 1000) + 1)))
            if ready.get(1, 0) & ~select.POLLOUT:
                return
            if ready.pop(1, 0):
                del self.output[: os.write(1, self.output[:PIPE_BYTES])]
            listening = ready.pop(0, 0)
            for descriptor, events in ready.items():
                channel = channels[descriptor]
                if channel.number in self.channels:
                    channel.ready(events)
            now = time.monotonic()
            for channel in list(self.channels.values()):
                if channel.deadline is not None and channel.deadline <= now:
                    channel.ready(0)
            if listening:
                data = os.read(0, CHUNK)
                if not data:
                    return
                self.heard = now
                for kind, number, rest in self.frames.feed(data):
                    self.take(kind, number, rest)

    def take(self, kind: int, number: int, rest: bytes) -> None:
        """Do what a frame asks. Frames of a channel that has ended meanwhile are ignored."""
        channel = self.channels.get(number)
        if kind == PING:
            self.put(frame(PING, number, rest[:64]))
        elif kind in (TCP, UDP):
            self.begin(kind, number, json.loads(rest.decode("ascii")))
        elif channel is None:
            if kind in (END, GONE):
                self.put(frame(GONE, number))
        elif kind in (DATA, GRAM):
            channel.send(rest)
        elif kind == CREDIT and isinstance(channel, Connection):
            channel.credit += struct.unpack(">I", rest)[0]
        elif kind == END:
            channel.close()
        elif kind == GONE and isinstance(channel, Connection):
            channel.finish(reset=True)
        elif kind == GONE:
            channel.close()

    def begin(self, kind: int, number: int, asked: "dict[str, Any]") -> None:
        """Open a channel, or say why not."""
        remote = [asked["address"], asked["port"]]
        channel = Connection(self, number, remote) if kind == TCP else Datagrams(self, number, remote)
        if len(self.channels) >= CHANNELS:
            channel.fail(errno.EMFILE)
            return
        self.channels[number] = channel
        try:
            channel.start(asked)
        except OSError as error:  # of an address only a zone that is not there
            channel.fail(errno.ENODEV if isinstance(error, socket.gaierror) else error.errno, at_once=True)
            channel.gone()

    def close(self) -> None:
        """Close all sockets."""
        for channel in list(self.channels.values()):
            channel.shut()


def main() -> None:
    """Relay between stdin and stdout."""
    signal.alarm(max(1, min(int(sys.argv[1]), LIFE_SECONDS)))
    relay = Relay()
    with suppress(BrokenPipeError):
        try:
            relay.run()
        finally:
            relay.close()


if __name__ == "__main__":
    main()
