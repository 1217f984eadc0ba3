"""Sockets that a vantage opens for us, as the relay's frames show them."""

from __future__ import annotations

import asyncio
import errno
import json
import re
import struct
from collections import deque
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, Protocol

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.exchange import IcmpError
from callgate.endpoint.failure import During, failure_of
from callgate.endpoint.network import Datagram, TransportAddress
from callgate.endpoint.open_socket import SEND_SECONDS, check_destination
from callgate.endpoint.relay.channels import CLOSE_SECONDS
from callgate.endpoint.relay.frames import (
    CHUNK,
    CREDIT,
    DATA,
    END,
    ERROR,
    FRAME_BYTES,
    GONE,
    GRAM,
    OPEN,
    WINDOW,
    pack_datagram,
    unpack_datagram,
)

ANSWER_SECONDS: Final = 5.0
"""What the way to the vantage and back may take."""
MAXIMUM_JSON: Final = 2048
MAXIMUM_QUEUED: Final = 1024
"""Datagrams kept until they are received; more are dropped, as a kernel does."""
MAXIMUM_QUEUED_BYTES: Final = 1 << 20

_ADDRESS: Final = re.compile(r"[0-9a-fA-F.:]{2,45}(%[0-9A-Za-z_.-]{1,15})?")
"""A zone is an interface's name; it must not bring anything else into what phones write."""
_NUMBERS: Final = {name: number for number, name in errno.errorcode.items()}


class Link(Protocol):
    """The relay that the channels of a network share."""

    failure: AttemptFailed | None
    """Why it cannot be used any more."""

    def put(self, kind: int, channel: int, rest: bytes = b"") -> None:
        """Send a frame when it can be sent."""
        ...

    async def room(self) -> None:
        """Wait until frames go out again."""
        ...

    def forget(self, channel: int) -> None:
        """Frames of this channel are not expected any more."""
        ...


@dataclass(frozen=True, slots=True)
class _Trouble:
    """An ERROR frame, checked."""

    number: int | None
    at_once: bool
    icmp: IcmpError | None
    local: TransportAddress | None
    remote: TransportAddress

    def failure(self, during: During) -> AttemptFailed:
        own = self.local.address if self.local else None
        return failure_of(self.number, self.remote, during, at_once=self.at_once, icmp=self.icmp, own=own)


class Channel:
    """One channel: waits for what the relay says of it. ValueError where the relay breaks the rules."""

    def __init__(self, link: Link, number: int, remote: TransportAddress) -> None:
        self._link = link
        self._number = number
        self._remote = remote
        self._local: TransportAddress | None = None
        self._failure: AttemptFailed | None = None
        self._closing = False
        self._gone = False
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def local(self) -> TransportAddress:
        """Where this end is, as the vantage sees it."""
        assert self._local is not None
        return self._local

    def wake(self) -> None:
        """Let those who wait look again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def take(self, kind: int, rest: bytes) -> None:
        """A frame of this channel. ValueError if it cannot be."""
        if kind == OPEN and self._local is None:
            local = _address(_json(rest)["local"])
            if local.address.version != self._remote.address.version:
                raise ValueError("the local address is of the other family")
            self._local = local
        elif kind == ERROR:
            self._failed(_trouble(rest))
        elif kind == GONE:
            self._gone = True
            self._link.forget(self._number)
        else:
            self._take(kind, rest)
        self.wake()

    async def opened(self, within: float) -> None:
        """Wait until it can be used. The vantage has its own clock: when it says nothing, nothing is learnt."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within + ANSWER_SECONDS
        while self._local is None:
            self._raise_failure()
            if self._gone or not await self._wait(end - loop.time()):
                raise AttemptFailed(Ending.FAILED_HERE, f"{self._remote}: the relay does not answer")

    def _take(self, kind: int, rest: bytes) -> None:
        raise NotImplementedError

    def _failed(self, trouble: _Trouble) -> None:
        raise NotImplementedError

    def _raise_failure(self) -> None:
        failure = self._failure or self._link.failure
        if failure is not None:
            raise AttemptFailed(failure.ending, failure.text)

    def _check(self) -> None:
        if self._closing:
            raise AttemptFailed(Ending.FAILED_HERE, f"{self._remote}: this end has closed it")
        if self._link.failure is not None:
            raise AttemptFailed(self._link.failure.ending, self._link.failure.text)

    async def _wait(self, within: float | None = None) -> bool:
        """Wait for news; False when the time is over."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            done, _ = await asyncio.wait([future], timeout=within)
            return bool(done)
        finally:
            self._waiting.discard(future)
            future.cancel()

    async def close(self) -> None:
        """Let the vantage close it politely, which takes it a second at most."""
        if self._closing:
            return
        self._closing = True
        self.wake()
        try:
            if not self._must_reset and self._failure is None and self._link.failure is None:
                self._link.put(END, self._number)
                loop = asyncio.get_running_loop()
                end = loop.time() + CLOSE_SECONDS + ANSWER_SECONDS
                while not self._gone and self._failure is None and self._link.failure is None:
                    if not await self._wait(end - loop.time()):
                        break
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop it at once."""
        self._closing = True
        if not self._gone:
            self._gone = True
            if self._link.failure is None:
                self._link.put(GONE, self._number)
            self._link.forget(self._number)
        self.wake()

    @property
    def _must_reset(self) -> bool:
        return False


class RelayedStream(Channel):
    """A TCP connection of a vantage. One task may receive while others send."""

    def __init__(self, link: Link, number: int, remote: TransportAddress) -> None:
        super().__init__(link, number, remote)
        self._received: deque[bytes] = deque()
        self._allowed = WINDOW + CHUNK
        self._owed = 0
        self._ended = False
        self._under_way = 0
        self._sending = asyncio.Lock()
        self._torn = False

    @property
    def remote(self) -> TransportAddress:
        """See `ByteStream.remote`."""
        return self._remote

    async def send(self, data: bytes) -> None:
        """See `ByteStream.send`; handed over is what the vantage's kernel took. SILENT when it takes nothing."""
        async with self._sending:
            if self._torn:
                raise AttemptFailed(Ending.FAILED_HERE, f"{self._remote}: a message before was sent in part only")
            self._usable()
            for begin in range(0, len(data), FRAME_BYTES):
                await self._link.room()
                self._usable()
                part = data[begin : begin + FRAME_BYTES]
                self._under_way += len(part)
                self._link.put(DATA, self._number, part)
                self._torn = begin + len(part) < len(data)
                await self._handed_over()

    async def receive(self) -> bytes:
        """See `ByteStream.receive`. Cancelling it loses no byte."""
        await asyncio.sleep(0)
        while True:
            if self._closing:
                self._check()
            if self._received:
                data = self._received.popleft()
                self._owed += len(data)
                if self._owed >= WINDOW // 4 and not self._gone:
                    self._link.put(CREDIT, self._number, struct.pack(">I", self._owed))
                    self._allowed += self._owed
                    self._owed = 0
                return data
            self._raise_failure()
            if self._ended:
                return b""
            await self._wait()

    async def _handed_over(self) -> None:
        loop = asyncio.get_running_loop()
        while left := self._under_way:
            end = loop.time() + SEND_SECONDS
            while self._under_way == left:
                if not await self._wait(end - loop.time()):
                    self._torn = True
                    raise AttemptFailed(Ending.SILENT, f"{self._remote}: took in nothing for {SEND_SECONDS:g} s")
                if self._under_way == left:
                    self._usable()

    def _usable(self) -> None:
        self._check()
        self._raise_failure()

    def _take(self, kind: int, rest: bytes) -> None:
        if self._local is None:
            raise ValueError("data before the connection stood")
        if kind == DATA and rest and not self._ended:
            self._allowed -= len(rest)
            if self._allowed < 0 or len(rest) > CHUNK:
                raise ValueError("more data than the window allows")
            if not self._closing:
                self._received.append(rest)
        elif kind == END and not rest:
            self._ended = True
        elif kind == CREDIT and len(rest) == 4:
            self._under_way -= struct.unpack(">I", rest)[0]
            if self._under_way < 0:
                raise ValueError("more was taken in than was sent")
        else:
            raise ValueError(f"frame of kind {kind} with {len(rest)} bytes on a stream")

    def _failed(self, trouble: _Trouble) -> None:
        during = During.CONNECTING if self._local is None else During.STREAMING
        self._failure = trouble.failure(during)
        self._gone = True
        self._link.forget(self._number)

    @property
    def _must_reset(self) -> bool:
        return self._torn


class RelayedDatagrams(Channel):
    """A UDP socket of a vantage. An error of sending comes later, with the next `send` or `receive`."""

    def __init__(self, link: Link, number: int, remote: TransportAddress) -> None:
        super().__init__(link, number, remote)
        self._queued: deque[Datagram | AttemptFailed] = deque()
        self._queued_bytes = 0
        self._unsent: AttemptFailed | None = None

    async def send(self, data: bytes, remote: TransportAddress) -> None:
        """See `DatagramSocket.send`."""
        self._check()
        check_destination(remote)
        if remote.address.version != self.local.address.version:
            raise AttemptFailed(Ending.NO_ROUTE, f"{remote}: cannot be reached from {self.local.address}")
        if len(data) > CHUNK:
            raise AttemptFailed(Ending.FAILED_HERE, f"{remote}: cannot be sent: EMSGSIZE")
        if self._unsent is not None:
            failure, self._unsent = self._unsent, None
            if failure in self._queued:
                self._queued.remove(failure)
            raise failure
        await self._link.room()
        self._check()
        self._link.put(GRAM, self._number, pack_datagram(str(remote.address), remote.port, data))

    async def receive(self) -> Datagram:
        """See `DatagramSocket.receive`; also raises what `send` found too late."""
        await asyncio.sleep(0)
        while True:
            if self._queued:
                came = self._queued.popleft()
                if isinstance(came, AttemptFailed):
                    if came is self._unsent:
                        self._unsent = None
                    raise came
                self._queued_bytes -= len(came.data)
                return came
            self._check()
            await self._wait()

    def _take(self, kind: int, rest: bytes) -> None:
        if kind != GRAM or self._local is None:
            raise ValueError(f"frame of kind {kind} on a UDP socket")
        address, port, data = unpack_datagram(rest)
        datagram = Datagram(data, _address([address, port]))
        if not self._closing and len(self._queued) < MAXIMUM_QUEUED:
            if self._queued_bytes + len(data) > MAXIMUM_QUEUED_BYTES:
                return
            self._queued_bytes += len(data)
            self._queued.append(datagram)

    def _failed(self, trouble: _Trouble) -> None:
        failure = trouble.failure(During.DATAGRAMS)
        if self._local is None:
            self._failure = failure
            self._gone = True
            self._link.forget(self._number)
        elif len(self._queued) < MAXIMUM_QUEUED:
            self._queued.append(failure)
            if failure.ending in (Ending.NO_ROUTE, Ending.FAILED_HERE):
                self._unsent = failure


def _json(rest: bytes) -> dict[str, Any]:
    if len(rest) > MAXIMUM_JSON:
        raise ValueError(f"{len(rest)} bytes of JSON")
    try:
        value = json.loads(rest.decode("ascii"))
    except RecursionError:
        raise ValueError("JSON too deep") from None
    if not isinstance(value, dict):
        raise ValueError("JSON that is no object")
    return value


def _trouble(rest: bytes) -> _Trouble:
    said = _json(rest)
    name, at_once, icmp, local = (said.get(key) for key in ("errno", "at_once", "icmp", "local"))
    if not isinstance(name, str) or not isinstance(at_once, bool):
        raise ValueError("an error that is none")
    report = None
    if icmp is not None:
        kind, code = icmp["type"], icmp["code"]
        if type(kind) is not int or type(code) is not int or not 0 <= kind < 256 or not 0 <= code < 256:
            raise ValueError("an ICMP error that is none")
        report = IcmpError(kind, code, _address([icmp["from"], 0]).address)
    own = None if local is None else _address(local)
    return _Trouble(_NUMBERS.get(name), at_once, report, own, _address(said["remote"]))


def _address(value: Any) -> TransportAddress:
    text, port = value
    if type(port) is not int or not isinstance(text, str) or not _ADDRESS.fullmatch(text):
        raise ValueError("an address that is none")
    return TransportAddress(ip_address(text), port)
