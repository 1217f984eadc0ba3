"""A vantage that misbehaves: what it says is bounded, named, and not believed."""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.endpoint.loopback_endings import ending_of
from tests.endpoint.relay_on_loopback import NOWHERE, run

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.relay import frames as relay
from callgate.endpoint.relay import sockets as relayed_sockets
from callgate.endpoint.relay.frames import DATA, ERROR, GONE, GRAM, GREETING, OPEN, frame, pack_datagram
from callgate.endpoint.relay.network import RelayedNetwork


def vantage(says: str) -> list[str]:
    """A vantage that greets, waits until a channel is asked for, says something (an expression), and stays."""
    greeting = GREETING.decode()
    program = (
        f"import os, time\nos.write(1, {greeting!r}.encode())\nheard = b''\n"
        "while len(heard) < 40:\n"
        "    data = os.read(0, 4096)\n    if not data:\n        os._exit(0)\n    heard += data\n"
        f"data = {says}\n"
        "while data:\n    data = data[os.write(1, data):]\n"
        "while os.read(0, 4096):\n    pass\n"
    )
    return [sys.executable, "-I", "-S", "-c", program]


def short(says: bytes) -> str:
    """An expression for the bytes that fits into a command line."""
    return f"__import__('zlib').decompress({zlib.compress(says)!r})"


def opened(address: str = "192.0.2.7") -> bytes:
    return frame(OPEN, 1, json.dumps({"local": [address, 4000]}).encode())


HONEST: dict[str, object] = {
    "errno": "ECONNREFUSED",
    "icmp": None,
    "at_once": False,
    "local": None,
    "remote": ["192.0.2.1", 2000],
}


def trouble(**changed: object) -> bytes:
    """An ERROR frame."""
    return frame(ERROR, 1, json.dumps({**HONEST, **changed}).encode())


@pytest.mark.parametrize(
    ("says", "text"),
    [
        (b"bash: warning: something\n", "is no frame"),
        (frame(200, 1), "kind 200 with 0 bytes is no frame"),
        (frame(OPEN, 2, b"{}"), "channel 2 was never opened"),
        (frame(OPEN, 1, b"{}"), "'local'"),
        (frame(OPEN, 1, b"[" * 2000), "JSON too deep"),
        (frame(OPEN, 1, b" " * 3000), "3000 bytes of JSON"),
        (frame(OPEN, 1, b"\xff\xff"), "codec can't decode"),
        (opened("192.0.2.7%eth0\r\nVia: x"), "an address that is none"),
        (opened("fe80::1%x y"), "an address that is none"),
        (opened("2001:db8::1"), "the local address is of the other family"),
        (frame(DATA, 1, b"x"), "data before the connection stood"),
        (opened() + frame(GRAM, 1, pack_datagram("192.0.2.1", 1, b"")), "frame of kind 5 with 12 bytes"),
        (opened() + frame(DATA, 1), "frame of kind 4 with 0 bytes"),
        (opened() + frame(relay.CREDIT, 1, b"\0\0\0\1"), "more was taken in than was sent"),
        (opened() + frame(relay.CREDIT, 1, b"\0"), "frame of kind 6 with 1 bytes"),
        (opened() + frame(DATA, 1, bytes(65536)) * 8, "more data than the window allows"),
        (opened() + frame(DATA, 1, bytes(65537)), "more data than the window allows"),
        (frame(ERROR, 1, b"{}"), "an error that is none"),
        (trouble(remote=None), "unpack"),
        (trouble(icmp={"type": 1e9, "code": 0, "from": "::"}), "an ICMP error that is none"),
        (trouble(icmp={"type": 3, "code": 0, "from": 7}), "an address that is none"),
        (trouble(icmp=7), "not subscriptable"),
    ],
)
def test_a_vantage_that_breaks_the_protocol_is_named_and_nothing_it_says_is_believed(says: bytes, text: str) -> None:
    async def work() -> tuple[Ending, str]:
        async with RelayedNetwork(vantage(short(says)), "pbx7") as network:

            async def talk() -> None:
                stream = await network.connect(NOWHERE, within=2)
                while True:
                    await stream.receive()
                    await asyncio.sleep(0.5)

            return await ending_of(talk())

    ending, said = run(work())
    assert ending is Ending.FAILED_HERE
    assert said.startswith("pbx7: the relay breaks its protocol: ")
    assert text in said


def test_an_honest_error_in_any_dress_is_the_ending_it_tells() -> None:
    prohibited = {"type": 3, "code": 10, "from": "192.0.2.1"}
    own = {"type": 3, "code": 1, "from": "192.0.2.7"}
    cases = [
        (trouble(), Ending.REFUSED),
        (trouble(errno="EHOSTUNREACH", icmp=prohibited), Ending.UNREACHABLE),
        (trouble(errno="EHOSTUNREACH", icmp=own, local=["192.0.2.7", 1]), Ending.NO_ROUTE),
        (trouble(errno="ENETUNREACH", at_once=True), Ending.NO_ROUTE),
        (trouble(errno="EMFILE", at_once=True), Ending.FAILED_HERE),
        (trouble(errno="ENOSUCHTHING"), Ending.FAILED_HERE),
        (trouble(errno="ETIMEDOUT"), Ending.NO_REPLY),
    ]

    async def work(said: bytes) -> Ending:
        async with RelayedNetwork(vantage(short(said)), "pbx7") as network:
            return (await ending_of(network.connect(NOWHERE, within=2)))[0]

    assert [run(work(said)) for said, _ in cases] == [ending for _, ending in cases]


class Unplugged:
    """A link to nowhere, for channels that only listen."""

    failure: AttemptFailed | None = None

    def put(self, kind: int, channel: int, rest: bytes = b"") -> None:
        pass

    async def room(self) -> None:
        pass

    def forget(self, channel: int) -> None:
        pass


KEYS = st.sampled_from(["errno", "icmp", "local", "remote", "at_once", "type", "code", "from"])
SAID = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([opened()[9:], trouble()[9:], pack_datagram("192.0.2.1", 9, b"data")]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    ).map(lambda value: json.dumps(value).encode()),
)
KINDS = st.sampled_from([OPEN, DATA, GRAM, relay.CREDIT, relay.END, GONE, ERROR])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(KINDS, SAID), max_size=6), st.booleans())
def test_whatever_is_said_of_a_channel_only_the_errors_of_a_broken_protocol_come_of_it(
    frames: list[tuple[int, bytes]], datagrams: bool
) -> None:
    kind = relayed_sockets.RelayedDatagrams if datagrams else relayed_sockets.RelayedStream
    channel = kind(Unplugged(), 1, NOWHERE)
    with suppress(ValueError, KeyError, TypeError):
        for each in frames:
            channel.take(*each)


def test_a_flood_of_datagrams_is_dropped_beyond_what_is_kept() -> None:
    async def work() -> int:
        sock = relayed_sockets.RelayedDatagrams(Unplugged(), 1, NOWHERE)
        sock.take(OPEN, opened()[9:])
        for size in (10, 60_000):
            for _ in range(2000):
                sock.take(GRAM, pack_datagram("192.0.2.1", 9, bytes(size)))
        held = 0
        while sock._queued:
            held += len((await sock.receive()).data)
        return held

    assert asyncio.run(work()) <= relayed_sockets.MAXIMUM_QUEUED_BYTES
