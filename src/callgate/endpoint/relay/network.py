"""The network of a vantage: a relay runs there and opens sockets for us."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from types import TracebackType
from typing import Final, Self

from callgate.endpoint.attempt import AttemptFailed, Ending, printable
from callgate.endpoint.network import ByteStream, DatagramSocket, TransportAddress
from callgate.endpoint.open_socket import check_destination
from callgate.endpoint.relay.frames import CHANNELS, GREETING, PING, TCP, UDP, Frames, frame
from callgate.endpoint.relay.process import end_process, start_process
from callgate.endpoint.relay.sockets import (
    ANSWER_SECONDS,
    Channel,
    RelayedDatagrams,
    RelayedStream,
)

START_SECONDS: Final = 20.0
"""Until the relay greets; testinfra's ssh gives connecting 10 s."""
PING_SECONDS: Final = 2.0
DEAD_SECONDS: Final = 10.0
"""Without a word from the relay, which answers pings, the way to the vantage counts as broken."""
END_SECONDS: Final = 3.0
MAXIMUM_UNSENT: Final = 1 << 19
MAXIMUM_COMPLAINT: Final = 4096

_READ: Final = 65536
_OWN_IMPORT: Final = re.compile(r"^from callgate\.\S+ import (?:\([^)]*\)|[^\n(]+)\n", re.MULTILINE)
_PARTS: Final = ("prober", "relay/frames", "relay/channels", "relay/program")
_GUARD: Final = "\n\nif __name__ =="


def relay_source() -> str:
    """The relay's own text behind those it shares with the prober and with us, to be run by `python3 -c`."""
    package = resources.files("callgate.endpoint")
    prober, *parts = (package.joinpath(f"{name}.py").read_text(encoding="ascii") for name in _PARTS)
    return "\n\n".join((prober.partition(_GUARD)[0], *(_OWN_IMPORT.sub("", part) for part in parts)))


class RelayedNetwork:
    """Reaches out from a vantage, through a relay on the pipes of `command`; an async context manager.

    Whatever the vantage sends, failures are AttemptFailed, with FAILED_HERE and the vantage's name where the relay
    itself fails: it dies, hangs, breaks its protocol, or something else is printed before it greets.
    """

    def __init__(self, command: Sequence[str], name: str) -> None:
        self.name = name
        self.failure: AttemptFailed | None = None
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._greeted = False
        self._heard = bytearray()
        self._complaint = bytearray()
        self._frames = Frames()
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._writing = False
        self._channels: dict[int, Channel] = {}
        self._latest = 0
        self._news: set[asyncio.Future[None]] = set()
        self._pongs = 0
        self._pings = 0
        self._heard_at = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            self._process = start_process(self._command)
        except OSError as error:
            raise AttemptFailed(Ending.FAILED_HERE, f"{self.name}: {error.strerror}") from error
        self._stdin, self._stdout, self._stderr = (
            pipe.fileno() for pipe in (self._process.stdin, self._process.stdout, self._process.stderr) if pipe
        )
        self._loop.add_reader(self._stdout, self._read)
        self._loop.add_reader(self._stderr, self._read_complaint)
        try:
            end = self._loop.time() + START_SECONDS
            while not self._greeted:
                self._check()
                if not await self._wait(end - self._loop.time()):
                    raise self._fail(f"the relay has not greeted within {START_SECONDS:g} s{self._said()}")
        except BaseException:
            await self._end(gently=0.1)
            raise
        self._heard_at = self._loop.time()
        self._ping()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end(gently=END_SECONDS)

    async def connect(self, remote: TransportAddress, *, within: float) -> ByteStream:
        """See `Network.connect`. The `within` seconds are the vantage's."""
        check_destination(remote)
        stream = RelayedStream(self, self._number(), remote)
        asked = {"address": str(remote.address), "port": remote.port, "seconds": within}
        await self._open(stream, TCP, asked, within)
        return stream

    async def datagrams(self, *, toward: TransportAddress) -> DatagramSocket:
        """See `Network.datagrams`."""
        check_destination(toward)
        sock = RelayedDatagrams(self, self._number(), toward)
        await self._open(sock, UDP, {"address": str(toward.address), "port": toward.port}, 0)
        return sock

    async def confirm(self) -> None:
        """Raises AttemptFailed(FAILED_HERE) unless the relay is alive and has done all it was told so far.

        To be asked before silence is taken for an answer: a vantage that went away is silent too.
        """
        self._check()
        self._pings += 1
        wanted = self._pings
        self.put(PING, 0, b"%d" % wanted)
        end = self._loop.time() + ANSWER_SECONDS
        while self._pongs < wanted:
            self._check()
            if not await self._wait(end - self._loop.time()):
                text = f"{self.name}: the relay has not answered within {ANSWER_SECONDS:g} s"
                raise AttemptFailed(Ending.FAILED_HERE, text)

    def put(self, kind: int, channel: int, rest: bytes = b"") -> None:
        """See `Link.put`."""
        data = frame(kind, channel, rest)
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if not self._writing:
            self._write()

    async def room(self) -> None:
        """See `Link.room`."""
        while self._unsent_bytes > MAXIMUM_UNSENT and self.failure is None:
            await self._wait(None)
        self._check()

    def forget(self, channel: int) -> None:
        """See `Link.forget`."""
        self._channels.pop(channel, None)

    def _number(self) -> int:
        self._check()
        if len(self._channels) >= CHANNELS:
            text = f"{self.name}: the relay carries {CHANNELS} connections and sockets at most"
            raise AttemptFailed(Ending.FAILED_HERE, text)
        self._latest += 1
        return self._latest

    async def _open(self, channel: Channel, kind: int, asked: dict[str, object], within: float) -> None:
        number = self._latest
        self._channels[number] = channel
        self.put(kind, number, json.dumps(asked).encode("ascii"))
        try:
            await channel.opened(within)
        except BaseException:
            channel.abort()
            raise

    def _check(self) -> None:
        if self.failure is not None:
            raise AttemptFailed(self.failure.ending, self.failure.text)
        if self._process is None or self._closed:
            raise AttemptFailed(Ending.FAILED_HERE, f"{self.name}: the relay is not running")

    def _fail(self, reason: str) -> AttemptFailed:
        """The relay cannot be used any more."""
        if self.failure is None:
            self.failure = AttemptFailed(Ending.FAILED_HERE, f"{self.name}: {reason}")
            self._loop.remove_reader(self._stdout)
            self._stop_writing()
            self._wake()
        return self.failure

    def _read(self) -> None:
        try:
            data = os.read(self._stdout, _READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._stdout)
            self._post_mortem(50)
            return
        self._heard_at = self._loop.time()
        if not self._greeted:
            self._heard += data
            if not self._heard.startswith(GREETING[: len(self._heard)]):
                first = bytes(self._heard).lstrip().splitlines()[:1] or [b""]
                self._fail(f"text stands before the relay's greeting (a login banner?): {printable(first[0], 100)}")
                return
            if len(self._heard) < len(GREETING):
                return
            self._greeted = True
            data = bytes(self._heard[len(GREETING) :])
            self._wake()
        try:
            for kind, number, rest in self._frames.feed(data):
                self._take(kind, number, rest)
        except (ValueError, KeyError, TypeError) as error:
            self._fail(f"the relay breaks its protocol: {error}")

    def _take(self, kind: int, number: int, rest: bytes) -> None:
        if kind == PING and number == 0:
            if rest.isdigit() and len(rest) < 10:
                self._pongs = max(self._pongs, min(int(rest), self._pings))
            self._wake()
        elif number in self._channels:
            self._channels[number].take(kind, rest)
        elif not 0 < number <= self._latest:
            raise ValueError(f"channel {number} was never opened")

    def _post_mortem(self, tries: int) -> None:
        """Say why it ended, once it has."""
        assert self._process is not None
        code = self._process.poll()
        if code is None and tries:
            self._later(0.01, self._post_mortem, tries - 1)
            return
        self._read_complaint()
        how = "" if code is None else f" with {code}"
        hint = " (is python3 there?)" if code == 127 else ""
        self._fail(f"the relay ended{how}{hint}{self._said()}")

    def _said(self) -> str:
        """The last line on stderr: Python names an error there, ssh why it cannot connect."""
        lines = [line for line in bytes(self._complaint).splitlines() if line.strip()]
        return f": {printable(lines[-1].strip(), 150)}" if lines else ""

    def _read_complaint(self) -> None:
        with suppress(BlockingIOError):
            try:
                data = os.read(self._stderr, _READ)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(self._stderr)
            self._complaint += data
            del self._complaint[:-MAXIMUM_COMPLAINT]

    def _write(self) -> None:
        try:
            while self._unsent:
                data = self._unsent.popleft()
                count = 0
                try:
                    count = os.write(self._stdin, data)
                finally:
                    self._unsent_bytes -= count
                    if count < len(data):
                        self._unsent.appendleft(data[count:])
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._stdin, self._write)
        except OSError:  # it has ended; stdout tells
            self._stop_writing()
        else:
            self._stop_writing()
        if self._unsent_bytes <= MAXIMUM_UNSENT:
            self._wake_waiting()

    def _stop_writing(self) -> None:
        self._unsent.clear()
        self._unsent_bytes = 0
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._stdin)

    def _ping(self) -> None:
        if self.failure is None:
            if self._loop.time() - self._heard_at > DEAD_SECONDS:
                self._fail(f"the relay has said nothing for {DEAD_SECONDS:g} s")
                return
            self.put(PING, 0)
            self._later(PING_SECONDS, self._ping)

    def _later(self, delay: float, call: object, *args: object) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            call(*args)  # type: ignore[operator]

        timer = self._loop.call_later(delay, fire)
        self._timers.add(timer)

    async def _wait(self, within: float | None) -> bool:
        future: asyncio.Future[None] = self._loop.create_future()
        self._news.add(future)
        try:
            done, _ = await asyncio.wait([future], timeout=within)
            return bool(done)
        finally:
            self._news.discard(future)
            future.cancel()

    def _wake_waiting(self) -> None:
        for future in self._news:
            if not future.done():
                future.set_result(None)

    def _wake(self) -> None:
        self._wake_waiting()
        for channel in list(self._channels.values()):
            channel.wake()

    async def _end(self, *, gently: float) -> None:
        """End the relay and wake who waits; nothing is left running here."""
        if self._closed or self._process is None:
            return
        self._closed = True
        try:
            for channel in list(self._channels.values()):
                channel.abort()
            if self.failure is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(gently):
                        while self._unsent:
                            await asyncio.sleep(0.01)
        finally:
            for timer in self._timers:
                timer.cancel()
            self._fail("the relay was ended")
            self._loop.remove_reader(self._stdout)
            self._loop.remove_reader(self._stderr)
            self._stop_writing()
            await end_process(self._process, gently=gently)
