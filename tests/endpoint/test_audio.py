"""Audio of a call over loopback: tone, echo, and who is counted."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Coroutine
from ipaddress import ip_address
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.attempt import AttemptFailed, AudioCount, Ending
from callgate.endpoint.audio import MAXIMUM_STREAMS, MAXIMUM_UNSETTLED, WINDOW, AudioChannel
from callgate.endpoint.network import Address, Datagram, TransportAddress
from callgate.endpoint.rtp import RtpPacket
from callgate.endpoint.sockets import LocalNetwork

Result = TypeVar("Result")
HERE = TransportAddress(ip_address("127.0.0.1"), 9)
FAR = TransportAddress(ip_address("192.0.2.2"), 4000)
OTHER = TransportAddress(ip_address("192.0.2.3"), 4000)


def run(work: Coroutine[Any, Any, Result], seconds: float = 10) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(seconds):
            return await work

    result = asyncio.run(bounded())
    gc.collect()  # reports what was left open
    return result


class Wire:
    """A datagram socket whose other end is the test."""

    def __init__(self) -> None:
        self.local = HERE
        self.sent: list[tuple[float, RtpPacket, TransportAddress]] = []
        self.arriving: asyncio.Queue[Datagram | AttemptFailed] = asyncio.Queue()
        self.failure: AttemptFailed | None = None
        self.closed = False

    async def send(self, data: bytes, remote: TransportAddress) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append((time.monotonic(), RtpPacket.unpack(data), remote))

    async def receive(self) -> Datagram:
        came = await self.arriving.get()
        if isinstance(came, AttemptFailed):
            raise came
        return came

    async def close(self) -> None:
        self.closed = True

    def arrive(self, data: bytes, source: TransportAddress = FAR) -> None:
        self.arriving.put_nowait(Datagram(data, source))

    async def settle(self) -> None:
        while not self.arriving.empty():
            await asyncio.sleep(0)
        await asyncio.sleep(0)


def packet(sequence: int, ssrc: int = 1, payload: bytes = b"\xff" * 160) -> bytes:
    whole = RtpPacket(payload_type=0, sequence=sequence % 65536, timestamp=0, ssrc=ssrc, payload=payload)
    return whole.pack()


async def channel() -> AudioChannel:
    return AudioChannel(await LocalNetwork().datagrams(toward=HERE))


def test_a_tone_and_its_echo_are_counted_at_both_ends() -> None:
    async def work() -> tuple[AudioCount, AudioCount]:
        near, far = await channel(), await channel()
        far.listen()
        far.echo(near.local)
        near.transmit(far.local)
        await asyncio.sleep(0.3)
        await near.pause()
        await asyncio.sleep(0.05)
        return await near.close(), await far.close()

    near, far = run(work())
    assert 10 <= near.sent <= 17
    assert near.received == near.echoed == far.received == far.sent == near.sent
    assert far.echoed == far.stray == near.stray == 0


def test_two_tones_are_received_but_are_no_echo() -> None:
    async def work() -> tuple[AudioCount, AudioCount]:
        near, far = await channel(), await channel()
        near.transmit(far.local, 8)
        far.transmit(near.local, 0, 10)
        await asyncio.sleep(0.2)
        await near.pause()
        await far.pause()
        await asyncio.sleep(0.05)
        return await near.close(), await far.close()

    near, far = run(work())
    assert far.sent > 1.5 * near.sent
    assert (near.received, far.received) == (far.sent, near.sent)
    assert near.echoed == far.echoed == 0


def test_packets_are_numbered_stamped_and_paced_without_drift() -> None:
    async def work() -> list[tuple[float, RtpPacket, TransportAddress]]:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.transmit(FAR)
        await asyncio.sleep(0.5)
        await audio.close()
        assert wire.closed
        return wire.sent

    sent = run(work())
    packets = [packet for _, packet, _ in sent]
    first = packets[0]
    assert [packet.sequence for packet in packets] == [(first.sequence + n) % 65536 for n in range(len(packets))]
    assert [packet.timestamp for packet in packets] == [
        (first.timestamp + 160 * n) % 2**32 for n in range(len(packets))
    ]
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert len({packet.payload for packet in packets}) == len(packets)
    assert {len(packet.payload) for packet in packets} == {160}
    assert {packet.ssrc for packet in packets} == {first.ssrc}
    assert {remote for _, _, remote in sent} == {FAR}
    assert 20 <= len(packets) <= 26
    late = [when - sent[0][0] - 0.02 * number for number, (when, _, _) in enumerate(sent)]
    assert min(late) > -0.005
    assert sum(late[-5:]) / 5 < 0.1  # whatever this machine was busy with, it is made up for


def test_a_machine_that_was_busy_catches_up_by_five_packets_at_most() -> None:
    async def work() -> tuple[list[RtpPacket], int]:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.transmit(FAR)
        await asyncio.sleep(0.01)
        before = len(wire.sent)
        time.sleep(0.5)
        resumed = time.monotonic()
        await asyncio.sleep(0.05)
        await audio.close()
        in_time = int((time.monotonic() - resumed) / 0.02) + 1
        return [packet for _, packet, _ in wire.sent], before + 5 + in_time

    sent, limit = run(work())
    assert 6 <= len(sent) <= limit
    gaps = [(after.timestamp - before.timestamp) % 2**32 for before, after in itertools.pairwise(sent)]
    assert max(gaps) > 160 * 15  # the time that passed shows in the timestamps
    assert min(gaps) == 160


@pytest.mark.parametrize(("asked", "samples"), [(0, 80), (-5, 80), (30, 240), (1 << 31, 960)])
def test_the_packet_size_a_server_asks_for_stays_within_bounds(asked: int, samples: int) -> None:
    async def work() -> int:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.transmit(FAR, 0, asked)
        await asyncio.sleep(0.01)
        await audio.close()
        return len(wire.sent[0][1].payload)

    assert run(work()) == samples


def test_only_the_expected_address_counts_whatever_its_port() -> None:
    async def work() -> AudioCount:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.expect(FAR)
        wire.arrive(packet(1))
        wire.arrive(packet(2), FAR.with_port(1))
        wire.arrive(packet(2), FAR)
        wire.arrive(packet(3), OTHER)
        wire.arrive(b"hello")
        await wire.settle()
        return await audio.close()

    assert run(work()) == AudioCount(received=2, stray=2)


def test_what_came_early_is_settled_once_it_is_known_from_where_it_should_come() -> None:
    async def work() -> tuple[AudioCount, AudioCount]:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.listen()
        audio.listen()
        for number in range(3):
            wire.arrive(packet(number))
        wire.arrive(packet(0), OTHER)
        wire.arrive(b"no RTP")
        await wire.settle()
        before = audio.count
        audio.expect(FAR)
        wire.arrive(packet(2))
        wire.arrive(packet(3))
        await wire.settle()
        return before, await audio.close()

    before, after = run(work())
    assert before == AudioCount()
    assert after == AudioCount(received=4, stray=2)


def test_what_was_not_sent_yet_is_no_echo() -> None:
    async def work() -> AudioCount:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.expect(FAR)
        wire.arrive(packet(1, payload=audio._tones[0].payload(5)))
        await wire.settle()
        return await audio.close()

    assert run(work()) == AudioCount(received=1)


def test_a_flood_from_many_sources_stays_bounded_and_is_stray_in_the_end() -> None:
    async def work() -> AudioCount:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.listen()
        for number in range(2000):
            source: Address = ip_address(0x0A000000 + number)
            wire.arrive(packet(number, ssrc=number), TransportAddress(source, 4000))
        await wire.settle()
        assert len(audio._unsettled) == MAXIMUM_UNSETTLED
        return await audio.close()

    assert run(work()) == AudioCount(stray=2000)


def test_audio_that_moves_to_another_address_is_counted_on() -> None:
    async def work() -> AudioCount:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.expect(FAR)
        wire.arrive(packet(1))
        await wire.settle()
        audio.expect(OTHER)
        wire.arrive(packet(1), OTHER)
        wire.arrive(packet(2), FAR)
        await wire.settle()
        return await audio.close()

    assert run(work()) == AudioCount(received=2, stray=1)


@given(st.lists(st.integers(0, 70_000), max_size=60), st.integers(0, 65535))
def test_each_number_of_the_latest_ones_counts_once(numbers: list[int], start: int) -> None:
    """Numbers that stray less than the window from those before, in any order and any number of times."""
    near = [start + number % (WINDOW // 2) for number in numbers]

    async def work() -> AudioCount:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.expect(FAR)
        for number in near:
            wire.arrive(packet(number))
        await wire.settle()
        return await audio.close()

    assert asyncio.run(work()).received == len(set(near))


def test_hours_of_audio_wrap_around_and_count_whole() -> None:
    async def work() -> AudioCount:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.expect(FAR)
        for number in range(65000, 65000 + 2 * 65536, 40):
            wire.arrive(packet(number))
            wire.arrive(packet(number))
        await wire.settle()
        return await audio.close()

    assert run(work()).received == len(range(65000, 65000 + 2 * 65536, 40))


def test_a_sender_that_begins_anew_far_back_is_followed() -> None:
    async def work() -> AudioCount:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.expect(FAR)
        for number in (30000, 30001, 10, 11, 12, 13):
            wire.arrive(packet(number))
        await wire.settle()
        return await audio.close()

    assert run(work()).received == 5  # 10 alone could be a straggler


def test_any_number_of_streams_takes_bounded_room() -> None:
    async def work() -> int:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.expect(FAR)
        for number in range(500):
            wire.arrive(packet(1, ssrc=number))
        await wire.settle()
        await audio.close()
        return len(audio._received._streams)

    assert run(work()) == MAXIMUM_STREAMS


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_garbage_is_counted_and_never_raises(datagrams: list[bytes]) -> None:
    async def work() -> AudioCount:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.echo(FAR)
        for data in datagrams:
            wire.arrive(data)
        await wire.settle()
        return await audio.close()

    count = asyncio.run(work())
    assert count.received + count.stray <= len(datagrams)
    assert count.sent == count.received


def test_trouble_is_kept_and_sending_goes_on() -> None:
    async def work() -> tuple[str, str, AudioCount]:
        wire = Wire()
        wire.failure = AttemptFailed(Ending.NO_ROUTE, "no way out")
        audio = AudioChannel(wire)
        assert audio.trouble == ""
        audio.transmit(FAR, 0, 10)
        await asyncio.sleep(0.025)
        first = audio.trouble
        wire.failure = None
        wire.arriving.put_nowait(AttemptFailed(Ending.REFUSED, "ICMP port unreachable"))
        await asyncio.sleep(0.03)
        wire.arrive(packet(1))
        await wire.settle()
        await asyncio.sleep(0.02)
        return first, audio.trouble, await audio.close()

    first, second, count = run(work())
    assert first == "no way out"
    assert second == "ICMP port unreachable"
    assert count.sent >= 2
    assert count.received == 1


def test_a_socket_that_fails_here_ends_the_work_but_not_the_caller() -> None:
    async def work() -> tuple[str, AudioCount]:
        wire = Wire()
        wire.failure = AttemptFailed(Ending.FAILED_HERE, "the vantage is gone")
        audio = AudioChannel(wire)
        audio.transmit(FAR)
        wire.arriving.put_nowait(wire.failure)
        await asyncio.sleep(0.05)
        return audio.trouble, await audio.close()

    assert run(work()) == ("the vantage is gone", AudioCount())


@pytest.mark.parametrize("remote", ["192.0.2.2:0", "0.0.0.0:4000", "239.1.1.1:4000"])
def test_audio_goes_to_no_address_that_is_no_hosts(remote: str) -> None:
    host, _, port = remote.rpartition(":")

    async def work() -> str:
        wire = Wire()
        audio = AudioChannel(wire)
        audio.transmit(TransportAddress(ip_address(host), int(port)))
        await asyncio.sleep(0.03)
        audio.echo(TransportAddress(ip_address(host), int(port)))
        await audio.close()
        assert wire.sent == []
        return audio.trouble

    assert run(work()) == f"audio cannot be sent to {remote}"


def test_closed_twice_or_before_it_began_it_stays_closed() -> None:
    async def work() -> None:
        audio = await channel()
        assert audio.local.port % 2 == 0
        assert await audio.close() == AudioCount()
        audio.transmit(FAR)
        audio.listen()
        await audio.pause()
        assert await audio.close() == AudioCount()

    run(work())


def test_a_call_cut_short_leaves_nothing_running() -> None:
    async def call() -> None:
        audio = await channel()
        try:
            audio.transmit(audio.local)
            await asyncio.sleep(5)
        finally:
            await audio.close()

    async def work() -> int:
        task = asyncio.create_task(call())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return len(asyncio.all_tasks())

    assert run(work()) == 1  # this one
